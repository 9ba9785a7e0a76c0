"""Errors of the client, real objects of it, become ours."""

from __future__ import annotations

import errno
from collections.abc import Callable

import httpx
import pytest
from chromadb import errors as theirs
from chromadb.api.base_http_client import BaseHTTPClient

from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    DeadlineError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)
from polyvec_chroma._errors import PanicError, map_error

REQUEST = httpx.Request("POST", "http://me:secret@host/api", headers={"x-chroma-token": "secret"})

BY_CLASS: list[tuple[Exception, type[StoreError]]] = [
    (theirs.ChromaAuthError("no"), AccessError),
    (theirs.AuthorizationError("no"), AccessError),
    (theirs.RateLimitError("slow down"), RateLimitedError),
    (theirs.UniqueConstraintError("there"), CollectionExistsError),
    (theirs.InvalidArgumentError("Validation error"), RejectedError),
    (theirs.InvalidDimensionException("3, not 2"), RejectedError),
    (theirs.NotFoundError("Database [x] not found"), RejectedError),
    (theirs.QuotaError("quota"), RejectedError),
    (theirs.InternalError("error in compaction"), StoreError),
    (theirs.InternalError("(code: 5) database is locked"), UnavailableError),
    (httpx.ConnectError("refused", request=REQUEST), UnavailableError),
    (httpx.ReadError("reset", request=REQUEST), UnavailableError),
    (httpx.RemoteProtocolError("closed", request=REQUEST), UnavailableError),
    (httpx.ReadTimeout("late", request=REQUEST), DeadlineError),
    (httpx.ConnectTimeout("late", request=REQUEST), DeadlineError),
    (PermissionError(errno.EACCES, "Permission denied", "/data"), AccessError),
    (OSError(errno.ENOSPC, "No space left on device", "/data"), StoreError),
    (PanicError("called `Option::unwrap()` on a `None` value"), StoreError),
]


@pytest.mark.parametrize(("exc", "wanted"), BY_CLASS, ids=lambda value: type(value).__name__)
def test_by_class(exc: Exception, wanted: type[StoreError]) -> None:
    mapped = map_error(exc, "search")
    assert type(mapped) is wanted
    assert str(mapped).startswith("chroma.search: ")
    assert "secret" not in str(mapped)


def answer(status: int, body: str = "busy", **headers: str) -> Exception:
    """Return what Chroma's client raises for an answer."""
    response = httpx.Response(status, text=body, headers=headers, request=REQUEST)
    raising: Callable[[httpx.Response], None] = BaseHTTPClient._raise_chroma_error  # pyright: ignore[reportPrivateUsage]  # what is tested
    with pytest.raises(Exception) as caught:  # noqa: PT011 - it is the client's own, of any class
        raising(response)
    return caught.value


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, RejectedError),
        (401, AccessError),
        (403, AccessError),
        (408, DeadlineError),
        (409, CollectionExistsError),
        (413, RejectedError),
        (429, RateLimitedError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, DeadlineError),
    ],
)
def test_trap_s15_answers_without_chroma_json(status: int, wanted: type[StoreError]) -> None:
    """S15: a proxy's answer is a bare Exception; only its context has the status."""
    exc = answer(status, "the token was secret")
    assert type(exc) is Exception
    mapped = map_error(exc, "upsert")
    assert type(mapped) is wanted
    assert str(status) in str(mapped)
    assert "secret" not in str(mapped)


def test_trap_s15_answers_with_chroma_json() -> None:
    exc = answer(500, '{"error": "InternalError", "message": "Disk is full."}')
    mapped = map_error(exc, "upsert")
    assert type(mapped) is StoreError
    assert str(mapped) == "chroma.upsert: disk is full"


def test_the_time_to_wait_is_told() -> None:
    mapped = map_error(answer(429, **{"retry-after": "7"}), "upsert")
    assert isinstance(mapped, RateLimitedError)
    assert mapped.retry_after_s == 7.0
    assert mapped.retryable
    late = map_error(answer(429, **{"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), "upsert")
    assert isinstance(late, RateLimitedError)
    assert late.retry_after_s is None


@pytest.mark.parametrize(
    "exc", [ValueError("ours"), TypeError("ours"), Exception("ours"), RejectedError("done")]
)
def test_what_is_not_known_passes(exc: Exception) -> None:
    assert map_error(exc, "get") is None
