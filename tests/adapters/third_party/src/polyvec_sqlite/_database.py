"""One connection for all threads: opened late, used under a lock, in transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Final

from polyvec.errors import ClosedError, DeadlineError, RejectedError
from polyvec_sqlite._schema import REGISTRY

BUSY_S: Final = 5.0
"""Seconds to wait for another process that writes, unless the deadline comes first."""

CHECK_EVERY: Final = 10_000
"""Steps of SQLite's virtual machine between two looks at the clock."""


class Database:
    """A connection to one database; construction does no I/O.

    Parameters
    ----------
    path
        What `sqlite3.connect` takes.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The connection, None before the first use."""
        return self._connection

    def close(self) -> None:
        """Close the connection, when the statement that runs has ended."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def reading(self, timeout_s: float | None) -> Generator[sqlite3.Connection]:
        """Hold a connection that sees one state of the database."""
        with self._held(timeout_s) as connection, _transaction(connection, "BEGIN"):
            yield connection

    @contextmanager
    def writing(self, timeout_s: float | None) -> Generator[sqlite3.Connection]:
        """Hold the only connection that writes: all of the block is done, or nothing."""
        with self._held(timeout_s) as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    @contextmanager
    def _held(self, timeout_s: float | None) -> Generator[sqlite3.Connection]:
        deadline = None if timeout_s is None else monotonic() + timeout_s
        if not self._lock.acquire(timeout=-1 if timeout_s is None else max(timeout_s, 0.0)):
            raise DeadlineError("time ran out while another thread used the connection")
        try:
            if self._closed:
                raise ClosedError("the store was closed; connect again")
            if self._connection is None:
                self._connection = _open(self._path)
            connection = self._connection
            left = BUSY_S if deadline is None else min(BUSY_S, max(0.0, deadline - monotonic()))
            connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
            if deadline is not None:
                connection.set_progress_handler(lambda: monotonic() > deadline, CHECK_EVERY)
            try:
                yield connection
            finally:
                connection.set_progress_handler(None, 0)
        finally:
            self._lock.release()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Generator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.set_progress_handler(None, 0)  # an interrupted rollback would leave it open
        if connection.in_transaction:  # some errors have already rolled it back
            connection.execute("ROLLBACK")
        raise


def _open(path: str) -> sqlite3.Connection:
    # Without an isolation level, the module begins no transaction of its own accord.
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    if encoding != "UTF-8":
        raise RejectedError(
            f"the database stores text as {encoding!r}, expected 'UTF-8', in which texts are "
            "in the order of code points; use another file",
            store="sqlite",
            operation="open",
        )
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode not in ("wal", "memory"):
        connection.execute("PRAGMA journal_mode = WAL")
    known = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'polyvec\\_%' ESCAPE '\\'"
    if connection.execute(known).fetchone() == (0,):  # else a read-only file can be read
        with _transaction(connection, "BEGIN IMMEDIATE"):
            for statement in REGISTRY:
                connection.execute(statement)
