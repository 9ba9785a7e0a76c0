# Generated from store_async.py by tools/unasync.py. Do not edit.
"""The adapter over pymilvus (synchronous source)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from polyvec.adapter import Adapter
from polyvec.primitives import KeyRange, ScanPage
from polyvec_milvus import (
    _checks,
    _compile,
    _errors,
    _expressions,
    _native,
    _native_filters,
    _requests,
)
from polyvec_milvus._schema import is_flat, search_params
from polyvec_milvus.calls import Calls
from polyvec_milvus.collections import Collections
from polyvec_milvus.keys import Keys
from polyvec_milvus.links import seconds_left, within
from polyvec_milvus.ranking import compared

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
    from polyvec_milvus._schema import Layout
    from polyvec_milvus.links import Link


class MilvusAdapter(Adapter):
    """A Milvus server, or Milvus Lite.

    Parameters
    ----------
    link
        The connection; opened by the first primitive.
    capabilities
        What such a connection can do.
    """

    def __init__(self, link: Link, capabilities: Capabilities) -> None:
        self._link = link
        self._capabilities = capabilities
        self._collections = Collections(link)
        self._calls = Calls(link, self._collections)
        self._keys = Keys(self._calls)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def client(self) -> Any:
        return self._link.client

    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        return _errors.map_error(exc, operation)

    def leaf(self, node: Leaf, negated: bool, layout: Layout) -> Bounds:
        if layout.ours:
            return _compile.leaf(node, negated, layout.server)
        return _native_filters.leaf(node, negated, layout)

    def all_of(self, filters: Sequence[str]) -> str:
        return _expressions.joined("and", filters)

    def any_of(self, filters: Sequence[str]) -> str:
        return _expressions.joined("or", filters)

    def ping(self, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            client = self._link.open()
            client.has_collection("polyvec_ping", timeout=seconds_left())

    def close(self) -> None:
        self._link.close()

    def list_collections(self, *, timeout_s: float | None) -> list[str]:
        with within(timeout_s):
            return self._collections.names()

    def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            self._collections.create(spec)

    def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        with within(timeout_s):
            return self._collections.open(name, native)

    def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            self._collections.drop(name)

    def set_alias(self, alias: str, collection: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            self._collections.set_alias(alias, collection)

    def aliases(self, *, timeout_s: float | None) -> dict[str, str]:
        with within(timeout_s):
            return self._collections.aliases()

    def drop_alias(self, alias: str, *, timeout_s: float | None) -> None:
        with within(timeout_s):
            self._collections.drop_alias(alias)

    # -- records -------------------------------------------------------------------------

    def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        with within(timeout_s):
            return self._keys.namespaces(collection.layout)

    def record_sizes(self, target: Target, batch: RecordBatch) -> None:
        """Refuse what Milvus cannot hold before anything is written; sizes are the core's."""
        layout: Layout = target.collection.layout
        if layout.ours:
            _checks.check_batch(target, batch)
        else:
            _native.rows_of(target, batch)

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        layout: Layout = target.collection.layout
        rows = _requests.rows_of(target, batch)
        with within(timeout_s):
            if layout.fields is not None and layout.fields.dynamic and not layout.server:
                self._void_old_fields(target, batch.ids, rows)
            self._calls.upsert(layout, rows)

    def _void_old_fields(
        self, target: Target, ids: Sequence[str], rows: list[dict[str, Any]]
    ) -> None:
        """Set dynamic fields that a replaced row had to null: Milvus Lite merges them (3.2.2)."""
        layout: Layout = target.collection.layout
        expression = _requests.keys(target, ids)
        assert layout.fields is not None
        assert expression is not None
        found, _ = self._calls.page(layout, expression, ["*"], len(ids))
        _native.void(rows, found, layout.fields)

    def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        layout: Layout = target.collection.layout
        expression = _requests.keys(target, ids)
        if expression is None:
            return _requests.batch_of([], columns, target)
        fields = _requests.output_fields(target, columns)
        with within(timeout_s):
            rows = self._calls.read(
                layout,
                consistency,
                lambda client, level: client.query(
                    layout.name,
                    filter=expression,
                    output_fields=fields,
                    consistency_level=level,
                    timeout=seconds_left(),
                ),
            )
        return _requests.batch_of(rows, columns, target)

    def search(
        self,
        target: Target,
        queries: Vector,
        native: str | None,
        k: int,
        columns: Columns,
        params: Index | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        layout: Layout = target.collection.layout
        metric = target.collection.metric
        settings = search_params(params, layout, metric, k)
        asked = _requests.asked(queries, metric)
        expression = _requests.selection(target, native)
        fields = _requests.output_fields(target, columns)
        with within(timeout_s):
            answers = self._calls.read(
                layout,
                consistency,
                lambda client, level: client.search(
                    layout.name,
                    data=asked,
                    filter=expression,
                    limit=k,
                    output_fields=fields,
                    search_params=settings,
                    anns_field=layout.vector,
                    consistency_level=level,
                    timeout=seconds_left(),
                ),
            )
        return [_requests.found(hits, columns, target) for hits in answers]

    def exact_search(
        self,
        target: Target,
        queries: Vector,
        native: str | None,
        k: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        layout: Layout = target.collection.layout
        if is_flat(layout):
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
        with within(timeout_s):
            self._calls.refresh(layout, consistency)
            return compared(self._calls, target, queries, native, k, columns)

    def scan(
        self,
        target: Target,
        native: str | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        layout: Layout = target.collection.layout
        expression = _requests.page(target, native, span, after)
        fields = _requests.output_fields(target, columns)
        with within(timeout_s):
            self._calls.refresh(layout, consistency)
            rows, done = self._calls.page(layout, expression, fields, limit)
        batch = _requests.batch_of(rows, columns, target)
        return ScanPage(batch, batch.ids[-1] if batch.ids else None, done=done)

    def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        with within(timeout_s):
            ends = (None, *self._keys.cuts(target, parts), None)
        return [KeyRange(start, stop) for start, stop in pairwise(ends)]

    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        expression = _requests.keys(target, ids)
        if expression is not None:
            layout: Layout = target.collection.layout
            by_key = layout.fields is None or layout.fields.namespace is None
            with within(timeout_s):
                self._calls.delete(layout, expression, loaded=not by_key)

    def delete_where(self, target: Target, native: str | None, *, timeout_s: float | None) -> None:
        expression = _requests.selection(target, native)
        with within(timeout_s):
            self._calls.delete(target.collection.layout, expression, loaded=True)

    def count(
        self,
        target: Target,
        native: str | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        with within(timeout_s):
            expression = _requests.selection(target, native)
            return self._calls.count(target.collection.layout, expression, consistency)
