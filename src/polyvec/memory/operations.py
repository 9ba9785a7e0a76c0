"""The changes that a store can go through, as data: applied, logged and replayed alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from polyvec.primitives import Patch
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec


@dataclass(frozen=True, slots=True)
class Create:
    """A new collection. Its next record gets the sequence number `next_sequence`."""

    spec: CollectionSpec
    next_sequence: int = 0


@dataclass(frozen=True, slots=True)
class Drop:
    """A collection goes, with its records and the aliases that point to it."""

    name: str


@dataclass(frozen=True, slots=True)
class SetAlias:
    """An alias points to a collection from now on."""

    alias: str
    collection: str


@dataclass(frozen=True, slots=True)
class DropAlias:
    """An alias goes."""

    alias: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Records are inserted or replaced; all columns are given, ids are unique.

    `sequence` restores records with the numbers they had; None: they are new,
    or keep the ones they have.
    """

    collection: str
    namespace: str
    batch: RecordBatch
    sequence: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A patch is applied to the records that exist."""

    collection: str
    namespace: str
    ids: list[str]
    patch: Patch


@dataclass(frozen=True, slots=True)
class Delete:
    """Records go; `ids` None means all of the namespace."""

    collection: str
    namespace: str
    ids: list[str] | None


Operation: TypeAlias = Create | Drop | SetAlias | DropAlias | Upsert | Update | Delete
