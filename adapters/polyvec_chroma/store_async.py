"""The adapter over Chroma's client (asynchronous source)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from chromadb.errors import NotFoundError

from polyvec._time_left import within
from polyvec._unit_vectors import unit
from polyvec.adapter_async import AsyncAdapter
from polyvec.primitives import Found, KeyRange, ScanPage, StaleLayout
from polyvec.records import RecordBatch
from polyvec.types import METADATA, VECTOR, Metric
from polyvec_chroma import (
    _answers,
    _checks,
    _codec,
    _compile,
    _errors,
    _native,
    _replacing,
    _schema,
    _where,
)
from polyvec_chroma._keys import SPACE, Position, cuts
from polyvec_chroma._where import FOREIGN, Json, Where
from polyvec_chroma.pages_async import AsyncPages
from polyvec_chroma.spaces_async import AsyncSpaces
from polyvec_chroma.whole_async import whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import Columns, OpenedCollection, Target
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector
    from polyvec_chroma._schema import Layout
    from polyvec_chroma.handles import AsyncCollection
    from polyvec_chroma.links import AsyncLink

LOOK_BATCH: Final = 2_000
"""Records looked at by one call. Measured: metadata of more than 32,766 is refused by SQLite."""

DELETE_BATCH: Final = 5_000
"""Ids of one delete. `get_max_batch_size()` is 5,461."""


class AsyncChromaAdapter(AsyncAdapter):
    """A Chroma server, or the database of an embedded link.

    Parameters
    ----------
    link
        The connection; opened by the first primitive.
    capabilities
        What such a connection can do.
    """

    def __init__(self, link: AsyncLink, capabilities: Capabilities) -> None:
        self._link = link
        self._capabilities = capabilities
        self._spaces = AsyncSpaces(link)
        self._pages = AsyncPages()

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def client(self) -> Any:
        return self._link.client

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        return _errors.map_error(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Layout) -> Bounds:
        return _compile.leaf(node, negated) if layout.ours else _native.leaf(node, negated)

    def all_of(self, filters: Sequence[Where]) -> Where:
        return _where.all_of(filters)

    def any_of(self, filters: Sequence[Where]) -> Where:
        return _where.any_of(filters)

    def render(self, native: Where) -> Json | None:
        return native.json

    async def ping(self, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            api = await self._link.open()
            await api.get_database(self._link.database, self._link.tenant)

    async def aclose(self) -> None:
        await self._link.aclose()

    async def list_collections(self, *, timeout_s: float | None) -> list[str]:
        with within(timeout_s):
            return await self._spaces.names()

    async def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            await self._spaces.create(spec)

    async def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        with within(timeout_s):
            return await self._spaces.open(name, native)

    async def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            await self._spaces.drop(name)

    async def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        with within(timeout_s):
            return await self._spaces.counts(collection.layout)

    def record_sizes(self, target: Target, batch: RecordBatch) -> None:
        """Refuse what Chroma cannot hold before anything is written; sizes are the core's."""
        _checks.check_batch(target, batch)

    async def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        _checks.check_batch(target, batch)
        layout: Layout = target.collection.layout
        rows: list[dict[str, Any]]
        if layout.ours:
            vectors, rows, documents = _codec.rows_of(batch, target.collection.metric)
        else:
            assert batch.vectors is not None
            vectors, rows = batch.vectors, [dict(item) for item in batch.metadata or ()]
            documents = [text or "" for text in batch.texts or ()]

        async def write(space: AsyncCollection) -> None:
            old: Any = await space.get(
                ids=batch.ids, include=["metadatas", "documents", "embeddings"]
            )
            plan = _replacing.replacing(batch.ids, vectors, rows, documents, old)
            if plan.rewritten is not None:
                await space.update(**plan.rewritten)
            if plan.written is not None:
                await space.upsert(**plan.written)

        with within(timeout_s):
            await self._write(target, write)

    async def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        include = _answers.include(columns)

        async def read(space: AsyncCollection) -> Any:
            got: Any = await space.get(ids=list(ids), include=include)
            return await whole(space, got, include)

        with within(timeout_s):
            got = await self._read(target, read, _answers.EMPTY)
        return _answers.batch_of(got, columns, target)

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
        _schema.check_params(params)
        metric = target.collection.metric
        asked = unit(queries) if metric is Metric.COSINE else queries
        where, needed = None, columns
        if native is not None:
            where, needed = self._candidates(native, target), columns | METADATA
        if metric is Metric.DOT:
            needed |= VECTOR
        include = _answers.include(needed)

        async def read(space: AsyncCollection) -> list[dict[str, Any]]:
            got: Any = await space.query(
                query_embeddings=asked, n_results=k, where=where, include=["distances", *include]
            )
            return [
                await whole(space, _answers.one_of(got, at), include) for at in range(len(queries))
            ]

        with within(timeout_s):
            answers = await self._read(target, read, None)
        if answers is None:
            return [Found(RecordBatch([]), np.empty(0)) for _ in queries]
        return [
            _answers.found(one, query, native, needed, columns, target)
            for one, query in zip(answers, queries, strict=True)
        ]

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
        position = Position.parse(after)
        if after is None and span.start is not None:
            position = Position(key=int(span.start, 16))
        stop = SPACE if span.stop is None else int(span.stop, 16)
        where = None if native is None else self._candidates(native, target)
        needed = columns if native is None else columns | METADATA
        include = _answers.include(needed)
        layout: Layout = target.collection.layout

        async def read(space: AsyncCollection) -> tuple[Any, Position | None]:
            if layout.ours and position.by_key:
                got, behind = await self._pages.by_key(space, where, position, stop, limit, include)
                last = span.stop is None and layout.mixed and not target.namespace
                if behind is None and last:
                    behind = Position(by_key=False)
                return await whole(space, got, include), behind
            condition = where
            if layout.ours:
                condition = FOREIGN if where is None else _where.join("$and", [FOREIGN, where])
            got, behind = await self._pages.by_id(space, condition, position, limit, include)
            ids: list[str] = got["ids"]
            rows = sorted(range(len(ids)), key=ids.__getitem__)
            return await whole(space, _answers.pick(got, rows), include), behind

        with within(timeout_s):
            got, behind = await self._read(target, read, (_answers.EMPTY, None))
        batch = _answers.selected(got, native, needed, target).only(columns)
        return ScanPage(batch, None if behind is None else behind.cursor, done=behind is None)

    async def delete_ids(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> None:
        async def delete(space: AsyncCollection) -> Any:
            await space.delete(ids=list(ids))

        with within(timeout_s):
            await self._read(target, delete, None)

    async def delete_where(
        self, target: Target, native: Where | None, *, timeout_s: float | None
    ) -> None:
        with within(timeout_s):
            if native is None and target.namespace:
                await self._spaces.drop_space(target)
                return

            async def delete(space: AsyncCollection) -> Any:
                ids = await self._ids(space, target, native)
                for start in range(0, len(ids), DELETE_BATCH):
                    await space.delete(ids=ids[start : start + DELETE_BATCH])

            await self._read(target, delete, None)

    async def count(
        self,
        target: Target,
        native: Where | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        async def count(space: AsyncCollection) -> int:
            if native is None:
                return await space.count()
            return len(await self._ids(space, target, native))

        with within(timeout_s):
            number: int = await self._read(target, count, 0)
        return number

    async def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        layout: Layout = target.collection.layout
        if not layout.ours:
            return [KeyRange()]
        ends = (None, *(f"{key:x}" for key in cuts(parts)), None)
        return [KeyRange(start, stop) for start, stop in pairwise(ends)]

    def _candidates(self, native: Where, target: Target) -> Json | None:
        layout: Layout = target.collection.layout
        if not layout.ours:
            return native.json
        return _where.candidates(native, mixed=layout.mixed)

    async def _ids(self, space: AsyncCollection, target: Target, native: Where | None) -> list[str]:
        """Return the ids of all records that a filter selects, exactly."""
        layout: Layout = target.collection.layout
        if native is None or not layout.ours:
            where = None if native is None else native.json
            every: Any = await space.get(where=where, include=[])
            return list(every["ids"])
        sure = _where.certain(native)
        ids: list[str] = []
        if sure is not None:
            certain: Any = await space.get(where=sure, include=[])
            ids = certain["ids"]
        odd = None if sure is None else _where.odd_ones(mixed=layout.mixed)
        unsure: Any = await space.get(where=odd, include=[])
        for start in range(0, len(unsure["ids"]), LOOK_BATCH):
            part = unsure["ids"][start : start + LOOK_BATCH]
            got: Any = await space.get(ids=part, include=["metadatas"])
            rest = await whole(space, got, ["metadatas"])
            ids = ids + _answers.selected(rest, native, METADATA, target).ids
        return ids

    async def _read(
        self,
        target: Target,
        call: Callable[[AsyncCollection], Awaitable[Any]],
        nothing: Any,
    ) -> Any:
        """Call with the collection of a namespace; return `nothing` where there is none."""
        for _ in range(2):
            space = await self._spaces.space(target)
            if space is None:
                return nothing
            try:
                return await call(space)
            except NotFoundError:
                # Dropped by somebody else, and perhaps made again since.
                self._spaces.forget(target)
        raise StaleLayout

    async def _write(
        self, target: Target, call: Callable[[AsyncCollection], Awaitable[None]]
    ) -> None:
        for _ in range(2):
            space = await self._spaces.make(target)
            try:
                return await call(space)
            except NotFoundError:
                self._spaces.forget(target)
        raise StaleLayout
