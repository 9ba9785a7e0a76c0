"""Where a scan stands: the id of a point. Pure.

Qdrant's order is that of the ids: numbers first, then UUIDs by their bytes.
"""

from __future__ import annotations

import uuid
from typing import TypeAlias

from polyvec.errors import InvalidRequestError

PointId: TypeAlias = int | str


def parse(cursor: str) -> PointId:
    """Return the point id of a cursor.

    Raises
    ------
    InvalidRequestError
        It is none of a scan of Qdrant.
    """
    kind, _, text = cursor.partition(".")
    try:
        if kind == "n":
            return int(text)
        if kind == "u":
            return str(uuid.UUID(text))
    except ValueError:
        pass
    raise InvalidRequestError(f"cursor {cursor!r} is not one of a scan of qdrant; start anew")


def show(point: PointId) -> str:
    """Return the cursor of a point id."""
    return f"n.{point}" if isinstance(point, int) else f"u.{point}"


def is_before(point: PointId, other: PointId) -> bool:
    """Tell whether a point comes before another in a scan."""
    return _key(point) < _key(other)


def _key(point: PointId) -> tuple[bool, int]:
    if isinstance(point, int):
        return False, point
    return True, uuid.UUID(point).int


def cuts(parts: int) -> list[str]:
    """Return the UUIDs that cut those of hashes into equal parts: their first bits are even."""
    return [str(uuid.UUID(int=(2**128 * at) // parts)) for at in range(1, parts)]
