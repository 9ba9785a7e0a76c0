"""What `make bench-hnsw` searches: real embeddings or the shipped sample, and one wide set."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from polyvec.data import SAMPLE_PATH

Floats: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

SEED: Final = 7
QUERIES: Final = 1_000
MOST_NEIGHBOURS: Final = 100
LATENT: Final = 48
"""Dimensions in which the wide set really varies."""

CENTRES: Final = 400
BLOCK: Final = 200
"""Queries compared with all rows at a time."""


@dataclass(frozen=True, slots=True)
class Data:
    """Rows, queries that are not among them, and the answers.

    Parameters
    ----------
    name
        Short, for files and tables.
    words
        What the rows are, honestly, for the report.
    rows, queries
        Unit length, float32, shapes `(n, d)` and `(q, d)`.
    truth
        The rows nearest to each query, nearest first, shape `(q, 100)`.
    """

    name: str
    words: str
    rows: Floats
    queries: Floats
    truth: Numbers


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """Return the vectors at length 1, as float32."""
    made: Floats = np.ascontiguousarray(
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32
    )
    return made


def nearest(rows: Floats, queries: Floats, k: int, allowed: Flags | None = None) -> Numbers:
    """Return the `k` rows of the greatest inner product with each query, by a full scan.

    With `allowed` only those; where fewer are allowed the rest is -1.
    """
    places = np.arange(len(rows)) if allowed is None else np.flatnonzero(allowed)
    held = rows if allowed is None else rows[places]
    found = np.full((len(queries), k), -1, np.int64)
    wanted = min(k, len(places))
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ held.T
        best = np.argpartition(-scores, wanted - 1, axis=1)[:, :wanted]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        found[start : start + BLOCK, :wanted] = places[np.take_along_axis(best, order, 1)]
    return found


def of_file(path: Path | None, rows: int, queries: int) -> Data:
    """Return the embeddings of a Parquet file, or for None the sample enlarged.

    The file has a column `vector_int8` (a list of int8 in each row). Noise below one step of that
    quantisation is added, so that nothing can live on the steps.
    """
    chosen = SAMPLE_PATH if path is None else path
    parquet: Any = importlib.import_module("pyarrow.parquet")
    column: Any = parquet.read_table(chosen, columns=["vector_int8"])[
        "vector_int8"
    ].combine_chunks()
    steps: Floats = column.flatten().to_numpy().reshape(len(column), -1).astype(np.float32)
    rng = np.random.default_rng(SEED)
    if path is None:
        vectors = _enlarged(_noisy(steps, rng), rows + queries, rng)
        words = (
            f"{rows:,} rows of {steps.shape[1]} dimensions made from the {len(steps):,} shipped "
            "embeddings: each a mixture of two of them with Gaussian noise, seeded. Synthetic."
        )
    else:
        if len(steps) < rows + queries:
            rows = len(steps) - queries
        vectors = _noisy(steps[rng.permutation(len(steps))[: rows + queries]], rng)
        words = (
            f"{rows:,} of the {len(steps):,} real embeddings of {path.name}, {steps.shape[1]} "
            "dimensions, with seeded noise below one step of their int8 quantisation."
        )
    return _split("embeddings", words, unit(vectors), rows)


def wide(rows: int, queries: int, dimension: int = 768) -> Data:
    """Return synthetic rows: Gaussian clusters in few dimensions, bent and projected up."""
    rng = np.random.default_rng(SEED + 1)
    centres = rng.normal(size=(CENTRES, LATENT))
    total = rows + queries
    latent = centres[rng.integers(0, CENTRES, total)] + 0.7 * rng.normal(size=(total, LATENT))
    up = rng.normal(size=(LATENT, dimension)) / np.sqrt(LATENT)
    vectors: npt.NDArray[np.float64] = np.tanh(latent @ up) + 0.3 * rng.normal(size=dimension)
    vectors += 0.05 * rng.normal(size=vectors.shape)
    words = (
        f"{rows:,} synthetic rows of {dimension} dimensions, seeded: {CENTRES} Gaussian clusters "
        f"in {LATENT} dimensions, projected up, bent by tanh, with a common mean and noise."
    )
    return _split(f"wide{dimension}", words, unit(vectors), rows)


def _noisy(steps: Floats, rng: np.random.Generator) -> Floats:
    noise = rng.uniform(-0.49, 0.49, size=steps.shape).astype(np.float32)
    return unit(steps + noise)


def _enlarged(sample: Floats, total: int, rng: np.random.Generator) -> Floats:
    one, other = rng.integers(0, len(sample), size=(2, total))
    share = rng.uniform(0.55, 0.95, size=(total, 1)).astype(np.float32)
    mixed = share * sample[one] + (1 - share) * sample[other]
    spread = 0.4 / np.sqrt(sample.shape[1])
    noise = rng.normal(scale=spread, size=mixed.shape).astype(np.float32)
    return unit(mixed + noise)


def _split(name: str, words: str, vectors: Floats, rows: int) -> Data:
    kept, asked = vectors[:rows].copy(), vectors[rows:].copy()
    return Data(name, words, kept, asked, nearest(kept, asked, MOST_NEIGHBOURS))


def part_of(data: Data, rows: int, queries: int) -> Data:
    """Return the first rows and queries as a set of their own, with its own answers."""
    kept, asked = data.rows[:rows].copy(), data.queries[:queries].copy()
    truth = nearest(kept, asked, MOST_NEIGHBOURS)
    return Data(f"{data.name}-{rows}", data.words, kept, asked, truth)
