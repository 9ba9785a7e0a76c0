"""How records replace those that are there, in a store that merges. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.types import Vector
    from polyvec_chroma._codec import NativeRow

SAME: Final = 2e-7
"""Relative difference of two components below which they are one: space "cosine" rounds twice."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The arguments of the calls that replace records whole.

    Parameters
    ----------
    rewritten
        Of an `update`, for records whose vector and text stay; None where there are none.
    written
        Of an `upsert`, for the others.
    """

    rewritten: dict[str, Any] | None
    written: dict[str, Any] | None


def replacing(
    ids: Sequence[str],
    vectors: Vector,
    rows: Sequence[NativeRow],
    documents: Sequence[str],
    old: Mapping[str, Any],
) -> Replacement:
    """Return how records replace those that are there.

    Chroma merges metadata, so what a record had before is removed key by key (trap S12).
    A vector that stays is not sent: each one that the index is given anew costs it ten times the
    work of the metadata, and can cut others off (trap S4).

    Parameters
    ----------
    ids, vectors, rows, documents
        What is to be stored.
    old
        What Chroma has of these ids: metadata, documents and embeddings.
    """
    place = {record_id: at for at, record_id in enumerate(old["ids"])}
    # Chroma leaves the vectors out while the first writer's index is not there: see `torn_rows`.
    with_vectors = len(old["embeddings"]) == len(place) if place else False
    metadatas: list[NativeRow | None] = []
    same: list[int] = []
    other: list[int] = []
    for row, record_id in enumerate(ids):
        at = place.get(record_id)
        if at is None:
            metadatas.append(rows[row] or None)
            other.append(row)
            continue
        metadata = stale_keys(old["metadatas"][at], rows[row])
        metadatas.append(metadata or None)
        # An update with a text and no vector would have the text embedded.
        stays = with_vectors and bool(metadata) and old["documents"][at] == documents[row]
        stays = stays and _is_same(old["embeddings"][at], vectors[row])
        (same if stays else other).append(row)

    def arguments(chosen: list[int]) -> dict[str, Any]:
        return {
            "ids": [ids[row] for row in chosen],
            "metadatas": [metadatas[row] for row in chosen],
        }

    written = {
        **arguments(other),
        "embeddings": vectors if len(other) == len(ids) else vectors[other],
        "documents": [documents[row] for row in other],
    }
    return Replacement(arguments(same) if same else None, written if other else None)


def _is_same(stored: Any, vector: Vector) -> bool:
    """Whether a vector reads back as another within a part of the declared error."""
    doubles = vector.astype(np.float64)
    return bool((np.abs(np.asarray(stored) - doubles) <= SAME * np.abs(doubles)).all())


def stale_keys(old: Mapping[str, Any] | None, new: NativeRow) -> NativeRow:
    """Return a record's metadata with the keys that it no longer has: None removes them."""
    if not old or old.keys() <= new.keys():
        return new
    return {**dict.fromkeys(old.keys() - new.keys()), **new}
