# Generated from collections_async.py by tools/unasync.py. Do not edit.
"""Collections, aliases, loading and namespaces of one store (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymilvus.exceptions import MilvusException

from polyvec._runtime import sleep
from polyvec.errors import CollectionExistsError, CollectionNotFoundError, NotSupportedError
from polyvec.primitives import OpenedCollection, StaleLayout
from polyvec_milvus import _errors, _native, _schema
from polyvec_milvus._layout import VECTOR
from polyvec_milvus._schema import METRIC_OF, Layout, logical, physical
from polyvec_milvus.links import seconds_left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.schema import CollectionSpec, NativeLayout
    from polyvec_milvus.links import Link

LOOK_S: Final = 0.02
"""Between two looks at a collection that is being loaded; the client's own are 0.5 s apart."""

LOOKS: Final = 100
RACE_LOOKS: Final = 10


class Collections:
    """Finds, makes and loads the collections of one store.

    Parameters
    ----------
    link
        The connection.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loaded: set[tuple[str, int]] = set()

    def names(self) -> list[str]:
        """Return the names of all collections, as users know them."""
        client = self._link.open()
        found: list[str] = client.list_collections(timeout=seconds_left())
        return [logical(name) for name in found]

    def create(self, spec: CollectionSpec) -> None:
        """Create a collection and its index, and have it loaded in the background."""
        name = physical(spec.name)
        index = _schema.index_for(spec, self._link.is_server, self._link.default_kind)
        client = self._link.open()
        # Making one that exists succeeds where the schemas agree. An alias counts as one.
        if self._described(spec.name) is not None:
            raise _exists(spec.name)
        try:
            client.create_collection(
                name,
                schema=_schema.schema_for(spec),
                consistency_level="Session",
                timeout=seconds_left(),
            )
        except MilvusException as exc:
            for _ in range(RACE_LOOKS):  # somebody may have been faster, and be about to finish
                if self._described(spec.name) is not None:
                    raise _exists(spec.name) from exc
                sleep(LOOK_S)
            raise
        try:
            client.create_index(name, index, sync=False, timeout=seconds_left())
            client.load_collection(name, _async=True, timeout=seconds_left())
        except MilvusException:
            client.drop_collection(name, timeout=seconds_left())
            raise

    def open(self, name: str, native: NativeLayout | None) -> OpenedCollection:
        """Read what Milvus knows of a collection.

        Raises
        ------
        CollectionNotFoundError
            Neither a collection nor an alias has that name.
        InvalidRequestError, NotSupportedError
            It cannot be read: a newer layout, no vector or several, no index.
        """
        client = self._link.open()
        found = self._described(name)
        if found is None:
            raise _absent(name, "open_collection")
        own = str(found["collection_name"])
        ours = _schema.is_ours(found, name)
        if ours:
            fields, vector = None, VECTOR
            dims = {one["name"]: one["params"].get("dim") for one in found["fields"]}
            dimension = int(dims[VECTOR])
        else:
            fields, vector, dimension = _native.fields_of(found, native, name)
        index = self._index(client, own, vector)
        for _ in range(LOOKS if ours else 0):  # whoever makes it is about to
            if index is not None:
                break
            sleep(LOOK_S)
            index = self._index(client, own, vector)
        if index is None or index.get("metric_type") not in METRIC_OF:
            raise NotSupportedError(
                f"collection {name!r} has no index on {vector!r} with one of the metrics "
                f"{', '.join(METRIC_OF)}; without one milvus cannot load it"
            )
        effort = _schema.marked_effort(found)
        layout = Layout(
            name=own,
            identity=int(found.get("collection_id") or 0),
            ours=ours,
            server=self._link.is_server,
            kind=str(index.get("index_type", "")),
            vector=vector,
            effort=effort,
            fields=fields,
        )
        details = {
            "index_type": layout.kind,
            "fields": [one["name"] for one in found["fields"]],
            "shards": found.get("num_shards"),
        }
        return OpenedCollection(
            name=logical(own),
            dimension=dimension,
            metric=METRIC_OF[index["metric_type"]],
            index=_schema.index_of(index, effort),
            layout_kind="polyvec" if ours else "native",
            layout=layout,
            details=details,
        )

    def _described(self, name: str) -> dict[str, Any] | None:
        """Return what Milvus tells of a collection or an alias; None where neither is there."""
        client = self._link.open()
        for spelling in _schema.spellings(name):
            try:
                found: dict[str, Any] = client.describe_collection(spelling, timeout=seconds_left())
            except MilvusException as exc:
                if _errors.code_of(exc) != _errors.NOT_FOUND:
                    raise
            else:
                return found
        return None

    def _index(self, client: Any, name: str, vector: str) -> dict[str, Any] | None:
        """Return the index of a vector; its name need not be the field's."""
        for one in client.list_indexes(name, timeout=seconds_left()):
            found: dict[str, Any] | None = client.describe_index(name, one, timeout=seconds_left())
            if found and found.get("field_name", vector) == vector:
                return found
        return None

    def check(self, layout: Layout) -> None:
        """Raise `StaleLayout` for a collection that is gone or was made anew."""
        found = self._described(logical(layout.name))
        if found is None or int(found.get("collection_id") or 0) != layout.identity:
            self.forget(layout)
            raise StaleLayout

    def forget(self, layout: Layout) -> None:
        """Ask again whether a collection is loaded, when it is read next."""
        self._loaded.discard((layout.name, layout.identity))

    def ready(self, layout: Layout) -> None:
        """Return when a collection is loaded and its index complete.

        Just after loading, a graph is not there yet and Milvus answers from a coarser index, or
        from nothing: of 8,000 rows it found 998 (measured, 2.3.5).
        """
        key = (layout.name, layout.identity)
        if key in self._loaded:
            return
        client = self._link.open()
        try:
            waited = False
            while not self._is_loaded(client, layout.name):
                if not waited:
                    client.load_collection(layout.name, _async=True, timeout=seconds_left())
                waited = True
                sleep(LOOK_S)
            if not _schema.is_flat(layout):
                while self._pending(client, layout):
                    sleep(LOOK_S)
        except MilvusException as exc:
            if _errors.code_of(exc) == _errors.NOT_FOUND:
                raise StaleLayout from exc
            raise
        self._loaded.add(key)

    def _is_loaded(self, client: Any, name: str) -> bool:
        state = client.get_load_state(name, timeout=seconds_left())
        if state["state"].name != "Loaded":
            return False
        if not self._link.is_server:
            return True
        # "Loaded" is also said of a collection of which only some partitions are.
        partitions = client.list_partitions(name, timeout=seconds_left())
        for partition in partitions if len(partitions) > 1 else ():
            which = self._link.of_partition(partition)
            one = client.get_load_state(name, **which, timeout=seconds_left())
            if one["state"].name != "Loaded":
                return False
        return True

    def _pending(self, client: Any, layout: Layout) -> bool:
        found = self._index(client, layout.name, layout.vector)
        return found is not None and int(found.get("pending_index_rows") or 0) > 0

    def drop(self, name: str) -> None:
        """Drop a collection and its aliases, which Milvus would leave behind."""
        found = self._described(name)
        if found is None or _own_name(found) != name:
            raise _absent(name, "drop_collection")
        own = str(found["collection_name"])
        client = self._link.open()
        answer = client.list_aliases(own, timeout=seconds_left())
        for alias in _schema.aliases_in(answer):
            client.drop_alias(alias, timeout=seconds_left())
        client.drop_collection(own, timeout=seconds_left())

    def set_alias(self, alias: str, collection: str) -> None:
        """Point an alias at a collection."""
        pointed = self._described(alias)
        if pointed is not None and _own_name(pointed) == alias:
            raise CollectionExistsError(
                f"a collection {alias!r} exists; choose another name for the alias",
                store="milvus",
                operation="set_alias",
            )
        found = self._described(collection)
        if found is None or _own_name(found) != collection:
            raise _absent(collection, "set_alias")
        client = self._link.open()
        if pointed is not None and _own_name(pointed) == collection:
            return
        change = client.create_alias if pointed is None else client.alter_alias
        change(str(found["collection_name"]), physical(alias), timeout=seconds_left())

    def aliases(self) -> dict[str, str]:
        """Return alias to collection."""
        client = self._link.open()
        found: dict[str, str] = {}
        for name in client.list_collections(timeout=seconds_left()):
            answer = client.list_aliases(name, timeout=seconds_left())
            for alias in _schema.aliases_in(answer):
                found[logical(alias)] = logical(name)
        return found

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; an absent one is no error."""
        found = self._described(alias)
        if found is not None and _own_name(found) != alias:
            client = self._link.open()
            client.drop_alias(physical(alias), timeout=seconds_left())


def _own_name(described: Mapping[str, Any]) -> str:
    """Return the name of a collection that was asked for by it or by an alias."""
    return logical(str(described["collection_name"]))


def _absent(name: str, operation: str) -> CollectionNotFoundError:
    return CollectionNotFoundError(
        f"no collection is named {name!r}", store="milvus", operation=operation
    )


def _exists(name: str) -> CollectionExistsError:
    return CollectionExistsError(
        f"a collection or an alias {name!r} exists already; choose another name",
        store="milvus",
        operation="create_collection",
    )
