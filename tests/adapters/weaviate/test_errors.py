"""Exceptions of weaviate-client, httpx and gRPC to ours."""

from __future__ import annotations

from typing import Any

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import httpx
import pytest
from weaviate import exceptions as client

from polyvec import errors
from polyvec.types import as_any
from polyvec_weaviate._errors import CallFailed, map_error

REQUEST = httpx.Request("GET", "http://user:s3cret@db.example/v1/schema")


def status(code: int, text: str = "said so") -> client.UnexpectedStatusCodeError:
    answer = httpx.Response(code, json={"error": [{"message": text}]}, request=REQUEST)
    return client.UnexpectedStatusCodeError("Collection", answer)


def called(code: str, text: str = "could not find class X in schema") -> CallFailed:
    return CallFailed(as_any(grpc.StatusCode[code]), text)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("native", "ours", "retryable"),
    [
        (status(401), errors.AccessError, False),
        (status(403), errors.AccessError, False),
        (status(404), errors.CollectionNotFoundError, False),
        (status(408), errors.DeadlineError, True),
        (status(422), errors.RejectedError, False),
        (status(429), errors.RateLimitedError, True),
        (status(500), errors.UnavailableError, True),
        (status(503), errors.UnavailableError, True),
        (status(504), errors.DeadlineError, True),
        (called("UNAVAILABLE"), errors.UnavailableError, True),
        (called("CANCELLED"), errors.UnavailableError, True),
        (called("DEADLINE_EXCEEDED"), errors.DeadlineError, True),
        (called("UNAUTHENTICATED"), errors.AccessError, False),
        (called("PERMISSION_DENIED"), errors.AccessError, False),
        (called("RESOURCE_EXHAUSTED"), errors.RateLimitedError, True),
        (called("UNKNOWN"), errors.RejectedError, False),
        (called("UNKNOWN", "panic occurred: runtime error"), errors.UnavailableError, True),
        (client.WeaviateTimeoutError("x"), errors.DeadlineError, True),
        (client.WeaviateConnectionError("x"), errors.UnavailableError, True),
        (client.WeaviateStartUpError("x"), errors.UnavailableError, True),
        (
            caused(client.WeaviateStartUpError("x"), client.WeaviateTimeoutError("x")),
            errors.DeadlineError,
            True,
        ),
        (client.WeaviateClosedClientError(), errors.UnavailableError, True),
        (client.WeaviateGRPCUnavailableError("1.38"), errors.UnavailableError, True),
        (client.WeaviateInsertManyAllFailedError("x"), errors.RejectedError, False),
        (client.WeaviateQueryError("x", "GRPC search"), errors.StoreError, False),
        (client.WeaviateBatchError("x"), errors.StoreError, False),
        (client.WeaviateDeleteManyError("x"), errors.StoreError, False),
        (client.WeaviateRetryError("x", 5), errors.StoreError, False),
        (httpx.ReadTimeout("x", request=REQUEST), errors.DeadlineError, True),
        (httpx.ConnectError("x", request=REQUEST), errors.UnavailableError, True),
        (httpx.RemoteProtocolError("x", request=REQUEST), errors.UnavailableError, True),
    ],
    ids=lambda v: f"{type(v).__name__}-{v}"[:50] if isinstance(v, Exception) else "",
)
def test_known(native: Exception, ours: type[errors.StoreError], retryable: bool) -> None:
    found = map_error(native, "upsert")
    assert found is not None
    assert type(found) is ours
    assert found.retryable is retryable
    assert (found.store, found.operation) == ("weaviate", "upsert")


@pytest.mark.parametrize(
    "native",
    [
        ValueError("x"),
        client.WeaviateInvalidInputError("x"),
        client.InvalidDataModelError("x"),
        errors.RejectedError("x"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_unknown_passes(native: Exception) -> None:
    assert map_error(native, "upsert") is None


@pytest.mark.parametrize(
    "native",
    [
        status(401, "key s3cret is wrong"),
        httpx.ConnectError("http://user:s3cret@db.example", request=REQUEST),
        called("UNAVAILABLE", "failed to connect to ipv4:10.0.0.1:1; s3cret"),
        caused(client.WeaviateConnectionError("s3cret"), ValueError("s3cret")),
    ],
    ids=lambda v: type(v).__name__,
)
def test_no_secret_is_told(native: Exception) -> None:
    assert "s3cret" not in str(map_error(native, "ping"))


def test_a_long_message_is_cut() -> None:
    found: Any = map_error(called("UNKNOWN", "Word.\n" * 500), "get")
    assert str(found).startswith("weaviate.get: word. Word.")
    assert len(str(found)) < 350
