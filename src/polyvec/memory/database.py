"""Collections, namespaces and aliases in memory; no locks, no files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from polyvec.errors import CollectionExistsError, CollectionNotFoundError
from polyvec.memory.operations import (
    Create,
    Delete,
    Drop,
    DropAlias,
    Operation,
    SetAlias,
    Update,
    Upsert,
)
from polyvec.memory.space import Space
from polyvec.types import ALL_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyvec.schema import CollectionSpec

RESTORED_ROWS: Final = 8192
"""Records per operation when a database is written down."""


@dataclass(eq=False)
class Collection:
    """A spec and the namespaces that hold a record."""

    spec: CollectionSpec
    next_sequence: int = 0
    spaces: dict[str, Space] = field(default_factory=dict[str, Space])

    def space(self, namespace: str) -> Space:
        """Return a namespace; an empty one that is not kept where there is none."""
        return self.spaces.get(namespace) or Space(self.spec.dimension)

    def upsert(self, operation: Upsert) -> None:
        """Insert or replace records."""
        if not operation.batch.ids:
            return
        space = self.space(operation.namespace)
        if operation.sequence is None:
            self.next_sequence = space.upsert(operation.batch, self.next_sequence)
        else:
            space.restore(operation.batch, operation.sequence)
        self.spaces[operation.namespace] = space

    def delete(self, operation: Delete) -> None:
        """Remove records, and the namespace with its last one."""
        space = self.space(operation.namespace)
        if operation.ids is not None:
            space.delete(operation.ids)
        if operation.ids is None or not len(space):
            self.spaces.pop(operation.namespace, None)


class Database:
    """All collections of a store."""

    def __init__(self) -> None:
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}

    def collection(self, name: str, operation: str) -> Collection:
        """Return a collection by its own name.

        Raises
        ------
        CollectionNotFoundError
            There is none; names the operation and what there is.
        """
        if (found := self.collections.get(name)) is not None:
            return found
        hint = f"; it is an alias of {self.aliases[name]!r}" if name in self.aliases else ""
        raise CollectionNotFoundError(
            f"no collection {name!r}{hint}; there are {sorted(self.collections)!r}",
            store="memory",
            operation=operation,
        )

    def refuse_taken(self, name: str, operation: str) -> None:
        """Raise `CollectionExistsError` when a collection or an alias has the name."""
        if name in self.collections:
            what = f"a collection {name!r} exists already"
        elif name in self.aliases:
            what = f"{name!r} is an alias of {self.aliases[name]!r}"
        else:
            return
        raise CollectionExistsError(
            f"{what}; choose another name", store="memory", operation=operation
        )

    def apply(self, operation: Operation) -> None:
        """Make one change, which the caller has checked."""
        match operation:
            case Create(spec, next_sequence):
                self.collections[spec.name] = Collection(spec, next_sequence)
            case Drop(name):
                del self.collections[name]
                self.aliases = {a: c for a, c in self.aliases.items() if c != name}
            case SetAlias(alias, collection):
                self.aliases = {**self.aliases, alias: collection}
            case DropAlias(alias):
                self.aliases = {a: c for a, c in self.aliases.items() if a != alias}
            case Upsert():
                self.collections[operation.collection].upsert(operation)
            case Update(collection, namespace, ids, patch):
                self.collections[collection].space(namespace).update(ids, patch)
            case Delete():
                self.collections[operation.collection].delete(operation)
            case _:
                assert_never(operation)

    def operations(self) -> Iterator[Operation]:
        """Yield operations that make an empty database equal to this one."""
        for name, collection in self.collections.items():
            yield Create(collection.spec, collection.next_sequence)
            for namespace, space in collection.spaces.items():
                view = space.view()
                for start in range(0, len(view.order), RESTORED_ROWS):
                    rows = view.order[start : start + RESTORED_ROWS]
                    batch = view.batch(rows, ALL_COLUMNS, share=True)
                    yield Upsert(name, namespace, batch, np.ascontiguousarray(view.sequence[rows]))
        for alias, name in self.aliases.items():
            yield SetAlias(alias, name)
