"""The adapter over Qdrant's client (asynchronous source)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from qdrant_client import models

from polyvec._time_left import within
from polyvec._unit_vectors import unit
from polyvec.adapter_async import AsyncAdapter
from polyvec.primitives import KeyRange, ScanPage
from polyvec.types import METADATA, Metric
from polyvec_qdrant import _answers, _checks, _compile, _conditions, _errors, _native
from polyvec_qdrant._position import cuts, is_before, parse, show
from polyvec_qdrant._schema import Layout, search_params
from polyvec_qdrant.collections_async import AsyncCollections
from polyvec_qdrant.links import seconds_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import Columns, Found, OpenedCollection, Target
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector
    from polyvec_qdrant._conditions import Where
    from polyvec_qdrant._config import QdrantConfig
    from polyvec_qdrant.links import AsyncLink

LOOK_BATCH: Final = 1_000
"""Points of one page where the filter itself decides."""


class AsyncQdrantAdapter(AsyncAdapter):
    """A Qdrant server, or the client's local mode.

    Parameters
    ----------
    link
        The connection; opened by the first primitive.
    config
        What new collections are made with.
    capabilities
        What such a connection can do.
    """

    def __init__(self, link: AsyncLink, config: QdrantConfig, capabilities: Capabilities) -> None:
        self._link = link
        self._capabilities = capabilities
        self._collections = AsyncCollections(link, config)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def client(self) -> Any:
        return self._link.client

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        if self._link.is_server:
            return _errors.map_error(exc, operation)
        return _errors.map_local(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Layout) -> Bounds:
        if layout.ours:
            return _compile.leaf(node, negated, layout.indexes)
        return _native.leaf(node, negated, layout)

    def all_of(self, filters: Sequence[Where]) -> Where:
        return _conditions.all_of(filters)

    def any_of(self, filters: Sequence[Where]) -> Where:
        return _conditions.any_of(filters)

    def render(self, native: Where) -> Any:
        if native.condition is None:
            return None
        return native.condition.model_dump(mode="json", exclude_none=True)

    async def ping(self, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            client = await self._link.open()
            await client.get_collections()

    async def aclose(self) -> None:
        await self._link.aclose()

    async def list_collections(self, *, timeout_s: float | None) -> list[str]:
        with within(timeout_s):
            return await self._collections.names()

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
        """Refuse what Qdrant cannot hold before anything is written; sizes are the core's."""
        _checks.check_batch(target, batch)

    async def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        points = _checks.points_for(target, batch)
        with within(timeout_s):
            client = await self._link.open()
            await client.upsert(
                collection_name=target.collection.name,
                points=points,
                wait=True,
                timeout=seconds_left(),
            )

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
            client = await self._link.open()
            wanted = _answers.point_ids(target, ids)
            found: list[Any] = []
            if wanted:
                found = await client.retrieve(
                    collection_name=target.collection.name,
                    ids=wanted,
                    with_payload=_answers.with_payload(target, columns),
                    with_vectors=_answers.with_vectors(target, columns),
                    timeout=seconds_left(),
                )
        return _answers.batch_of(_answers.inside(target, found), columns, target)

    async def search(
        self,
        target: Target,
        queries: Vector,
        native: Where | None,
        k: int,
        columns: Columns,
        params: Index | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        return await self._search(target, queries, native, k, columns, params, timeout_s)

    async def exact_search(
        self,
        target: Target,
        queries: Vector,
        native: Where | None,
        k: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        return await self._search(target, queries, native, k, columns, None, timeout_s, exact=True)

    async def _search(
        self,
        target: Target,
        queries: Vector,
        native: Where | None,
        k: int,
        columns: Columns,
        params: Index | None,
        timeout_s: float | None,
        *,
        exact: bool = False,
    ) -> list[Found]:
        layout: Layout = target.collection.layout
        settings = search_params(params, layout, exact=exact)
        asked = unit(queries) if target.collection.metric is Metric.COSINE else queries
        undecided = native is not None and native.condition is None
        needed = columns | METADATA if undecided else columns
        requests = [
            models.QueryRequest(
                query=query.tolist(),
                using=layout.vector or None,
                filter=_answers.filter_of(target, native),
                params=settings,
                limit=k,
                with_payload=_answers.with_payload(target, needed),
                with_vector=_answers.with_vectors(target, needed),
            )
            for query in asked
        ]
        with within(timeout_s):
            answers = await self._link.search(target.collection.name, requests)
        return [_answers.found(one.points, native, needed, columns, target) for one in answers]

    async def scan(
        self,
        target: Target,
        native: Where | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        span = span or KeyRange()
        last = None if after is None else parse(after)
        start = last if last is not None or span.start is None else parse(span.start)
        stop = None if span.stop is None else parse(span.stop)
        undecided = native is not None and native.condition is None
        needed = columns | METADATA if undecided else columns
        with within(timeout_s):
            client = await self._link.open()
            # The offset is the first point of the page: the last one of the page before, if it is
            # still there.
            found, following = await client.scroll(
                collection_name=target.collection.name,
                scroll_filter=_answers.filter_of(target, native),
                limit=limit + 1,
                offset=start,
                with_payload=_answers.with_payload(target, needed),
                with_vectors=_answers.with_vectors(target, needed),
                timeout=seconds_left(),
            )
        fresh: list[Any] = [point for point in found if point.id != last]
        points = [point for point in fresh if stop is None or is_before(point.id, stop)]
        page = points[:limit]
        done = len(points) <= limit and (following is None or len(points) < len(fresh))
        batch = _answers.selected(page, native, needed, target).only(columns)
        return ScanPage(batch, show(page[-1].id) if page else None, done=done)

    async def delete_ids(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> None:
        wanted: list[Any] = list(_answers.point_ids(target, ids))
        if not wanted:
            return
        selector: Any = models.PointIdsList(points=wanted)
        layout: Layout = target.collection.layout
        if layout.namespace is not None:  # an id is one of the whole collection there
            alone = models.HasIdCondition(has_id=wanted)
            inside = _answers.filter_of(target, None)
            selector = models.FilterSelector(filter=models.Filter(must=[alone, inside]))
        await self._delete(target, selector, timeout_s)

    async def delete_where(
        self, target: Target, native: Where | None, *, timeout_s: float | None
    ) -> None:
        if native is not None and native.condition is None:
            with within(timeout_s):
                ids = await self._ids(target, native)
            for start in range(0, len(ids), LOOK_BATCH):
                await self.delete_ids(target, ids[start : start + LOOK_BATCH], timeout_s=timeout_s)
            return
        selector = models.FilterSelector(filter=_answers.filter_of(target, native))
        await self._delete(target, selector, timeout_s)

    async def _delete(self, target: Target, selector: Any, timeout_s: float | None) -> None:
        with within(timeout_s):
            client = await self._link.open()
            await client.delete(
                collection_name=target.collection.name,
                points_selector=selector,
                wait=True,
                timeout=seconds_left(),
            )

    async def count(
        self,
        target: Target,
        native: Where | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        with within(timeout_s):
            if native is not None and native.condition is None:
                return len(await self._ids(target, native))
            client = await self._link.open()
            counted = await client.count(
                collection_name=target.collection.name,
                count_filter=_answers.filter_of(target, native),
                exact=True,
                timeout=seconds_left(),
            )
        return int(counted.count)

    async def _ids(self, target: Target, native: Where) -> list[str]:
        """Return the ids of the records that a filter selects which the server was not sent."""
        ids: list[str] = []
        after: str | None = None
        while True:
            page = await self.scan(
                target, native, None, after, LOOK_BATCH, METADATA, consistency=None, timeout_s=None
            )
            ids += page.batch.ids
            if page.done:
                return ids
            after = page.cursor

    async def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        layout: Layout = target.collection.layout
        if not layout.ours:
            return [KeyRange()]
        ends = (None, *(show(key) for key in cuts(parts)), None)
        return [KeyRange(start, stop) for start, stop in pairwise(ends)]
