"""Exact search: a float32 pass by BLAS, then the contenders again in float64.

The first pass may be wrong by a proven bound. Whatever could reach the k-th
place within that bound is scored again in float64 and ordered by score, then
by id; so the answer is that of a search in float64 throughout, at the price of
one matrix product.

The bound: a float32 inner product of length d, summed in any order, is off by
at most `gamma(d) * |x| * |y|` with `gamma(d) = d*u / (1 - d*u)`, `u = 2**-24`
(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1),
as long as nothing over- or underflows. Rows for which that is not sure are
scored in float64 in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

import numpy as np
import numpy.typing as npt

from polyvec.scoring import row_scores
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.memory.coded import Mask
    from polyvec.memory.columns import View
    from polyvec.types import Vector

    Rows = npt.NDArray[np.intp]
    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]

LONGEST_VECTOR: Final = 100_000
"""Dimensions for which the bound is far below 1."""

NARROW: Final = 0.25
"""Share of the rows below which gathering them is cheaper than multiplying with all.

Measured on 117,659 x 384: gathering 20 % and multiplying takes 2.8 ms, all rows 5.8 ms."""

PRODUCTS: Final = 16 * 1024 * 1024
"""Products in memory at a time: 64 MB."""

GATHERED_FLOATS: Final = 96 * 1024
"""Numbers of gathered rows at a time: what stays in the cache is twice as fast."""

RESCORED_ROWS: Final = 4096
"""Rows scored in float64 at a time."""

ORDINARY: Final = (1e-12, 1e12)
"""Lengths of a query that float32 can work with."""


class Best(NamedTuple):
    """The answer to one query: rows of the view, best first, and their scores."""

    rows: Rows
    scores: Doubles


def search(
    view: View,
    queries: Vector,
    metric: Metric,
    k: int,
    allowed: Mask | None,
    *,
    check: bool = False,
) -> list[Best]:
    """Return the `k` best rows for every query, ties by id.

    Parameters
    ----------
    view
        The rows.
    queries
        Shape `(q, dimension)`, float32.
    metric
        How rows are compared.
    k
        At least 1; fewer rows come back when fewer are allowed.
    allowed
        Shape `(view.n,)`: the rows that may be found; None for all.
    check
        Score every row in float64. Slow; the answer must be the same.
    """
    rows = np.arange(view.n) if allowed is None else np.flatnonzero(allowed)
    narrow = allowed is not None and len(rows) <= view.n * NARROW
    if check or narrow or len(rows) <= k:
        return among(view, queries, metric, k, rows, check=check)
    return _search_field(_Field.of(view, None, allowed), queries, metric, k)


def among(
    view: View, queries: Vector, metric: Metric, k: int, rows: Rows, *, check: bool = False
) -> list[Best]:
    """Return the `k` best of some rows, which are gathered; otherwise as `search`."""
    if len(rows) == 0:
        none = Best(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float64))
        return [none for _ in queries]
    if check or len(rows) <= k:
        return [ranked(view, query, metric, k, rows) for query in queries]
    return _search_field(_Field.of(view, rows, None), queries, metric, k)


def _search_field(field: _Field, queries: Vector, metric: Metric, k: int) -> list[Best]:
    found: list[Best] = []
    step = max(1, PRODUCTS // len(field.norms))
    for start in range(0, len(queries), step):
        found += _search_block(field, queries[start : start + step], metric, k)
    return found


class _Field(NamedTuple):
    """The rows that one search multiplies with.

    `rows` numbers them in the view, None for all of it; `allowed` marks those
    that count, None for all of them; `norms` are theirs.
    """

    view: View
    rows: Rows | None
    allowed: Mask | None
    norms: Floats

    @classmethod
    def of(cls, view: View, rows: Rows | None, allowed: Mask | None) -> _Field:
        return cls(view, rows, allowed, view.norms if rows is None else view.norms[rows])

    def products(self, queries: Floats) -> Floats:
        """Return the inner products, shape `(q, rows)`."""
        if self.rows is None:
            return queries @ self.view.vectors.T
        count, dimension = len(self.rows), queries.shape[1]
        step = max(16, GATHERED_FLOATS // dimension)
        buffer = np.empty((min(step, count), dimension), dtype=np.float32)
        out = np.empty((len(queries), count), dtype=np.float32)
        for start in range(0, count, step):
            rows = self.rows[start : start + step]
            block = buffer[: len(rows)]
            # "clip" checks nothing; with "raise" numpy would gather into a copy first.
            np.take(self.view.vectors, rows, axis=0, out=block, mode="clip")
            np.matmul(queries, block.T, out=out[:, start : start + step])
        return out


def _search_block(field: _Field, queries: Vector, metric: Metric, k: int) -> list[Best]:
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
    with np.errstate(all="ignore"):  # rows out of range make infinities, which are not used
        # For cosine and dot the length of the query changes no order.
        scale = np.ones_like(lengths) if metric is Metric.EUCLIDEAN else 1.0 / lengths
        scaled = (queries * scale[:, None]).astype(np.float32)
        products = field.products(scaled)
        found: list[Best] = []
        for at, query in enumerate(queries):
            rows = _contenders(field, products[at], float(lengths[at]), metric, k)
            if field.rows is not None:
                rows = field.rows[rows]
            found.append(ranked(field.view, query, metric, k, rows))
    return found


def _contenders(field: _Field, products: Floats, length: float, metric: Metric, k: int) -> Rows:
    """Return the rows that may be among the `k` best."""
    if not ORDINARY[0] <= length <= ORDINARY[1]:
        return np.arange(len(products)) if field.allowed is None else np.flatnonzero(field.allowed)
    estimate, error = _estimate(field, products, length, metric)
    odd = None
    if not field.view.regular:
        odd = np.isnan(field.norms)
        if metric is Metric.COSINE:
            odd |= field.norms == 0
    lowest = estimate - error
    if field.allowed is not None:
        lowest[~field.allowed] = -np.inf
    if odd is not None:
        lowest[odd] = -np.inf
    cut = np.partition(lowest, len(lowest) - k)[len(lowest) - k]
    # One step down, because the sums on either side are rounded, too.
    keep = estimate + error >= np.nextafter(cut, np.float32(-np.inf))
    if odd is not None:
        keep |= odd
    if field.allowed is not None:
        keep &= field.allowed
    return np.flatnonzero(keep)


def _estimate(
    field: _Field, products: Floats, length: float, metric: Metric
) -> tuple[Floats, Floats | np.float32]:
    """Return what rises and falls with the score, and how far it may be off."""
    norms = field.norms
    d = field.view.vectors.shape[1] + 16  # a few operations more than the products
    gamma = d * 2.0**-24 / (1 - d * 2.0**-24)
    # Twice the bound: the norms in it carry errors of their own.
    bound = np.float32(2 * gamma)
    match metric:
        case Metric.COSINE:
            return products / norms, bound
        case Metric.DOT:
            return products, bound * norms + np.float32(1e-12)
        case Metric.EUCLIDEAN:
            # 2xy - |x|^2 is |y|^2 less the squared distance, and |y| is the same for all rows.
            slack = np.float32(1e-12 * length * length)
            estimate = products + products
            estimate -= norms * norms
            error = norms + np.float32(2 * length)
            error *= norms
            error *= bound
            error += slack
            return estimate, error
        case _:
            assert_never(metric)


def ranked(view: View, query: Vector, metric: Metric, k: int, rows: Rows) -> Best:
    """Return the `k` best of some rows by their float64 scores, ties by id."""
    double = query.astype(np.float64)
    scores = np.empty(len(rows), dtype=np.float64)
    for start in range(0, len(rows), RESCORED_ROWS):
        part = slice(start, start + RESCORED_ROWS)
        scores[part] = row_scores(double, view.vectors[rows[part]].astype(np.float64), metric)
    if k < len(rows):
        cut = np.partition(scores, len(rows) - k)[len(rows) - k]
        kept = np.flatnonzero(scores >= cut)
        rows, scores = rows[kept], scores[kept]
    ids = view.ids
    values: list[float] = scores.tolist()
    places: list[int] = rows.tolist()
    order = sorted(range(len(rows)), key=lambda at: (-values[at], ids[places[at]]))[:k]
    return Best(rows[order], scores[order])
