"""Errors of Pinecone's client as errors of polyvec: by class and by status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
from pinecone.errors import exceptions as theirs

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

STORE: Final = "pinecone"

_BY_STATUS: Final[Mapping[int, type[StoreError]]] = {
    401: AccessError,
    402: AccessError,  # nothing more is to be had on this plan
    403: AccessError,  # also deletion protection and quotas
    404: CollectionNotFoundError,
    407: AccessError,
    408: DeadlineError,
    409: CollectionExistsError,
    429: RateLimitedError,
    504: DeadlineError,
}


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of the client's, None for what is not known."""
    match exc:
        case PolyvecError():
            return None
        case theirs.ApiError():
            return _of_answer(exc, operation)
        case theirs.PineconeTimeoutError():
            return DeadlineError("no answer in time", store=STORE, operation=operation)
        case theirs.PineconeConnectionError():
            # Its own text has addresses.
            cause = type(exc.__cause__ or exc).__name__
            text = f"the connection failed ({cause})"
            return UnavailableError(text, store=STORE, operation=operation)
        case theirs.ResponseParsingError():
            return StoreError("the answer was not understood", store=STORE, operation=operation)
        case httpx.InvalidURL():  # the client lets it through
            return RejectedError("the request's URL is too long", store=STORE, operation=operation)
        case httpx.HTTPError():
            text = f"the connection failed ({type(exc).__name__})"
            return UnavailableError(text, store=STORE, operation=operation)
        case OSError():
            kind = AccessError if isinstance(exc, PermissionError) else StoreError
            reason = (exc.strerror or type(exc).__name__).lower()
            where = f" at {exc.filename!r}" if exc.filename else ""
            return kind(f"{reason}{where}", store=STORE, operation=operation)
        case _:
            return None


def _of_answer(exc: theirs.ApiError, operation: str) -> StoreError:
    status = exc.status_code
    other = UnavailableError if status >= 500 else RejectedError
    text = shortened(exc.message or f"the server answered {status}")
    if status == 413:
        text += "; write fewer or shorter records at a time"
    kind = _BY_STATUS.get(status, other)
    if kind is RateLimitedError:
        wait_s = getattr(exc, "retry_after", None)
        return RateLimitedError(text, store=STORE, operation=operation, retry_after_s=wait_s)
    return kind(text, store=STORE, operation=operation)


def is_doubtful(exc: Exception) -> bool:
    """Tell whether an error may mean that the index is gone, or another than was opened."""
    if isinstance(exc, theirs.ApiError):
        return exc.status_code in (400, 404)
    return isinstance(exc, theirs.PineconeConnectionError)


def is_absent(exc: Exception) -> bool:
    """Tell whether an error means that something is not there."""
    return isinstance(exc, theirs.ApiError) and exc.status_code == 404
