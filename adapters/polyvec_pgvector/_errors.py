"""psycopg's exceptions to ours: by class, then by SQLSTATE."""

from __future__ import annotations

from typing import Final

import psycopg
import psycopg_pool
from psycopg import errors as pg

from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)

# postgresql.org/docs/18/errcodes-appendix.html: whole codes first, then classes.
_BY_CODE: Final[dict[str, type[StoreError]]] = {
    "42P01": CollectionNotFoundError,  # undefined_table
    "42P07": CollectionExistsError,  # duplicate_table
    "3D000": RejectedError,  # invalid_catalog_name: no such database
    "3F000": RejectedError,  # invalid_schema_name
    "42501": AccessError,  # insufficient_privilege
    "57014": DeadlineError,  # query_canceled, also by statement_timeout
    "55P03": UnavailableError,  # lock_not_available, by lock_timeout
    "53300": UnavailableError,  # too_many_connections
    "53400": RejectedError,  # configuration_limit_exceeded
    "25006": RejectedError,  # read_only_sql_transaction
    "25P02": UnavailableError,  # in_failed_sql_transaction
    "55000": RejectedError,  # object_not_in_prerequisite_state
}
_BY_CLASS: Final[dict[str, type[StoreError]]] = {
    "08": UnavailableError,  # connection exception
    "22": RejectedError,  # data exception
    "23": RejectedError,  # integrity constraint violation
    "28": AccessError,  # invalid authorization
    "2B": RejectedError,  # dependent objects still exist
    "40": UnavailableError,  # serialisation failure, deadlock: the transaction left nothing
    "42": RejectedError,  # syntax error or access rule violation
    "53": UnavailableError,  # insufficient resources
    "54": RejectedError,  # program limit exceeded
    "57": UnavailableError,  # operator intervention: shutdown, crash, starting up
    "58": UnavailableError,  # system error
    "0A": RejectedError,  # feature not supported
    "XX": StoreError,  # internal error
}

# A failed connection carries no SQLSTATE, so here the text decides, which lc_messages of the
# server may translate. Without a match the error is UnavailableError, which is tried again.
# Texts of PostgreSQL 18, src/backend/libpq/auth.c, src/backend/utils/init/postinit.c.
_REFUSED_ENTRY: Final = (
    "password authentication failed",
    "authentication failed for user",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects connection",
    "is not permitted to log in",
    "permission denied for database",
    "no password supplied",
)


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of psycopg's, None for what is not known."""
    kind: type[StoreError]
    match exc:
        case psycopg_pool.TooManyRequests():
            kind, text = RateLimitedError, "the pool of connections has too many requests waiting"
        case psycopg_pool.PoolTimeout():
            kind, text = (
                UnavailableError,
                (
                    "no connection became free in time; raise max_concurrency, or make fewer calls "
                    "at once"
                ),
            )
        case psycopg_pool.PoolClosed():
            kind, text = UnavailableError, "the pool of connections is closed"
        case pg.ConnectionTimeout():
            kind, text = DeadlineError, "time ran out while connecting"
        case psycopg.Error(sqlstate=str(code)):
            kind = _BY_CODE.get(code) or _BY_CLASS.get(code[:2], StoreError)
            text = f"{_first_line(exc)} ({code})"
        case psycopg.OperationalError():
            kind, text = _of_connection(exc), _first_line(exc)
        case psycopg.DataError():
            kind, text = RejectedError, _first_line(exc)
        case psycopg.NotSupportedError():
            kind, text = RejectedError, _first_line(exc)
        case psycopg.ProgrammingError() if exc.pgconn is None and operation == "connect":
            kind, text = RejectedError, _first_line(exc)
        case _:
            return None
    return kind(text, store="pgvector", operation=operation)


def _of_connection(exc: psycopg.OperationalError) -> type[StoreError]:
    text = str(exc)
    if any(part in text for part in _REFUSED_ENTRY):
        return AccessError
    if "does not exist" in text and "FATAL" in text:  # a role or a database
        return AccessError if "role" in text else RejectedError
    return UnavailableError


def _first_line(exc: psycopg.Error) -> str:
    """Return the server's message without DETAIL, which may quote a record."""
    text = exc.diag.message_primary or str(exc).strip() or type(exc).__name__
    line = text.splitlines()[0].strip().removesuffix(".")
    return line[:1].lower() + line[1:]
