"""Small data for the core's tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyvec.types import Vector

DIMENSION = 3


def names(count: int, prefix: str = "r") -> list[str]:
    """Return ids `r00`, `r01`, …"""
    return [f"{prefix}{number:02d}" for number in range(count)]


def vectors(count: int, seed: int = 0) -> Vector:
    """Return different vectors whose inner products with `QUERY` all differ."""
    rng = np.random.default_rng(seed)
    block = rng.normal(size=(count, DIMENSION)).astype(np.float32)
    block[:, 0] = np.arange(count, 0, -1)
    return block


QUERY = np.array([1.0, 0.0, 0.0], dtype=np.float32)
"""By inner product, `vectors` are ranked in the order of their rows."""


def numbered(count: int) -> list[dict[str, Any]]:
    """Return metadata `{"n": row}`."""
    return [{"n": number} for number in range(count)]


def fill(collection: Any, count: int, metadata: Sequence[dict[str, Any]] | None = None) -> None:
    """Upsert `count` records, ranked by `QUERY` in the order of their ids."""
    collection.upsert(
        ids=names(count),
        vectors=vectors(count),
        metadata=numbered(count) if metadata is None else metadata,
        texts=[f"text {number}" for number in range(count)],
    )


def ids_of(hits: Sequence[Any]) -> list[str]:
    """Return the ids of hits or records, in order."""
    return [hit.id for hit in hits]
