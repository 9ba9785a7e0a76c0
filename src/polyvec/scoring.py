"""Scores and their order: the meaning that every backend's answers are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np
import numpy.typing as npt

from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.types import Vector


def exact_scores(queries: Vector, rows: Vector, metric: Metric) -> npt.NDArray[np.float64]:
    """Return the score of every row for every query, computed in float64.

    Parameters
    ----------
    queries
        Shape `(q, dimension)`.
    rows
        Shape `(n, dimension)`.
    metric
        Cosine similarity clipped to [-1, 1], inner product, or negative L2.

    Returns
    -------
    numpy.ndarray
        Shape `(q, n)`. The cosine of a zero vector is 0.
    """
    doubles = rows.astype(np.float64)
    scores = np.empty((len(queries), len(rows)))
    for at, query in enumerate(queries.astype(np.float64)):
        scores[at] = row_scores(query, doubles, metric)
    return scores


def row_scores(
    query: npt.NDArray[np.float64], rows: npt.NDArray[np.float64], metric: Metric
) -> npt.NDArray[np.float64]:
    """Return float64 scores, shape `(n,)`; equal rows get equal bits, wherever they stand.

    BLAS does not promise that: its kernels treat the rows at the end of a block
    in another order of summation, which would break ties at random.
    """
    scores: npt.NDArray[np.float64]
    match metric:
        case Metric.DOT:
            scores = np.einsum("nd,d->n", rows, query)
        case Metric.COSINE:
            norms = np.linalg.norm(query) * np.linalg.norm(rows, axis=1)
            scores = np.einsum("nd,d->n", rows, query)
            np.divide(scores, norms, out=scores, where=norms > 0)  # a product with 0 is 0 already
            np.clip(scores, -1.0, 1.0, out=scores)
        case Metric.EUCLIDEAN:
            # Differences, not |a|^2 - 2ab + |b|^2, which loses half of the digits near zero.
            scores = -np.linalg.norm(rows - query, axis=1)
        case _:
            assert_never(metric)
    return scores


def best_rows(scores: npt.NDArray[np.float64], ids: Sequence[str], k: int) -> npt.NDArray[np.intp]:
    """Return the rows of the `k` best scores, best first, ties by id.

    Parameters
    ----------
    scores
        Shape `(n,)`.
    ids
        `n` ids, parallel to the scores.
    k
        At least 1; fewer rows come back when `n < k`.
    """
    n = len(ids)
    if n == 0:
        return np.empty(0, dtype=np.intp)
    if k < n:
        cut = np.partition(scores, n - k)[n - k]  # the k-th best score
        rows = np.flatnonzero(scores >= cut)  # all of its equals too: ties go by id
    else:
        rows = np.arange(n)
    order = sorted(rows.tolist(), key=lambda row: (-scores[row], ids[row]))
    return np.array(order[:k], dtype=np.intp)
