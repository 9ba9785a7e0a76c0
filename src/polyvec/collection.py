# Generated from collection_async.py by tools/unasync.py. Do not edit.
"""A collection: the verbs on its records (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from polyvec._arguments import check_model
from polyvec._checks import check_namespace
from polyvec._query_verbs import QueryVerbs
from polyvec._read_verbs import ReadVerbs
from polyvec._write_verbs import WriteVerbs
from polyvec.records import M

if TYPE_CHECKING:
    from pydantic import BaseModel

N = TypeVar("N", bound="BaseModel")


class Collection(WriteVerbs[M], QueryVerbs[M], ReadVerbs[M]):
    """One collection, bound to one namespace (`""` unless `namespace` chose another).

    Every verb takes `timeout_s`, every read also `consistency`. Filters are
    built with `F`, or given as a Mongo-style dict. Bad arguments raise a
    `PolyvecError` before anything is sent, and nothing of that call is written.
    """

    def namespace(self, name: str) -> Collection[M]:
        """Return the same collection, bound to a namespace; no I/O.

        Namespaces are isolated: no verb on one reads or changes another. One
        that nothing was written to is empty, not an error.
        """
        return Collection(self._source, self._config, check_namespace(name), self._model)

    def with_metadata(self, model: type[N]) -> Collection[N]:
        """Return the same collection, typed by a metadata model; no I/O."""
        return Collection[N](self._source, self._config, self._namespace, check_model(model))

    def drop_namespace(self, name: str, *, timeout_s: float | None = None) -> None:
        """Delete every record of a namespace, which then no longer exists."""
        self.namespace(name).clear(timeout_s=timeout_s)
