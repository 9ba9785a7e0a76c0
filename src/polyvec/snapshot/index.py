"""Where each record of a namespace is: its key, part and row. No vectors, no metadata."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

import numpy as np
import numpy.typing as npt

from polyvec.snapshot.ids import Ids


class NamespaceIndex:
    """The records of one namespace in the order of their keys.

    A record keeps its key when it is replaced, so that a scan that is under way
    meets it once. A deleted record leaves a hole, which counts for nothing, until
    half of the places are holes.
    """

    def __init__(self) -> None:
        self._ids = Ids()
        self._keys = array("q")  # rising
        self._parts = array("i")
        self._rows = array("i")

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._ids)

    def __contains__(self, record_id: str) -> bool:
        return self._ids.find(record_id) is not None

    def key_of(self, record_id: str) -> int | None:
        """Return the key of a record, None where there is none."""
        place = self._ids.find(record_id)
        return None if place is None else self._keys[place]

    def put(self, record_id: str, key: int, part: int, row: int) -> None:
        """Set where a record is; a new key is above all others."""
        place = self._ids.find(record_id)
        if place is not None and self._keys[place] == key:
            self._parts[place] = part
            self._rows[place] = row
            return
        self.remove(record_id)
        self._ids.append(record_id)
        self._keys.append(key)
        self._parts.append(part)
        self._rows.append(row)

    def remove(self, record_id: str) -> None:
        """Forget a record; an absent one is no error."""
        if self._ids.remove(record_id) is None:
            return
        if self._ids.places > 1024 and 2 * len(self._ids) < self._ids.places:
            self._close_holes()

    def ids(self) -> list[str]:
        """Return all ids in the order of their keys."""
        return list(self._ids)

    def find(self, ids: list[str]) -> npt.NDArray[np.int64]:
        """Return the places of the ids that are there, in the order given."""
        found = (self._ids.find(record_id) for record_id in ids)
        return np.array([place for place in found if place is not None], dtype=np.int64)

    def span(self, start: int | None, stop: int | None) -> range:
        """Return the places, holes included, whose keys are in `[start, stop)`."""
        first = 0 if start is None else bisect_left(self._keys, start)
        last = len(self._keys) if stop is None else bisect_left(self._keys, stop)
        return range(first, max(first, last))

    def after(self, key: int) -> int:
        """Return the first place with a key above the given one."""
        return bisect_right(self._keys, key)

    def take(self, places: range, limit: int) -> npt.NDArray[np.int64]:
        """Return the first `limit` places that hold a record."""
        found: list[int] = []
        for place in places:
            if self._ids.is_live(place):
                found.append(place)
                if len(found) == limit:
                    break
        return np.array(found, dtype=np.int64)

    def id_at(self, place: int) -> str:
        """Return the id at a place that holds a record."""
        return self._ids.at(place)

    def key_at(self, place: int) -> int:
        """Return the key at a place."""
        return self._keys[place]

    def rows_at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return key, part and row of places; shape `(3, n)`."""
        picked = places.tolist()
        columns = (self._keys, self._parts, self._rows)
        return np.array([[column[p] for p in picked] for column in columns], dtype=np.int64)

    def all_rows(self) -> npt.NDArray[np.int64]:
        """Return key, part and row of all records in the order of their keys; shape `(3, n)`."""
        live = np.frombuffer(self._ids.live(), dtype=np.bool_)
        columns = (self._keys, self._parts, self._rows)
        return np.array([np.array(column, dtype=np.int64)[live] for column in columns])

    def _close_holes(self) -> None:
        kept = np.flatnonzero(np.frombuffer(self._ids.live(), dtype=np.bool_)).tolist()
        ids = Ids()
        for record_id in self._ids:
            ids.append(record_id)
        self._ids = ids
        self._keys = array("q", (self._keys[place] for place in kept))
        self._parts = array("i", (self._parts[place] for place in kept))
        self._rows = array("i", (self._rows[place] for place in kept))
