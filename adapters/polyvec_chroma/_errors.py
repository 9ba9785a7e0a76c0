"""Errors of Chroma's client as errors of polyvec: by class, by status, once by text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
from chromadb import errors as theirs

from polyvec._wording import shortened
from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    DeadlineError,
    PolyvecError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STORE: Final = "chroma"

_BY_STATUS: Final[Mapping[int, type[StoreError]]] = {
    401: AccessError,
    403: AccessError,
    407: AccessError,
    408: DeadlineError,
    409: CollectionExistsError,
    429: RateLimitedError,
    504: DeadlineError,
}

_BY_CLASS: Final[tuple[tuple[type[Exception], type[StoreError]], ...]] = (
    (theirs.ChromaAuthError, AccessError),
    (theirs.AuthorizationError, AccessError),
    (theirs.RateLimitError, RateLimitedError),
    (theirs.UniqueConstraintError, CollectionExistsError),
    (theirs.InternalError, StoreError),
    (theirs.ChromaError, RejectedError),
    (httpx.TimeoutException, DeadlineError),
    (httpx.NetworkError, UnavailableError),
    (httpx.RemoteProtocolError, UnavailableError),
    (httpx.ProxyError, UnavailableError),
)

LOCKED: Final = "database is locked"
"""In the text of an InternalError: Chroma has no class for it. Tested with 1.5.9."""

NOT_YET: Final = "Nothing found on disk"
"""In the text of an InternalError: the vectors of a collection were read while its first ones were
written. Measured with eight writers on `chroma run` 1.5.9; the next call succeeds."""


class PanicError(Exception):
    """Chroma's native code panicked; what it raised is no Exception (trap S14)."""


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of the client's, None for what is not known."""
    if isinstance(exc, PolyvecError):
        return None
    if isinstance(exc, PanicError):
        return StoreError(
            f"chroma's native code panicked: {shortened(str(exc))}; "
            "close the store and open it again",
            store=STORE,
            operation=operation,
        )
    if isinstance(exc, OSError) and not isinstance(exc, httpx.HTTPError):
        kind = AccessError if isinstance(exc, PermissionError) else StoreError
        reason = (exc.strerror or type(exc).__name__).lower()
        where = f" at {exc.filename!r}" if exc.filename else ""
        return kind(f"{reason}{where}", store=STORE, operation=operation)
    if isinstance(exc, theirs.InternalError) and LOCKED in str(exc):
        return UnavailableError(
            "another process has locked the database; only one may use the directory",
            store=STORE,
            operation=operation,
        )
    if isinstance(exc, theirs.InternalError) and NOT_YET in str(exc):
        return UnavailableError(_text_of(exc), store=STORE, operation=operation)
    for theirs_class, ours in _BY_CLASS:
        if isinstance(exc, theirs_class):
            return ours(_text_of(exc), store=STORE, operation=operation)
    # A refusal without Chroma's JSON (a proxy, a body too large) is a bare Exception.
    if type(exc) is Exception and isinstance(exc.__context__, httpx.HTTPStatusError):
        return _of_response(exc.__context__.response, operation)
    return None


def _of_response(response: httpx.Response, operation: str) -> StoreError:
    status = response.status_code
    other = UnavailableError if status >= 500 else RejectedError
    message = f"the server answered {status} {response.reason_phrase.lower()}".rstrip()
    if status == 413:
        message += "; write fewer or shorter records at a time"
    if _BY_STATUS.get(status) is RateLimitedError:
        return RateLimitedError(
            message, store=STORE, operation=operation, retry_after_s=_retry_after_s(response)
        )
    return _BY_STATUS.get(status, other)(message, store=STORE, operation=operation)


def _retry_after_s(response: httpx.Response) -> float | None:
    """Return the seconds the server asks to wait; a date is not worth a clock."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _text_of(exc: Exception) -> str:
    if isinstance(exc, httpx.HTTPError):
        # Neither URL nor headers: a URL may have a password in it.
        what = type(exc).__name__
        return f"the connection failed ({what})" if what != "ReadTimeout" else "no answer in time"
    return shortened(str(exc)) or type(exc).__name__
