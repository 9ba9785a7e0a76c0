"""Words that the whole library shares: metrics, scalars, vectors, include lists."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float32]
"""One vector `(dimension,)` or a block of them `(n, dimension)`, float32."""

Scalar: TypeAlias = str | int | float | bool | datetime
"""What a metadata field can be compared with; datetimes are timezone-aware."""

MetadataDict: TypeAlias = dict[str, Any]
"""A JSON object whose values may also be timezone-aware datetimes."""

Include: TypeAlias = Literal["metadata", "text", "vector"]
"""A column that a read can return beside the ids."""

USUAL: Final[tuple[Include, ...]] = ("metadata", "text")
"""What verbs include by default."""

WHOLE: Final[tuple[Include, ...]] = ("metadata", "text", "vector")
"""What `include=` names to read all of a record."""

ALL_COLUMNS: Final[frozenset[Include]] = frozenset(("metadata", "text", "vector"))
USUAL_COLUMNS: Final[frozenset[Include]] = frozenset(USUAL)
METADATA: Final[frozenset[Include]] = frozenset(("metadata",))
VECTOR: Final[frozenset[Include]] = frozenset(("vector",))
NO_COLUMNS: Final[frozenset[Include]] = frozenset()


def as_any(value: Any) -> Any:
    """Return a value as it is; for type checkers, whose narrowing of `object` ends in Unknown."""
    return value


class Metric(StrEnum):
    """How two vectors are compared. A higher score is better for each of them."""

    COSINE = "cosine"
    """Score = cosine similarity in [-1, 1]; distance = 1 - score."""

    DOT = "dot"
    """Score = inner product; distance = -score."""

    EUCLIDEAN = "euclidean"
    """Score = -L2; distance = L2, not squared."""


def distance_of(score: float, metric: Metric) -> float:
    """Return the distance that belongs to a score, see `Metric`."""
    return 1.0 - score if metric is Metric.COSINE else -score
