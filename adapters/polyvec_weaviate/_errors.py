"""Errors of Weaviate's client as errors of polyvec: by class, by status, by gRPC code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import httpx
from weaviate import exceptions as client_errors

from polyvec._wording import shortened
from polyvec.errors import (
    AccessError,
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

STORE: Final = "weaviate"
_SERVER_FAULT: Final = 500

_BY_STATUS: Final[Mapping[int, type[StoreError]]] = {
    401: AccessError,
    403: AccessError,
    404: CollectionNotFoundError,
    407: AccessError,
    408: DeadlineError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: DeadlineError,
}

_BY_CODE: Final[Mapping[Any, type[StoreError]]] = {
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.PERMISSION_DENIED: AccessError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RateLimitedError,
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
}
"""Weaviate's own errors are UNKNOWN, whatever they are about; see `CallFailed`."""


_PANIC: Final = "panic occurred"
"""A fault in the server, not in the request: a search beside a writer met one in 6,000 times, an
index out of range (1.38.11)."""


class CallFailed(Exception):  # noqa: N818 - what gRPC says, not an error of ours
    """A gRPC call that failed, with its code; the client would keep the text only.

    Parameters
    ----------
    code, text
        As the server or gRPC said.
    """

    def __init__(self, code: Any, text: str) -> None:
        super().__init__(f"{getattr(code, 'name', code)}: {text}")
        self.code = code
        self.text = text


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of the client's, None for what is not known."""
    kind, text = _read(exc)
    return None if kind is None else kind(_cut(text), store=STORE, operation=operation)


def _read(exc: Exception) -> tuple[type[StoreError] | None, str]:
    match exc:
        case PolyvecError():
            return None, ""
        case CallFailed():
            return _of_code(exc.code, exc.text)
        case client_errors.UnexpectedStatusCodeError():
            return _of_status(exc.status_code, exc)
        case client_errors.WeaviateTimeoutError() | httpx.TimeoutException():
            return DeadlineError, "no answer in time"
        case client_errors.WeaviateConnectionError() | client_errors.WeaviateStartUpError():
            cause = exc.__cause__
            if isinstance(cause, client_errors.WeaviateTimeoutError):
                return DeadlineError, "no answer in time"
            return UnavailableError, "the server cannot be reached"
        case client_errors.WeaviateClosedClientError():
            return UnavailableError, "the connection was closed"
        case httpx.HTTPError():
            # Neither URL nor headers, which may hold a key.
            return UnavailableError, f"the connection failed ({type(exc).__name__})"
        case client_errors.WeaviateGRPCUnavailableError():
            return UnavailableError, "the gRPC port cannot be reached"
        case client_errors.WeaviateInsertManyAllFailedError():
            return RejectedError, _message(exc)
        case client_errors.WeaviateQueryError() | client_errors.WeaviateRetryError():
            return StoreError, _message(exc)
        case _:
            return None, ""


def _of_code(code: Any, text: str) -> tuple[type[StoreError], str]:
    kind = _BY_CODE.get(code, RejectedError)
    if kind is RejectedError and text.startswith(_PANIC):
        return UnavailableError, text
    if kind is UnavailableError:
        text = "the server cannot be reached"  # gRPC's own text has addresses and file names
    elif kind is DeadlineError:
        text = "no answer in time"
    return kind, text or str(getattr(code, "name", code))


def _of_status(status: int, exc: Exception) -> tuple[type[StoreError], str]:
    other = UnavailableError if status >= _SERVER_FAULT else RejectedError
    kind = _BY_STATUS.get(status, other)
    if kind is AccessError:
        return kind, f"the server answered {status}: the key is missing, wrong or not enough"
    return kind, _message(exc) or f"the server answered {status}"


def _message(exc: Exception) -> str:
    return str(getattr(exc, "message", "") or exc)


def _cut(text: str) -> str:
    return shortened(re.sub(r"\s+", " ", text).strip())
