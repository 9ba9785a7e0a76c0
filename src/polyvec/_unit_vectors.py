"""Vectors for databases that compute in float32, or keep unit vectors alone. Pure."""

from __future__ import annotations

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


def unit(vectors: Vector) -> Vector:
    """Return vectors `(n, dimension)` at unit length, computed in float64; zeros stay zeros."""
    doubles = vectors.astype(np.float64)
    lengths = np.linalg.norm(doubles, axis=1, keepdims=True)
    scaled: Vector = np.divide(doubles, lengths, out=doubles, where=lengths > 0).astype(np.float32)
    return scaled


def split(vectors: Vector) -> tuple[Vector, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Take vectors `(n, dimension)` apart.

    Returns
    -------
    tuple
        The vectors at unit length; their lengths, shape `(n,)`; and for which of them the product
        of the two is off by more than `LOSS`, so that their bits have to be kept.
    """
    doubles = vectors.astype(np.float64)
    lengths = np.linalg.norm(doubles, axis=1)
    stored = unit(vectors)
    error = np.abs(stored.astype(np.float64) * lengths[:, None] - doubles)
    return stored, lengths, (error > LOSS * np.abs(doubles)).any(axis=1)


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
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if (far := np.flatnonzero(lengths > LONGEST_LENGTH)).size:
        row = int(far[0])
        raise InvalidRecordError(
            f"record {ids[row]!r}: its vector has length {lengths[row]:.3g}; {store} computes in "
            f"float32, which holds squares up to a length of {LONGEST_LENGTH:.0e}"
        )
