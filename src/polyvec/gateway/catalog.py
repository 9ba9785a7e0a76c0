"""What Pinecone knows of an index and a store does not, kept in a collection of the store.

The collection `polyvec_gateway` holds one record per index that has tags, deletion protection, a
place other than the default, or namespaces created by name. It is made with the first of those,
and is no index: Pinecone's names have no underscore.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.errors import CollectionNotFoundError
from polyvec.gateway.index_model import Extras

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyvec.collection_async import AsyncCollection
    from polyvec.store_async import AsyncVectorStore

COLLECTION: Final = "polyvec_gateway"
_FIELD: Final = "index"
# Two numbers: the fewest that every backend takes.
_VECTOR: Final = np.array([[1.0, 0.0]], dtype=np.float32)


class Catalog:
    """The extras of all indexes.

    Parameters
    ----------
    store
        Where they are kept.
    """

    def __init__(self, store: AsyncVectorStore) -> None:
        self._store = store
        self._found: AsyncCollection[dict[str, Any]] | None = None
        self._changing = asyncio.Lock()

    async def get(self, index: str) -> Extras:
        """Return the extras of an index, the defaults where none are kept."""
        try:
            collection = await self._collection()
            found = await collection.get([index], include=("metadata",))
        except CollectionNotFoundError:
            self._found = None
            return Extras()
        return _read(found[0].metadata) if found else Extras()

    async def all(self) -> dict[str, Extras]:
        """Return the extras of every index that has some."""
        try:
            collection = await self._collection()
            return {
                index: _read(metadata)
                async for batch in collection.scan(include=("metadata",))
                for index, metadata in zip(batch.ids, batch.metadata or (), strict=True)
            }
        except CollectionNotFoundError:
            self._found = None
            return {}

    async def change(self, index: str, change: Callable[[Extras], Extras]) -> Extras:
        """Replace the extras of an index by what `change` makes of them, and return them."""
        async with self._changing:  # of two changes at once, neither is lost
            old = await self.get(index)
            new = change(old)
            if new != old:
                await self._put(index, new)
            return new

    async def _put(self, index: str, extras: Extras) -> None:
        if self._found is None:
            self._found = await self._store.create_collection(
                COLLECTION, dimension=2, exist_ok=True
            )
        if extras == Extras():
            await self._found.delete([index])
        else:
            metadata = [{_FIELD: json.dumps(asdict(extras))}]
            await self._found.upsert(ids=[index], vectors=_VECTOR, metadata=metadata)

    async def _collection(self) -> AsyncCollection[dict[str, Any]]:
        if self._found is None:
            self._found = await self._store.collection(COLLECTION)
        return self._found


def _read(metadata: dict[str, Any]) -> Extras:
    return Extras(**json.loads(metadata[_FIELD]))
