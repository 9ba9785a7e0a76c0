"""The adapter: primitives over a database in memory, with a directory behind it or without.

Writers take turns: check, log, change. Readers hold a lock only to take a view
of the rows, and compute on that; so a search never waits for another one, nor
for the disk, and sees each write wholly or not at all.
"""

from __future__ import annotations

from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from polyvec.adapter import Adapter
from polyvec.errors import ClosedError
from polyvec.memory import _compile, exact, graph_search, graphs
from polyvec.memory._checks import (
    check_cursor,
    check_index,
    check_search,
    check_target,
    cut_points,
)
from polyvec.memory._errors import map_error
from polyvec.memory.capabilities import ALWAYS_HNSW, CAPABILITIES
from polyvec.memory.database import Collection, Database
from polyvec.memory.graphs import Graphs
from polyvec.memory.operations import (
    Create,
    Delete,
    Drop,
    DropAlias,
    Operation,
    SetAlias,
    Update,
    Upsert,
)
from polyvec.primitives import Found, KeyRange, OpenedCollection, ScanPage
from polyvec.schema import Flat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Filter, Leaf
    from polyvec.memory.columns import View
    from polyvec.memory.directory import Directory
    from polyvec.primitives import Columns, Native, Patch, Target
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector


class MemoryAdapter(Adapter):
    """The memory store.

    Parameters
    ----------
    directory
        Where every write is kept, opened by the first primitive; None keeps
        nothing.
    check
        Search in float64 throughout, to check the float32 pass. Slow.
    always
        Make a graph of everything at once, for tests; see `Graphs`.
    """

    def __init__(
        self, directory: Directory | None = None, *, check: bool = False, always: bool = False
    ) -> None:
        self._directory = directory
        self._check = check
        self._graphs = Graphs(directory, always=always)
        self._database: Database | None = None
        self._closed = False
        self._writing = Lock()  # one writer at a time, its disk work included
        self._state = Lock()  # held for the moment of a change, and to take a view

    @property
    def capabilities(self) -> Capabilities:
        return ALWAYS_HNSW if self._graphs.always else CAPABILITIES

    @property
    def client(self) -> None:
        """Nothing: there is no client below."""
        return

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        return map_error(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        return _compile.compile_leaf(node, negated)

    def all_of(self, filters: Sequence[Native]) -> Native:
        return _compile.all_of(filters)

    def any_of(self, filters: Sequence[Native]) -> Native:
        return _compile.any_of(filters)

    def ping(self, *, timeout_s: float | None) -> None:
        self._open()

    def close(self) -> None:
        self._graphs.close()
        with self._writing, self._state:
            if self._database is not None:
                self._graphs.save(self._database)
            self._closed = True
            self._database = None
            if self._directory is not None:
                self._directory.close()

    def list_collections(self, *, timeout_s: float | None) -> list[str]:
        database = self._open()
        with self._state:
            return sorted(database.collections)

    def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        check_index(spec.index, "create_collection")

        def plan(database: Database) -> Operation:
            database.refuse_taken(spec.name, "create_collection")
            return Create(spec)

        self._write(plan)

    def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        database = self._open()
        with self._state:
            found = database.collection(database.aliases.get(name, name), "open_collection")
            views = [space.view() for space in found.spaces.values()]
        spec = found.spec
        settings = self._graphs.settings(spec)
        details = {"search": "exact"} if settings is None else graphs.describe(views)
        directory = None if self._directory is None else str(self._directory.path)
        return OpenedCollection(
            name=spec.name,
            dimension=spec.dimension,
            metric=spec.metric,
            index=settings or Flat(),
            layout_kind="polyvec",
            layout=None,
            details={**details, "directory": directory},
        )

    def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        def plan(database: Database) -> Operation:
            database.collection(name, "drop_collection")
            return Drop(name)

        self._write(plan)

    def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        database = self._open()
        with self._state:
            found = database.collection(collection.name, "namespaces")
            return {name: len(space) for name, space in found.spaces.items()}

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        def plan(database: Database) -> Operation | None:
            self._collection(database, target, "upsert")
            return Upsert(target.collection.name, target.namespace, batch) if len(batch) else None

        self._write(plan)

    def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        database = self._open()
        with self._state:
            space = self._collection(database, target, "get").space(target.namespace)
            view, rows = space.view(), space.rows(ids)
        return view.batch(rows, columns)

    def search(
        self,
        target: Target,
        queries: Vector,
        native: Native | None,
        k: int,
        columns: Columns,
        params: Index | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        check_search(params)
        return self._search(target, queries, native, k, columns, "search", params)

    def exact_search(
        self,
        target: Target,
        queries: Vector,
        native: Native | None,
        k: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        return self._search(target, queries, native, k, columns, "exact_search", Flat())

    def _search(
        self,
        target: Target,
        queries: Vector,
        native: Filter | None,
        k: int,
        columns: Columns,
        operation: str,
        params: Index | None,
    ) -> list[Found]:
        view, spec = self._view_of(target, operation)
        allowed = view.searchable(native)
        covered = self._graphs.covered(view, spec, target.namespace, params)
        if covered is None:
            best = exact.search(view, queries, spec.metric, k, allowed, check=self._check)
        else:
            ef = self._graphs.ef_search(spec, params)
            force = self._graphs.always
            best = graph_search.search(
                view, queries, spec.metric, k, allowed, covered, ef, force=force
            )
        return [Found(view.batch(rows, columns), scores) for rows, scores in best]

    def scan(
        self,
        target: Target,
        native: Native | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        view = self.view(target, "scan")
        span = span or KeyRange()
        keys = view.sequence[view.order]
        start = 0 if span.start is None else np.searchsorted(keys, check_cursor(span.start))
        stop = len(keys) if span.stop is None else np.searchsorted(keys, check_cursor(span.stop))
        if after is not None:
            start = max(start, np.searchsorted(keys, check_cursor(after), side="right"))
        rows = view.order[start:stop]
        if native is not None:
            allowed = view.selected(native)
            rows = rows if allowed is None else rows[allowed[rows]]
        page = rows[:limit]
        cursor = str(view.sequence[page[-1]]) if len(page) else None
        return ScanPage(view.batch(page, columns), cursor, done=len(page) == len(rows))

    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        def plan(database: Database) -> Operation | None:
            space = self._collection(database, target, "delete_ids").space(target.namespace)
            there = [space.view().ids[row] for row in space.rows(ids)]
            return _delete(target, there) if there else None

        self._write(plan)

    def delete_where(
        self, target: Target, native: Native | None, *, timeout_s: float | None
    ) -> None:
        def plan(database: Database) -> Operation | None:
            space = self._collection(database, target, "delete_where").space(target.namespace)
            if not len(space):
                return None
            if native is None:
                return _delete(target, None)
            view = space.view()
            chosen = view.selected(native)
            assert chosen is not None
            ids = [view.ids[row] for row in np.flatnonzero(chosen).tolist()]
            return _delete(target, ids) if ids else None

        self._write(plan)

    def count(
        self,
        target: Target,
        native: Native | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        view = self.view(target, "count")
        chosen = view.selected(native)
        return view.n if chosen is None else int(np.count_nonzero(chosen))

    def update(
        self, target: Target, ids: Sequence[str], patch: Patch, *, timeout_s: float | None
    ) -> None:
        def plan(database: Database) -> Operation | None:
            space = self._collection(database, target, "update").space(target.namespace)
            if not space.rows(ids):
                return None
            return Update(target.collection.name, target.namespace, list(ids), patch)

        self._write(plan)

    def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        view = self.view(target, "split")
        ends = (None, *cut_points(view.sequence[view.order], parts), None)
        return [KeyRange(start, stop) for start, stop in pairwise(ends)]

    def set_alias(self, alias: str, collection: str, *, timeout_s: float | None) -> None:
        def plan(database: Database) -> Operation:
            database.collection(collection, "set_alias")
            if alias in database.collections:
                database.refuse_taken(alias, "set_alias")
            return SetAlias(alias, collection)

        self._write(plan)

    def aliases(self, *, timeout_s: float | None) -> dict[str, str]:
        return dict(self._open().aliases)

    def drop_alias(self, alias: str, *, timeout_s: float | None) -> None:
        self._write(lambda database: DropAlias(alias) if alias in database.aliases else None)

    def _open(self) -> Database:
        """Return the database; read the directory first when nobody has yet."""
        if (database := self._database) is not None:
            if self._directory is not None:
                self._directory.check_usable()
            return database
        with self._writing:
            if self._closed:
                raise ClosedError("this memory store was closed; connect again")
            if self._database is None:
                self._database = Database() if self._directory is None else self._directory.open()
            return self._database

    def checkpoint(self) -> None:
        """Write a checkpoint now, so that the next opening is fast; nothing without a directory."""
        database = self._open()
        with self._writing:
            if self._directory is not None:
                self._directory.checkpoint(database)
                self._graphs.save(database)

    def _write(self, plan: Callable[[Database], Operation | None]) -> None:
        """Plan a change, log it, make it, and return when it is durable.

        `plan` checks and raises; it returns None when there is nothing to do.
        """
        database = self._open()
        with self._writing:
            if self._closed:
                raise ClosedError("this memory store was closed; connect again")
            change = plan(database)
            if change is None:
                return
            if self._directory is None:
                with self._state:
                    database.apply(change)
                return
            written = self._directory.append(change)
            with self._state, self._directory.failing("applying a logged write"):
                database.apply(change)
            if self._directory.checkpoint_if_due(database):
                self._graphs.save(database)
        # Outside the lock: whoever waits here waits for the same flush as the others.
        written.wait()

    def view(self, target: Target, operation: str = "view") -> View:
        """Return the rows of a namespace as they are now; nothing done later changes them."""
        return self._view_of(target, operation)[0]

    def _view_of(self, target: Target, operation: str) -> tuple[View, CollectionSpec]:
        database = self._open()
        with self._state:
            found = self._collection(database, target, operation)
            return found.space(target.namespace).view(), found.spec

    @staticmethod
    def _collection(database: Database, target: Target, operation: str) -> Collection:
        found = database.collection(target.collection.name, operation)
        check_target(target, found.spec)
        return found


def _delete(target: Target, ids: list[str] | None) -> Delete:
    return Delete(target.collection.name, target.namespace, ids)
