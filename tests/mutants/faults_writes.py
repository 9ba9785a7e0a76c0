# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of writes: replace, duplicates, update, delete, namespaces, validation."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.mutants.registry import fault

from polyvec.collection import Collection
from polyvec.memory.space import Space
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Target
from polyvec.records import RecordBatch
from polyvec.types import ALL_COLUMNS


def _existing(adapter: Any, target: Target, ids: Any) -> RecordBatch:
    """Return the stored records among the ids, whole."""
    found: RecordBatch = adapter.get(target, ids, ALL_COLUMNS, consistency=None, timeout_s=None)
    return found


def _before_upsert(patch: pytest.MonkeyPatch, change: Any) -> None:
    """Upsert what `change(batch, old)` makes of a batch and the records it replaces."""
    right = MemoryAdapter.upsert

    def upsert(self: Any, target: Target, batch: RecordBatch, *, timeout_s: Any) -> None:
        old = _existing(self, target, batch.ids)
        right(self, target, change(batch, old), timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "upsert", upsert)


@fault("#33 LlamaIndex Chroma: add in place of upsert", "upsert of the adapter")
def upsert_keeps_the_old_record(patch: pytest.MonkeyPatch) -> None:
    def change(batch: RecordBatch, old: RecordBatch) -> RecordBatch:
        known = set(old.ids)
        return batch.take([row for row, key in enumerate(batch.ids) if key not in known])

    _before_upsert(patch, change)


@fault("3.1 langchain mutant: upsert keeps the old vector", "upsert of the adapter")
def upsert_keeps_the_old_vector(patch: pytest.MonkeyPatch) -> None:
    def change(batch: RecordBatch, old: RecordBatch) -> RecordBatch:
        assert batch.vectors is not None
        assert old.vectors is not None
        vectors = batch.vectors.copy()
        for row, key in enumerate(old.ids):
            vectors[batch.ids.index(key)] = old.vectors[row]
        return replace(batch, vectors=vectors)

    _before_upsert(patch, change)


@fault("3.1 both suites: upsert merges metadata", "upsert of the adapter")
def upsert_merges_metadata(patch: pytest.MonkeyPatch) -> None:
    def change(batch: RecordBatch, old: RecordBatch) -> RecordBatch:
        assert batch.metadata is not None
        assert old.metadata is not None
        before = dict(zip(old.ids, old.metadata, strict=True))
        merged = [
            {**before.get(key, {}), **item}
            for key, item in zip(batch.ids, batch.metadata, strict=True)
        ]
        return replace(batch, metadata=merged)

    _before_upsert(patch, change)


@fault("#37 Chroma: a document is kept when none is sent", "upsert of the adapter")
def upsert_keeps_the_old_text(patch: pytest.MonkeyPatch) -> None:
    def change(batch: RecordBatch, old: RecordBatch) -> RecordBatch:
        assert batch.texts is not None
        assert old.texts is not None
        before = dict(zip(old.ids, old.texts, strict=True))
        texts = [
            before.get(key) if text is None else text
            for key, text in zip(batch.ids, batch.texts, strict=True)
        ]
        return replace(batch, texts=texts)

    _before_upsert(patch, change)


@fault("2.5 #26: duplicates", "core, last of duplicates")
def first_of_duplicates_wins(patch: pytest.MonkeyPatch) -> None:
    def first(batch: RecordBatch) -> RecordBatch:
        rows = {key: row for row, key in reversed(list(enumerate(batch.ids)))}
        return batch.take(sorted(rows.values()))

    patch.setattr("polyvec._prepare._last_of_duplicates", first)


@fault("2.4 #22, #38 vector-io: a failed batch is logged and counted", "upsert of the adapter")
def large_upsert_is_cut(patch: pytest.MonkeyPatch) -> None:
    _before_upsert(patch, lambda batch, old: batch.slice(0, 1000))


@fault("2.3 #19: update in place of merge", "update of the adapter")
def update_replaces_metadata(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.update

    def update(self: Any, target: Target, ids: Any, change: Any, *, timeout_s: Any) -> None:
        old = _existing(self, target, ids)
        keys = {key for item in old.metadata or [] for key in item}
        if change.set:
            change = replace(change, unset=frozenset(keys - change.set.keys()))
        right(self, target, ids, change, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "update", update)


@fault("2.3 #19: update as upsert", "update of the adapter")
def update_inserts_absent_ids(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.update

    def update(self: Any, target: Target, ids: Any, change: Any, *, timeout_s: Any) -> None:
        known = set(_existing(self, target, ids).ids)
        new = [key for key in ids if key not in known]
        if new:
            vectors = np.ones((len(new), target.collection.dimension), dtype=np.float32)
            items = [dict(change.set) for _ in new]
            self.upsert(target, RecordBatch(new, vectors, items, _no_texts(new)), timeout_s=None)
        right(self, target, ids, change, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "update", update)


@fault("deep merge in place of top-level keys", "update of the adapter")
def update_merges_objects(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.update

    def update(self: Any, target: Target, ids: Any, change: Any, *, timeout_s: Any) -> None:
        old = _existing(self, target, ids)
        for key, item in zip(old.ids, old.metadata or [], strict=True):
            merged = {
                name: {**item[name], **value}
                if isinstance(value, dict) and isinstance(item.get(name), dict)
                else value
                for name, value in change.set.items()
            }
            at = list(ids).index(key)
            one = replace(
                change,
                set=merged,
                vectors=None if change.vectors is None else change.vectors[at : at + 1],
                texts=None if change.texts is None else change.texts[at : at + 1],
            )
            right(self, target, [key], one, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "update", update)


@fault("#12: unset writes a null that a reader sees", "update of the adapter")
def unset_writes_none(patch: pytest.MonkeyPatch) -> None:
    _changing_patch(
        patch,
        lambda change: replace(
            change, set={**change.set, **dict.fromkeys(change.unset)}, unset=frozenset()
        ),
    )


@fault("2.3 #19: unset does nothing", "update of the adapter")
def unset_ignored(patch: pytest.MonkeyPatch) -> None:
    _changing_patch(patch, lambda change: replace(change, unset=frozenset()))


@fault("agno: default update only warns", "update of the adapter")
def update_ignores_vectors(patch: pytest.MonkeyPatch) -> None:
    _changing_patch(patch, lambda change: replace(change, vectors=None))


@fault("an update clears the document", "update of the adapter")
def update_clears_texts(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.update

    def update(self: Any, target: Target, ids: Any, change: Any, *, timeout_s: Any) -> None:
        texts = [None] * len(ids) if change.texts is None else change.texts
        right(self, target, ids, replace(change, texts=texts), timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "update", update)


@fault("parallel columns out of step", "update of the adapter")
def update_shifts_texts(patch: pytest.MonkeyPatch) -> None:
    _changing_patch(
        patch,
        lambda change: replace(change, texts=None if change.texts is None else change.texts[::-1]),
    )


def _no_texts(ids: list[str]) -> list[str | None]:
    return [None for _ in ids]


def _changing_patch(patch: pytest.MonkeyPatch, change: Any) -> None:
    right = MemoryAdapter.update

    def update(self: Any, target: Target, ids: Any, wanted: Any, *, timeout_s: Any) -> None:
        right(self, target, ids, change(wanted), timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "update", update)


@fault("#34 LlamaIndex Pinecone: deleting doc1 deletes doc10", "delete_ids of the adapter")
def delete_by_prefix(patch: pytest.MonkeyPatch) -> None:
    right = Space.delete

    def delete(self: Any, ids: Any) -> None:
        every = [key for key in self._row_of if any(key.startswith(one) for one in ids)]
        right(self, every)

    patch.setattr(Space, "delete", delete)


@fault("3.1 langchain mutant: delete only the first", "delete_ids of the adapter")
def delete_only_the_first(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.delete_ids
    patch.setattr(
        MemoryAdapter,
        "delete_ids",
        lambda self, target, ids, **kw: right(self, target, ids[:1], **kw),
    )


@fault("2.3 #20 LlamaIndex #19277: delete is a no-op", "delete_ids of the adapter")
def delete_does_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryAdapter, "delete_ids", lambda self, target, ids, **kw: None)


@fault("#36 langchain in-memory: delete(None) does nothing", "clear")
def clear_does_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Collection, "clear", lambda self, **kw: self._scope(None) and None)


@fault("2.3 #18 Spring AI PR #6466: delete by a top-k query", "delete_where of the adapter")
def delete_by_filter_is_capped(patch: pytest.MonkeyPatch) -> None:
    def delete_where(self: Any, target: Target, native: Any, *, timeout_s: Any) -> None:
        page = self.scan(
            target, native, None, None, 100, frozenset(), consistency=None, timeout_s=None
        )
        self.delete_ids(target, page.batch.ids, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "delete_where", delete_where)


@fault("2.5 #27: clear drops every tenant", "delete_where of the adapter")
def clear_reaches_all_namespaces(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.delete_where

    def delete_where(self: Any, target: Target, native: Any, *, timeout_s: Any) -> None:
        spaces = [target.namespace]
        if native is None:
            spaces = list(self.namespaces(target.collection, timeout_s=None))
        for space in spaces:
            right(self, Target(target.collection, space), native, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "delete_where", delete_where)


def _in_all_namespaces(patch: pytest.MonkeyPatch, verb: str) -> None:
    right = getattr(MemoryAdapter, verb)

    def everywhere(self: Any, target: Target, *rest: Any, **kw: Any) -> None:
        for space in {*self.namespaces(target.collection, timeout_s=None), target.namespace}:
            right(self, Target(target.collection, space), *rest, **kw)

    patch.setattr(MemoryAdapter, verb, everywhere)


@fault("2.5 #27: delete crosses tenants", "delete_ids of the adapter")
def delete_crosses_namespaces(patch: pytest.MonkeyPatch) -> None:
    _in_all_namespaces(patch, "delete_ids")


@fault("2.5 #27: update crosses tenants", "update of the adapter")
def update_crosses_namespaces(patch: pytest.MonkeyPatch) -> None:
    _in_all_namespaces(patch, "update")


@fault("2.5 #27: one row per id, whatever the tenant", "upsert of the adapter")
def upsert_moves_the_record_between_namespaces(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.upsert

    def upsert(self: Any, target: Target, batch: RecordBatch, *, timeout_s: Any) -> None:
        for space in self.namespaces(target.collection, timeout_s=None):
            if space != target.namespace:
                self.delete_ids(Target(target.collection, space), batch.ids, timeout_s=None)
        right(self, target, batch, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "upsert", upsert)


@fault("2.5 #25: read, change, write without a lock", "update of the adapter")
def updates_lost_between_writers(patch: pytest.MonkeyPatch) -> None:
    def update(self: Any, target: Target, ids: Any, change: Any, *, timeout_s: Any) -> None:
        old = _existing(self, target, ids)
        if not len(old):
            return
        time.sleep(0.002)  # long enough for another thread to read the same version
        assert old.metadata is not None
        at = {key: row for row, key in enumerate(ids)}
        rows = [at[key] for key in old.ids]
        items = [
            {**{k: v for k, v in item.items() if k not in change.unset}, **change.set}
            for item in old.metadata
        ]
        vectors = old.vectors if change.vectors is None else change.vectors[rows]
        texts = old.texts if change.texts is None else [change.texts[row] for row in rows]
        self.upsert(target, RecordBatch(old.ids, vectors, items, texts), timeout_s=None)

    patch.setattr(MemoryAdapter, "update", update)


@fault("#33 replace as delete and add", "upsert of the adapter")
def record_absent_while_replaced(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.upsert

    def upsert(self: Any, target: Target, batch: RecordBatch, *, timeout_s: Any) -> None:
        if len(_existing(self, target, batch.ids)):
            self.delete_ids(target, batch.ids, timeout_s=None)
            time.sleep(0.001)
        right(self, target, batch, timeout_s=timeout_s)

    patch.setattr(MemoryAdapter, "upsert", upsert)


@fault("metadata shared with the caller", "copies of the memory store")
def stored_metadata_is_shared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("polyvec.memory.columns.copied", lambda item: item)
