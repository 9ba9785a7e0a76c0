"""What the graph is walked over: one Euclidean space for all metrics, as int8 where that will do.

- cosine: unit vectors, whose squared distance is `2 - 2 cos`.
- dot: rows get one more number, `sqrt(R^2 - |x|^2)` with R the greatest length, and
  queries a zero; then the nearest row is the one of greatest inner product (Bachrach et
  al., "Speeding up the Xbox recommender system using a Euclidean transformation for
  inner-product spaces", RecSys 2014). The number is spread over `EXTRA` columns, which is a
  rotation: one column of great numbers would coarsen the codes of all others.
- euclidean: as they are.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyvec.memory.hnsw.intrinsics import LINE
from polyvec.types import Metric

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]
Doubles = npt.NDArray[np.float64]

EXTRA: Final = 16
"""Columns that dot adds."""

SAMPLE: Final = 2000
"""Rows by which the scale is chosen and judged."""

PROBES: Final = 64
"""Rows of the sample whose neighbours are compared."""

DEPTH: Final = 16
"""Rows that are scored in full at least; see `depth_for`."""

NEAREST: Final = 12
"""Rows nearest by codes among which the sample's ten nearest must be: fewer than `DEPTH`, because
all rows lie closer together than those of the sample."""

FAITHFUL: Final = 0.995
"""Share of the ten nearest that must be among them."""

ROUNDING: Final = 1e-12
"""Of the greatest distance by which two may differ and be equal."""

CHUNK: Final = 4096
"""Rows that are worked on at a time."""


def embed(vectors: Floats, metric: Metric, radius: float) -> Floats:
    """Put rows into the space of the graph; `radius` counts for dot only."""
    if metric is not Metric.DOT:
        return vectors
    wide = vectors.astype(np.float64)
    rest = np.maximum(0.0, radius**2 - np.einsum("ij,ij->i", wide, wide))
    each = np.sqrt(rest / EXTRA).astype(np.float32)
    return np.hstack([vectors, np.repeat(each[:, None], EXTRA, axis=1)])


def depth_for(k: int) -> int:
    """Return how many of the nearest by codes must be scored to find the `k` best."""
    return max(k + k // 2, DEPTH)


def encode(vectors: Floats, scale: float) -> Codes:
    """Round to int8, -127 to 127; what lies beyond is cut."""
    steps = vectors * np.float32(scale)
    np.rint(steps, out=steps)
    # Half the time of `clip`, which a single query feels.
    np.minimum(steps, 127, out=steps)
    np.maximum(steps, -127, out=steps)
    rounded: Codes = steps.astype(np.int8)
    return rounded


def sample_of(rows: Floats) -> Floats:
    """Return the rows by which the scale is chosen."""
    return rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]


def scale_of(sample: Floats) -> float:
    """Return the factor from numbers to codes, or 0.0 where codes would lose neighbours.

    Outlying dimensions and very different lengths leave most numbers in a few steps of
    the one scale. Whether they do is tried out, on neighbours within a sample.
    """
    limit = float(np.quantile(np.abs(sample), 0.9999)) if sample.size else 0.0
    if not np.isfinite(limit) or limit < 1e-30 or limit > 1e30:
        return 0.0
    scale = 127.0 / limit
    probes = np.arange(0, len(sample), max(1, len(sample) // PROBES))
    true = _distances(sample.astype(np.float64), probes)
    coded = _distances(encode(sample, scale).astype(np.float64), probes)
    shares = [_share(*pair) for pair in zip(true, coded, strict=True)]
    return scale if float(np.mean(shares)) >= FAITHFUL else 0.0


def _distances(rows: Doubles, probes: npt.NDArray[np.intp]) -> Doubles:
    """Return the squared distances of the probes to all rows."""
    squares = np.einsum("ij,ij->i", rows, rows)
    distances: Doubles = squares[probes, None] + squares - 2 * (rows[probes] @ rows.T)
    return distances


def _share(true: Doubles, coded: Doubles) -> float:
    """Return the share of the ten nearest that is among the `NEAREST` by codes.

    Rows as near as the tenth, within rounding, count as found: which of them comes first is chance.
    """
    nearest = np.argpartition(coded, min(NEAREST, len(coded)) - 1)[:NEAREST]
    wanted = min(10, len(true))
    tenth = np.partition(true, wanted - 1)[wanted - 1] + ROUNDING * float(np.abs(true).max())
    return min(1.0, float((true[nearest] <= tenth).sum()) / wanted)


def offsets_of(rows: Codes) -> npt.NDArray[np.int32]:
    """Return of each row what the kernel adds to a product, `x.x + 256 * sum(x)`; see `measure`."""
    offsets = np.empty(len(rows), np.int32)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK].astype(np.int32)
        offsets[start : start + CHUNK] = np.einsum("ij,ij->i", part, part + 256)
    return offsets


def longer(array: npt.NDArray[Any], length: int, fill: int = 0) -> npt.NDArray[Any]:
    """Return a copy with `length` rows, the new ones filled; it begins with a line of the cache."""
    shape = (length, *array.shape[1:])
    size = int(np.prod(shape)) * array.itemsize
    room = np.empty(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    copy: npt.NDArray[Any] = room[start : start + size].view(array.dtype).reshape(shape)
    copy[: len(array)] = array
    copy[len(array) :] = fill
    return copy
