"""Ids and their places in a quarter of the memory that a dict and a list of str take."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY: Final = -1
GONE: Final = -2
LEAST: Final = 16
"""Slots at least; a power of two."""


class Ids:
    """Different strings, each at a place: 0, 1, and so on. A removed one leaves a hole.

    A hash table with open addressing whose slots are places, beside the UTF-8 of all strings in
    one buffer: about 34 bytes and the string each, where a str in a dict and a list takes 190
    and the string.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("q")
        self._hashes = array("q")
        self._live = bytearray()
        self._slots = array("i", [EMPTY]) * LEAST
        self._used = 0  # slots that are not empty
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    @property
    def places(self) -> int:
        """Places given out, holes included."""
        return len(self._ends)

    def find(self, text: str) -> int | None:
        """Return the place of a string, None where it is not."""
        slot = self._slot_of(text)
        return None if slot is None else self._slots[slot]

    def append(self, text: str) -> int:
        """Add a string that is not there, and return its place."""
        if 3 * self._used >= 2 * len(self._slots):
            self._rehash()
        place = len(self._ends)
        self._text += text.encode()
        self._ends.append(len(self._text))
        self._hashes.append(hash(text))
        self._live.append(1)
        self._put(place)
        self._count += 1
        return place

    def remove(self, text: str) -> int | None:
        """Forget a string, and return the place that is a hole now; None where it was not."""
        slot = self._slot_of(text)
        if slot is None:
            return None
        place = self._slots[slot]
        self._slots[slot] = GONE
        self._live[place] = 0
        self._count -= 1
        return place

    def is_live(self, place: int) -> bool:
        """Tell whether a place holds a string."""
        return bool(self._live[place])

    def live(self) -> bytes:
        """Return a byte for each place: 1 where it holds a string, else 0."""
        return bytes(self._live)

    def at(self, place: int) -> str:
        """Return the string at a place, of a hole the one that was there."""
        return self._text[self._start(place) : self._ends[place]].decode()

    def __iter__(self) -> Iterator[str]:
        """Yield the strings in the order of their places."""
        return (self.at(place) for place, live in enumerate(self._live) if live)

    def _start(self, place: int) -> int:
        return self._ends[place - 1] if place else 0

    def _slot_of(self, text: str) -> int | None:
        slots, hashes, mask, found = self._slots, self._hashes, len(self._slots) - 1, hash(text)
        slot = found & mask
        while (place := slots[slot]) != EMPTY:
            if place >= 0 and hashes[place] == found and self.at(place) == text:
                return slot
            slot = (slot + 1) & mask
        return None

    def _put(self, place: int) -> None:
        slots, mask = self._slots, len(self._slots) - 1
        slot = self._hashes[place] & mask
        while slots[slot] != EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = place
        self._used += 1

    def _rehash(self) -> None:
        size = LEAST
        while size < 3 * self._count:
            size *= 2
        self._slots, self._used = array("i", [EMPTY]) * size, 0
        for place, live in enumerate(self._live):
            if live:
                self._put(place)
