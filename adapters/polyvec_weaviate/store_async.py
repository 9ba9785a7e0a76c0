"""The adapter over Weaviate's client (asynchronous source)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from weaviate.classes.query import Filter

from polyvec._time_left import within
from polyvec.adapter_async import AsyncAdapter
from polyvec.capabilities import Feature
from polyvec.primitives import Found, KeyRange, StaleLayout
from polyvec.types import as_any
from polyvec_weaviate import (
    _answers,
    _codec,
    _compile,
    _conditions,
    _errors,
    _exact,
    _native,
    _pages,
)
from polyvec_weaviate._schema import check_search
from polyvec_weaviate.capabilities import ALIASES_SINCE, SERVER
from polyvec_weaviate.collections_async import AsyncCollections
from polyvec_weaviate.requests_async import AsyncRequests
from polyvec_weaviate.scans_async import AsyncScans

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import Columns, OpenedCollection, ScanPage, Target
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector
    from polyvec_weaviate._conditions import Condition
    from polyvec_weaviate._schema import Layout
    from polyvec_weaviate.links import AsyncLink

PAGE: Final = 1_000
"""Objects of one page where the records decide."""

TRIES: Final = 3
"""Exact searches that are repeated, where a hit is missing."""

AGREEING: Final = 2
"""Counts that must agree with a short answer; each takes 1 ms."""

ONLY_IDS: Final[Columns] = frozenset()
VECTORS: Final[Columns] = frozenset({"vector"})


class AsyncWeaviateAdapter(AsyncAdapter):
    """A Weaviate server.

    Parameters
    ----------
    link
        The connection; opened by the first primitive.
    """

    def __init__(self, link: AsyncLink) -> None:
        self._link = link
        self._collections = AsyncCollections(link)
        self._requests = AsyncRequests(link, self._collections)
        self._scans = AsyncScans(self._requests)

    @property
    def capabilities(self) -> Capabilities:
        version = self._link.version
        if version is None or version >= ALIASES_SINCE:
            return SERVER
        return replace(SERVER, features=SERVER.features - {Feature.ALIASES})

    @property
    def client(self) -> Any:
        return self._link.client

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        return _errors.map_error(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Layout) -> Bounds:
        if not layout.ours:
            return _native.leaf(node, negated, layout)
        column = _compile.column_of(node)
        is_new = column is not None and column not in layout.columns
        if is_new and self._collections.has_column(layout, column):
            # Terms would be right too; but a property decides without a check.
            raise StaleLayout(f"{node.path!r} has a property now")
        return _compile.leaf(node, negated, layout.columns, layout.most)

    def all_of(self, filters: Sequence[Condition]) -> Condition:
        return _conditions.all_of(filters)

    def any_of(self, filters: Sequence[Condition]) -> Condition:
        return _conditions.any_of(filters)

    def render(self, native: Condition) -> Any:
        return _conditions.shown(native)

    async def ping(self, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            client = await self._link.open()
            await as_any(client).get_meta()  # typed as a dict of unknown

    async def aclose(self) -> None:
        await self._link.aclose()

    async def list_collections(self, *, timeout_s: float | None) -> list[str]:
        with within(timeout_s):
            return list(await self._collections.all())

    async def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            await self._collections.create(spec)

    async def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        with within(timeout_s):
            return await self._collections.open(name, native)

    async def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            await self._collections.drop(name)

    async def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        with within(timeout_s):
            await self._requests.check(collection.layout)
            return await self._collections.namespaces(collection)

    async def set_alias(self, alias: str, collection: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            await self._collections.set_alias(alias, collection)

    async def aliases(self, *, timeout_s: float | None) -> dict[str, str]:
        with within(timeout_s):
            return await self._collections.aliases()

    async def drop_alias(self, alias: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            await self._collections.drop_alias(alias)

    def record_sizes(self, target: Target, batch: RecordBatch) -> None:
        """Refuse what Weaviate cannot hold before anything is written; sizes are the core's."""
        layout: Layout = target.collection.layout
        if not layout.ours:
            _native.check_batch(target, batch)

    async def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        layout: Layout = target.collection.layout
        with within(timeout_s):
            if layout.ours:
                assert batch.metadata is not None
                wanted = _codec.wanted_columns(batch.metadata)
                layout = await self._collections.with_columns(layout, wanted)
                objects = _codec.objects_of(batch, target.namespace, layout.number, layout.columns)
            else:
                # A collection that is gone would be made anew by AUTOSCHEMA.
                await self._requests.check(layout)
                objects = _native.objects_of(target, batch)
            errors = await self._requests.insert(target, objects)
        if errors:
            raise _answers.partial(batch, errors)

    async def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        with within(timeout_s):
            found: list[Any] = []
            wanted = _answers.object_ids(target, ids)
            if wanted:
                found = await self._requests.by_id(target, wanted, columns)
        return _answers.batch_of(_answers.inside(target, found), columns, target)

    async def search(
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
        if check_search(params):
            return await self.exact_search(
                target, queries, native, k, columns, consistency=consistency, timeout_s=timeout_s
            )
        with within(timeout_s):
            where = _answers.filter_of(target, native)
            return [
                await self._complete(target, query, where, k, columns, None) for query in queries
            ]

    async def exact_search(
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
        layout: Layout = target.collection.layout
        with within(timeout_s):
            if layout.exact == 0:
                return await self._ranked(target, queries, native, k, columns)
            spans = await self._exact_spans(target, native, layout.exact)
            found: list[Found] = []
            for query in queries:
                parts = [
                    await self._complete(
                        target,
                        query,
                        _answers.filter_of(target, native, *_exact.inside(span)),
                        k,
                        columns,
                        count,
                    )
                    for span, count in spans
                ]
                found.append(_exact.best(parts, k))
        return found

    async def _complete(
        self,
        target: Target,
        query: npt.NDArray[np.float32],
        where: Condition | None,
        k: int,
        columns: Columns,
        count: int | None,
    ) -> Found:
        """Search again while hits are missing: objects that are just being replaced have no place.

        One that is replaced without a pause may have none when they are counted, either: a short
        answer is believed when several counts agree with it.
        """
        found = await self._requests.near(target, query, where, k, columns)
        agreed, tries = int(count is not None and len(found.batch) >= count), 0
        while len(found.batch) < k and agreed < AGREEING and tries < TRIES:
            if len(found.batch) >= await self._requests.count(target, where, rough=True):
                agreed += 1
                continue
            agreed, tries = 0, tries + 1
            found = await self._requests.near(target, query, where, k, columns)
        return found

    async def _ranked(
        self,
        target: Target,
        queries: Vector,
        native: Condition | None,
        k: int,
        columns: Columns,
    ) -> list[Found]:
        """Compare with every vector here, for an index that is never exact: one of others."""
        empty = _answers.found_of([], columns, target)
        found = [empty for _ in queries]
        after: str | None = None
        while True:
            page = await self._scans.page(
                target, native, KeyRange(), after, PAGE, columns | VECTORS
            )
            for at, query in enumerate(queries):
                new = _exact.ranked(page.batch, query, target.collection.metric, k)
                found[at] = _exact.best([found[at], new] if len(found[at].batch) else [new], k)
            if page.done:
                return [Found(each.batch.only(columns), each.scores) for each in found]
            after = page.cursor

    async def _exact_spans(
        self, target: Target, native: Condition | None, most: int | None
    ) -> list[tuple[KeyRange, int | None]]:
        """Return ranges of ids with few enough records to be exact, and how many, if counted."""
        if most is None:
            return [(KeyRange(), None)]
        waiting, small = [KeyRange()], list[tuple[KeyRange, int | None]]()
        while waiting:
            span = waiting.pop()
            where = _answers.filter_of(target, native, *_pages.keys_in(span, None))
            count = await self._requests.count(target, where, rough=True)
            if count <= most:
                small.append((span, count))
            else:
                waiting += _exact.halves(span)
        return small

    async def scan(
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
        with within(timeout_s):
            return await self._scans.page(target, native, span or KeyRange(), after, limit, columns)

    async def delete_ids(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> None:
        wanted = _answers.object_ids(target, ids)
        layout: Layout = target.collection.layout
        with within(timeout_s):
            if layout.namespace is not None:  # an id is one of the whole collection there
                inside = await self.get(
                    target, ids, ONLY_IDS, consistency=None, timeout_s=timeout_s
                )
                wanted = list(inside.ids)
            elif not layout.ours and not layout.tenants and target.namespace:
                wanted = []
            if wanted:
                where = Filter.by_id().contains_any(wanted)
                await self._requests.delete(target, _answers.filter_of(target, where))

    async def delete_where(
        self, target: Target, native: Condition | None, *, timeout_s: float | None
    ) -> None:
        layout: Layout = target.collection.layout
        if not layout.ours:
            # Not by one filter: a null is no namespace, and all is none of Weaviate's filters.
            for ids in await self._id_pages(target, native, timeout_s):
                await self.delete_ids(target, ids, timeout_s=timeout_s)
            return
        with within(timeout_s):
            await self._requests.delete(target, _answers.filter_of(target, native))

    async def count(
        self,
        target: Target,
        native: Condition | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        layout: Layout = target.collection.layout
        if layout.namespace is not None or (not layout.ours and native is not None):
            # A negation of others has no term beside it that makes Weaviate's number exact.
            return sum(map(len, await self._id_pages(target, native, timeout_s)))
        if not layout.ours and not layout.tenants and target.namespace:
            return 0
        with within(timeout_s):
            return await self._requests.count(target, _answers.filter_of(target, native))

    async def _id_pages(
        self, target: Target, native: Condition | None, timeout_s: float | None
    ) -> list[list[str]]:
        """Return the ids of the records that a filter selects, by reading them."""
        pages: list[list[str]] = []
        after: str | None = None
        with within(timeout_s):
            while True:
                page = await self.scan(
                    target, native, None, after, PAGE, ONLY_IDS, consistency=None, timeout_s=None
                )
                pages.append(page.batch.ids)
                if page.done:
                    return pages
                after = page.cursor

    async def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        ends = (None, *_exact.cuts(parts), None)
        return [KeyRange(start, stop) for start, stop in pairwise(ends)]
