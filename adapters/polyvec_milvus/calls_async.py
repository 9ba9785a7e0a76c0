"""Requests on one collection: loaded, fresh, repeated where it helps (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
from pymilvus.exceptions import MilvusException

from polyvec.primitives import StaleLayout
from polyvec_milvus import _errors, _requests
from polyvec_milvus._freshness import Freshness
from polyvec_milvus._layout import PK
from polyvec_milvus.links import seconds_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from polyvec_milvus._schema import Layout
    from polyvec_milvus.collections_async import AsyncCollections
    from polyvec_milvus.links import AsyncLink

T = TypeVar("T")

_NOT_LOADED: Final = frozenset({_errors.NOT_LOADED, 103, 106, 500, 503})

FEWER: Final = 8
"""Into how many pages one is cut whose rows did not fit into a message."""


class AsyncCalls:
    """What every request on a collection has to see to.

    Parameters
    ----------
    link
        The connection.
    collections
        Those of the store.
    """

    def __init__(self, link: AsyncLink, collections: AsyncCollections) -> None:
        self._link = link
        self._collections = collections
        self._freshness = Freshness()

    async def guarded(
        self, layout: Layout, call: Callable[[Any], Awaitable[T]], *, loaded: bool = True
    ) -> T:
        """Make a call; load the collection where that is needed, once more where it was released.

        Raises
        ------
        StaleLayout
            The collection is gone, or was made anew.
        """
        client = await self._link.open()
        if loaded:
            await self._collections.ready(layout)
        try:
            return await call(client)
        except MilvusException as exc:
            code = _errors.code_of(exc)
            if code == _errors.NOT_FOUND:
                self._collections.forget(layout)
                raise StaleLayout from exc
            if code not in _NOT_LOADED:
                if code != 2:
                    await self._collections.check(layout)
                raise
        self._collections.forget(layout)
        await self._collections.ready(layout)
        return await call(client)

    async def read(
        self, layout: Layout, consistency: str | None, call: Callable[[Any, str], Awaitable[T]]
    ) -> T:
        """Read so that own writes are seen, at the least cost; `strong` sees everybody's."""
        name, server = layout.name, layout.server
        strong = consistency == "strong" or self._freshness.needs_strong(name, session=True)
        if not (server and strong):
            return await self.guarded(layout, lambda client: call(client, "Session"))
        state = self._freshness.state(name)
        answer = await self.guarded(layout, lambda client: call(client, "Strong"))
        self._freshness.covered(name, state)
        return answer

    async def refresh(self, layout: Layout, consistency: str | None) -> None:
        """Make the pages that follow see own writes: the client gives them no session."""
        name = layout.name
        needed = consistency == "strong" or self._freshness.needs_strong(name, session=False)
        if not (layout.server and needed):
            return
        state = self._freshness.state(name)
        await self.guarded(
            layout,
            lambda client: client.query(
                name,
                filter=_requests.barrier(layout),
                output_fields=[layout.fields.id if layout.fields is not None else PK],
                limit=1,
                consistency_level="Strong",
                timeout=seconds_left(),
            ),
        )
        self._freshness.covered(name, state)

    async def page(
        self, layout: Layout, expression: str, fields: list[str], limit: int
    ) -> tuple[list[Any], bool]:
        """Return at most `limit` rows in the order of their keys, and whether they are the last.

        Fewer come where so many do not fit into one message.
        """
        while True:
            try:
                rows = await self._rows(layout, expression, fields, limit)
            except grpc.RpcError as exc:
                if not _errors.is_too_large(exc) or limit == 1:
                    raise
                limit = max(1, limit // FEWER)
            else:
                return rows, len(rows) < limit

    async def _rows(
        self, layout: Layout, expression: str, fields: list[str], limit: int
    ) -> list[Any]:
        rows = await self.guarded(
            layout,
            lambda client: client.query(
                layout.name,
                filter=expression,
                output_fields=fields,
                limit=limit,
                # Milvus Lite sorts by key only with it; servers from 2.4 on may leave keys out.
                iterator="True",
                timeout=seconds_left(),
            ),
        )
        return list(rows)

    async def upsert(self, layout: Layout, rows: list[dict[str, Any]]) -> None:
        """Write whole rows, each key once."""
        try:
            await self.guarded(
                layout,
                lambda client: client.upsert(layout.name, rows, timeout=seconds_left()),
                loaded=False,
            )
        finally:
            self._freshness.wrote(layout.name)

    async def delete(self, layout: Layout, expression: str, *, loaded: bool) -> None:
        """Delete rows; only an expression on keys alone needs no loaded collection."""
        try:
            await self.guarded(
                layout,
                # From 2.4 on a server looks for them with a level of its own, and may be late.
                lambda client: client.delete(
                    layout.name,
                    filter=expression,
                    consistency_level="Strong",
                    timeout=seconds_left(),
                ),
                loaded=loaded,
            )
        finally:
            self._freshness.deleted(layout.name)

    async def count(self, layout: Layout, expression: str, consistency: str | None) -> int:
        """Count rows; the statistics of Milvus count replaced ones too."""
        rows = await self.read(
            layout,
            consistency,
            lambda client, level: client.query(
                layout.name,
                filter=expression,
                output_fields=["count(*)"],
                consistency_level=level,
                timeout=seconds_left(),
            ),
        )
        return int(rows[0]["count(*)"]) if rows else 0
