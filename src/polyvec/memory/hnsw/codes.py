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

EXTRA: Final = 16
"""Columns that dot adds."""

SAMPLE: Final = 2000
"""Rows by which the scale is chosen and judged."""

PROBES: Final = 64
"""Rows of the sample whose neighbours are compared."""

FAITHFUL: Final = 0.995
"""Share of the ten nearest of the sample that the codes must have among their 32 nearest."""


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


def encode(vectors: Floats, scale: float) -> Codes:
    """Round to int8, -127 to 127; what lies beyond is cut."""
    rounded: Codes = np.clip(np.rint(vectors * np.float32(scale)), -127, 127).astype(np.int8)
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
    codes = encode(sample, scale).astype(np.float32)
    probes = range(0, len(sample), max(1, len(sample) // PROBES))
    shares = [_share(sample.astype(np.float64), codes, probe) for probe in probes]
    return scale if float(np.mean(shares)) >= FAITHFUL else 0.0


def _share(sample: npt.NDArray[np.float64], codes: Floats, probe: int) -> float:
    """Return the share of the ten nearest of `probe` that is among the 32 nearest by codes.

    Rows as near as the tenth count as found: which of them comes first is chance.
    """
    true = ((sample - sample[probe]) ** 2).sum(axis=1)
    coded = ((codes - codes[probe]) ** 2).sum(axis=1)
    nearest = np.argsort(coded, kind="stable")[:32]
    wanted = min(10, len(true))
    tenth = np.partition(true, wanted - 1)[wanted - 1]
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
