"""Where a scan stands. Pure.

A record of ours has a key: a hash of its id, 62 bits, under `_polyvec_key`. Chroma cannot sort,
but it has an index over numbers; so a page is a range of keys that should hold about as many
records as are wanted, sorted here. Records of others have no key; their ids are listed, sorted,
and read in that order. Both orders stay the same whatever is written meanwhile.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final, Self

from polyvec.errors import InvalidRequestError

SPACE: Final = 2**62
"""Keys are less than this."""

MARGIN: Final = 2.0
"""How much more than a page a range should hold, in roots of the page: nearly always enough to fill
it, and little is read again."""

GROWTH: Final = 4
"""Most that one range is wider than the one before it."""


def key_of(record_id: str) -> int:
    """Return the key of an id, evenly spread over `SPACE`."""
    digest = hashlib.blake2b(record_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


@dataclass(frozen=True, slots=True)
class Position:
    """Behind a record, in one of the two orders.

    Parameters
    ----------
    by_key
        True: in the order of keys; False: in the order of ids, which follows.
    key, record_id
        The last record that was looked at. A record id of "" stands before all that have the key.
    width
        How wide the next range should be; 0 where nothing is known yet.
    """

    by_key: bool = True
    key: int = 0
    record_id: str = ""
    width: int = 0

    @classmethod
    def parse(cls, cursor: str | None) -> Self:
        """Return the position that a cursor stands for; the start for None."""
        if cursor is None:
            return cls()
        kind, _, rest = cursor.partition(".")
        try:
            if kind == "i":
                return cls(by_key=False, record_id=rest)
            key, width, record_id = rest.split(".", 2)
            if kind == "k":
                return cls(True, int(key, 16), record_id, int(width, 16))
        except ValueError:
            pass
        raise InvalidRequestError(f"cursor {cursor!r} is not one of a scan of chroma; start anew")

    @property
    def cursor(self) -> str:
        """The text of the position."""
        if self.by_key:
            return f"k.{self.key:x}.{self.width:x}.{self.record_id}"
        return f"i.{self.record_id}"


def _aim(limit: int) -> float:
    return limit + MARGIN * math.sqrt(limit)


def first_width(records: int, limit: int) -> int:
    """Return how wide a range with about `limit` of so many records is."""
    if records <= limit:
        return SPACE
    return min(SPACE, max(1, int(SPACE * _aim(limit) / records)))


def next_width(width: int, found: int, limit: int) -> int:
    """Return how wide the next range should be, after one with `found` records."""
    if not found:
        return min(SPACE, width * GROWTH)
    wanted = width * _aim(limit) / found
    return max(1, min(SPACE, int(min(wanted, width * GROWTH))))


def cuts(parts: int) -> list[int]:
    """Return the keys that cut the space into equal parts."""
    return [SPACE * at // parts for at in range(1, parts)]
