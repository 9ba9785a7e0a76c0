"""What Chroma 1.5.9 makes of a `where`, as measured: a model to test filters without a server."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any, Final

from polyvec.types import as_any

_ORDERED: Final[Mapping[str, Any]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}


def selects(where: Mapping[str, Any], native: Mapping[str, Any]) -> bool:
    """Tell whether a record with this native metadata is selected."""
    ((key, condition),) = where.items()
    if key == "$and":
        return all(selects(part, native) for part in condition)
    if key == "$or":
        return any(selects(part, native) for part in condition)
    ((op, operand),) = condition.items()
    stored = native.get(key)
    match op:
        case "$eq":
            return _equal(stored, operand)
        case "$ne":
            return not _equal(stored, operand)
        case "$in":
            return any(_equal(stored, item) for item in operand)
        case "$nin":
            return not any(_equal(stored, item) for item in operand)
        case "$contains":
            return _contains(stored, operand)
        case "$not_contains":
            return not _contains(stored, operand)
        case _:
            return _is_number(stored) and _ORDERED[op](stored, _cut(stored, operand))


def _contains(stored: object, operand: object) -> bool:
    if not isinstance(stored, list):
        return False
    items: list[object] = as_any(stored)
    return any(type(item) is type(operand) and item == operand for item in items)


def _equal(stored: object, operand: Any) -> bool:
    if _is_number(stored) and _is_number(operand):
        return bool(stored == _cut(stored, operand))
    return type(stored) is type(operand) and stored == operand


def _cut(stored: object, operand: Any) -> Any:
    """Return the operand as Chroma compares it: without its fraction beside an int (S2)."""
    return math.trunc(operand) if isinstance(stored, int) else operand


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
