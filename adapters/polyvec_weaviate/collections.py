# Generated from collections_async.py by tools/unasync.py. Do not edit.
"""Collections and aliases on a server (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weaviate.classes.aggregate import GroupByAggregate
from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateInvalidInputError

from polyvec._wording import refuse_newer
from polyvec.errors import CollectionExistsError, CollectionNotFoundError, StoreError
from polyvec.primitives import OpenedCollection, StaleLayout
from polyvec.types import Metric
from polyvec_weaviate import _names, _native, _schema
from polyvec_weaviate._columns import claim_for, property_for
from polyvec_weaviate._layout import NS, VECTOR, namespace_of
from polyvec_weaviate.capabilities import ALIASES_SINCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weaviate.classes.config import Property

    from polyvec.schema import CollectionSpec, NativeLayout
    from polyvec_weaviate._columns import Column
    from polyvec_weaviate._schema import Layout
    from polyvec_weaviate.links import Link

STORE: Final = "weaviate"
MOST_NAMESPACES: Final = 1_000_000
"""Of one aggregate. Measured: 10,000 take 1.9 s."""

TRIES: Final = 4
"""Looks at the schema until a property that was asked for is there."""

_REFUSED: Final = 422
_NOT_FOUND: Final = 404


class Collections:
    """Finds and makes the collections of one store.

    Parameters
    ----------
    link
        The connection.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._seen: dict[str, Layout] = {}
        self._handles: dict[str, Any] = {}

    def handle(self, name: str) -> Any:
        """Return the client's handle of a collection; to make one takes 0.2 ms.

        The core has checked every argument; the client would look at each again in each call.
        """
        found = self._handles.get(name)
        if found is None:
            client = self._link.open()
            found = client.collections.use(name, skip_argument_validation=True)
            self._handles[name] = found
        return found

    def all(self) -> dict[str, str]:
        """Return the name of every collection, and Weaviate's for it."""
        client = self._link.open()
        found = client.collections.list_all(simple=False)
        names: dict[str, str] = {}
        for theirs, config in found.items():
            marker = _schema.marker_of(config.description)
            names.setdefault(theirs if marker is None else marker["name"], theirs)
        return names

    def create(self, spec: CollectionSpec) -> None:
        """Create a collection.

        Raises
        ------
        CollectionExistsError
            A collection or an alias has the name.
        """
        name = _names.encode(spec.name)
        arguments = _schema.creation_of(spec, name)
        if self._named(spec.name) is not None or spec.name in self.aliases():
            raise _exists(spec.name)
        client = self._link.open()
        try:
            client.collections.create(**arguments)
        except UnexpectedStatusCodeError as error:
            # 422 for whatever Weaviate does not like; whether it is the name is told by looking.
            if error.status_code == _REFUSED and self._named(spec.name) is not None:
                raise _exists(spec.name) from error
            raise

    def _config(self, name: str) -> Any:
        """Return what Weaviate knows of a collection, None where there is none."""
        there = self.handle(name)
        try:
            return there.config.get()
        except UnexpectedStatusCodeError as error:
            if error.status_code == _NOT_FOUND:
                return None
            raise

    def open(self, name: str, native: NativeLayout | None) -> OpenedCollection:
        """Read marker and schema of a collection.

        Raises
        ------
        CollectionNotFoundError
            Neither a collection nor an alias has the name.
        """
        config = self._own(name)
        if config is None and (target := (self._aliases()).get(name)) is not None:
            config = self._config(target)
        if config is None:
            config = self._foreign(name)
        if config is None:
            raise CollectionNotFoundError(
                f"no collection and no alias is named {name!r}",
                store=STORE,
                operation="open_collection",
            )
        marker = _schema.marker_of(config.description)
        if marker is None:
            layout = _native.layout_of(config, native)
            dimension = self._dimension(layout, native)
            return _native.opened(config, layout, dimension)
        refuse_newer(name, marker["version"], _schema.LAYOUT_VERSION)
        layout = _schema.own_layout(marker, config)
        self._seen[layout.name] = layout
        return OpenedCollection(
            name=marker["name"],
            dimension=marker["dimension"],
            metric=Metric(marker["metric"]),
            index=_schema.index_of(config.vector_config[VECTOR].vector_index_config),
            layout_kind="polyvec",
            layout=layout,
            details={
                "class": layout.name,
                "layout_version": marker["version"],
                "properties": {".".join(p): name for (p, _), name in layout.columns.items()},
            },
        )

    def _named(self, name: str) -> Any:
        """Return what Weaviate knows of a collection of this name, which is no alias; or None."""
        config = self._own(name)
        return self._foreign(name) if config is None else config

    def _own(self, name: str) -> Any:
        """Return the collection of ours with a name, None where there is none."""
        theirs = _names.encode(name)
        config = self._config(theirs) if _names.is_legal(theirs) else None
        marker = None if config is None else _schema.marker_of(config.description)
        return config if marker is not None and marker["name"] == name else None

    def _foreign(self, name: str) -> Any:
        """Return the collection of others with this very name, None where there is none."""
        if not _names.is_legal(name):
            return None
        config = self._config(name)
        if config is None or config.name != name:  # an alias of Weaviate's answers too
            return None
        return config if _schema.marker_of(config.description) is None else None

    def _dimension(self, layout: Layout, native: NativeLayout | None) -> int:
        """Return the length of the vectors of others, which only an object tells."""
        if native is not None and native.dimension is not None:
            return native.dimension
        collection = self.handle(layout.name)
        tenants: list[str | None] = [None]
        if layout.tenants:
            tenants = list(collection.tenants.get())
        for tenant in tenants:
            there = collection if tenant is None else collection.with_tenant(tenant)
            answer = there.query.fetch_objects(limit=10, include_vector=True)
            for each in answer.objects:
                vector: Any = each.vector.get(layout.vector or VECTOR)
                if vector:
                    return len(vector)
        raise _native.unknown_dimension(layout.name)

    def known(self, layout: Layout) -> Layout:
        """Return the layout of a collection of ours as it is now.

        Raises
        ------
        StaleLayout
            The collection is gone, or another one has its name.
        """
        config = self._config(layout.name)
        marker = None if config is None else _schema.marker_of(config.description)
        if marker is None or marker["number"] != layout.number:
            self._seen.pop(layout.name, None)
            raise StaleLayout(f"collection {layout.name!r} is not the one that was opened")
        found = _schema.own_layout(marker, config)
        self._seen[layout.name] = found
        return found

    def has_column(self, layout: Layout, column: Column | None) -> bool:
        """Tell whether a field got a property since a layout was read, as far as is known here."""
        seen = self._seen.get(layout.name)
        return seen is not None and seen.number == layout.number and column in seen.columns

    def with_columns(self, layout: Layout, wanted: Iterable[Column]) -> Layout:
        """Return the layout after the fields got properties, as far as there is room."""
        # No property is ever removed: what was seen once is there, and a field without one is
        # looked for again before anybody takes it for new.
        seen = self._seen.get(layout.name)
        if seen is not None and seen.number == layout.number:
            layout = seen
        wanted = [column for column in wanted if layout.free_name(column)]
        if not wanted:
            return layout
        layout = self.known(layout)
        missing = wanted
        for _ in range(TRIES):
            missing = [column for column in missing if layout.free_name(column)]
            if not missing:
                return layout
            layout = self._claim(layout, missing)
            for column in missing:
                layout = self._with_column(layout, column)
        raise StoreError(
            f"weaviate has no property for {missing[0][0]!r} though it was asked {TRIES} times",
            store=STORE,
            operation="upsert",
        )

    def _claim(self, layout: Layout, columns: Iterable[Column]) -> Layout:
        """Settle what the names of new properties are for, see `_columns.CLAIM`."""
        claims: dict[str, Property] = {}
        for column in columns:
            name = layout.free_name(column)
            if name is not None and not layout.is_claimed(name):
                claims.setdefault(name.lower(), claim_for(column, name))
        for claim in claims.values():
            self._add(layout, claim)
        return self.known(layout) if claims else layout

    def _with_column(self, layout: Layout, column: Column) -> Layout:
        """Ask for the property of one field; another writer may be faster."""
        name = layout.free_name(column)
        if name is None or not layout.is_claimed(name):
            return layout
        self._add(layout, property_for(column, name))
        # Writers with two types for one name may all be told that it went well.
        return self.known(layout)

    def _add(self, layout: Layout, new: Property) -> None:
        """Add a property that may be there already."""
        there = self.handle(layout.name)
        try:
            there.config.add_property(new)
        except WeaviateInvalidInputError:
            pass  # the client's own look at the schema
        except UnexpectedStatusCodeError as error:
            if error.status_code != _REFUSED:
                raise

    def drop(self, name: str) -> None:
        """Drop a collection, and the aliases that point to it."""
        config = self._named(name)
        if config is None:
            raise CollectionNotFoundError(
                f"no collection is named {name!r}", store=STORE, operation="drop_collection"
            )
        theirs: str = config.name
        client = self._link.open()
        aliases = client.alias.list_all(collection=theirs) if self._has_aliases() else {}
        client.collections.delete(theirs)
        self._handles.pop(theirs, None)
        for alias in aliases:  # they would dangle
            client.alias.delete(alias_name=alias)

    def namespaces(self, collection: OpenedCollection) -> dict[str, int]:
        """Return the number of records of each namespace that holds one."""
        layout: Layout = collection.layout
        there = self.handle(layout.name)
        if layout.tenants:
            counts: dict[str, int] = {}
            for tenant in there.tenants.get():
                answer = there.with_tenant(tenant).aggregate.over_all(total_count=True)
                counts[tenant] = int(answer.total_count or 0)
            return {tenant: count for tenant, count in counts.items() if count}
        key = NS if layout.ours else layout.namespace
        total = int((there.aggregate.over_all(total_count=True)).total_count or 0)
        if key is None:
            return {"": total} if total else {}
        grouped = there.aggregate.over_all(
            group_by=GroupByAggregate(prop=key, limit=MOST_NAMESPACES), total_count=True
        )
        found = {
            str(group.grouped_by.value): int(group.total_count or 0) for group in grouped.groups
        }
        if layout.ours:
            named = ((namespace_of(layout.number, text), n) for text, n in found.items())
            return {name: count for name, count in named if name is not None and count}
        rest = total - sum(found.values())
        spaces = {name: count for name, count in found.items() if count}
        return spaces | ({"": spaces.get("", 0) + rest} if rest else {})

    def _has_aliases(self) -> bool:
        version = self._link.version
        return version is not None and version >= ALIASES_SINCE

    def set_alias(self, alias: str, collection: str) -> None:
        """Point an alias at a collection; a switch is one request."""
        if self._named(alias) is not None:
            raise CollectionExistsError(
                f"a collection {alias!r} exists; choose another name for the alias",
                store=STORE,
                operation="set_alias",
            )
        config = self._named(collection)
        if config is None:
            raise CollectionNotFoundError(
                f"no collection is named {collection!r}", store=STORE, operation="set_alias"
            )
        client = self._link.open()
        theirs = self._alias_name(alias)
        target: str = config.name
        if client.alias.update(alias_name=theirs, new_target_collection=target):
            return
        try:
            client.alias.create(alias_name=theirs, target_collection=target)
        except UnexpectedStatusCodeError as error:
            # Somebody else has just made it.
            if error.status_code != _REFUSED or not client.alias.update(
                alias_name=theirs, new_target_collection=target
            ):
                raise

    def _alias_name(self, alias: str) -> str:
        """Return Weaviate's name of an alias: its own where others made it, else ours."""
        client = self._link.open()
        if _names.is_legal(alias) and alias in client.alias.list_all():
            return alias
        return _names.encode(alias)

    def _aliases(self) -> dict[str, str]:
        """Return alias to Weaviate's name of the collection."""
        client = self._link.open()
        if not self._has_aliases():
            return {}
        found = client.alias.list_all()
        return {_names.decode(name) or name: each.collection for name, each in found.items()}

    def aliases(self) -> dict[str, str]:
        """Return alias to collection, without those whose collection is gone."""
        targets = self._aliases()
        if not targets:
            return {}
        names: Mapping[str, str] = {theirs: name for name, theirs in (self.all()).items()}
        return {alias: names[target] for alias, target in targets.items() if target in names}

    def drop_alias(self, alias: str) -> None:
        """Remove an alias; an absent one is no error."""
        client = self._link.open()
        client.alias.delete(alias_name=self._alias_name(alias))


def _exists(name: str) -> CollectionExistsError:
    return CollectionExistsError(
        f"a collection or an alias {name!r} exists already; choose another name",
        store=STORE,
        operation="create_collection",
    )
