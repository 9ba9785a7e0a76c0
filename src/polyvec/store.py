# Generated from store_async.py by tools/unasync.py. Do not edit.
"""A store: its collections and aliases (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, overload

from polyvec import _checks
from polyvec._arguments import check_index_fields, check_model, check_native
from polyvec._calls import Caller
from polyvec._scope import Source
from polyvec.capabilities import Feature
from polyvec.collection import Collection
from polyvec.config import resolve
from polyvec.deadline import Deadline
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    NotSupportedError,
)
from polyvec.registry import open_adapter
from polyvec.schema import CollectionSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pydantic import BaseModel

    from polyvec.adapter import Adapter
    from polyvec.capabilities import Capabilities
    from polyvec.config import StoreConfig
    from polyvec.schema import Index, NativeLayout
    from polyvec.types import Metric

T = TypeVar("T", bound="BaseModel")

NO_ALIASES: Final = "keep the name of the current collection in your configuration"


def connect(target: str | StoreConfig | None = None) -> VectorStore:
    """Return a store; does no I/O.

    The first verb, or `ping`, opens the connection.

    Parameters
    ----------
    target
        A URL (`"memory://"`), a `StoreConfig`, the name of a profile, or None for
        the profile named "default" (`POLYVEC_URL`).

    Raises
    ------
    ConfigError
        The URL, an option or the profile is wrong.
    NotSupportedError
        There is no adapter yet for that backend.
    MissingDependencyError
        The backend's client library is not installed.
    """
    config = resolve(target)
    return VectorStore(open_adapter(config), config)


class VectorStore:
    """A vector database, or the reference store in memory. Made by `connect`.

    A context manager: leaving it closes the store.

    Parameters
    ----------
    adapter
        The backend.
    config
        What it was opened with.
    """

    def __init__(self, adapter: Adapter, config: StoreConfig) -> None:
        self.config = config
        self._adapter = adapter
        self._caller = Caller(adapter, config)

    def __repr__(self) -> str:
        """Name the backend; nothing that could be secret."""
        return f"{type(self).__name__}({self._adapter.capabilities.store!r})"

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Release connections, files and locks. Closing twice is fine; other verbs then raise."""
        if not self._caller.closed:
            self._caller.closed = True
            self._adapter.close()

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do; before the first I/O, what its kind can do at most."""
        return self._adapter.capabilities

    @property
    def client(self) -> Any:
        """The vendor's own client, None before the first I/O."""
        return self._adapter.client

    def _deadline(self, timeout_s: float | None) -> Deadline:
        self._caller.check_open()
        return Deadline(self.config.timeout_s if timeout_s is None else timeout_s)

    def ping(self, *, timeout_s: float | None = None) -> None:
        """Make one cheap request.

        Raises
        ------
        UnavailableError, AccessError, DeadlineError
            The server cannot be reached, or does not let us in.
        """
        deadline = self._deadline(timeout_s)
        self._caller.run("ping", self._adapter.ping, deadline=deadline)

    def list_collections(self, *, timeout_s: float | None = None) -> list[str]:
        """Return the names of all collections, sorted; aliases are not among them."""
        deadline = self._deadline(timeout_s)
        return sorted(
            self._caller.run("list_collections", self._adapter.list_collections, deadline=deadline)
        )

    def has_collection(self, name: str, *, timeout_s: float | None = None) -> bool:
        """Whether a collection, or an alias, has that name."""
        name, deadline = _checks.check_name(name), self._deadline(timeout_s)
        try:
            self._open(name, None, deadline)
        except CollectionNotFoundError:
            return False
        return True

    @overload
    def create_collection(
        self,
        name: str,
        *,
        dimension: int,
        metric: Metric | str = ...,
        index: Index | None = ...,
        index_fields: Mapping[str, type] | None = ...,
        exist_ok: bool = ...,
        metadata: None = ...,
        timeout_s: float | None = ...,
    ) -> Collection[dict[str, Any]]: ...

    @overload
    def create_collection(
        self,
        name: str,
        *,
        dimension: int,
        metric: Metric | str = ...,
        index: Index | None = ...,
        index_fields: Mapping[str, type] | None = ...,
        exist_ok: bool = ...,
        metadata: type[T],
        timeout_s: float | None = ...,
    ) -> Collection[T]: ...

    def create_collection(
        self,
        name: str,
        *,
        dimension: int,
        metric: Metric | str = "cosine",
        index: Index | None = None,
        index_fields: Mapping[str, type] | None = None,
        exist_ok: bool = False,
        metadata: type[BaseModel] | None = None,
        timeout_s: float | None = None,
    ) -> Collection[Any]:
        """Create a collection and return it.

        Parameters
        ----------
        name
            1 to 63 of `[A-Za-z0-9_-]`, starting with a letter.
        dimension
            Length of every vector, at least 1.
        metric
            `"cosine"`, `"dot"` or `"euclidean"`.
        index
            A requirement, or None for the backend's default.
        index_fields
            Field to class: what the backend should index for filters. Speed only.
        exist_ok
            Open an existing collection of equal dimension and metric.
        metadata
            A `Metadata` model, for a typed collection.
        timeout_s
            Seconds until `DeadlineError`.

        Raises
        ------
        CollectionExistsError
            It exists; or, with `exist_ok`, with another dimension or metric.
        NotSupportedError
            The backend has no such metric, index or number of dimensions.
        """
        spec = self._spec(name, dimension, metric, index, index_fields)
        metadata = None if metadata is None else check_model(metadata)
        deadline = self._deadline(timeout_s)
        try:
            create = self._adapter.create_collection
            self._caller.run("create_collection", create, spec, deadline=deadline)
        except CollectionExistsError:
            if not exist_ok:
                raise
            found = self._open(spec.name, None, deadline)
            if (found.dimension, found.metric) != (spec.dimension, spec.metric):
                raise CollectionExistsError(
                    f"collection {spec.name!r} exists with dimension {found.dimension} and metric "
                    f"{found.metric.value!r}; asked for {spec.dimension} and {spec.metric.value!r}",
                    store=self.capabilities.store,
                    operation="create_collection",
                ) from None
            return found if metadata is None else found.with_metadata(metadata)
        return self._open(spec.name, None, deadline, metadata)

    def _spec(
        self,
        name: str,
        dimension: int,
        metric: Metric | str,
        index: Index | None,
        index_fields: Mapping[str, type] | None,
    ) -> CollectionSpec:
        """Check everything that can be refused without asking the server."""
        can = self.capabilities
        chosen = _checks.check_metric(metric)
        if chosen not in can.metrics:
            raise NotSupportedError(
                f"{can.store} has no metric {chosen.value!r}; "
                f"it has {', '.join(sorted(can.metrics))}"
            )
        return CollectionSpec(
            name=_checks.check_new_name(name),
            dimension=_checks.check_dimension(dimension, can.limits, can.store),
            metric=chosen,
            index=_checks.check_index(index, can, "index"),
            index_fields=check_index_fields(index_fields),
        )

    @overload
    def collection(
        self,
        name: str,
        *,
        metadata: None = ...,
        native: NativeLayout | None = ...,
        timeout_s: float | None = ...,
    ) -> Collection[dict[str, Any]]: ...

    @overload
    def collection(
        self,
        name: str,
        *,
        metadata: type[T],
        native: NativeLayout | None = ...,
        timeout_s: float | None = ...,
    ) -> Collection[T]: ...

    def collection(
        self,
        name: str,
        *,
        metadata: type[BaseModel] | None = None,
        native: NativeLayout | None = None,
        timeout_s: float | None = None,
    ) -> Collection[Any]:
        """Open an existing collection, by its name or by an alias.

        Parameters
        ----------
        name
            Whatever its vendor allows.
        metadata
            A `Metadata` model, for a typed collection: validated on write, typed
            on read, and filters are checked against it.
        native
            How to read a collection that polyvec did not make, where that cannot
            be seen on the server.
        timeout_s
            Seconds until `DeadlineError`.

        Raises
        ------
        CollectionNotFoundError
            Neither a collection nor an alias has that name.
        """
        name, deadline = _checks.check_name(name), self._deadline(timeout_s)
        metadata = None if metadata is None else check_model(metadata)
        return self._open(name, check_native(native), deadline, metadata)

    def _open(
        self,
        name: str,
        native: NativeLayout | None,
        deadline: Deadline,
        metadata: type[BaseModel] | None = None,
    ) -> Collection[Any]:
        native = native or self.config.native.get(name)
        opener = self._adapter.open_collection
        opened = self._caller.run("open_collection", opener, name, native, deadline=deadline)
        source = Source(self._caller, native, opened)
        collection = Collection[Any](source, self.config)
        return collection if metadata is None else collection.with_metadata(metadata)

    def drop_collection(
        self, name: str, *, missing_ok: bool = False, timeout_s: float | None = None
    ) -> None:
        """Drop a collection with all its namespaces, and the aliases that point to it.

        Raises
        ------
        CollectionNotFoundError
            No collection has that name, unless `missing_ok`. An alias is not a
            collection: see `drop_alias`.
        """
        name, deadline = _checks.check_name(name), self._deadline(timeout_s)
        try:
            drop = self._adapter.drop_collection
            self._caller.run("drop_collection", drop, name, deadline=deadline)
        except CollectionNotFoundError:
            if not missing_ok:
                raise

    def set_alias(self, alias: str, collection: str, *, timeout_s: float | None = None) -> None:
        """Point an alias at a collection; switching it from another one is atomic.

        Raises
        ------
        CollectionNotFoundError
            The collection does not exist.
        CollectionExistsError
            A collection has the alias's name.
        NotSupportedError
            The backend has no aliases.
        """
        alias = _checks.check_new_name(alias, "alias")
        collection, deadline = _checks.check_name(collection), self._deadline(timeout_s)
        self.capabilities.require(Feature.ALIASES, NO_ALIASES)
        setter = self._adapter.set_alias
        self._caller.run("set_alias", setter, alias, collection, deadline=deadline)

    def aliases(self, *, timeout_s: float | None = None) -> dict[str, str]:
        """Return alias to collection."""
        deadline = self._deadline(timeout_s)
        self.capabilities.require(Feature.ALIASES, NO_ALIASES)
        found = self._caller.run("aliases", self._adapter.aliases, deadline=deadline)
        return dict(sorted(found.items()))

    def drop_alias(self, alias: str, *, timeout_s: float | None = None) -> None:
        """Remove an alias, not the collection; an absent alias is no error."""
        alias, deadline = _checks.check_name(alias, "alias"), self._deadline(timeout_s)
        self.capabilities.require(Feature.ALIASES, NO_ALIASES)
        self._caller.run("drop_alias", self._adapter.drop_alias, alias, deadline=deadline)
