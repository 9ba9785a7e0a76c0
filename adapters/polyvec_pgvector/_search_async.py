"""Searches: by the index, or exactly where few records are candidates (asynchronous source)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from polyvec.primitives import Found
from polyvec_pgvector import _codec, _searching
from polyvec_pgvector._sql import Sql

if TYPE_CHECKING:
    from polyvec.primitives import Columns
    from polyvec.schema import Index
    from polyvec.types import Vector
    from polyvec_pgvector._pool_async import AsyncPool
    from polyvec_pgvector._rows import Rows
    from polyvec_pgvector._wire import AsyncDeadlineConnection

NARROW_FOR_S: Final = 5.0
WIDE_FOR_S: Final = 60.0
"""How long the size of a candidate set is believed; an old belief costs time, never an answer."""

MOST_BELIEFS: Final = 1000


class AsyncSearcher:
    """The searches of one store.

    Parameters
    ----------
    pool
        Of the store.
    transactions
        Whether settings must live and die with a transaction (a pooler is in between).
    """

    def __init__(self, pool: AsyncPool, *, transactions: bool) -> None:
        self._pool = pool
        self._transactions = transactions
        self._beliefs: dict[tuple[Any, ...], tuple[bool, float]] = {}

    async def search(
        self,
        rows: Rows,
        query: Vector,
        native: Sql | None,
        k: int,
        columns: Columns,
        params: Index | None,
        timeout_s: float | None,
    ) -> Found:
        """Search by the index; exactly where there is none, or where it could miss hits.

        An index walks through records that the filter refuses, and gives up after so many
        (hnsw.max_scan_tuples). So a narrow set is compared whole, and a short answer is asked
        again without the index: then fewer than `k` hits mean that there are no more.
        """
        place = rows.place
        facts = await self._pool.facts(timeout_s)
        raw = _codec.query_vector(query, place.metric)
        async with self._pool.connection(timeout_s) as connection:
            if not _searching.is_exact(place, params) and not await self._narrow(
                connection, rows, native, k
            ):
                wanted = _searching.settings(place, params, k, facts)
                by_index = _searching.by_index(rows, native, raw, k, columns)
                found = await self._with_settings(connection, rows, by_index, columns, wanted)
                if len(found.batch) == k:
                    return found
            exactly = _searching.exact(rows, native, raw, k, columns)
            return await self._found(connection, rows, exactly, columns)

    async def exact(
        self,
        rows: Rows,
        query: Vector,
        native: Sql | None,
        k: int,
        columns: Columns,
        timeout_s: float | None,
    ) -> Found:
        """Compare with every vector."""
        raw = _codec.query_vector(query, rows.place.metric)
        statement = _searching.exact(rows, native, raw, k, columns)
        async with self._pool.connection(timeout_s) as connection:
            return await self._found(connection, rows, statement, columns)

    async def _narrow(
        self, connection: AsyncDeadlineConnection, rows: Rows, native: Sql | None, k: int
    ) -> bool:
        limit = max(_searching.NARROW, 2 * k)
        filter_key = None if native is None else (native.text, repr(native.params))
        key = (rows.place.oid, rows.namespace, limit, filter_key)
        now = time.monotonic()
        believed = self._beliefs.get(key)
        if believed is not None and now < believed[1]:
            return believed[0]
        statement = _searching.few(rows, native, limit)
        cursor = await connection.run(statement)
        row: Any = await cursor.fetchone()
        narrow = bool(row[0] <= limit)
        if len(self._beliefs) >= MOST_BELIEFS:
            self._beliefs.clear()
        self._beliefs[key] = (narrow, now + (NARROW_FOR_S if narrow else WIDE_FOR_S))
        return narrow

    async def _with_settings(
        self,
        connection: AsyncDeadlineConnection,
        rows: Rows,
        statement: Sql,
        columns: Columns,
        wanted: tuple[tuple[str, str], ...],
    ) -> Found:
        if self._transactions:
            async with connection.transaction():
                await _set(connection, wanted, local=True)
                return await self._found(connection, rows, statement, columns)
        if connection.settings != wanted:
            await _set(connection, wanted, local=False)
            connection.settings = wanted
        return await self._found(connection, rows, statement, columns)

    async def _found(
        self, connection: AsyncDeadlineConnection, rows: Rows, statement: Sql, columns: Columns
    ) -> Found:
        found = await connection.read(statement)
        if found and found[-1][-1] is None:
            found = [row for row in found if row[-1] is not None]
        batch = rows.decode(found, columns)
        return Found(batch, _codec.scores([row[-1] for row in found], rows.place.metric))


async def _set(
    connection: AsyncDeadlineConnection, settings: tuple[tuple[str, str], ...], *, local: bool
) -> None:
    calls = ", ".join(f"set_config(%s, %s, {str(local).lower()})" for _ in settings)
    values = tuple(part for setting in settings for part in setting)
    await connection.run(Sql(f"SELECT {calls}", values))
