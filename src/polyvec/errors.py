"""Every exception the library raises.

PolyvecError
├── ConfigError               bad URL, unknown scheme, profile or option
├── MissingDependencyError    the adapter is there, its client library is not
├── InvalidRecordError        a record cannot be stored as given
│   └── DimensionMismatchError    its vector has the wrong length
├── InvalidRequestError       an argument of a verb is impossible
├── FilterError               a filter names an unknown field or compares wrong classes
├── NotIncludedError          a field was read that `include=` left out
├── SearchBudgetError         `max_candidates` ran out before `top_k` right hits were found
├── NotSupportedError         this store lacks a capability; raised before any I/O
├── ClosedError               the store was closed
├── MigrationError            a migration cannot start or go on
└── StoreError                the server, or the way to it, failed
    ├── UnavailableError          refused, reset, unreachable            (retryable)
    ├── DeadlineError             the client's or the server's time ran out (retryable)
    ├── RateLimitedError          told to slow down                      (retryable)
    ├── AccessError               not authenticated, or not allowed
    ├── CollectionNotFoundError   the collection does not exist
    ├── CollectionExistsError     the collection exists, and differs
    ├── RejectedError             the server refused the request
    └── PartialWriteError         some records were written, some were not
                                  (retryable when all its causes are)

The exception of the vendor's client is always `__cause__`. Exceptions that an
adapter does not know pass unchanged, because they are bugs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class PolyvecError(Exception):
    """Root of every exception raised by polyvec itself."""

    retryable: bool = False
    """Whether the same call may succeed when it is repeated unchanged."""


class ConfigError(PolyvecError, ValueError):
    """A URL, a profile or an option cannot be used as given."""


class MissingDependencyError(PolyvecError, ImportError):
    """The client library of a backend is not installed; the message has the pip line."""


class InvalidRecordError(PolyvecError, ValueError):
    """A record cannot be stored as given; nothing of the call was written."""


class DimensionMismatchError(InvalidRecordError):
    """A vector does not have the collection's number of dimensions."""


class InvalidRequestError(PolyvecError, ValueError):
    """An argument of a verb is impossible; nothing was sent."""


class FilterError(PolyvecError, ValueError):
    """A filter is malformed, names an unknown field, or compares classes that cannot meet."""


class NotIncludedError(PolyvecError):
    """A field of a record was read that the call's `include=` left out."""


class SearchBudgetError(PolyvecError):
    """`max_candidates` ran out before `top_k` right hits were found.

    Raised instead of a short or a wrong answer. Raise `max_candidates`, narrow
    the filter with clauses the server can decide (`explain` shows which), or
    lower `top_k`.
    """


class NotSupportedError(PolyvecError):
    """The store lacks the capability that the call needs; raised before any I/O."""


class ClosedError(PolyvecError):
    """The store was closed, or is used from a process or loop it does not belong to."""


class MigrationError(PolyvecError):
    """A migration cannot start or go on: its plan, its journal, or records that do not fit."""


class StoreError(PolyvecError):
    """The server, or the way to it, failed.

    Parameters
    ----------
    message
        What happened, without secrets.
    store
        Name of the backend, for example `"qdrant"`.
    operation
        The primitive that failed, for example `"upsert"`.
    retry_after_s
        Seconds the server asked to wait before the next attempt, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        store: str = "",
        operation: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        where = ".".join(part for part in (store, operation) if part)
        super().__init__(f"{where}: {message}" if where else message)
        self.store = store
        self.operation = operation
        self.retry_after_s = retry_after_s


class UnavailableError(StoreError, ConnectionError):
    """The server cannot be reached, or broke the connection."""

    retryable = True


class DeadlineError(StoreError, TimeoutError):
    """Time ran out. A write may or may not have happened; repeating it is safe."""

    retryable = True


class RateLimitedError(StoreError):
    """The server asks for fewer requests; `retry_after_s` says for how long."""

    retryable = True


class AccessError(StoreError, PermissionError):
    """Not authenticated, or not allowed."""


class CollectionNotFoundError(StoreError, LookupError):
    """The collection does not exist."""


class CollectionExistsError(StoreError):
    """The collection exists already, or exists with another dimension or metric."""


class RejectedError(StoreError):
    """The server refused the request: a limit, a type, a syntax."""


class PartialWriteError(StoreError):
    """Some records of a call were written and some were not.

    Parameters
    ----------
    message
        What happened.
    failed
        Id to cause, for every record that was not written. Records of the call
        that are not in it were written. Repeating the call is safe; `retryable`
        says whether it may help, which it may when that is so for every cause.
        `retry_after_s` is the longest that a cause asks for.
    """

    def __init__(
        self,
        message: str,
        *,
        failed: Mapping[str, BaseException],
        store: str = "",
        operation: str = "",
    ) -> None:
        causes = list(failed.values())
        asked = [c.retry_after_s for c in causes if isinstance(c, StoreError)]
        super().__init__(
            message,
            store=store,
            operation=operation,
            retry_after_s=max((s for s in asked if s is not None), default=None),
        )
        self.failed = dict(failed)
        self.retryable = bool(causes) and all(
            isinstance(cause, PolyvecError) and cause.retryable for cause in causes
        )
