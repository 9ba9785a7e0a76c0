"""The adapter: each primitive is one statement, or one transaction (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from polyvec.adapter_async import AsyncAdapter
from polyvec.primitives import KeyRange, ScanPage, StaleLayout
from polyvec_pgvector import (
    _codec,
    _compile,
    _errors,
    _native_writing,
    _rows,
    _schema,
    _writing,
)
from polyvec_pgvector._catalog_async import AsyncCatalog
from polyvec_pgvector._layout import TableLayout, layout_of
from polyvec_pgvector._pool_async import AsyncPool
from polyvec_pgvector._rows import rows_of
from polyvec_pgvector._search_async import AsyncSearcher
from polyvec_pgvector._sql import Sql, trusted
from polyvec_pgvector.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import Columns, Found, OpenedCollection, Patch, Target
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector
    from polyvec_pgvector._config import PgvectorConfig
    from polyvec_pgvector._layout import Place
    from polyvec_pgvector._rows import Rows
    from polyvec_pgvector._wire import AsyncDeadlineConnection


class AsyncPgvectorAdapter(AsyncAdapter):
    """One schema of a PostgreSQL database.

    Parameters
    ----------
    config
        Where it is.
    """

    def __init__(self, config: PgvectorConfig) -> None:
        self._pool = AsyncPool(config)
        self._catalog = AsyncCatalog(self._pool, config)
        self._searcher = AsyncSearcher(self._pool, transactions=config.transaction_pooling)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def client(self) -> Any:
        """The `psycopg_pool` pool; its connections are in autocommit mode."""
        return self._pool.pool

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        return _errors.map_error(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        return _compile.leaf(node, negated, layout_of(layout))

    def all_of(self, filters: Sequence[Sql]) -> Sql:
        return _compile.all_of(filters)

    def any_of(self, filters: Sequence[Sql]) -> Sql:
        return _compile.any_of(filters)

    def render(self, native: Sql) -> str:
        return str(native)

    async def ping(self, *, timeout_s: float | None) -> None:
        await self._pool.rows(Sql("SELECT 1"), timeout_s)

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def list_collections(self, *, timeout_s: float | None) -> list[str]:
        return await self._catalog.names(timeout_s)

    async def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        await self._catalog.create(spec, timeout_s)

    async def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        return await self._catalog.open(name, native, timeout_s)

    async def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        await self._catalog.drop(name, timeout_s)

    async def set_alias(self, alias: str, collection: str, *, timeout_s: float | None) -> None:
        await self._catalog.set_alias(alias, collection, timeout_s)

    async def aliases(self, *, timeout_s: float | None) -> dict[str, str]:
        return await self._catalog.aliases(timeout_s)

    async def drop_alias(self, alias: str, *, timeout_s: float | None) -> None:
        await self._catalog.drop_alias(alias, timeout_s)

    async def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        layout = layout_of(collection.layout)
        async with self._pool.connection(timeout_s) as connection:
            await self._check_current(connection, layout.place)
            cursor = await connection.run(_rows.spaces(layout))
            return _rows.read_spaces(await cursor.fetchall())

    async def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        rows = rows_of(target)
        layout = layout_of(target.collection.layout)
        if isinstance(layout, TableLayout):
            text, values = _native_writing.upserts(layout, batch, target.namespace)
            async with self._pool.connection(timeout_s) as connection, connection.transaction():
                await self._check_current(connection, rows.place)
                await connection.cursor().executemany(trusted(text), values)
            return
        batch = _codec.in_order(batch)
        async with self._pool.connection(timeout_s) as connection:
            if len(batch) >= _writing.COPY_FROM and await self._copied(connection, rows, batch):
                return
            if len(batch) <= _writing.REPLACE_ROWS:
                cursors = [await connection.run(_writing.upsert(rows, batch))]
            else:
                async with connection.pipeline(), connection.transaction():
                    cursors = [
                        await connection.run(_writing.upsert(rows, piece))
                        for piece in _writing.pieces(batch, _writing.REPLACE_ROWS)
                    ]
            if sum(cursor.rowcount for cursor in cursors) != len(batch):
                raise StaleLayout

    async def _copied(
        self, connection: AsyncDeadlineConnection, rows: Rows, batch: RecordBatch
    ) -> bool:
        """Load records that are all new with COPY, which cannot replace; tell whether it did."""
        cursor = await connection.run(_writing.any_present(rows, batch.ids))
        row: Any = await cursor.fetchone()
        if not row[0]:
            raise StaleLayout
        if row[1]:
            return False
        statement = trusted(_writing.copy_statement(rows.place))
        try:
            async with connection.cursor().copy(statement) as copy:
                for part in _writing.copy_data(rows, batch):
                    await copy.write(part)
        except psycopg.errors.UniqueViolation:
            return False  # somebody else wrote one of them meanwhile; nothing of ours is there
        return True

    async def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        rows = rows_of(target)
        where = rows.where(None, [rows.with_ids(ids)])
        text = f"SELECT {rows.select(columns)} FROM {rows.place.table} WHERE {where.text}"
        async with self._pool.connection(timeout_s) as connection:
            found = await connection.read(Sql(text, where.params))
            if not found:
                await self._check_current(connection, rows.place)
        return rows.decode(found, columns)

    async def search(
        self,
        target: Target,
        queries: Vector,
        native: Sql | None,
        k: int,
        columns: Columns,
        params: Index | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        rows = rows_of(target)
        _schema.check_search(params, rows.place.index)
        found = [
            await self._searcher.search(rows, query, native, k, columns, params, timeout_s)
            for query in queries
        ]
        await self._check_found(found, rows, timeout_s)
        return found

    async def exact_search(
        self,
        target: Target,
        queries: Vector,
        native: Sql | None,
        k: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        rows = rows_of(target)
        found = [
            await self._searcher.exact(rows, query, native, k, columns, timeout_s)
            for query in queries
        ]
        await self._check_found(found, rows, timeout_s)
        return found

    async def scan(
        self,
        target: Target,
        native: Sql | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        rows = rows_of(target)
        statement = _rows.page(rows, native, rows.span(span, after), limit, columns)
        async with self._pool.connection(timeout_s) as connection:
            found = await connection.read(statement)
            if not found:
                await self._check_current(connection, rows.place)
        # The row beyond the limit only tells that there is more.
        page = found[:limit]
        cursor_text = page[-1][-1] if page else None
        return ScanPage(rows.decode(page, columns), cursor_text, done=len(found) <= limit)

    async def delete_ids(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> None:
        rows = rows_of(target)
        await self._delete(rows, rows.where(None, [rows.with_ids(ids)]), timeout_s)

    async def delete_where(
        self, target: Target, native: Sql | None, *, timeout_s: float | None
    ) -> None:
        rows = rows_of(target)
        await self._delete(rows, rows.where(native), timeout_s)

    async def _delete(self, rows: Rows, where: Sql, timeout_s: float | None) -> None:
        async with self._pool.connection(timeout_s) as connection:
            text = f"DELETE FROM {rows.place.table} WHERE {where.text}"
            cursor = await connection.run(Sql(text, where.params))
            if cursor.rowcount == 0:
                await self._check_current(connection, rows.place)

    async def count(
        self,
        target: Target,
        native: Sql | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        rows = rows_of(target)
        where = rows.where(native, keys_only=True)
        text = f"SELECT count(*) FROM {rows.place.table} WHERE {where.text}"
        async with self._pool.connection(timeout_s) as connection:
            cursor = await connection.run(Sql(text, where.params))
            row: Any = await cursor.fetchone()
            if row[0] == 0:
                await self._check_current(connection, rows.place)
        return int(row[0])

    async def update(
        self, target: Target, ids: Sequence[str], patch: Patch, *, timeout_s: float | None
    ) -> None:
        rows = rows_of(target)
        layout = layout_of(target.collection.layout)
        async with self._pool.connection(timeout_s) as connection:
            if isinstance(layout, TableLayout):
                async with connection.transaction():
                    await self._check_current(connection, rows.place)
                    for statement in _native_writing.update(layout, rows, ids, patch):
                        await connection.run(statement)
                return
            cursor = await connection.run(_writing.update(rows, ids, patch))
            if cursor.rowcount == 0:
                await self._check_current(connection, rows.place)

    async def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        rows = rows_of(target)
        statement = _rows.cuts(rows, parts)
        found = await self._pool.rows(statement, timeout_s)
        # Many equal keys, or few records: a part that would be empty is none.
        cuts = list(dict.fromkeys(row[0] for row in found if row[0] is not None))
        bounds = zip([None, *cuts], [*cuts, None], strict=True)
        return [KeyRange(start, stop) for start, stop in bounds]

    async def _check_found(self, found: list[Found], rows: Rows, timeout_s: float | None) -> None:
        """Ask, where an answer has no hits, whether the table is still there."""
        if not all(len(one.batch) for one in found):
            async with self._pool.connection(timeout_s) as connection:
                await self._check_current(connection, rows.place)

    async def _check_current(self, connection: AsyncDeadlineConnection, place: Place) -> None:
        """Raise `StaleLayout` when the table was dropped, and perhaps made anew."""
        query = f"SELECT to_regclass({place.name}) = {place.oid}::oid"
        cursor = await connection.run(Sql(query))
        row: Any = await cursor.fetchone()
        if row[0] is not True:
            raise StaleLayout
