"""The Pinecone adapter (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from polyvec._time_left import within
from polyvec.adapter_async import AsyncAdapter
from polyvec.errors import UnavailableError
from polyvec.primitives import ScanPage
from polyvec.types import METADATA, NO_COLUMNS
from polyvec_pinecone import _answers, _compile, _errors, _native, _requests, _vectors, _where
from polyvec_pinecone._schema import Layout, check_search
from polyvec_pinecone._transport import seconds_left
from polyvec_pinecone.collections_async import AsyncCollections
from polyvec_pinecone.records_async import AsyncRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import Columns, Found, KeyRange, OpenedCollection, Target
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector
    from polyvec_pinecone._config import PineconeConfig
    from polyvec_pinecone._where import Where
    from polyvec_pinecone.links import AsyncLink

MOST_COUNTED: Final = 100_000
"""From here on a count is by reading. Ours: whether a dry run of an update stops somewhere is not
documented."""

BAD_REQUEST: Final = 400


class AsyncPineconeAdapter(AsyncAdapter):
    """Pinecone, or a server that speaks its protocol.

    Parameters
    ----------
    link
        The connection; opened by the first primitive.
    config
        What new indexes are made with.
    capabilities
        What Pinecone can do.
    """

    def __init__(self, link: AsyncLink, config: PineconeConfig, capabilities: Capabilities) -> None:
        self._link = link
        self._capabilities = capabilities
        self._collections = AsyncCollections(link, config)
        self._records = AsyncRecords(link, self._collections)

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

    def render(self, native: Where) -> Any:
        return native.condition

    async def ping(self, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            client = await self._link.open()
            async for _ in client.indexes.list():
                break

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
            try:
                return await self._collections.namespaces(collection)
            except Exception as exc:
                if _errors.is_doubtful(exc):
                    await self._collections.confirm(collection)
                raise

    def record_sizes(self, target: Target, batch: RecordBatch) -> Sequence[int]:
        """Return the bytes of the metadata as stored; refuses what Pinecone cannot hold."""
        return _answers.sizes_of(target, batch)

    async def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        rows = _answers.rows_for(target, batch)
        with within(timeout_s):
            answer = await self._records.call(target, "upsert", vectors=rows)
        taken = 0 if answer is None else answer.upserted_count
        if answer is None or answer.has_errors or taken != len(rows):
            raise UnavailableError(
                f"pinecone says that it took {taken} of {len(rows)} records; repeating the call "
                "is safe",
                store="pinecone",
                operation="upsert",
            )
        self._records.marks(target).wrote(batch.ids)

    async def settle(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> Sequence[str]:
        with within(timeout_s):
            return await self._records.settle(target, ids)

    async def fence(self, target: Target, *, timeout_s: float | None) -> bool:
        with within(timeout_s):
            return await self._records.fence(target)

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
            rows = await self._records.fetch(target, _answers.stored_ids(target, ids))
        return _answers.batch_of(rows, columns, target)

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
        check_search(params)
        with within(timeout_s):
            return [await self._search(target, query, native, k, columns) for query in queries]

    async def _search(
        self, target: Target, query: Vector, native: Where | None, k: int, columns: Columns
    ) -> Found:
        needed = _answers.needed(native, columns)
        values = "vector" in needed
        whole = _requests.fits_one_answer(k, target.collection.dimension, values=values)
        asked: dict[str, Any] = {
            "top_k": k,
            "vector": _vectors.to_query(query, target.collection.metric),
        }
        if (condition := _answers.condition_of(native)) is not None:
            asked["filter"] = condition
        if needed and whole:
            asked |= {"include_values": values, "include_metadata": True}
        try:
            answer = await self._records.call(target, "query", **asked)
        except Exception as exc:
            # An answer of more than 4 MB is refused: then the records are fetched.
            if not (needed and whole and getattr(exc, "status_code", None) == BAD_REQUEST):
                raise
            whole = False
            del asked["include_values"], asked["include_metadata"]
            answer = await self._records.call(target, "query", **asked)
        matches: list[Any] = [] if answer is None else answer.matches
        rows = _answers.rows_of(matches)
        scores = {match.id: match.score for match in matches}
        if needed and not whole:
            rows = await self._records.fetch(target, [one for one, _, _ in rows])
        else:
            rows = await self._records.resolved(target, rows)
        return _answers.found(rows, [scores[one] for one, _, _ in rows], native, columns, target)

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
        layout: Layout = target.collection.layout
        needed = _answers.needed(native, columns)
        condition = _answers.condition_of(native)
        if after is not None:
            kind, token = _requests.parse(after)
        else:
            by_list = condition is None and (not needed or not layout.ours)
            kind, token = _requests.BY_LIST if by_list else _requests.BY_METADATA, None
        with within(timeout_s):
            if kind == _requests.BY_LIST:
                rows, token = await self._records.listed(target, token, limit, whole=bool(needed))
            else:
                where = condition or _answers.OURS
                rows, token = await self._records.page(target, where, token, limit)
        batch = _answers.selected(rows, native, columns, target)
        return ScanPage(batch, _requests.show(kind, token) if token else None, done=not token)

    async def delete_ids(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> None:
        if wanted := _answers.stored_ids(target, ids):
            self._records.marks(target).deleted(ids)
            with within(timeout_s):
                await self._records.call(target, "delete", ids=wanted)

    async def delete_where(
        self, target: Target, native: Where | None, *, timeout_s: float | None
    ) -> None:
        self._records.marks(target).deleted(None)
        with within(timeout_s):
            if native is None:
                await self._records.call(target, "delete", delete_all=True)
            elif native.condition is not None:
                await self._records.call(target, "delete", filter=native.condition)
            else:
                ids = await self._ids(target, native)
                for at in range(0, len(ids), _requests.MOST_IDS):
                    part = _answers.stored_ids(target, ids[at : at + _requests.MOST_IDS])
                    await self._records.call(target, "delete", ids=part)

    async def count(
        self,
        target: Target,
        native: Where | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        with within(timeout_s):
            if native is None:
                return await self._records.size(target)
            if native.condition is not None:
                answer = await self._records.call(
                    target, "update", filter=native.condition, set_metadata={}, dry_run=True
                )
                matched = 0 if answer is None else answer.matched_records
                if matched is not None and matched < MOST_COUNTED:
                    return int(matched)
            return len(await self._ids(target, native))

    async def _ids(self, target: Target, native: Where) -> list[str]:
        """Return the ids of the records that a filter selects, by reading."""
        ids: list[str] = []
        after: str | None = None
        columns = METADATA if native.condition is None else NO_COLUMNS
        while True:
            page = await self.scan(
                target,
                native,
                None,
                after,
                self._capabilities.limits.scan_batch,
                columns,
                consistency=None,
                timeout_s=seconds_left(),
            )
            ids += page.batch.ids
            if page.done:
                return ids
            after = page.cursor
