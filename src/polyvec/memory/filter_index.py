"""From a filter to a mask of rows, in vectorised time.

Rows are only ever appended and never changed, so what was indexed stays right:
deleting a row is the business of the mask of living rows. A field is indexed
when a filter first names it; rows that came later become a segment of their
own, merged with its neighbours of at most its size. So a write costs nothing
here, and every row is indexed again about log2(rows) times at most.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.filters import And, Not, Or
from polyvec.memory.segment import Segment

if TYPE_CHECKING:
    from polyvec.filters import Filter, Leaf
    from polyvec.memory.coded import Mask
    from polyvec.paths import Path
    from polyvec.types import MetadataDict

SMALL_SEGMENT: Final = 256
"""Rows that are cheaper to index again than to visit as a segment of their own."""

MOST_FIELDS: Final = 256
"""Fields kept indexed; the one that was indexed first goes when there are more."""


class FilterIndex:
    """Indexes of all fields that filters have named.

    Parameters
    ----------
    metadata
        The metadata of all rows: a list that grows at its end and nothing else.
    """

    def __init__(self, metadata: list[MetadataDict]) -> None:
        self._metadata = metadata
        self._fields: dict[Path, tuple[Segment, ...]] = {}
        self._lock = Lock()

    def mask(self, filter: Filter, n: int) -> Mask:
        """Return which of the first `n` rows satisfy a filter; shape `(n,)`, a new array."""
        match filter:
            case And(operands):
                mask = np.ones(n, dtype=np.bool_) if not operands else self.mask(operands[0], n)
                for operand in operands[1:]:
                    mask &= self.mask(operand, n)
                return mask
            case Or(operands):
                mask = np.zeros(n, dtype=np.bool_) if not operands else self.mask(operands[0], n)
                for operand in operands[1:]:
                    mask |= self.mask(operand, n)
                return mask
            case Not(operand):
                mask = self.mask(operand, n)
                return np.logical_not(mask, out=mask)
            case _:
                return self._leaf(filter, n)

    def _leaf(self, leaf: Leaf, n: int) -> Mask:
        segments = self._segments(leaf.path, n)
        if len(segments) == 1:
            return segments[0].mask(leaf)[:n]
        if not segments:
            return np.zeros(0, dtype=np.bool_)
        # Another reader may have indexed more rows than this one sees.
        return np.concatenate([segment.mask(leaf) for segment in segments])[:n]

    def _segments(self, path: Path, n: int) -> tuple[Segment, ...]:
        segments = self._fields.get(path, ())
        if n <= (segments[-1].stop if segments else 0):
            return segments
        with self._lock:
            segments = self._extended(path, self._fields.get(path, ()), n)
            self._fields[path] = segments
            if len(self._fields) > MOST_FIELDS:
                del self._fields[next(iter(self._fields))]
            return segments

    def _extended(self, path: Path, segments: tuple[Segment, ...], n: int) -> tuple[Segment, ...]:
        start = segments[-1].stop if segments else 0
        if n <= start:
            return segments
        kept = list(segments)
        while kept and len(kept[-1]) <= max(SMALL_SEGMENT, n - start):
            start = kept.pop().start
        return (*kept, Segment(path, self._metadata[start:n], start))
