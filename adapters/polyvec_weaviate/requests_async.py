"""Requests for objects of one namespace of one collection (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateBaseError, WeaviateInsertManyAllFailedError

from polyvec.errors import RejectedError, StoreError
from polyvec.primitives import StaleLayout
from polyvec_weaviate import _answers, _codec, _errors, _pages
from polyvec_weaviate._errors import CallFailed
from polyvec_weaviate._layout import NS
from polyvec_weaviate.links import DISTANCE, replying

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from polyvec.primitives import Columns, Found, Target
    from polyvec_weaviate._conditions import Condition
    from polyvec_weaviate._schema import Layout
    from polyvec_weaviate.collections_async import AsyncCollections
    from polyvec_weaviate.links import AsyncLink

STORE: Final = "weaviate"
SINGLY: Final = 20
"""Objects that are read one by one at most, where a filter did not find them: 1 ms each."""


class AsyncRequests:
    """Reads and writes objects.

    Every answer is of the collection that was opened, or `StaleLayout` is raised: what was found
    holds its number, and where nothing was found, or the server refused, its marker is read again.

    Parameters
    ----------
    link
        The connection.
    collections
        The store's collections.
    """

    def __init__(self, link: AsyncLink, collections: AsyncCollections) -> None:
        self._link = link
        self._collections = collections

    async def check(self, layout: Layout) -> None:
        """Raise `StaleLayout` where the collection is not the one that was opened."""
        if layout.ours:
            await self._collections.known(layout)
            return
        client = await self._link.open()
        if not await client.collections.exists(layout.name):
            raise StaleLayout(f"collection {layout.name!r} is gone")

    async def _failed(self, target: Target, error: Exception) -> None:
        """Tell a collection that is gone from other errors: Weaviate has one code for all."""
        mapped = _errors.map_error(error, "")
        if mapped is None or type(mapped) in (RejectedError, StoreError):
            await self.check(target.collection.layout)

    async def _there(self, target: Target) -> Any:
        """Return the client's handle of a collection; None for a tenant that is not there."""
        layout: Layout = target.collection.layout
        there = await self._collections.handle(layout.name)
        if not layout.tenants:
            return there
        if not target.namespace or not await there.tenants.exists(target.namespace):
            return None
        return there.with_tenant(target.namespace)

    async def insert(self, target: Target, objects: Sequence[Any]) -> dict[int, Any]:
        """Insert or replace objects; return the place and the error of each that failed."""
        layout: Layout = target.collection.layout
        there = await self._there(target)
        if there is None:
            everybody = await self._collections.handle(layout.name)
            await everybody.tenants.create(target.namespace)
            there = await self._there(target)
        try:
            answer = await there.data.insert_many(objects)
        except WeaviateInsertManyAllFailedError:
            await self.check(layout)
            raise
        except (WeaviateBaseError, CallFailed) as error:
            await self._failed(target, error)
            raise
        return dict(answer.errors)

    async def fetch(
        self,
        target: Target,
        where: Condition | None,
        limit: int,
        columns: Columns,
        *,
        own: bool = False,
        **more: Any,
    ) -> list[Any]:
        """Return objects that a filter selects; `own`: with what tells their namespace."""
        there = await self._there(target)
        if there is None:
            return []
        try:
            answer = await there.query.fetch_objects(
                filters=where,
                limit=limit,
                **_answers.reading(target, columns, own=own),
                **more,
            )
        except (WeaviateBaseError, CallFailed) as error:
            await self._failed(target, error)
            raise
        if not answer.objects:
            await self.check(target.collection.layout)
        return list(answer.objects)

    async def near(
        self,
        target: Target,
        query: npt.NDArray[np.float32],
        where: Condition | None,
        k: int,
        columns: Columns,
    ) -> Found:
        """Return what lies near a vector, among the objects that a filter selects."""
        layout: Layout = target.collection.layout
        there = await self._there(target)
        if there is None:
            return _answers.found_of([], columns, target)
        asked = {
            "near_vector": query.tolist(),
            "target_vector": layout.vector or None,
            "filters": where,
            "limit": k,
        }
        try:
            if layout.ours and "vector" not in columns:
                reply = await replying(there, asked, _codec.properties_for(columns))
                if not reply.results:
                    await self.check(layout)
                return _answers.replied(reply, columns, target.collection.metric)
            answer = await there.query.near_vector(
                **asked,
                return_metadata=DISTANCE,
                **_answers.reading(target, columns),
            )
        except (WeaviateBaseError, CallFailed) as error:
            await self._failed(target, error)
            raise
        if not answer.objects:
            await self.check(layout)
        return _answers.found_of(_answers.inside(target, answer.objects), columns, target)

    async def by_id(self, target: Target, wanted: Sequence[str], columns: Columns) -> list[Any]:
        """Return objects by their UUIDs, also those that are being replaced.

        A filter finds places, and an object that is replaced has none for some 0.3 ms (measured:
        one in twelve reads beside a writer that does nothing else). The objects themselves lie by
        their UUIDs, and are always there, but are read one by one.
        """
        where = _answers.filter_of(target, Filter.by_id().contains_any(wanted))
        found = await self.fetch(target, where, len(wanted), columns)
        seen = {str(each.uuid) for each in found}
        missing = [key for key in wanted if key not in seen]
        if len(missing) > SINGLY:
            where = _answers.filter_of(target, Filter.by_id().contains_any(missing))
            found += await self.fetch(target, where, len(missing), columns)
            return found
        for key in missing:
            if (before := _pages.place_before(key)) is not None:
                near = await self.fetch(target, None, 1, columns, own=True, after=before)
                found += [e for e in near if str(e.uuid) == key and _answers.is_of(target, e)]
        return found

    async def count(self, target: Target, where: Condition | None, *, rough: bool = False) -> int:
        """Return how many objects a filter selects.

        Parameters
        ----------
        rough
            Whether the number of places will do, which is found in half the time. Concurrent
            writers of one object leave places without one behind, for good (measured: 51 for 20
            objects), and a bare negation counts all that were ever left.
        """
        layout: Layout = target.collection.layout
        there = await self._there(target)
        if there is None:
            return 0
        by = None if rough or not layout.ours else GroupByAggregate(prop=NS, limit=2)
        try:
            answer = await there.aggregate.over_all(filters=where, group_by=by, total_count=True)
        except (WeaviateBaseError, CallFailed) as error:
            await self._failed(target, error)
            raise
        parts = [answer] if by is None else answer.groups
        total = sum(int(part.total_count or 0) for part in parts)
        if not total:
            await self.check(layout)
        return total

    async def delete(self, target: Target, where: Condition) -> None:
        """Delete the objects that a filter selects."""
        there = await self._there(target)
        if there is None:
            return
        matched = 0
        while True:
            try:
                answer = await there.data.delete_many(where=where)
            except (WeaviateBaseError, CallFailed) as error:
                await self._failed(target, error)
                raise
            matched += answer.matches
            if answer.failed:
                raise StoreError(
                    f"{answer.failed} of {answer.matches} records were not deleted; call again",
                    store=STORE,
                    operation="delete",
                )
            # One call deletes 10,000 at most, and tells of all that match.
            if answer.matches <= answer.successful:
                break
        if not matched:
            await self.check(target.collection.layout)
