# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of scan, count and namespaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.mutants.registry import fault

from polyvec.collection import Collection
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import ScanPage, Target
from polyvec.records import RecordBatch


def _scanning(patch: pytest.MonkeyPatch, change: Any) -> None:
    right = MemoryAdapter.scan

    def scan(
        self: Any,
        target: Target,
        native: Any,
        span: Any,
        after: Any,
        limit: int,
        *rest: Any,
        **kw: Any,
    ) -> Any:
        def call(position: Any, count: int) -> ScanPage:
            page: ScanPage = right(self, target, native, span, position, count, *rest, **kw)
            return page

        return change(call, after, limit)

    patch.setattr(MemoryAdapter, "scan", scan)


@fault("2.3 #21 hidden caps: 1,000 rows", "scan of the adapter")
def scan_capped(patch: pytest.MonkeyPatch) -> None:
    def change(call: Any, after: Any, limit: int) -> Any:
        page = call(after, min(limit, 1000))
        return replace(page, done=True) if len(page.batch) == 1000 else page

    _scanning(patch, change)


@fault("an inclusive cursor", "scan of the adapter")
def scan_repeats_the_cursor_row(patch: pytest.MonkeyPatch) -> None:
    _scanning(
        patch,
        lambda call, after, limit: call(None if after is None else str(int(after) - 1), limit),
    )


@fault("a numeric key sorted as text (ORDER BY key::text)", "scan of the adapter")
def scan_sorts_its_positions_as_text(patch: pytest.MonkeyPatch) -> None:
    def scan(
        self: Any,
        target: Target,
        native: Any,
        span: Any,
        after: Any,
        limit: int,
        columns: Any,
        **_: Any,
    ) -> Any:
        view = self.view(target, "scan")
        allowed = None if native is None else view.selected(native)
        left = [
            row
            for row in view.order
            if (allowed is None or allowed[row]) and view.sequence[row] > int(after or -1)
        ]
        page = sorted(left, key=lambda row: str(view.sequence[row]))[:limit]
        cursor = str(view.sequence[page[-1]]) if page else None
        return ScanPage(
            view.batch(np.array(page, dtype=np.intp), columns), cursor, done=len(page) == len(left)
        )

    patch.setattr(MemoryAdapter, "scan", scan)


@fault("#24, QM: LIMIT/OFFSET paging", "scan of the adapter")
def scan_by_offset(patch: pytest.MonkeyPatch) -> None:
    def change(call: Any, after: Any, limit: int) -> Any:
        start = 0 if after is None else int(after)
        page = call(None, 1_000_000)
        stop = start + limit
        return ScanPage(page.batch.slice(start, stop), str(stop), done=stop >= len(page.batch))

    _scanning(patch, change)


@fault("the last short page is lost", "scan of the adapter")
def scan_drops_the_last_page(patch: pytest.MonkeyPatch) -> None:
    def change(call: Any, after: Any, limit: int) -> Any:
        page = call(after, limit)
        if after is not None and page.done and len(page.batch) < limit:
            return ScanPage(page.batch.slice(0, 0), page.cursor, done=True)
        return page

    _scanning(patch, change)


@fault("updated rows move to the end (ctid, internal ids)", "sequence of the memory store")
def replaced_records_move(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.upsert

    def upsert(self: Any, target: Target, batch: RecordBatch, *, timeout_s: Any) -> None:
        with self._writing:
            pass
        self.delete_ids(target, batch.ids, timeout_s=None)
        right(self, target, batch, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "upsert", upsert)


def _counting(patch: pytest.MonkeyPatch, change: Any) -> None:
    right = MemoryAdapter.count

    def count(self: Any, target: Target, native: Any, **kw: Any) -> int:
        return int(change(self, target, native, right(self, target, native, **kw)))

    patch.setattr(MemoryAdapter, "count", count)


@fault("approximate counts", "count of the adapter")
def count_estimated(patch: pytest.MonkeyPatch) -> None:
    _counting(patch, lambda self, target, native, n: n if n < 1000 else round(n, -2))


@fault("deleted rows still counted", "count of the adapter")
def count_includes_deleted(patch: pytest.MonkeyPatch) -> None:
    def change(self: Any, target: Target, native: Any, n: int) -> int:
        view = self._view(target, "count")
        return n if native is not None else int(view.n)

    _counting(patch, change)


@fault("row count of the table, whatever the tenant", "count of the adapter")
def count_of_the_collection(patch: pytest.MonkeyPatch) -> None:
    def change(self: Any, target: Target, native: Any, n: int) -> int:
        spaces = self.namespaces(target.collection, timeout_s=None)
        return n if native is not None else sum(spaces.values())

    _counting(patch, change)


@fault("3: tests that see one row more", "count of the adapter")
def count_off_by_one(patch: pytest.MonkeyPatch) -> None:
    _counting(patch, lambda self, target, native, n: n + 1 if n > 7 else n)


@fault("2.5 #27: query without the tenant", "search of the adapter")
def query_crosses_namespaces(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter._search

    def search(self: Any, target: Target, queries: Any, native: Any, k: int, *rest: Any) -> Any:
        from polyvec._ranking import TopK

        spaces = {*self.namespaces(target.collection, timeout_s=None), target.namespace}
        tops = [TopK(k) for _ in queries]
        for space in sorted(spaces):
            every = right(self, Target(target.collection, space), queries, native, k, *rest)
            for top, found in zip(tops, every, strict=True):
                if len(found.batch):
                    top.offer(found.batch, found.scores)
        return [top.found() for top in tops]

    patch.setattr(MemoryAdapter, "_search", search)


@fault("2.5 #27: get without the tenant", "get of the adapter")
def get_crosses_namespaces(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.get

    def get(self: Any, target: Target, ids: Any, *rest: Any, **kw: Any) -> Any:
        found = right(self, target, ids, *rest, **kw)
        for space in self.namespaces(target.collection, timeout_s=None):
            if not len(found):
                found = right(self, Target(target.collection, space), ids, *rest, **kw)
        return found

    patch.setattr(MemoryAdapter, "get", get)


@fault("2.5 #27: scan without the tenant", "scan of the adapter")
def default_namespace_shows_all(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.count

    def count(self: Any, target: Target, native: Any, **kw: Any) -> int:
        if target.namespace:
            return int(right(self, target, native, **kw))
        spaces = {*self.namespaces(target.collection, timeout_s=None), ""}
        return sum(right(self, Target(target.collection, space), native, **kw) for space in spaces)

    patch.setattr(MemoryAdapter, "count", count)


@fault("case-insensitive names on the server", "namespaces")
def namespaces_ignore_case(patch: pytest.MonkeyPatch) -> None:
    right = Collection.namespace
    patch.setattr(
        Collection,
        "namespace",
        lambda self, name: right(self, name.lower() if isinstance(name, str) else name),
    )


@fault("names trimmed on the server", "namespaces")
def namespaces_trimmed(patch: pytest.MonkeyPatch) -> None:
    right = Collection.namespace
    patch.setattr(
        Collection,
        "namespace",
        lambda self, name: right(self, name.strip() if isinstance(name, str) else name),
    )


@fault("an emptied namespace still listed", "namespaces of the adapter")
def empty_namespaces_listed(patch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[str]] = {}
    right = MemoryAdapter.namespaces

    def namespaces(self: Any, collection: Any, **kw: Any) -> Any:
        found = right(self, collection, **kw)
        known = seen.setdefault(collection.name, set())
        known.update(found)
        return {name: found.get(name, 0) for name in known}

    patch.setattr(MemoryAdapter, "namespaces", namespaces)


@fault("describe counts one namespace", "describe")
def describe_counts_one_namespace(patch: pytest.MonkeyPatch) -> None:
    right = Collection.describe

    def describe(self: Any, **kw: Any) -> Any:
        info = right(self, **kw)
        return replace(info, count=info.namespaces.get(self._namespace, 0))

    patch.setattr(Collection, "describe", describe)
