"""The adapter: primitives over a directory of Parquet snapshots.

Primitives of one collection take turns. That costs little, since a snapshot is written and read in
bulk, and it is why a search sees each write wholly or not at all.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from polyvec.adapter import Adapter
from polyvec.deadline import Deadline
from polyvec.errors import DeadlineError, NotSupportedError
from polyvec.primitives import KeyRange, OpenedCollection, StaleLayout
from polyvec.schema import Flat
from polyvec.snapshot import _compile
from polyvec.snapshot._errors import map_error
from polyvec.snapshot.capabilities import CAPABILITIES
from polyvec.snapshot.directory import SnapshotDirectory
from polyvec.snapshot.search import all_matching, page, search

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import Columns, Found, Native, ScanPage, Target
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.snapshot.collection import SnapshotCollection
    from polyvec.types import Vector


class SnapshotAdapter(Adapter):
    """A directory of Parquet snapshots.

    Parameters
    ----------
    path
        The directory, absolute.
    """

    def __init__(self, path: Path) -> None:
        self._directory = SnapshotDirectory(path)

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def client(self) -> None:
        """Nothing: read the files with pyarrow or DuckDB."""
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
        self._directory.make()

    def close(self) -> None:
        self._directory.close()

    def list_collections(self, *, timeout_s: float | None) -> list[str]:
        return self._directory.names()

    def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        _check_index(spec.index, "create_collection")
        self._directory.create(spec)

    def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        collection, _ = self._directory.collection(name)
        spec = collection.manifest.spec
        return OpenedCollection(
            name=name,
            dimension=spec.dimension,
            metric=spec.metric,
            index=Flat(),
            layout_kind="polyvec",
            layout=None,
            details={
                "search": "exact",
                "folder": str(collection.folder),
                "parts": len(collection.manifest.parts),
            },
        )

    def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        self._directory.drop(name)

    def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        with self._using(collection, Deadline(timeout_s)) as ours:
            return dict(ours.manifest.namespaces)

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        with self._using(target.collection, Deadline(timeout_s)) as ours:
            ours.upsert(target.namespace, batch)

    def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        with self._using(target.collection, Deadline(timeout_s)) as ours:
            places = ours.index(target.namespace).find(list(ids))
            return ours.read(target.namespace, places, columns)

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
        _check_index(params, "search")
        deadline = Deadline(timeout_s)
        with self._using(target.collection, deadline) as ours:
            return search(ours, target.namespace, queries, native, k, columns, deadline)

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
        return self.search(
            target,
            queries,
            native,
            k,
            columns,
            None,
            consistency=consistency,
            timeout_s=timeout_s,
        )

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
        with self._using(target.collection, Deadline(timeout_s)) as ours:
            return page(ours, target.namespace, native, span, after, limit, columns)

    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        with self._using(target.collection, Deadline(timeout_s)) as ours:
            ours.delete(target.namespace, ids)

    def delete_where(
        self, target: Target, native: Native | None, *, timeout_s: float | None
    ) -> None:
        deadline = Deadline(timeout_s)
        with self._using(target.collection, deadline) as ours:
            index = ours.index(target.namespace)
            blocks = all_matching(ours, target.namespace, native, deadline)
            ids = [index.id_at(place) for block in blocks for place in block.tolist()]
            ours.delete(target.namespace, ids)

    def count(
        self,
        target: Target,
        native: Native | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        deadline = Deadline(timeout_s)
        with self._using(target.collection, deadline) as ours:
            if native is None:
                return ours.manifest.namespaces.get(target.namespace, 0)
            return sum(map(len, all_matching(ours, target.namespace, native, deadline)))

    def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        with self._using(target.collection, Deadline(timeout_s)) as ours:
            keys = ours.index(target.namespace).all_rows()[0]
        places = {len(keys) * part // parts for part in range(1, parts)} - {0}
        cuts = [None, *(str(keys[place]) for place in sorted(places)), None]
        return [KeyRange(start, stop) for start, stop in pairwise(cuts)]

    @contextmanager
    def _using(self, opened: OpenedCollection, deadline: Deadline) -> Generator[SnapshotCollection]:
        """Hold a collection's lock; another may have dropped it while we waited."""
        while True:
            collection, lock = self._directory.collection(opened.name)
            left = deadline.left()
            if not lock.acquire(timeout=-1 if left is None else left):
                raise DeadlineError("another call still uses the collection", store="parquet")
            try:
                if self._directory.collection(opened.name)[0] is not collection:
                    continue
                spec = collection.manifest.spec
                if (opened.dimension, opened.metric) != (spec.dimension, spec.metric):
                    raise StaleLayout(f"collection {opened.name!r} was dropped and made anew")
                yield collection
                return
            finally:
                lock.release()


def _check_index(index: Index | None, operation: str) -> None:
    if index is not None and not isinstance(index, Flat) and not index.best_effort:
        raise NotSupportedError(
            f"parquet.{operation}: a snapshot has no index, got {index!r}; leave it out, "
            "use Flat(), or set best_effort=True"
        )
