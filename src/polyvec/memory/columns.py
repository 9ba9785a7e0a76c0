"""The rows of one namespace, column by column: appended, marked dead, never changed.

Readers work on a `View`, which nothing that happens later can alter: rows below
its `n` do not change, and its mask of living rows is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from polyvec.memory.filter_index import FilterIndex
from polyvec.memory.graph_slot import GraphSlot
from polyvec.records import RecordBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.filters import Filter
    from polyvec.memory.coded import Mask
    from polyvec.primitives import Columns as Wanted
    from polyvec.types import MetadataDict, Vector

    Rows = npt.NDArray[np.intp]

SMALLEST: Final = 64
"""Rows of the first block."""

LOWEST_SQUARE: Final = 1e-24
HIGHEST_SQUARE: Final = 1e24
"""Between them, float32 arithmetic neither overflows nor loses digits to underflow."""

CACHED_MASKS: Final = 4
"""Masks kept with a view: the pages of a scan ask for the same one again."""

_CONTAINERS: Final = frozenset({list, dict})


@dataclass(frozen=True, eq=False)
class View:
    """The rows of a namespace at one moment.

    Parameters
    ----------
    n
        Rows, dead ones included.
    vectors
        `(n, dimension)` float32.
    norms
        `(n,)` float32; NaN where the squares leave the range of float32.
    regular
        Whether no norm is NaN or zero.
    sequence
        `(n,)` int64: the key that scans go by.
    present, alive
        `(n,)` bool; None means all rows.
    ids, metadata, texts
        Lists that may be longer than `n` by now.
    index
        Turns filters into masks.
    graph
        Where a graph of the rows is, if there is one.
    """

    n: int
    vectors: Vector
    norms: npt.NDArray[np.float32]
    regular: bool
    sequence: npt.NDArray[np.int64]
    present: Mask | None
    alive: Mask | None
    ids: list[str]
    metadata: list[MetadataDict]
    texts: list[str | None]
    index: FilterIndex
    graph: GraphSlot
    _masks: dict[Filter, Mask] = field(default_factory=dict[Any, Any])

    def selected(self, filter: Filter | None) -> Mask | None:
        """Return which living rows satisfy a filter; None means all rows. Do not change it."""
        if filter is None:
            return self.alive
        if (mask := self._masks.get(filter)) is None:
            mask = self.index.mask(filter, self.n)
            if self.alive is not None:
                mask &= self.alive
            if len(self._masks) >= CACHED_MASKS:
                self._masks.clear()
            self._masks[filter] = mask
        return mask

    def searchable(self, filter: Filter | None) -> Mask | None:
        """Return which rows a search may find: selected, and with a vector."""
        mask = self.selected(filter)
        if self.present is None:
            return mask
        return self.present if mask is None else mask & self.present

    @cached_property
    def findable(self) -> int:
        """How many rows a search without a filter may find."""
        mask = self.searchable(None)
        return self.n if mask is None else int(np.count_nonzero(mask))

    @cached_property
    def order(self) -> Rows:
        """The living rows in the order of their sequence numbers."""
        rows = np.arange(self.n) if self.alive is None else np.flatnonzero(self.alive)
        keys = self.sequence[rows]
        if len(keys) > 1 and (keys[1:] < keys[:-1]).any():
            rows = rows[np.argsort(keys, kind="stable")]
        return rows

    def batch(
        self, rows: Rows | Sequence[int], wanted: Wanted, *, share: bool = False
    ) -> RecordBatch:
        """Return copies of some rows, with the wanted columns.

        `share` leaves the metadata uncopied, for callers that only read it.
        """
        places = np.asarray(rows, dtype=np.intp)
        chosen: list[int] = places.tolist()
        vectors = present = metadata = texts = None
        if "vector" in wanted:
            vectors = self.vectors[places]
            if self.present is not None and not self.present[places].all():
                present = self.present[places]
        if "metadata" in wanted:
            metadata = [self.metadata[row] for row in chosen]
            if not share:
                metadata = [copied(row) for row in metadata]
        if "text" in wanted:
            texts = [self.texts[row] for row in chosen]
        ids = [self.ids[row] for row in chosen]
        return RecordBatch(ids, vectors, metadata, texts, present)


class Columns:
    """Growing columns. Only the writer touches them; readers take a `View`."""

    def __init__(self, dimension: int) -> None:
        self.n = 0
        self.dead = 0
        self.vectors: Vector = np.empty((0, dimension), dtype=np.float32)
        self.norms = np.empty(0, dtype=np.float32)
        self.sequence = np.empty(0, dtype=np.int64)
        self.present = np.empty(0, dtype=np.bool_)
        self.alive = np.empty(0, dtype=np.bool_)
        self.ids: list[str] = []
        self.metadata: list[MetadataDict] = []
        self.texts: list[str | None] = []
        self.index = FilterIndex(self.metadata)
        self.graph = GraphSlot()
        self._regular = True
        self._complete = True

    def append(self, batch: RecordBatch, sequence: npt.NDArray[np.int64]) -> None:
        """Add rows at the end. Metadata is copied; all columns of the batch must be given."""
        assert batch.vectors is not None
        assert batch.metadata is not None
        assert batch.texts is not None
        stop = self.n + len(batch)
        self.reserve(stop)
        added = slice(self.n, stop)
        self.vectors[added] = batch.vectors
        self.norms[added] = norms = _norms(self.vectors[added])
        self.sequence[added] = sequence
        self.present[added] = True if batch.present is None else batch.present
        self.alive[added] = True
        self.ids += batch.ids
        self.metadata += map(copied, batch.metadata)
        self.texts += batch.texts
        self._regular = self._regular and bool((norms > 0).all())
        self._complete = self._complete and bool(self.present[added].all())
        self.n = stop

    def kill(self, rows: Rows) -> None:
        """Mark living rows as dead."""
        self.alive[rows] = False
        self.dead += len(rows)

    def view(self) -> View:
        """Return the rows as they are now."""
        n = self.n
        return View(
            n=n,
            vectors=self.vectors[:n],
            norms=self.norms[:n],
            regular=self._regular,
            sequence=self.sequence[:n],
            present=None if self._complete else self.present[:n],
            alive=self.alive[:n].copy() if self.dead else None,
            ids=self.ids,
            metadata=self.metadata,
            texts=self.texts,
            index=self.index,
            graph=self.graph,
        )

    def reserve(self, rows: int) -> None:
        """Make room. Views keep the old blocks, which nobody writes to any more."""
        if rows <= len(self.alive):
            return
        # Room that is not written to costs no memory yet.
        room = max(rows, SMALLEST, 2 * len(self.alive))
        for name in ("vectors", "norms", "sequence", "present", "alive"):
            old = getattr(self, name)
            new = np.empty((room, *old.shape[1:]), dtype=old.dtype)
            new[: self.n] = old[: self.n]
            setattr(self, name, new)


def copied(metadata: MetadataDict) -> MetadataDict:
    """Return a deep copy of checked metadata; several times faster than `copy.deepcopy`."""
    copy = metadata.copy()
    for key, value in metadata.items():
        if type(value) in _CONTAINERS:
            copy[key] = _copied_container(value)
    return copy


def _copied_container(value: Any) -> Any:
    if type(value) is dict:
        return copied(cast("MetadataDict", value))
    copy: list[Any] = value[:]
    for at, item in enumerate(copy):
        if type(item) in _CONTAINERS:
            copy[at] = _copied_container(item)
    return copy


def _norms(vectors: Vector) -> npt.NDArray[np.float32]:
    """Return the lengths of rows, NaN where float32 cannot tell them."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nd,nd->n", vectors, vectors)
    odd = np.flatnonzero(~((squares >= LOWEST_SQUARE) & (squares <= HIGHEST_SQUARE)))
    if len(odd):
        # Underflow gives 0, too: only a row of zeros has the length 0.
        squares[odd] = np.where(vectors[odd].any(axis=1), np.float32(np.nan), np.float32(0))
    norms: npt.NDArray[np.float32] = np.sqrt(squares)
    return norms
