# Generated from spaces_async.py by tools/unasync.py. Do not edit.
"""The collections of Chroma behind a collection of polyvec (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from chromadb.errors import ChromaError, NotFoundError

from polyvec._wording import refuse_newer
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    NotSupportedError,
)
from polyvec.primitives import OpenedCollection, StaleLayout
from polyvec.types import Metric
from polyvec_chroma import _schema
from polyvec_chroma._schema import Layout
from polyvec_chroma._where import FOREIGN
from polyvec_chroma.handles import Collection

if TYPE_CHECKING:
    from chromadb.types import Collection as Model

    from polyvec.primitives import Target
    from polyvec.schema import CollectionSpec, NativeLayout
    from polyvec_chroma.links import Link

MOST_KNOWN: Final = 10_000
"""Namespaces whose collection is remembered."""


class Spaces:
    """Finds and makes the collections of one store.

    Parameters
    ----------
    link
        The connection.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: dict[tuple[str, str], Collection] = {}

    def names(self) -> list[str]:
        """Return the names of all collections but those of namespaces."""
        own = [_schema.own_name(model.name, model.metadata) for model in self._models()]
        return [name for name in own if name is not None]

    def create(self, spec: CollectionSpec) -> None:
        """Create a collection.

        Raises
        ------
        CollectionExistsError
            Told by looking: Chroma answers with a class of error that says nothing.
        """
        name = _schema.server_name(spec.name)
        assert name is not None, "the core checked the name, and Chroma takes it with a suffix"
        configuration = cast("Any", _schema.configuration_of(spec))
        api = self._link.open()
        try:
            api.create_collection(
                name,
                configuration=configuration,
                metadata=_schema.collection_metadata(spec),
                **self._place,
            )
        except ChromaError as exc:
            if self._find(name) is None:
                raise
            raise CollectionExistsError(
                f"a collection {spec.name!r} exists already; choose another name",
                store="chroma",
                operation="create_collection",
            ) from exc

    def open(self, name: str, native: NativeLayout | None) -> OpenedCollection:
        """Read what Chroma knows of a collection.

        Raises
        ------
        CollectionNotFoundError
            There is none of that name.
        NotSupportedError
            It cannot be read: a newer layout, a role that it does not have, no dimension.
        """
        model = self._existing(name, "open_collection")
        marker = _schema.marker_of(model.metadata)
        if marker is None:
            return self._open_native(name, model, native)
        refuse_newer(name, marker["version"], _schema.LAYOUT_VERSION)
        main = self._handle(model)
        foreign = main.get(where=FOREIGN, limit=1, include=[])
        layout = Layout(
            key=str(model.id),
            name=model.name,
            ours=True,
            mixed=bool(foreign["ids"]),
            configuration=model.configuration_json,
        )
        self._remember(layout, "", main)
        return OpenedCollection(
            name=_schema.own_name(model.name, model.metadata) or name,
            dimension=marker["dimension"],
            metric=Metric(marker["metric"]),
            index=_schema.index_of(model.configuration_json),
            layout_kind="polyvec",
            layout=layout,
            details={
                "collection": model.name,
                "id": str(model.id),
                "layout_version": marker["version"],
                "has_foreign_records": layout.mixed,
            },
        )

    def _open_native(
        self, name: str, model: Model, native: NativeLayout | None
    ) -> OpenedCollection:
        _schema.check_native(native, name)
        dimension = model.dimension or (None if native is None else native.dimension)
        if dimension is None:
            raise NotSupportedError(
                f"collection {name!r} was never written, and chroma does not know its dimension "
                "yet; open it with native=NativeLayout(dimension=...)"
            )
        metric = _schema.metric_of(model.configuration_json, model.metadata)
        layout = Layout(str(model.id), model.name, False, False, model.configuration_json)
        self._remember(layout, "", self._handle(model))
        return OpenedCollection(
            name=model.name,
            dimension=dimension,
            metric=metric,
            index=_schema.index_of(model.configuration_json),
            layout_kind="native",
            layout=layout,
            details={"id": str(model.id), "metadata": dict(model.metadata or {})},
        )

    def drop(self, name: str) -> None:
        """Drop a collection; its namespaces first, so that a repeated call finds the rest.

        Collections of namespaces whose own collection is gone are swept away as well.
        """
        main = self._existing(name, "drop_collection")
        models = self._models()
        there = {str(model.id) for model in models} - {str(main.id)}
        for model in models:
            marker = _schema.marker_of(model.metadata)
            if marker is not None and "parent" in marker and marker["parent"] not in there:
                self._delete(model)
        self._delete(main)

    def counts(self, layout: Layout) -> dict[str, int]:
        """Return the number of records of each namespace that holds one."""
        found: dict[str, int] = {}
        for model in self._models():
            marker = _schema.marker_of(model.metadata) or {}
            if marker.get("parent") == layout.key:
                namespace = str(marker["namespace"])
            elif str(model.id) == layout.key:
                namespace = ""
            else:
                continue
            if (count := self._count(model)) > 0:
                found[namespace] = count
        return found

    def space(self, target: Target) -> Collection | None:
        """Return the collection of a namespace, None where there is none yet.

        Raises
        ------
        StaleLayout
            The collection was dropped.
        """
        layout: Layout = target.collection.layout
        if (known := self._known.get((layout.key, target.namespace))) is not None:
            return known
        if target.namespace and not layout.ours:
            return None
        name = layout.name
        if target.namespace:
            name = _schema.namespace_name(layout, target.namespace)
        model = self._find(name)
        if not target.namespace and (model is None or str(model.id) != layout.key):
            raise StaleLayout
        if model is None:
            return None
        return self._remember(layout, target.namespace, self._handle(model))

    def make(self, target: Target) -> Collection:
        """Return the collection of a namespace; make it where there is none yet."""
        if (space := self.space(target)) is not None:
            return space
        layout: Layout = target.collection.layout
        if not layout.ours:
            raise NotSupportedError(
                f"collection {layout.name!r} was not made by polyvec and has the default namespace "
                f"only, got {target.namespace!r}"
            )
        main = self._find(layout.name)
        if main is None or str(main.id) != layout.key:
            raise StaleLayout
        api = self._link.open()
        hnsw = {key: value for key, value in layout.configuration["hnsw"].items() if value}
        configuration = cast("Any", {"hnsw": hnsw, "embedding_function": None})
        model = api.get_or_create_collection(
            _schema.namespace_name(layout, target.namespace),
            configuration=configuration,
            metadata=_schema.namespace_metadata(layout, target.namespace),
            **self._place,
        )
        return self._remember(layout, target.namespace, self._handle(model))

    def drop_space(self, target: Target) -> None:
        """Drop the collection of a namespace other than the default one."""
        layout: Layout = target.collection.layout
        model = self._find(_schema.namespace_name(layout, target.namespace))
        self.forget(target)
        if model is not None:
            self._delete(model)

    def forget(self, target: Target) -> None:
        """Look the collection of a namespace up again when it is next needed."""
        self._known.pop((target.collection.layout.key, target.namespace), None)

    @property
    def _place(self) -> Any:  # keywords, which a type checker would try on every parameter
        return {"tenant": self._link.tenant, "database": self._link.database}

    def _models(self) -> list[Model]:
        api = self._link.open()
        return list(api.list_collections(**self._place))

    def _find(self, name: str) -> Model | None:
        api = self._link.open()
        try:
            return api.get_collection(name, **self._place)
        except NotFoundError:
            return None

    def _existing(self, name: str, operation: str) -> Model:
        server_name = _schema.server_name(name)
        model = None if server_name is None else self._find(server_name)
        if model is None or "parent" in (_schema.marker_of(model.metadata) or {}):
            raise CollectionNotFoundError(
                f"no collection is named {name!r}", store="chroma", operation=operation
            )
        return model

    def _count(self, model: Model) -> int:
        try:
            return self._handle(model).count()
        except NotFoundError:  # dropped since it was listed
            return 0

    def _delete(self, model: Model) -> None:
        """Delete a collection, its records first.

        Chroma leaves the lists of a deleted collection behind, and they come back as metadata of
        new records of any collection (measured with 1.5.9); of deleted records it leaves nothing.
        """
        api = self._link.open()
        try:
            ids = (self._handle(model).get(include=[]))["ids"]
            for start in range(0, len(ids), 5_000):
                self._handle(model).delete(ids=ids[start : start + 5_000])
            api.delete_collection(model.name, **self._place)
        except NotFoundError:  # another process was faster
            return

    def _handle(self, model: Model) -> Collection:
        api: Any = self._link.client._server if self._link.client else None  # noqa: SLF001 - set by `open`
        return Collection(client=api, model=model, embedding_function=None)

    def _remember(self, layout: Layout, namespace: str, space: Collection) -> Collection:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[(layout.key, namespace)] = space
        return space
