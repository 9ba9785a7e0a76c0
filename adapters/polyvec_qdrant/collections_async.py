"""Collections, aliases and namespaces of one store (asynchronous source)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from qdrant_client import models

from polyvec._wording import refuse_newer
from polyvec.errors import CollectionExistsError, CollectionNotFoundError, InvalidRequestError
from polyvec.primitives import OpenedCollection
from polyvec.types import Metric
from polyvec_qdrant import _schema
from polyvec_qdrant._answers import namespace_of
from polyvec_qdrant._layout import NS, natural_key
from polyvec_qdrant._schema import METRICS, Layout
from polyvec_qdrant.links import seconds_left

if TYPE_CHECKING:
    from polyvec.schema import CollectionSpec, NativeLayout
    from polyvec_qdrant._config import QdrantConfig
    from polyvec_qdrant.links import AsyncLink

MOST_NAMESPACES: Final = 1_000_000
"""Of one facet. Measured: 12,001 take 0.17 s."""

PAGE: Final = 1_000

PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class AsyncCollections:
    """Finds and makes the collections of one store.

    Parameters
    ----------
    link
        The connection.
    config
        What new collections are made with.
    """

    def __init__(self, link: AsyncLink, config: QdrantConfig) -> None:
        self._link = link
        self._config = config

    async def names(self) -> list[str]:
        """Return the names of all collections."""
        client = await self._link.open()
        answer = await client.get_collections()
        return [one.name for one in answer.collections]

    async def create(self, spec: CollectionSpec) -> None:
        """Create a collection and its payload indexes."""
        arguments = _schema.creation_of(spec, self._config)
        if spec.name in await self.aliases() or spec.name in await self.names():
            raise CollectionExistsError(
                f"a collection or an alias {spec.name!r} exists already; choose another name",
                store="qdrant",
                operation="create_collection",
            )
        client = await self._link.open()
        await client.create_collection(
            collection_name=spec.name, timeout=seconds_left(), **arguments
        )
        await self._index(spec.name, dict(_schema.payload_indexes(spec.index_fields)))

    async def _index(self, name: str, indexes: dict[str, Any]) -> None:
        if not self._link.is_server:  # local mode looks at every point, and says so in a warning
            return
        client = await self._link.open()
        for key, kind in indexes.items():
            await client.create_payload_index(
                collection_name=name,
                field_name=key,
                field_schema=kind,
                wait=True,
                timeout=seconds_left(),
            )

    async def open(self, name: str, native: NativeLayout | None) -> OpenedCollection:
        """Read what Qdrant knows of a collection.

        Raises
        ------
        CollectionNotFoundError
            Neither a collection nor an alias has that name.
        InvalidRequestError, NotSupportedError
            It cannot be read: a newer layout, no vector or several, another kind of distance.
        """
        name = (await self.aliases()).get(name, name)
        # Such a name may be another path in a URL; of those, only what is listed is asked for.
        if not PLAIN_NAME.fullmatch(name) and name not in await self.names():
            raise CollectionNotFoundError(
                f"no collection is named {name!r}", store="qdrant", operation="open_collection"
            )
        client = await self._link.open()
        info = await client.get_collection(collection_name=name)
        marker = _schema.marker_of(info.config.metadata)
        details: dict[str, Any] = {
            "status": str(getattr(info.status, "value", info.status)),
            "points": info.points_count,
            "indexed_vectors": info.indexed_vectors_count,
            "payload_indexes": _schema.indexes_of(info),
        }
        if marker is None:
            return self._native(name, info, native, details)
        refuse_newer(name, marker["version"], _schema.LAYOUT_VERSION)
        wanted = dict(_schema.payload_indexes(_schema.fields_of(marker)))
        missing = {key: kind for key, kind in wanted.items() if not _has(info, key)}
        if missing:  # whoever made the collection did not get this far
            await self._index(name, missing)
        layout = Layout(
            ours=True,
            server=self._link.is_server,
            indexes=_schema.indexes_of(info),
            ef_search=marker["ef_search"],
            quantized=_schema.is_quantized(info),
        )
        return OpenedCollection(
            name=name,
            dimension=marker["dimension"],
            metric=Metric(marker["metric"]),
            index=_schema.index_of(info, marker["ef_search"], server=layout.server),
            layout_kind="polyvec",
            layout=layout,
            details={**details, "layout_version": marker["version"]},
        )

    def _native(
        self,
        name: str,
        info: models.CollectionInfo,
        native: NativeLayout | None,
        details: dict[str, Any],
    ) -> OpenedCollection:
        roles = native
        if roles is not None and roles.id is not None:
            raise InvalidRequestError(
                f"collection {name!r}: the id of a point is its id; leave id= out"
            )
        vector, params = _schema.vector_of(info, roles, name)
        space = None if roles is None else roles.namespace
        if space is not None and natural_key((space,)) is None:
            raise InvalidRequestError(f"qdrant cannot name the key {space!r} in a filter")
        layout = Layout(
            ours=False,
            server=self._link.is_server,
            indexes=_schema.indexes_of(info),
            vector=vector,
            text=None if roles is None else roles.text,
            namespace=space,
            lost=_schema.loss_of(info, params),
            quantized=_schema.is_quantized(info),
        )
        return OpenedCollection(
            name=name,
            dimension=params.size,
            metric=METRICS[params.distance],
            index=_schema.index_of(info, None, server=layout.server),
            layout_kind="native",
            layout=layout,
            details={**details, "vector": vector, "text": layout.text, "namespace": space},
        )

    async def drop(self, name: str) -> None:
        """Drop a collection; its aliases go with it."""
        if name not in await self.names():
            raise CollectionNotFoundError(
                f"no collection is named {name!r}", store="qdrant", operation="drop_collection"
            )
        client = await self._link.open()
        await client.delete_collection(collection_name=name, timeout=seconds_left())

    async def namespaces(self, collection: OpenedCollection) -> dict[str, int]:
        """Return the number of records of each namespace that holds one."""
        layout: Layout = collection.layout
        client = await self._link.open()
        if not layout.ours and layout.namespace is None:
            counted = await client.count(collection_name=collection.name, exact=True)
            return {"": counted.count} if counted.count else {}
        if not layout.ours or not layout.server:
            return await self._counted(collection)
        answer = await client.facet(
            collection_name=collection.name,
            key=NS,
            limit=MOST_NAMESPACES,
            exact=True,
            timeout=seconds_left(),
        )
        # A value whose points were deleted is listed with a count of 0 (measured, 1.18.3).
        return {str(hit.value): hit.count for hit in answer.hits if hit.count}

    async def _counted(self, collection: OpenedCollection) -> dict[str, int]:
        """Count by reading.

        Local mode rewrites values that look like UUIDs; a key of others may have no index.
        """
        layout: Layout = collection.layout
        key = NS if layout.ours else str(layout.namespace)
        client = await self._link.open()
        found: Counter[str] = Counter()
        offset: Any = None
        while True:
            points, offset = await client.scroll(
                collection_name=collection.name,
                limit=PAGE,
                offset=offset,
                with_payload=[key],
                with_vectors=False,
                timeout=seconds_left(),
            )
            for point in points:
                payload = point.payload or {}
                space = payload.get(NS) if layout.ours else namespace_of(payload, layout)
                if space is not None:
                    found[space] += 1
            if offset is None:
                return dict(found)

    async def set_alias(self, alias: str, collection: str) -> None:
        """Point an alias at a collection; one request creates it or switches it."""
        names = await self.names()
        if alias in names:
            raise CollectionExistsError(
                f"a collection {alias!r} exists; choose another name for the alias",
                store="qdrant",
                operation="set_alias",
            )
        if collection not in names:
            raise CollectionNotFoundError(
                f"no collection is named {collection!r}", store="qdrant", operation="set_alias"
            )
        pointing = models.CreateAlias(collection_name=collection, alias_name=alias)
        await self._change(models.CreateAliasOperation(create_alias=pointing))

    async def aliases(self) -> dict[str, str]:
        """Return alias to collection."""
        client = await self._link.open()
        answer = await client.get_aliases()
        return {one.alias_name: one.collection_name for one in answer.aliases}

    async def drop_alias(self, alias: str) -> None:
        """Remove an alias; an absent one is no error."""
        if alias in await self.aliases():
            gone = models.DeleteAlias(alias_name=alias)
            await self._change(models.DeleteAliasOperation(delete_alias=gone))

    async def _change(self, operation: Any) -> None:
        client = await self._link.open()
        await client.update_collection_aliases(
            change_aliases_operations=[operation], timeout=seconds_left()
        )


def _has(info: models.CollectionInfo, key: str) -> bool:
    return key.replace('"', "") in _schema.indexes_of(info)
