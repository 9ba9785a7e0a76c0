"""One namespace of a collection: records by id, kept in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from polyvec.memory.columns import Columns, View
from polyvec.records import RecordBatch
from polyvec.types import ALL_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.primitives import Patch

COMPACTED_ABOVE: Final = 1024
"""Rows below which dead ones are not worth the work."""

COPIED_ROWS: Final = 8192
"""Rows copied at a time, so that a compaction needs the memory of the living rows once."""


class Space:
    """The records of one namespace. Not safe under threads: its store locks.

    Parameters
    ----------
    dimension
        Length of every vector.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._columns = Columns(dimension)
        self._row_of: dict[str, int] = {}
        self._view: View | None = None

    def __len__(self) -> int:
        return len(self._row_of)

    def view(self) -> View:
        """Return the rows as they are now; the same object until the next change."""
        if self._view is None:
            self._view = self._columns.view()
        return self._view

    def rows(self, ids: Sequence[str]) -> list[int]:
        """Return the rows of the ids that exist, in their order, each once."""
        found = (self._row_of.get(record_id) for record_id in dict.fromkeys(ids))
        return [row for row in found if row is not None]

    def upsert(self, batch: RecordBatch, next_sequence: int) -> int:
        """Insert or replace records and return the next free sequence number.

        A record that is replaced keeps its sequence number, so that a scan
        under way meets it once.
        """
        old = np.fromiter(
            (self._row_of.get(record_id, -1) for record_id in batch.ids), np.intp, len(batch)
        )
        new = old < 0
        sequence = np.empty(len(batch), dtype=np.int64)
        sequence[new] = np.arange(next_sequence, next_sequence + int(new.sum()))
        sequence[~new] = self._columns.sequence[old[~new]]
        self._replace(old[~new], batch, sequence)
        return next_sequence + int(new.sum())

    def restore(self, batch: RecordBatch, sequence: npt.NDArray[np.int64]) -> None:
        """Add new records with the sequence numbers they had."""
        self._replace(np.empty(0, dtype=np.intp), batch, sequence)

    def update(self, ids: Sequence[str], patch: Patch) -> None:
        """Apply a patch to the records that exist."""
        at = {record_id: place for place, record_id in enumerate(ids)}
        rows = self.rows(ids)
        if not rows:
            return
        batch = self.view().batch(rows, ALL_COLUMNS)
        assert batch.metadata is not None
        places = [at[record_id] for record_id in batch.ids]
        for metadata in batch.metadata:
            for key in patch.unset:
                metadata.pop(key, None)
            metadata.update(patch.set)
        vectors, present, texts = batch.vectors, batch.present, batch.texts
        if patch.vectors is not None:
            vectors, present = patch.vectors[places], None
        if patch.texts is not None:
            texts = [patch.texts[place] for place in places]
        changed = RecordBatch(batch.ids, vectors, batch.metadata, texts, present)
        old = np.array(rows, dtype=np.intp)
        self._replace(old, changed, self._columns.sequence[old])

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the records that exist."""
        rows = self.rows(ids)
        for record_id in ids:
            self._row_of.pop(record_id, None)
        self._columns.kill(np.array(rows, dtype=np.intp))
        self._changed()

    def _replace(
        self, old: npt.NDArray[np.intp], batch: RecordBatch, sequence: npt.NDArray[np.int64]
    ) -> None:
        start = self._columns.n
        self._columns.append(batch, sequence)
        self._columns.kill(old)
        self._row_of.update(zip(batch.ids, range(start, self._columns.n), strict=True))
        self._changed()

    def _changed(self) -> None:
        self._view = None
        if self._columns.n > COMPACTED_ABOVE and self._columns.dead * 2 > self._columns.n:
            self._compact()

    def _compact(self) -> None:
        """Copy the living rows to new columns, in the order of scans."""
        view = self._columns.view()
        columns = Columns(self._dimension)
        columns.reserve(len(view.order))
        for start in range(0, len(view.order), COPIED_ROWS):
            rows = view.order[start : start + COPIED_ROWS]
            batch = view.batch(rows, ALL_COLUMNS, share=True)
            columns.append(batch, view.sequence[rows])
        columns.graph = view.graph.move(view.order)
        self._columns = columns
        self._row_of = {record_id: row for row, record_id in enumerate(columns.ids)}
