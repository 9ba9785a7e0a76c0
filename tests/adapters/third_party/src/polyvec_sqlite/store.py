"""The adapter: each primitive is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from polyvec.adapter import Adapter
from polyvec.bounds import Bounds
from polyvec.capabilities import Capabilities
from polyvec.errors import StoreError
from polyvec.filters import Leaf
from polyvec.primitives import (
    Columns,
    Found,
    KeyRange,
    OpenedCollection,
    Patch,
    ScanPage,
    Target,
)
from polyvec.records import RecordBatch
from polyvec.schema import CollectionSpec, Index, NativeLayout
from polyvec.types import Vector
from polyvec_sqlite import _compile, _errors, _registry
from polyvec_sqlite._codec import batch_of, select_list
from polyvec_sqlite._compile import Condition
from polyvec_sqlite._database import Database
from polyvec_sqlite._rows import Rows, namespaces
from polyvec_sqlite._schema import Tables, check_index
from polyvec_sqlite._search import nearest
from polyvec_sqlite._statements import readable
from polyvec_sqlite.capabilities import CAPABILITIES


class SqliteAdapter(Adapter):
    """One database file, or one database in memory.

    Parameters
    ----------
    path
        What `sqlite3.connect` takes.
    """

    def __init__(self, path: str) -> None:
        self._database = Database(path)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def client(self) -> sqlite3.Connection | None:
        return self._database.connection

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        return _errors.map_error(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Tables) -> Bounds:
        return _compile.leaf(node, negated)

    def all_of(self, filters: Sequence[Condition]) -> Condition:
        return _compile.all_of(filters)

    def any_of(self, filters: Sequence[Condition]) -> Condition:
        return _compile.any_of(filters)

    def render(self, native: Condition) -> str:
        return readable(native)

    # The store.

    def ping(self, *, timeout_s: float | None) -> None:
        with self._database.reading(timeout_s) as connection:
            connection.execute("SELECT count(*) FROM polyvec_collections").fetchone()

    def close(self) -> None:
        self._database.close()

    def list_collections(self, *, timeout_s: float | None) -> list[str]:
        with self._database.reading(timeout_s) as connection:
            return _registry.names(connection)

    def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        check_index(spec.index, f"collection {spec.name!r}")
        with self._database.writing(timeout_s) as connection:
            _registry.create(connection, spec)

    def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        # A native layout says nothing about tables that polyvec made, and there are no others.
        with self._database.reading(timeout_s) as connection:
            return _registry.find(connection, name)

    def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        with self._database.writing(timeout_s) as connection:
            _registry.drop(connection, name)

    def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        tables: Tables = collection.layout
        with self._database.reading(timeout_s) as connection:
            _registry.check_current(connection, tables)
            return namespaces(connection, tables)

    # Records.

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        with self._writing(target, timeout_s) as rows:
            rows.write(batch)

    def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        with self._reading(target, timeout_s) as rows:
            return rows.read(ids, columns)

    def search(
        self,
        target: Target,
        queries: Vector,
        native: Condition | None,
        k: int,
        columns: Columns,
        params: Index | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        check_index(params, "the search")
        with self._reading(target, timeout_s) as rows:
            metric = target.collection.metric
            best = nearest(queries, rows.vectors(native), metric, k)
            return [Found(rows.read_keys(one.keys, columns), one.scores) for one in best]

    def exact_search(
        self,
        target: Target,
        queries: Vector,
        native: Condition | None,
        k: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        return self.search(
            target, queries, native, k, columns, None, consistency=consistency, timeout_s=timeout_s
        )

    def scan(
        self,
        target: Target,
        native: Condition | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        what = f"{select_list(columns)}, key"
        with self._reading(target, timeout_s) as rows:
            # One more row than asked for tells whether anything is left.
            found = rows.page(native, span or KeyRange(), after, limit + 1, what)
        page = found[:limit]
        batch = batch_of(page, columns, target.collection.dimension)
        cursor = str(page[-1][-1]) if page else None
        return ScanPage(batch, cursor, done=len(found) <= limit)

    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        with self._writing(target, timeout_s) as rows:
            rows.delete(ids)

    def delete_where(
        self, target: Target, native: Condition | None, *, timeout_s: float | None
    ) -> None:
        with self._writing(target, timeout_s) as rows:
            rows.delete_where(native)

    def count(
        self,
        target: Target,
        native: Condition | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        with self._reading(target, timeout_s) as rows:
            return rows.count(native)

    def update(
        self, target: Target, ids: Sequence[str], patch: Patch, *, timeout_s: float | None
    ) -> None:
        with self._writing(target, timeout_s) as rows:
            rows.patch(ids, patch)

    def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        with self._reading(target, timeout_s) as rows:
            step = max(1, -(-rows.count(None) // parts))
            cuts = [str(key) for key in rows.every(step)]
        bounds = zip([None, *cuts], [*cuts, None], strict=True)
        return [KeyRange(start, stop) for start, stop in bounds]

    # Aliases.

    def set_alias(self, alias: str, collection: str, *, timeout_s: float | None) -> None:
        with self._database.writing(timeout_s) as connection:
            _registry.set_alias(connection, alias, collection)

    def aliases(self, *, timeout_s: float | None) -> dict[str, str]:
        with self._database.reading(timeout_s) as connection:
            return _registry.aliases(connection)

    def drop_alias(self, alias: str, *, timeout_s: float | None) -> None:
        with self._database.writing(timeout_s) as connection:
            connection.execute("DELETE FROM polyvec_aliases WHERE alias = ?", (alias,))

    @contextmanager
    def _reading(self, target: Target, timeout_s: float | None) -> Generator[Rows]:
        with self._database.reading(timeout_s) as connection:
            _registry.check_current(connection, target.collection.layout)
            yield Rows(connection, target)

    @contextmanager
    def _writing(self, target: Target, timeout_s: float | None) -> Generator[Rows]:
        with self._database.writing(timeout_s) as connection:
            _registry.check_current(connection, target.collection.layout)
            yield Rows(connection, target)
