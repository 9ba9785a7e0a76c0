# Generated from copy_async.py by tools/unasync.py. Do not edit.
"""Copying one collection from a store to another (synchronous source).

Plain and in one pass: no journal, no ranges. A copy that was interrupted is started again; with
`merge=True` it replaces what it wrote before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from polyvec.capabilities import Consistency
from polyvec.errors import CollectionExistsError
from polyvec.migrate.content import Difference, differences
from polyvec.migrate.report import CopyReport, Progress
from polyvec.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polyvec.capabilities import Capabilities
    from polyvec.collection import Collection
    from polyvec.filters import Filter
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionInfo
    from polyvec.store import VectorStore

MAX_DIFFERENCES: Final = 100
"""A verification stops when it has found this many."""


def copy_collection(
    source: VectorStore,
    target: VectorStore,
    name: str,
    *,
    to: str | None = None,
    batch_size: int = 1000,
    where: Filter | Mapping[str, Any] | None = None,
    merge: bool = False,
    verify: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> CopyReport:
    """Copy a collection with all its namespaces; the source is only read.

    The target collection is created with the same dimension and metric, and the
    target's default index.

    Parameters
    ----------
    source, target
        Two stores; they may be one, with another name as `to`.
    name
        The collection in the source, or an alias.
    to
        Its name in the target; None for the same.
    batch_size
        Records read and written at a time, at least 1; what the copy holds in memory.
    where
        Copy the records that match; None for all.
    merge
        True: write into a target collection that holds records; equal ids are replaced.
    verify
        Read the target back and compare: counts (where the target was empty), text,
        metadata, and vectors within the coarser precision of the two stores.
    progress
        Called after every batch.

    Raises
    ------
    CollectionNotFoundError
        The source has no such collection.
    CollectionExistsError
        The target collection has another dimension or metric, or holds records
        and `merge` is False.
    InvalidRecordError, RejectedError
        The target cannot hold a record.
    """
    origin = source.collection(name)
    info = origin.describe()
    to = info.name if to is None else to
    goal = _target_collection(target, to, info)
    held = sum((goal.namespaces()).values())
    if held and not merge:
        raise _in_the_way(target, to, held)
    told = _Teller(progress, info.count if where is None else None)
    copied, without_vector = _copy(origin, goal, where, batch_size, told)
    check = _Check(origin, goal, where, batch_size, source.capabilities, target.capabilities)
    found = check.run(copied, alone=not held, told=told) if verify else []
    return CopyReport(info.name, to, copied, without_vector, verify, tuple(found))


def _target_collection(target: VectorStore, to: str, info: CollectionInfo) -> Collection[Any]:
    return target.create_collection(to, dimension=info.dimension, metric=info.metric, exist_ok=True)


def _in_the_way(target: VectorStore, to: str, held: int) -> CollectionExistsError:
    return CollectionExistsError(
        f"collection {to!r} of the target holds {held} records; "
        "choose another name, drop it, or merge into it",
        store=target.capabilities.store,
        operation="copy_collection",
    )


class _Teller:
    """Calls the caller's progress function, if there is one."""

    def __init__(self, progress: Callable[[Progress], None] | None, total: int | None) -> None:
        self._progress = progress
        self._total = total
        self._phase = ""
        self._done = 0

    def start(self, phase: str) -> None:
        self._phase, self._done = phase, 0

    def add(self, namespace: str, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(Progress(self._phase, namespace, self._done, self._total))


def _copy(
    origin: Collection[Any],
    goal: Collection[Any],
    where: Filter | Mapping[str, Any] | None,
    batch_size: int,
    told: _Teller,
) -> tuple[dict[str, int], int]:
    told.start("copy")
    copied: dict[str, int] = {}
    without_vector = 0
    for namespace in origin.namespaces():
        reader, writer = origin.namespace(namespace), goal.namespace(namespace)
        for batch in reader.scan(where, batch_size=batch_size, include=WHOLE):
            writer.upsert(batch)
            copied[namespace] = copied.get(namespace, 0) + len(batch)
            if batch.present is not None:
                without_vector += len(batch) - int(batch.present.sum())
            told.add(namespace, len(batch))
    return copied, without_vector


class _Check:
    """Compares what was copied, by reading both sides again.

    Parameters
    ----------
    origin, goal
        The two collections.
    where, batch_size
        Of the copy.
    here, there
        What the two stores can do.
    """

    def __init__(
        self,
        origin: Collection[Any],
        goal: Collection[Any],
        where: Filter | Mapping[str, Any] | None,
        batch_size: int,
        here: Capabilities,
        there: Capabilities,
    ) -> None:
        self._origin = origin
        self._goal = goal
        self._where = where
        self._batch_size = batch_size
        self._tolerance = max(here.vector_tolerance, there.vector_tolerance)
        self._eventual = there.consistency is Consistency.EVENTUAL

    def run(self, copied: dict[str, int], *, alone: bool, told: _Teller) -> list[Difference]:
        """Return the differences; `alone` when the target holds nothing but the copy."""
        told.start("verify")
        found: list[Difference] = []
        for namespace in copied:
            reader = self._origin.namespace(namespace)
            scan = reader.scan(self._where, batch_size=self._batch_size, include=WHOLE)
            for batch in scan:
                found += self._batch(namespace, batch)
                told.add(namespace, len(batch))
                if len(found) >= MAX_DIFFERENCES:
                    return found[:MAX_DIFFERENCES]
        if alone:
            found += _counts(copied, self._goal.namespaces())
        return found[:MAX_DIFFERENCES]

    def _batch(self, namespace: str, batch: RecordBatch) -> list[Difference]:
        goal = self._goal.namespace(namespace)
        if self._eventual:
            goal.wait_until_visible(batch.ids)
        held = goal.get(batch.ids, include=WHOLE)
        return differences(namespace, batch.records(), held, self._tolerance)


def _counts(copied: dict[str, int], held: dict[str, int]) -> list[Difference]:
    return [
        Difference(
            namespace,
            None,
            f"holds {held.get(namespace, 0)} records, {copied.get(namespace, 0)} were copied",
        )
        for namespace in sorted(copied.keys() | held.keys())
        if copied.get(namespace, 0) != held.get(namespace, 0)
    ]
