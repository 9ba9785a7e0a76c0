"""Vectors for `polyvec bench`: the sample, a file, or random ones."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import typer

from polyvec._unit_vectors import unit

if TYPE_CHECKING:
    from pathlib import Path

Floats: TypeAlias = npt.NDArray[np.float32]

SEED: Final = 7
COLUMNS: Final = ("vector", "vector_int8")


def vectors_for(
    path: Path | None, dimension: int | None, records: int, queries: int
) -> tuple[Floats, Floats, str]:
    """Return rows to store, queries that are not among them, and words about both.

    Returns
    -------
    rows, queries, words
        Unit vectors, float32, shapes `(at most records, d)` and `(queries, d)`. Where there are
        fewer vectors than asked for, the sample is enlarged by mixtures of two; a file is not.
    """
    rng = np.random.default_rng(SEED)
    total = records + queries
    if dimension is not None:
        vectors = rng.standard_normal((total, dimension))
        words = f"{records:,} random vectors of {dimension} dimensions"
    elif path is not None:
        vectors = _of_file(path)
        if len(vectors) <= queries:
            raise typer.BadParameter(f"--data: {path} has {len(vectors)} vectors, too few")
        vectors = vectors[rng.permutation(len(vectors))[:total]]
        words = f"{len(vectors) - queries:,} vectors of {path.name}"
    else:
        from polyvec.data import sample

        held = sample().vectors
        assert held is not None
        one, other = rng.integers(0, len(held), (2, total))
        share = rng.uniform(0.55, 0.95, (total, 1))
        vectors = share * held[one] + (1 - share) * held[other]
        words = f"{records:,} mixtures of two of the sample's embeddings"
    made = unit(vectors.astype(np.float32))
    return made[:-queries], made[-queries:], words


def _of_file(path: Path) -> npt.NDArray[Any]:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        names = parquet.read_schema(path).names
        column = next((name for name in COLUMNS if name in names), None)
        if column is None:
            raise typer.BadParameter(f"--data: {path} has none of the columns {', '.join(COLUMNS)}")
        held: Any = parquet.read_table(path, columns=[column])[column].combine_chunks()
        return np.asarray(held.flatten().to_numpy().reshape(len(held), -1), dtype=np.float32)
    except (OSError, ValueError) as exc:
        raise typer.BadParameter(f"--data: {path} holds no vectors: {exc}") from None
