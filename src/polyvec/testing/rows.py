"""Vectors and small sets of rows for the tests: seeded, finite, never zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.testing.oracle import Row, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.types import Vector

DIMENSION: Final = 4
"""Of the pooled collections, unless a test asks for another."""


def vectors(count: int, *, seed: int = 1, dimension: int = DIMENSION) -> Vector:
    """Return `(count, dimension)` float32 vectors in all directions and lengths."""
    generator = np.random.default_rng(seed)
    block: Any = generator.normal(size=(count, dimension)) * generator.uniform(
        0.5, 2.0, size=(count, 1)
    )
    floats: Vector = block.astype(np.float32)
    return floats


def vector(seed: int = 1, dimension: int = DIMENSION) -> Vector:
    """Return one seeded vector of shape `(dimension,)`."""
    only: Vector = vectors(1, seed=seed, dimension=dimension)[0]
    return only


def rows_of(metadata: Sequence[Mapping[str, Any]], *, seed: int = 1, prefix: str = "r") -> Rows:
    """Return one row per metadata object, with ids `r000`, `r001` and so on."""
    block = vectors(len(metadata), seed=seed)
    return {
        f"{prefix}{at:03}": Row(block[at], dict(item), f"text {at}")
        for at, item in enumerate(metadata)
    }


def sample(count: int = 12, *, seed: int = 1, prefix: str = "r") -> Rows:
    """Return rows whose metadata has a unique number, a kind, a list and a nested object."""
    kinds = ("red", "green", "blue")
    return rows_of(
        [
            {
                "n": at,
                "kind": kinds[at % 3],
                "tags": [kinds[at % 3], kinds[(at + 1) % 3]],
                "author": {"name": f"a{at % 4}"},
            }
            for at in range(count)
        ],
        seed=seed,
        prefix=prefix,
    )
