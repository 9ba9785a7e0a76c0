"""Errors of the client, real objects of it, become ours."""

from __future__ import annotations

import errno
from typing import Any

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import pytest
from pymilvus import exceptions as theirs

from polyvec.errors import (
    AccessError,
    ClosedError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)
from polyvec_milvus._errors import code_of, is_too_large, map_error

SECRET = "root:secret@10.1.2.3:19530"  # noqa: S105 - made up


class CallError(grpc.RpcError):  # type: ignore[misc]  # its base has no types
    """What a channel raises: a call that has a code and details."""

    def __init__(self, status: Any, text: str = "") -> None:
        super().__init__(text)
        self._status, self._text = status, text

    def code(self) -> Any:
        return self._status

    def details(self) -> str:
        return self._text


def milvus(code: Any, text: str = "no") -> Exception:
    made: Exception = theirs.MilvusException(code=code, message=text)
    return made


CASES: list[tuple[Exception, type[StoreError]]] = [
    (milvus(2, f"Fail connecting to server on {SECRET}"), UnavailableError),
    (milvus(grpc.StatusCode.UNAVAILABLE, SECRET), UnavailableError),
    (milvus(grpc.StatusCode.DEADLINE_EXCEEDED, SECRET), DeadlineError),
    (milvus(1, "Retry timeout: 2.0s, message=connection refused"), DeadlineError),
    (milvus(8, "rate limit exceeded"), RateLimitedError),
    (milvus(9, "quota exceeded[reason=memory]"), RateLimitedError),
    (milvus(100, "collection not found[collection=a]"), CollectionNotFoundError),
    (theirs.DescribeCollectionException(100, "can't find collection"), CollectionNotFoundError),
    (milvus(101, "collection not loaded"), UnavailableError),
    (milvus(103, "not fully loaded"), UnavailableError),
    (milvus(503, "channel not available"), UnavailableError),
    (milvus(800, "database not found"), RejectedError),
    (milvus(1100, "the length (5000) of string exceeds max length"), RejectedError),
    (milvus(1400, "auth check failure"), AccessError),
    (milvus(1601, "alias and collection name conflict"), CollectionExistsError),
    (milvus(1602, "alias already exists"), CollectionExistsError),
    (milvus(65535, "cannot parse expression"), RejectedError),
    (milvus(1807, "limited"), RateLimitedError),
    (theirs.ParamError(message="`limit` is wrong"), RejectedError),
    (
        theirs.ConnectionConfigException(message=f"Open local milvus failed {SECRET}"),
        UnavailableError,
    ),
    (
        theirs.ConnectionNotExistException(message="should create connection first."),
        UnavailableError,
    ),
    (theirs.MilvusUnavailableException(message=SECRET), UnavailableError),
    (CallError(grpc.StatusCode.UNAVAILABLE, f"failed to connect to {SECRET}"), UnavailableError),
    (CallError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), DeadlineError),
    (CallError(grpc.StatusCode.CANCELLED, "locally"), UnavailableError),
    (CallError(grpc.StatusCode.UNAUTHENTICATED, "auth check failure"), AccessError),
    (CallError(grpc.StatusCode.PERMISSION_DENIED, "no privilege"), AccessError),
    (CallError(grpc.StatusCode.RESOURCE_EXHAUSTED, "received message larger"), RejectedError),
    (CallError(grpc.StatusCode.UNIMPLEMENTED, "unknown method"), RejectedError),
    (TimeoutError(), DeadlineError),
    (PermissionError(errno.EACCES, "Permission denied", "/data"), AccessError),
    (OSError(errno.ENOSPC, "No space left on device", "/data"), StoreError),
]


@pytest.mark.parametrize(("exc", "wanted"), CASES, ids=lambda value: type(value).__name__)
def test_by_class_and_code(exc: Exception, wanted: type[StoreError]) -> None:
    mapped = map_error(exc, "search")
    assert type(mapped) is wanted
    text = str(mapped)
    assert text.startswith("milvus.search: ")
    assert "secret" not in text
    assert "10.1.2.3" not in text


RETRYABLE = {UnavailableError, DeadlineError, RateLimitedError}


@pytest.mark.parametrize(("exc", "wanted"), CASES, ids=lambda value: type(value).__name__)
def test_what_may_be_repeated(exc: Exception, wanted: type[StoreError]) -> None:
    mapped = map_error(exc, "upsert")
    assert mapped is not None
    assert mapped.retryable == (wanted in RETRYABLE)


@pytest.mark.parametrize("exc", [KeyError("x"), ValueError("x"), ClosedError("closed")])
def test_what_is_not_known_passes(exc: Exception) -> None:
    assert map_error(exc, "search") is None


def test_a_long_text_is_cut() -> None:
    mapped = map_error(milvus(65535, "Cannot parse " + "x" * 10_000), "query")
    assert mapped is not None
    assert len(str(mapped)) < 400
    assert "cannot parse xxx" in str(mapped)


def test_codes() -> None:
    assert code_of(milvus(101)) == 101
    assert code_of(milvus(grpc.StatusCode.UNAVAILABLE)) == -1
    assert code_of(ValueError()) == -1
    assert is_too_large(CallError(grpc.StatusCode.RESOURCE_EXHAUSTED))
    assert not is_too_large(CallError(grpc.StatusCode.UNAVAILABLE))
    assert not is_too_large(grpc.RpcError())
