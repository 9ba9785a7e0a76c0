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
    left, right = queries.astype(np.float64), rows.astype(np.float64)
    match metric:
        case Metric.DOT:
            inner: npt.NDArray[np.float64] = np.matmul(left, right.T)
            return inner
        case Metric.COSINE:
            norms = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)[None, :]
            with np.errstate(invalid="ignore", divide="ignore"):
                cosine = np.nan_to_num((left @ right.T) / norms, nan=0.0)
            clipped: npt.NDArray[np.float64] = np.clip(cosine, -1.0, 1.0)
            return clipped
        case Metric.EUCLIDEAN:
            # Differences, not |a|^2 - 2ab + |b|^2, which loses half of the digits near zero.
            return np.stack([-np.linalg.norm(right - query, axis=1) for query in left])
        case _:
            assert_never(metric)


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
