# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of collections, aliases, capabilities, waiting, closing, typing, explaining, checking."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.mutants.registry import fault

from polyvec.collection import Collection
from polyvec.errors import CollectionExistsError, CollectionNotFoundError, NotSupportedError
from polyvec.filters import And
from polyvec.memory.store import MemoryAdapter
from polyvec.store import VectorStore


@fault("an alias that is a copy of the name", "aliases of the adapter")
def alias_never_switches(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.set_alias

    def set_alias(self: Any, alias: str, collection: str, **kw: Any) -> None:
        if alias not in self.aliases(timeout_s=None):
            right(self, alias, collection, **kw)

    patch.setattr(MemoryAdapter, "set_alias", set_alias)


@fault("a handle that follows its alias", "reads of the adapter")
def handle_follows_its_alias(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.open_collection
    found = MemoryAdapter._collection

    def open_collection(self: Any, name: str, native: Any, **kw: Any) -> Any:
        return replace(right(self, name, native, **kw), details={"opened_as": name})

    def collection(database: Any, target: Any, operation: str) -> Any:
        name = database.aliases.get(target.collection.details["opened_as"])
        if name is not None:
            target = replace(target, collection=replace(target.collection, name=name))
        return found(database, target, operation)

    patch.setattr(MemoryAdapter, "open_collection", open_collection)
    patch.setattr(MemoryAdapter, "_collection", staticmethod(collection))


@fault("drop through an alias drops the collection", "drop_collection of the adapter")
def alias_drops_its_collection(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.drop_collection

    def drop(self: Any, name: str, **kw: Any) -> None:
        right(self, self.aliases(timeout_s=None).get(name, name), **kw)

    patch.setattr(MemoryAdapter, "drop_collection", drop)


@fault("an alias outlives its collection", "drop_collection of the adapter")
def alias_outlives_its_collection(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.drop_collection

    def drop(self: Any, name: str, **kw: Any) -> None:
        kept = {a: c for a, c in self.aliases(timeout_s=None).items() if c == name}
        right(self, name, **kw)
        self._database.aliases.update(kept)

    patch.setattr(MemoryAdapter, "drop_collection", drop)


@fault("aliases among the collections", "list_collections of the adapter")
def aliases_listed_as_collections(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.list_collections

    def listed(self: Any, **kw: Any) -> list[str]:
        return [*right(self, **kw), *self.aliases(timeout_s=None)]

    patch.setattr(MemoryAdapter, "list_collections", listed)


@fault("an alias over a collection's name", "set_alias of the adapter")
def alias_shadows_a_collection(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.set_alias

    def set_alias(self: Any, alias: str, collection: str, **kw: Any) -> None:
        try:
            right(self, alias, collection, **kw)
        except CollectionExistsError:
            self._database.aliases[alias] = collection

    patch.setattr(MemoryAdapter, "set_alias", set_alias)


@fault("drop_alias drops the collection", "drop_alias of the adapter")
def drop_alias_drops_the_collection(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.drop_alias

    def drop(self: Any, alias: str, **kw: Any) -> None:
        collection = self.aliases(timeout_s=None).get(alias)
        right(self, alias, **kw)
        if collection is not None:
            self.drop_collection(collection, timeout_s=None)

    patch.setattr(MemoryAdapter, "drop_alias", drop)


@fault("get-or-create without a look at the shape", "create_collection")
def exist_ok_ignores_the_shape(patch: pytest.MonkeyPatch) -> None:
    right = VectorStore.create_collection

    def create(self: Any, name: str, *, exist_ok: bool = False, **kw: Any) -> Any:
        try:
            return right(self, name, exist_ok=exist_ok, **kw)
        except CollectionExistsError:
            if not exist_ok:
                raise
            return self.collection(name)

    patch.setattr(VectorStore, "create_collection", create)


@fault("create drops what was there", "create_collection of the adapter")
def create_empties_an_existing_collection(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.create_collection

    def create(self: Any, spec: Any, **kw: Any) -> None:
        if spec.name in self.list_collections(timeout_s=None):
            self.drop_collection(spec.name, timeout_s=None)
        right(self, spec, **kw)

    patch.setattr(MemoryAdapter, "create_collection", create)


@fault("Weaviate capitalises class names", "names of collections")
def collection_names_ignore_case(patch: pytest.MonkeyPatch) -> None:
    for verb in ("create_collection", "collection", "drop_collection", "has_collection"):
        patch.setattr(VectorStore, verb, _lowered(getattr(VectorStore, verb)))


def _lowered(right: Any) -> Any:
    def verb(self: Any, name: Any, **kw: Any) -> Any:
        return right(self, name.lower() if isinstance(name, str) else name, **kw)

    return verb


@fault("drop leaves the data behind", "drop_collection of the adapter")
def dropped_data_comes_back(patch: pytest.MonkeyPatch) -> None:
    graves: dict[str, Any] = {}
    dropping, creating = MemoryAdapter.drop_collection, MemoryAdapter.create_collection

    def drop(self: Any, name: str, **kw: Any) -> None:
        graves[name] = self._database.collections.get(name)
        dropping(self, name, **kw)

    def create(self: Any, spec: Any, **kw: Any) -> None:
        creating(self, spec, **kw)
        old = graves.pop(spec.name, None)
        if old is not None:
            self._database.collections[spec.name].spaces.update(old.spaces)

    patch.setattr(MemoryAdapter, "drop_collection", drop)
    patch.setattr(MemoryAdapter, "create_collection", create)


@fault("drop of an absent collection passes silently", "drop_collection")
def dropping_the_absent_is_silent(patch: pytest.MonkeyPatch) -> None:
    right = VectorStore.drop_collection
    patch.setattr(
        VectorStore, "drop_collection", lambda self, name, **kw: right(self, name, missing_ok=True)
    )


@fault("opening creates", "collection")
def opening_creates(patch: pytest.MonkeyPatch) -> None:
    right = VectorStore.collection

    def collection(self: Any, name: str, **kw: Any) -> Any:
        try:
            return right(self, name, **kw)
        except CollectionNotFoundError:
            return self.create_collection(name, dimension=4)

    patch.setattr(VectorStore, "collection", collection)


@fault("the metric is always cosine", "create_collection of the adapter")
def metric_ignored(patch: pytest.MonkeyPatch) -> None:
    from polyvec.types import Metric

    right = MemoryAdapter.create_collection
    patch.setattr(
        MemoryAdapter,
        "create_collection",
        lambda self, spec, **kw: right(self, replace(spec, metric=Metric.COSINE), **kw),
    )


@fault("an index requirement ignored", "capabilities")
def unsupported_index_ignored(patch: pytest.MonkeyPatch) -> None:
    from polyvec import _checks

    right = _checks.check_index

    def check_index(index: Any, *args: Any) -> Any:
        try:
            return right(index, *args)
        except NotSupportedError:
            return None

    for module in ("polyvec._checks", "polyvec._arguments"):
        patch.setattr(f"{module}.check_index", check_index, raising=False)


@fault("4.14 waiting that does not wait", "wait_until_visible")
def wait_returns_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Collection, "wait_until_visible", lambda self, ids, **kw: self._scope(None) and None
    )


@fault("4.14 waiting for the first id only", "wait_until_visible")
def wait_looks_at_the_first_id(patch: pytest.MonkeyPatch) -> None:
    right = Collection.wait_until_visible
    patch.setattr(
        Collection, "wait_until_visible", lambda self, ids, **kw: right(self, ids[:1], **kw)
    )


@fault("4.14 absent ignored", "wait_until_visible")
def wait_ignores_absent(patch: pytest.MonkeyPatch) -> None:
    right = Collection.wait_until_visible

    def wait(self: Any, ids: Any, *, absent: bool = False, **kw: Any) -> None:
        if not absent:
            right(self, ids, **kw)

    patch.setattr(Collection, "wait_until_visible", wait)


@fault("a closed store goes on working", "core, calls")
def closed_store_works(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VectorStore, "close", lambda self: None)


@fault("closing twice fails", "close")
def closing_twice_fails(patch: pytest.MonkeyPatch) -> None:
    right = VectorStore.close

    def close(self: Any) -> None:
        if self._caller.closed:
            raise RuntimeError("already closed")
        right(self)

    patch.setattr(VectorStore, "close", close)


@fault("a context manager that does not close", "store")
def context_manager_leaves_it_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VectorStore, "__exit__", lambda self, *exc: None)


@fault("4.2 explain: the residual left out", "explain")
def explain_forgets_the_filter(patch: pytest.MonkeyPatch) -> None:
    right = Collection.explain
    patch.setattr(
        Collection,
        "explain",
        lambda self, *a, **kw: replace(right(self, *a, **kw), pushed=And(), residual=None),
    )


@fault("4.3 why: the whole filter named", "why")
def why_names_the_whole_filter(patch: pytest.MonkeyPatch) -> None:
    from polyvec.filter_json import coerce

    right = Collection.why

    def why(self: Any, key: str, where: Any = None, **kw: Any) -> Any:
        answer = right(self, key, where, **kw)
        return (
            replace(answer, rejected_by=(coerce(where) or And(),)) if answer.rejected_by else answer
        )

    patch.setattr(Collection, "why", why)


@fault("4.3 why: an absent record matches", "why")
def why_of_the_absent_matches(patch: pytest.MonkeyPatch) -> None:
    right = Collection.why

    def why(self: Any, *args: Any, **kw: Any) -> Any:
        answer = right(self, *args, **kw)
        return answer if answer.found else replace(answer, matches=True)

    patch.setattr(Collection, "why", why)
