"""The pool of connections of one store, and what is known of its server (asynchronous source)."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
import psycopg_pool
from psycopg.rows import tuple_row

from polyvec.errors import ClosedError, DeadlineError, NotSupportedError
from polyvec_pgvector._facts import FACTS, Facts
from polyvec_pgvector._sql import Sql
from polyvec_pgvector._wire import AsyncDeadlineConnection, AsyncMutex, Raw, RawDumper

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from polyvec_pgvector._config import PgvectorConfig

FIRST_WAIT_S: Final = 1.0
"""How long to wait for a connection before asking why there is none."""

LONGEST_WAIT_S: Final = 30.0
"""For a free connection, without a deadline; psycopg_pool's default."""

SHORTEST_CONNECT_S: Final = 2
"""libpq takes no shorter connect_timeout."""


class AsyncPool:
    """Opens the pool at the first request, so that constructing does no I/O."""

    def __init__(self, config: PgvectorConfig) -> None:
        self._config = config
        self._opening = AsyncMutex()
        self._facts: Facts | None = None
        self._closed = False
        self._suspect = False
        self.pool: psycopg_pool.AsyncConnectionPool[AsyncDeadlineConnection] | None = None

    async def aclose(self) -> None:
        """Close all connections."""
        self._closed = True
        async with self._opening:
            if self.pool is not None:
                await self.pool.close()

    async def facts(self, timeout_s: float | None) -> Facts:
        """Return what is known of the server, asking when it is not or not enough."""
        if self._facts is None or self._facts.extension is None:
            async with self.connection(timeout_s) as connection:
                self._facts = await _facts_of(connection)
        return self._facts

    def forget(self) -> None:
        """Ask again the next time: the extension may have been created or moved."""
        self._facts = None

    @asynccontextmanager
    async def connection(self, timeout_s: float | None) -> AsyncGenerator[AsyncDeadlineConnection]:
        """Lend a connection in autocommit mode, with the deadline on it."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        connection = await self._acquire(end)
        connection.deadline = end
        pool = self.pool
        assert pool is not None
        try:
            yield connection
        finally:
            connection.deadline = None
            broken = connection.closed
            await pool.putconn(connection)
            if broken:
                self._suspect = True

    async def _acquire(self, end: float | None) -> AsyncDeadlineConnection:
        pool = self.pool
        if pool is None or self._closed or self._suspect:
            pool = await self._ready(end)
        left = LONGEST_WAIT_S if end is None else max(end - time.monotonic(), 0.001)
        try:
            return await pool.getconn(min(left, FIRST_WAIT_S))
        except psycopg_pool.PoolTimeout:
            if left <= FIRST_WAIT_S:
                raise
        # Is the server away, or are all connections busy? The pool does not tell.
        await self._probe(end)
        return await pool.getconn(left - FIRST_WAIT_S)

    async def _ready(self, end: float | None) -> Any:
        """Open the pool, or make sure that it holds no broken connections."""
        async with self._opening:
            if self._closed:
                raise ClosedError("this pgvector store was closed; connect again")
            if self.pool is None:
                await self._probe(end)
                self.pool = self._made()
                await self.pool.open()
            elif self._suspect:
                await self._probe(end)
                await self.pool.check()
                self._suspect = False
            return self.pool

    def _made(self) -> psycopg_pool.AsyncConnectionPool[AsyncDeadlineConnection]:
        return psycopg_pool.AsyncConnectionPool(
            connection_class=AsyncDeadlineConnection,
            kwargs=self._arguments(None),
            configure=_configure,
            min_size=0,
            max_size=self._config.max_concurrency,
            open=False,
            name="polyvec-pgvector",
            num_workers=2,
            reconnect_timeout=LONGEST_WAIT_S,
        )

    def _arguments(self, end: float | None) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "fallback_application_name": "polyvec",
            "connect_timeout": int(LONGEST_WAIT_S),
            **self._config.libpq_parameters(),
            "client_encoding": "utf8",
            "autocommit": True,
            "row_factory": tuple_row,
            # None: no prepared statements, which a transaction pooler may lose.
            "prepare_threshold": None if self._config.transaction_pooling else 5,
        }
        if end is not None:
            left = int(end - time.monotonic())
            arguments["connect_timeout"] = max(left, SHORTEST_CONNECT_S)
        return arguments

    async def _probe(self, end: float | None) -> None:
        """Connect once, outside of the pool, which hides why it cannot."""
        try:
            connection = await AsyncDeadlineConnection.connect(**self._arguments(end))
        except psycopg.errors.ConnectionTimeout as exc:
            raise DeadlineError("time ran out while connecting", store="pgvector") from exc
        await connection.close()

    async def rows(self, statement: Sql, timeout_s: float | None) -> list[tuple[Any, ...]]:
        """Run one statement that returns rows."""
        async with self.connection(timeout_s) as connection:
            cursor = await connection.run(statement)
            return await cursor.fetchall()


async def _configure(connection: AsyncDeadlineConnection) -> None:
    connection.adapters.register_dumper(Raw, RawDumper)
    if connection.prepare_threshold is not None:
        # A plan that is kept forgets the values, and with them which index serves a filter.
        # Prepared statements still save their parsing.
        await connection.run(Sql("SET plan_cache_mode = force_custom_plan"))


async def _facts_of(connection: AsyncDeadlineConnection) -> Facts:
    cursor = await connection.run(Sql(FACTS))
    row: Any = await cursor.fetchone()
    server, encoding, extension, version, vector_oid = row
    if encoding != "UTF8":
        raise NotSupportedError(
            f"the database has the encoding {encoding!r}; polyvec needs UTF8, for every text"
        )
    numbers = tuple(int(part) for part in (version or "0").split(".") if part.isdigit())
    return Facts(server, extension, numbers, vector_oid or 0)
