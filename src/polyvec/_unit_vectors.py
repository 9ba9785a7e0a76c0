"""Vectors for databases that compute in float32, or keep unit vectors alone. Pure."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.errors import InvalidRecordError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from polyvec.types import Vector

LONGEST_LENGTH: Final = 1e18
"""Length of a vector whose square float32 still holds, with room for a sum of two."""

LOSS: Final = 5e-7
"""Largest relative error of a component that survives unit length; what stores declare is 1e-6."""

NEAR_ONE: Final = 1e-7
"""A length this close to 1 is 1: the vector reads back within the declared error."""

_FLOAT32: Final = np.dtype("<f4")


def lengths_of(vectors: Vector) -> npt.NDArray[np.float64]:
    """Return the Euclidean length of each vector, computed in float64; shape `(n,)`."""
    # A seventh of the time of `linalg.norm`, which wants a copy in float64.
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    lengths: npt.NDArray[np.float64] = np.sqrt(squares)
    return lengths


def unit(vectors: Vector) -> Vector:
    """Return vectors `(n, dimension)` at unit length, computed in float64; zeros stay zeros."""
    if len(vectors) == 1:  # a query: what follows is for many, and takes three times as long
        doubles = vectors.astype(np.float64)
        length = math.sqrt(np.vdot(doubles, doubles))
        return (doubles / length if length else doubles).astype(np.float32)
    return _scaled(vectors, lengths_of(vectors))


def _scaled(vectors: Vector, lengths: npt.NDArray[np.float64]) -> Vector:
    divisors = np.where(lengths > 0, lengths, 1.0)[:, None]
    scaled = np.empty_like(vectors)
    np.divide(vectors, divisors, out=scaled, casting="same_kind", dtype=np.float64)
    return scaled


def split(vectors: Vector) -> tuple[Vector, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Take vectors `(n, dimension)` apart.

    Returns
    -------
    tuple
        The vectors at unit length; their lengths, shape `(n,)`; and for which of them the product
        of the two is off by more than `LOSS`, so that their bits have to be kept.
    """
    lengths = lengths_of(vectors)
    stored = _scaled(vectors, lengths)
    error = np.abs(np.multiply(stored, lengths[:, None], dtype=np.float64) - vectors)
    lossy: npt.NDArray[np.bool_] = np.any(error > LOSS * np.abs(vectors, dtype=np.float64), axis=1)
    return stored, lengths, lossy


def to_bits(vector: Vector) -> str:
    """Return a vector as base64 of its little-endian float32."""
    return b64encode(vector.astype(_FLOAT32).tobytes()).decode()


def from_bits(text: str) -> Vector:
    """Return the vector of `to_bits`."""
    vector: Vector = np.frombuffer(b64decode(text), dtype=_FLOAT32)
    return vector


def check_squares(ids: Sequence[str], vectors: Vector, store: str) -> None:
    """Refuse vectors whose products a database that computes in float32 cannot hold.

    Raises
    ------
    InvalidRecordError
        Names the first of them.
    """
    lengths = lengths_of(vectors)
    if (far := np.flatnonzero(lengths > LONGEST_LENGTH)).size:
        row = int(far[0])
        raise InvalidRecordError(
            f"record {ids[row]!r}: its vector has length {lengths[row]:.3g}; {store} computes in "
            f"float32, which holds squares up to a length of {LONGEST_LENGTH:.0e}"
        )
