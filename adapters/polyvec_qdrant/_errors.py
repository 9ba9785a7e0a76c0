"""Errors of Qdrant's client as errors of polyvec: by class, by status, by gRPC code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import httpx
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from polyvec._wording import shortened
from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    PolyvecError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STORE: Final = "qdrant"

_BY_STATUS: Final[Mapping[int, type[StoreError]]] = {
    401: AccessError,
    403: AccessError,
    404: CollectionNotFoundError,
    407: AccessError,
    408: DeadlineError,
    409: CollectionExistsError,
    429: RateLimitedError,
    504: DeadlineError,
}

_BY_CODE: Final[Mapping[Any, type[StoreError]]] = {
    grpc.StatusCode.ALREADY_EXISTS: CollectionExistsError,
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.FAILED_PRECONDITION: RejectedError,
    grpc.StatusCode.INTERNAL: StoreError,
    grpc.StatusCode.INVALID_ARGUMENT: RejectedError,
    grpc.StatusCode.NOT_FOUND: CollectionNotFoundError,
    grpc.StatusCode.OUT_OF_RANGE: RejectedError,
    grpc.StatusCode.PERMISSION_DENIED: AccessError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RateLimitedError,
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.UNIMPLEMENTED: RejectedError,
}


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of the client's, None for what is not known."""
    match exc:
        case PolyvecError():
            return None
        case UnexpectedResponse():
            return _of_response(exc, operation)
        case ResponseHandlingException():
            return _of_source(exc.source, operation)
        case ResourceExhaustedResponse():
            wait_s = float(exc.retry_after_s)
            return RateLimitedError(
                shortened(str(exc)), store=STORE, operation=operation, retry_after_s=wait_s
            )
        case grpc.RpcError():
            return _of_call(exc, operation)
        case httpx.HTTPError() | json.JSONDecodeError():  # the client lets both through
            return _of_source(exc, operation)
        case OSError():
            kind = AccessError if isinstance(exc, PermissionError) else StoreError
            reason = (exc.strerror or type(exc).__name__).lower()
            where = f" at {exc.filename!r}" if exc.filename else ""
            return kind(f"{reason}{where}", store=STORE, operation=operation)
        case _:
            return None


def map_local(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of local mode, which has one class for everything."""
    if isinstance(exc, ValueError) and not isinstance(exc, PolyvecError):
        return RejectedError(shortened(str(exc)), store=STORE, operation=operation)
    if isinstance(exc, RuntimeError) and not isinstance(exc, PolyvecError):
        return StoreError(shortened(str(exc)), store=STORE, operation=operation)
    return map_error(exc, operation)


def _of_response(exc: UnexpectedResponse, operation: str) -> StoreError:
    status = exc.status_code or 0
    other = UnavailableError if status >= 500 else RejectedError
    kind = _BY_STATUS.get(status, other)
    text = _told(exc.content) or f"the server answered {status} {exc.reason_phrase}".rstrip()
    return kind(shortened(text), store=STORE, operation=operation)


def _told(content: bytes) -> str:
    """Return what Qdrant says in its JSON; a proxy's page is nobody's business."""
    try:
        status: Any = json.loads(content)["status"]
        return str(status["error"])
    except (ValueError, KeyError, TypeError):
        return ""


def _of_source(source: Exception, operation: str) -> StoreError:
    if isinstance(source, httpx.TimeoutException):
        return DeadlineError("no answer in time", store=STORE, operation=operation)
    if isinstance(source, httpx.HTTPError):
        # Neither URL nor headers, which may hold a key.
        what = f"the connection failed ({type(source).__name__})"
        return UnavailableError(what, store=STORE, operation=operation)
    what = f"the answer was not understood ({type(source).__name__})"
    return StoreError(what, store=STORE, operation=operation)


def _of_call(exc: Any, operation: str) -> StoreError:
    code = exc.code() if hasattr(exc, "code") else None
    text = exc.details() if hasattr(exc, "details") else ""
    kind = _BY_CODE.get(code, StoreError)
    if kind is UnavailableError:
        text = "the server cannot be reached"  # gRPC's own text has addresses and file names
    return kind(shortened(text or str(code)), store=STORE, operation=operation)
