"""Vectors that Pinecone would refuse, or square beyond float32. Pure.

Pinecone keeps the bits of a vector, and refuses zeros. Under cosine only the direction counts, so a
vector that is very long or very short is stored times a power of two, which costs no digit. Zeros
are stored as the smallest normal number and so many zeros; its products and squares are zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec._unit_vectors import check_squares
from polyvec.types import Metric
from polyvec_pinecone._layout import SCALE, ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from polyvec.types import Vector

NEAR_ONE: Final = (-40, 40)
"""Binary exponents of a length that float32 squares without loss."""

SMALL: Final = 1e-20
LARGE: Final = 1e20
"""Squares of lengths between which a query is sent as it is."""

TINY: Final = float(np.finfo(np.float32).tiny)


def check_lengths(ids: Sequence[str], vectors: Vector, metric: Metric) -> None:
    """Refuse what cannot be searched.

    Raises
    ------
    InvalidRecordError
        A vector is too long for float32 squares.
    """
    if metric is not Metric.COSINE:
        check_squares(ids, vectors, "pinecone")


def _lengths(vectors: Vector) -> npt.NDArray[np.float64]:
    doubles = vectors.astype(np.float64)
    lengths: npt.NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", doubles, doubles))
    return lengths


def to_values(vectors: Vector, metric: Metric) -> tuple[list[list[float]], list[dict[str, Any]]]:
    """Return the values to store, and what must stand beside each."""
    beside: list[dict[str, Any]] = [{}] * len(vectors)
    lengths = _lengths(vectors)
    if metric is Metric.COSINE:
        exponents = np.frexp(lengths)[1]
        odd = np.flatnonzero((exponents < NEAR_ONE[0]) | (exponents > NEAR_ONE[1]))
        if odd.size:
            vectors = vectors.copy()
            for row in odd.tolist():
                exponent = int(exponents[row])
                vectors[row] = np.ldexp(vectors[row].astype(np.float64), -exponent)
                beside[row] = {SCALE: exponent}
        return vectors.tolist(), beside
    rows = vectors.tolist()
    for row in np.flatnonzero(lengths == 0).tolist():
        rows[row][0] = TINY
        beside[row] = {ZERO: True}
    return rows, beside


def to_query(query: Vector, metric: Metric) -> list[float]:
    """Return a query vector of shape `(dimension,)` as it is sent."""
    if SMALL < query.dot(query) < LARGE:  # nearly every one
        usual: list[float] = query.tolist()
        return usual
    doubles = query.astype(np.float64)
    length = float(np.linalg.norm(doubles))
    if metric is Metric.COSINE:
        doubles = np.ldexp(doubles, -int(np.frexp(length)[1]))
    sent: list[float] = doubles.tolist()
    if length == 0:
        sent[0] = TINY
    return sent


def from_values(
    rows: Sequence[Sequence[float]], beside: Sequence[Mapping[str, Any]], dimension: int
) -> Vector:
    """Return stored values as vectors `(n, dimension)`, as they were written."""
    block: Vector = np.zeros((len(rows), dimension), dtype=np.float32)
    for at, (values, more) in enumerate(zip(rows, beside, strict=True)):
        if not values or more.get(ZERO) is True:
            continue
        scale = more.get(SCALE)
        if scale is None:
            block[at] = values
        else:
            block[at] = np.ldexp(np.asarray(values, dtype=np.float64), int(scale))
    return block


def to_scores(raw: Sequence[float], metric: Metric) -> Any:
    """Return Pinecone's scores in polyvec's orientation: its euclidean ones are squares."""
    scores = np.array(raw, dtype=np.float64)
    if metric is Metric.EUCLIDEAN:
        return -np.sqrt(np.maximum(scores, 0.0))
    return scores
