# Generated from _bound_async.py by tools/unasync.py. Do not edit.
"""What every verb of a collection starts from (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from polyvec._arguments import check_consistency, check_where
from polyvec._prepare import Rules
from polyvec._scope import Scope
from polyvec.deadline import Deadline
from polyvec.primitives import StaleLayout
from polyvec.records import M

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from polyvec._scope import Source
    from polyvec.capabilities import Capabilities
    from polyvec.config import StoreConfig
    from polyvec.filters import Filter
    from polyvec.types import Metric

T = TypeVar("T")


class Bound(Generic[M]):
    """A collection bound to one namespace.

    Parameters
    ----------
    source
        The opened collection, shared by its namespaces.
    config
        The store's configuration.
    namespace
        Which records the verbs see.
    model
        The metadata model of a typed collection.
    """

    def __init__(
        self,
        source: Source,
        config: StoreConfig,
        namespace: str = "",
        model: type[BaseModel] | None = None,
    ) -> None:
        self._source = source
        self._config = config
        self._namespace = namespace
        self._model = model

    def __repr__(self) -> str:
        """Name the collection, its namespace and its store."""
        where = f"namespace={self._namespace!r}, store={self._can.store!r}"
        return f"{type(self).__name__}({self.name!r}, {where})"

    @property
    def name(self) -> str:
        """The collection's own name, also when it was opened through an alias."""
        return self._source.opened.name

    @property
    def namespace_name(self) -> str:
        """The namespace that the verbs act on."""
        return self._namespace

    @property
    def dimension(self) -> int:
        """The length of every vector."""
        return self._source.opened.dimension

    @property
    def metric(self) -> Metric:
        """How vectors are compared."""
        return self._source.opened.metric

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return self._can

    @property
    def _can(self) -> Capabilities:
        return self._source.caller.adapter.capabilities

    def _scope(self, timeout_s: float | None, consistency: str | None = None) -> Scope:
        """Return the scope of one verb; refuses a closed store and impossible arguments."""
        self._source.caller.check_open()
        return Scope(
            self._source,
            self._namespace,
            Deadline(self._config.timeout_s if timeout_s is None else timeout_s),
            check_consistency(consistency, self._can),
            self._config.max_concurrency,
        )

    def _rules(self) -> Rules:
        return Rules(self.dimension, self.metric, self._model, self._config.max_metadata_bytes)

    def _where(self, filter: Filter | Mapping[str, Any] | None) -> Filter | None:
        return check_where(filter, self._model)

    def _attempt(self, scope: Scope, work: Callable[[], T]) -> T:
        """Carry out a verb; when the layout turns out to be stale, read it and start again."""
        times = 0
        while True:
            try:
                return work()
            except StaleLayout as stale:
                self._source.refresh(stale, times, scope.deadline)
                times += 1
