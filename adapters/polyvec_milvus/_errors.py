"""Errors of pymilvus as errors of polyvec: by class, by code, by gRPC status.

The server's 65535 means anything, Milvus Lite's 1 as well; both are refusals here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
from pymilvus.exceptions import (
    ConnectError,
    ConnectionConfigException,
    ConnectionNotExistException,
    MilvusException,
    MilvusUnavailableException,
)

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

STORE: Final = "milvus"

NOT_FOUND: Final = 100
NOT_LOADED: Final = 101
NO_INDEX: Final = 700

# github.com/milvus-io/milvus, pkg/util/merr/errors.go of 2.3.5 and 2.6; 2 is the client's own.
_BY_CODE: Final[Mapping[int, type[StoreError]]] = {
    1: StoreError,  # service not ready, or anything on Milvus Lite: see `_of_milvus`
    2: UnavailableError,
    3: RateLimitedError,  # memory limit
    5: RejectedError,
    7: UnavailableError,  # the server's state is not healthy
    8: RateLimitedError,
    9: RateLimitedError,  # quota
    10: UnavailableError,  # the server is not ready yet
    NOT_FOUND: CollectionNotFoundError,
    NOT_LOADED: UnavailableError,
    102: RejectedError,
    103: UnavailableError,  # not fully loaded
    106: UnavailableError,  # schema or load in progress
    500: UnavailableError,  # no shard leader yet
    501: UnavailableError,
    503: UnavailableError,  # channel not available
    504: UnavailableError,
    600: UnavailableError,
    800: RejectedError,  # no such database
    1400: AccessError,
    1401: AccessError,
    1500: AccessError,
    1800: AccessError,
    1807: RateLimitedError,
}

_BY_STATUS: Final[Mapping[Any, type[StoreError]]] = {
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.INVALID_ARGUMENT: RejectedError,
    grpc.StatusCode.PERMISSION_DENIED: AccessError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RejectedError,  # a message beyond 64 MiB
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.UNIMPLEMENTED: RejectedError,
}


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of the client's, None for what is not known."""
    match exc:
        case PolyvecError():
            return None
        case ConnectError() | ConnectionNotExistException() | MilvusUnavailableException():
            return _unreachable(operation)
        case ConnectionConfigException():
            return UnavailableError(
                "the database cannot be opened; another process may hold it",
                store=STORE,
                operation=operation,
            )
        case MilvusException():
            return _of_milvus(exc, operation)
        case grpc.RpcError():
            return _of_call(exc, operation)
        case TimeoutError():
            return DeadlineError("no answer in time", store=STORE, operation=operation)
        case OSError():
            kind = AccessError if isinstance(exc, PermissionError) else StoreError
            reason = (exc.strerror or type(exc).__name__).lower()
            where = f" at {exc.filename!r}" if exc.filename else ""
            return kind(f"{reason}{where}", store=STORE, operation=operation)
        case _:
            return None


def code_of(exc: BaseException) -> int:
    """Return the code of one of the client's errors, -1 where it has none."""
    code: Any = getattr(exc, "code", -1)
    return code if isinstance(code, int) else -1


def is_too_large(exc: BaseException) -> bool:
    """Tell whether an answer did not fit into one message."""
    status: Any = exc.code() if isinstance(exc, grpc.RpcError) and hasattr(exc, "code") else None
    return bool(status == grpc.StatusCode.RESOURCE_EXHAUSTED)


def _unreachable(operation: str) -> StoreError:
    # The client's own text has the address.
    return UnavailableError("the server cannot be reached", store=STORE, operation=operation)


def _of_milvus(exc: Any, operation: str) -> StoreError:
    code: Any = exc.code
    if isinstance(code, grpc.StatusCode):  # the client's own retries ran out
        status: type[StoreError] = _BY_STATUS.get(code, StoreError)
        if status is UnavailableError:
            return _unreachable(operation)
        return status(f"the server answered {code.name}", store=STORE, operation=operation)
    text = str(exc.message or "")
    if code == 2:
        return _unreachable(operation)
    if "Retry timeout" in text:  # the client has no code for it
        return DeadlineError("no answer in time", store=STORE, operation=operation)
    kind = _BY_CODE.get(code, RejectedError)
    if kind is StoreError:
        kind = RejectedError
    if code in (1601, 1602):
        kind = CollectionExistsError
    return kind(shortened(text or f"code {code}"), store=STORE, operation=operation)


def _of_call(exc: Any, operation: str) -> StoreError:
    code = exc.code() if hasattr(exc, "code") else None
    kind = _BY_STATUS.get(code, StoreError)
    if kind is UnavailableError:
        return _unreachable(operation)
    if kind is DeadlineError:
        return DeadlineError("no answer in time", store=STORE, operation=operation)
    text = exc.details() if hasattr(exc, "details") else ""
    return kind(shortened(text or str(code)), store=STORE, operation=operation)
