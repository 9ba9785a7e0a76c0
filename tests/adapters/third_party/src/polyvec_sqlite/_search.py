"""Brute force: compare the queries with every vector, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyvec.scoring import best_rows, exact_scores
from polyvec.types import Metric, Vector
from polyvec_sqlite._codec import vectors_of

ROWS: Final = 2_048
"""Vectors in memory at once."""


@dataclass(slots=True)
class Best:
    """The best records so far for one query; scores of shape `(n,)`, float64, best first."""

    keys: list[int]
    ids: list[str]
    scores: npt.NDArray[np.float64]


def nearest(
    queries: Vector, blocks: Iterable[list[tuple[int, str, bytes]]], metric: Metric, k: int
) -> list[Best]:
    """Return the `k` best records for each query, ties by id.

    Parameters
    ----------
    queries
        Shape `(q, dimension)`.
    blocks
        Lists of key, id and vector.
    """
    best = [Best([], [], np.empty(0)) for _ in queries]
    for block in blocks:
        vectors = vectors_of([blob for _, _, blob in block], queries.shape[1])
        scores = exact_scores(queries, vectors, metric)
        for so_far, new in zip(best, scores, strict=True):
            _add(so_far, block, new, k)
    return best


def _add(
    best: Best, block: list[tuple[int, str, bytes]], scores: npt.NDArray[np.float64], k: int
) -> None:
    keys = best.keys + [key for key, _, _ in block]
    ids = best.ids + [record_id for _, record_id, _ in block]
    joined = np.concatenate((best.scores, scores))
    rows = best_rows(joined, ids, k)
    best.keys = [keys[row] for row in rows]
    best.ids = [ids[row] for row in rows]
    best.scores = joined[rows]
