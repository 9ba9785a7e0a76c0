"""Errors of SQLite as errors of polyvec, by result code."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from polyvec.errors import (
    AccessError,
    DeadlineError,
    RejectedError,
    StoreError,
    UnavailableError,
)

# sqlite.org/rescode.html
_BY_CODE: Final[Mapping[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_BUSY: (UnavailableError, "another connection keeps the database locked"),
    sqlite3.SQLITE_LOCKED: (UnavailableError, "a table is locked"),
    sqlite3.SQLITE_CANTOPEN: (
        UnavailableError,
        "the database file cannot be opened; check that its directory exists",
    ),
    sqlite3.SQLITE_IOERR: (UnavailableError, "the operating system reports an I/O error"),
    sqlite3.SQLITE_PROTOCOL: (UnavailableError, "the locks of the WAL file are contested"),
    sqlite3.SQLITE_INTERRUPT: (DeadlineError, "time ran out while a statement was running"),
    sqlite3.SQLITE_READONLY: (AccessError, "the database cannot be written"),
    sqlite3.SQLITE_PERM: (AccessError, "the database file may not be accessed"),
    sqlite3.SQLITE_AUTH: (AccessError, "the statement is not allowed"),
    sqlite3.SQLITE_FULL: (RejectedError, "the disk or the database is full"),
    sqlite3.SQLITE_TOOBIG: (RejectedError, "a value is longer than SQLite's limit"),
    sqlite3.SQLITE_NOTADB: (RejectedError, "the file is not an SQLite database"),
    sqlite3.SQLITE_CORRUPT: (RejectedError, "the database file is damaged"),
}


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of SQLite's, None for what is not known."""
    if not isinstance(exc, sqlite3.Error):
        return None
    # Errors that the module itself raises, such as for a closed connection, have no code.
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    if code is None:
        return None
    known = _BY_CODE.get(code & 0xFF)  # the low byte of an extended code is the primary one
    if known is None:
        return None
    kind, reason = known
    return kind(f"{reason} ({exc.sqlite_errorname})", store="sqlite", operation=operation)
