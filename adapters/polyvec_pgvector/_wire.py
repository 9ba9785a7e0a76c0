"""Connections that keep a deadline; both colours, written by hand.

psycopg has no time-out for a statement. A deadline here is the moment at which we stop waiting:
the server is asked, in the background, to cancel the statement, and the connection is closed,
because nobody can tell what is still on its way. The pool replaces it.
"""

from __future__ import annotations

import select
import threading
import time
from asyncio import Lock as AsyncMutex
from contextlib import suppress
from threading import Lock as Mutex
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg import pq
from psycopg.adapt import Dumper
from psycopg.pq import Format, TransactionStatus

from polyvec.errors import DeadlineError
from polyvec.primitives import StaleLayout
from polyvec_pgvector._sql import Sql, trusted

if TYPE_CHECKING:
    from collections.abc import Generator

    from psycopg.abc import PQGen

RV = TypeVar("RV")

__all__ = [
    "AsyncDeadlineConnection",
    "AsyncMutex",
    "DeadlineConnection",
    "Mutex",
    "Raw",
    "RawDumper",
]

_ASK_FOR_S: Final = 5.0
_INTERVAL_S: Final = 0.1
"""How often a wait looks at the deadline; psycopg's own interval for interrupts."""


class Raw:
    """Bytes in the binary format of whatever type the statement asks for."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class RawDumper(Dumper):
    """Send `Raw` as it is, of unknown type: the server takes the type from a cast beside it."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: Raw) -> bytes:
        return obj.data


class DeadlineConnection(psycopg.Connection[Any]):
    """A synchronous connection with a deadline."""

    deadline: float | None = None
    """In seconds of `time.monotonic`; None for none."""
    settings: tuple[tuple[str, str], ...] | None = None
    """What the last search set for the session."""

    def run(self, statement: Sql) -> psycopg.Cursor[Any]:
        """Execute one statement with its values."""
        return self.execute(trusted(statement.text), statement.params)

    def read(self, statement: Sql) -> list[Any]:
        """Return the rows of a statement, which come in binary.

        Raises
        ------
        StaleLayout
            The statement was prepared when the table had other columns.
        """
        text = trusted(statement.text)
        try:
            cursor = self.execute(text, statement.params, binary=True)
            return cursor.fetchall()
        except psycopg.errors.FeatureNotSupported as exc:
            raise StaleLayout from exc

    def wait(self, gen: PQGen[RV], *args: Any, **kw: Any) -> RV:
        """Drive a generator of psycopg's, until the deadline."""
        end = self.deadline
        if end is None:
            return super().wait(gen, *args, **kw)
        try:
            interval = min(_INTERVAL_S, max(end - time.monotonic(), 0.001))
            return super().wait(_until(end, gen), interval)
        except _OverdueError:
            abandon(self.pgconn)
            raise DeadlineError("time ran out while the server was working") from None


class AsyncDeadlineConnection(psycopg.AsyncConnection[Any]):
    """An asynchronous connection. The core cancels its task when the deadline passes."""

    deadline: float | None = None
    settings: tuple[tuple[str, str], ...] | None = None

    async def run(self, statement: Sql) -> psycopg.AsyncCursor[Any]:
        """Execute one statement with its values."""
        return await self.execute(trusted(statement.text), statement.params)

    async def read(self, statement: Sql) -> list[Any]:
        """Return the rows of a statement, which come in binary.

        Raises
        ------
        StaleLayout
            The statement was prepared when the table had other columns.
        """
        text = trusted(statement.text)
        try:
            cursor = await self.execute(text, statement.params, binary=True)
            return await cursor.fetchall()
        except psycopg.errors.FeatureNotSupported as exc:
            raise StaleLayout from exc

    async def wait(self, gen: PQGen[RV], *args: Any, **kw: Any) -> RV:
        """Drive a generator of psycopg's; a cancelled task does not wait for the server."""
        import asyncio

        from psycopg import waiting

        try:
            return await waiting.wait_async(gen, self.pgconn.socket, *args, **kw)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                abandon(self.pgconn)
            raise


class _OverdueError(Exception):
    """The deadline of a connection has passed."""


def _until(end: float, gen: PQGen[RV]) -> Generator[Any, Any, RV]:
    """Pass a generator's requests on; `wait` wakes it up at least once per interval."""
    try:
        request = next(gen)
        while True:
            ready = yield request
            if not ready and time.monotonic() >= end:
                raise _OverdueError
            request = gen.send(ready)
    except StopIteration as done:
        value: RV = done.value
        return value


def abandon(pgconn: pq.abc.PGconn) -> None:
    """Close a connection that is still working, and ask the server to stop."""
    # Only libpq 17 and later ask without blocking; the older way holds the interpreter lock.
    if psycopg.capabilities.has_cancel_safe():
        with suppress(psycopg.Error):
            # Asking makes a connection of its own, which may hang as this one does.
            cancel = pgconn.cancel_conn()
            threading.Thread(target=_ask, args=(cancel,), daemon=True).start()
    pgconn.finish()


def _ask(cancel: pq.abc.PGcancelConn) -> None:
    end = time.monotonic() + _ASK_FOR_S
    with suppress(psycopg.Error, OSError, ValueError):
        cancel.start()
        while time.monotonic() < end:
            match cancel.poll():
                case pq.PollingStatus.READING:
                    select.select([cancel.socket], [], [], _INTERVAL_S)
                case pq.PollingStatus.WRITING:
                    select.select([], [cancel.socket], [], _INTERVAL_S)
                case _:
                    break
    cancel.finish()
