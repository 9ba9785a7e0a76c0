"""Failures in the words of the contract: HTTP status, google.rpc code, and the two body forms.

The control plane answers `{"error": {"code": "NOT_FOUND", "message": …}, "status": 404}`, the data
plane `{"code": 5, "message": …, "details": []}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from polyvec.errors import (
    AccessError,
    ClosedError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    MissingDependencyError,
    NotSupportedError,
    PartialWriteError,
    PolyvecError,
    RateLimitedError,
    RejectedError,
    SearchBudgetError,
    StoreError,
)


class Code(Enum):
    """The codes of the contract: HTTP status, google.rpc number."""

    INVALID_ARGUMENT = (400, 3)
    FAILED_PRECONDITION = (400, 9)
    UNAUTHENTICATED = (401, 16)
    FORBIDDEN = (403, 7)
    NOT_FOUND = (404, 5)
    METHOD_NOT_ALLOWED = (405, 12)
    ALREADY_EXISTS = (409, 6)
    PAYLOAD_TOO_LARGE = (413, 3)
    RESOURCE_EXHAUSTED = (429, 8)
    INTERNAL = (500, 13)
    UNIMPLEMENTED = (501, 12)
    UNAVAILABLE = (503, 14)
    DEADLINE_EXCEEDED = (504, 4)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def number(self) -> int:
        """The google.rpc number."""
        return self.value[1]


RETRY_AFTER_S: Final = 1
"""What a client is told to wait when the gateway is full."""


@dataclass
class Refusal(Exception):  # noqa: N818 - an answer, more often than an error
    """An answer other than success.

    Parameters
    ----------
    code
        Which.
    message
        What the client reads.
    retry_after_s
        Whole seconds for the `Retry-After` header, None for none.
    """

    code: Code
    message: str
    retry_after_s: int | None = field(default=None, kw_only=True)


class WrongDimension(Refusal):
    """A vector's length is not the index's, as far as the gateway knows."""


def invalid(message: str) -> Refusal:
    """Return the refusal of a malformed request."""
    return Refusal(Code.INVALID_ARGUMENT, message)


def unimplemented(what: str) -> Refusal:
    """Return the refusal of what Pinecone has and this gateway has not."""
    return Refusal(Code.UNIMPLEMENTED, f"{what} not available in the polyvec gateway")


# The nearest class counts.
_TABLE: Final[dict[type[Exception], Code]] = {
    PolyvecError: Code.INVALID_ARGUMENT,  # a record, an argument or a filter
    NotSupportedError: Code.UNIMPLEMENTED,
    SearchBudgetError: Code.FAILED_PRECONDITION,
    MissingDependencyError: Code.UNAVAILABLE,
    ClosedError: Code.UNAVAILABLE,
    StoreError: Code.UNAVAILABLE,
    # The gateway's own credentials are meant, about which its client can do nothing.
    AccessError: Code.UNAVAILABLE,
    # Records that were not written are written by a repetition, which clients make on 503.
    PartialWriteError: Code.UNAVAILABLE,
    RejectedError: Code.INVALID_ARGUMENT,
    DeadlineError: Code.DEADLINE_EXCEEDED,
    RateLimitedError: Code.RESOURCE_EXHAUSTED,
    CollectionExistsError: Code.ALREADY_EXISTS,
    CollectionNotFoundError: Code.NOT_FOUND,
}


def from_polyvec(error: PolyvecError) -> Refusal:
    """Return what a failure of the store means to the client."""
    code = next(_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
    wait = None
    if isinstance(error, RateLimitedError):
        wait = max(RETRY_AFTER_S, round(error.retry_after_s or 0))
    return Refusal(code, str(error), retry_after_s=wait)


def body(refusal: Refusal, *, data_plane: bool) -> dict[str, Any]:
    """Return the body of an answer, in the form of its plane."""
    if data_plane:
        return {"code": refusal.code.number, "message": refusal.message, "details": []}
    error = {"code": refusal.code.name, "message": refusal.message}
    return {"error": error, "status": refusal.code.status}
