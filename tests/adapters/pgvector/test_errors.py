"""psycopg's own exceptions to ours."""

from __future__ import annotations

import psycopg
import psycopg_pool
import pytest
from psycopg import errors as pg

from polyvec import errors
from polyvec_pgvector._errors import map_error


@pytest.mark.parametrize(
    ("native", "ours", "retryable"),
    [
        (pg.UndefinedTable("x"), errors.CollectionNotFoundError, False),
        (pg.DuplicateTable("x"), errors.CollectionExistsError, False),
        (pg.InsufficientPrivilege("x"), errors.AccessError, False),
        (pg.InvalidPassword("x"), errors.AccessError, False),
        (pg.QueryCanceled("x"), errors.DeadlineError, True),
        (pg.LockNotAvailable("x"), errors.UnavailableError, True),
        (pg.DeadlockDetected("x"), errors.UnavailableError, True),
        (pg.SerializationFailure("x"), errors.UnavailableError, True),
        (pg.AdminShutdown("x"), errors.UnavailableError, True),
        (pg.CannotConnectNow("x"), errors.UnavailableError, True),
        (pg.TooManyConnections("x"), errors.UnavailableError, True),
        (pg.DiskFull("x"), errors.UnavailableError, True),
        (pg.ProgramLimitExceeded("x"), errors.RejectedError, False),
        (pg.DataException("x"), errors.RejectedError, False),
        (pg.ReadOnlySqlTransaction("x"), errors.RejectedError, False),
        (pg.InternalError_("x"), errors.StoreError, False),
        (pg.ConnectionTimeout("x"), errors.DeadlineError, True),
        (psycopg.OperationalError("connection refused"), errors.UnavailableError, True),
        (
            psycopg.OperationalError('FATAL:  password authentication failed for user "u"'),
            errors.AccessError,
            False,
        ),
        (psycopg.OperationalError('FATAL:  role "u" does not exist'), errors.AccessError, False),
        (
            psycopg.OperationalError('FATAL:  database "d" does not exist'),
            errors.RejectedError,
            False,
        ),
        (psycopg_pool.PoolTimeout("x"), errors.UnavailableError, True),
        (psycopg_pool.TooManyRequests("x"), errors.RateLimitedError, True),
        (psycopg.DataError("x"), errors.RejectedError, False),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Exception) else "",
)
def test_known(native: Exception, ours: type[errors.StoreError], retryable: bool) -> None:
    found = map_error(native, "upsert")
    assert found is not None
    assert type(found) is ours
    assert found.retryable is retryable
    assert (found.store, found.operation) == ("pgvector", "upsert")


@pytest.mark.parametrize("native", [ValueError("x"), KeyError("x"), psycopg.InterfaceError("x")])
def test_unknown_passes(native: Exception) -> None:
    assert map_error(native, "upsert") is None


def test_only_the_first_line_is_told() -> None:
    found = map_error(psycopg.OperationalError("Line one.\nDETAIL: a record"), "get")
    assert str(found) == "pgvector.get: line one"
