"""Collections that polyvec did not make: leaves to native filters, and metadata. Pure.

Without tags Chroma cannot tell whether a field is there. It decides equality of strings and
bools as polyvec does; of numbers it is asked for a superset, because it cuts off the fraction of
an operand before it compares with an int (trap S2) and keeps floats only nearly.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from polyvec.bounds import ALL, NONE, UNKNOWN, Bounds
from polyvec.filters import Contains, Eq, Ge, Gt, In, Le, Leaf, Lt, Not
from polyvec.types import as_any
from polyvec_chroma._compile import MAX_OPERANDS
from polyvec_chroma._layout import MAX_ROWS, RESERVED
from polyvec_chroma._order import MAX_INT, MIN_INT
from polyvec_chroma._where import Json, Where, join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.operands import Operand
    from polyvec.types import MetadataDict

EXACT_INTS: Final = 2**53
"""Ints up to here are floats too, and survive any comparison of the two."""


def leaf(node: Leaf, negated: bool) -> Bounds:
    """Compile a leaf or its complement for native metadata, which is flat."""
    key, *deeper = node.path
    if deeper:
        return _never(negated)
    match node:
        case Eq(_, value):
            return _equal(node, key, value, negated)
        case In(_, values) if len(values) <= MAX_OPERANDS:
            return _one_of(node, key, values, negated)
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            if isinstance(value, datetime):
                return _never(negated)
            if isinstance(value, str):
                return UNKNOWN
            return _superset(node, _ordering(node, key, value), negated)
        case Contains(_, str(text)):
            return _superset(node, {key: {"$contains": text}}, negated)
        case _:
            return UNKNOWN


def _never(negated: bool) -> Bounds:
    """Nothing matches: Chroma stores no object and no datetime."""
    return Bounds.exactly(ALL if negated else NONE)


def _where(json: Json, node: Leaf, negated: bool) -> Where:
    return Where(json, Not(node) if negated else node, lenient=False, conditions=1, depth=2)


def _superset(node: Leaf, json: Json | None, negated: bool) -> Bounds:
    """Return the bounds of a leaf of which only a superset is known, and no complement of it."""
    if json is None or negated:
        return UNKNOWN
    return Bounds(NONE, _where(json, node, negated))


def _equal(node: Leaf, key: str, value: Operand, negated: bool) -> Bounds:
    if isinstance(value, (datetime, tuple)):
        # A list may be equal; a datetime never is.
        return UNKNOWN if isinstance(value, tuple) else _never(negated)
    if isinstance(value, (bool, str)):
        # $ne also holds for records without the key, as the complement does.
        json: Json = {key: {"$ne" if negated else "$eq": value}}
        return Bounds.exactly(_where(json, node, negated))
    return _superset(node, _near(key, value), negated)


def _one_of(node: Leaf, key: str, values: Sequence[Operand], negated: bool) -> Bounds:
    if not values or not all(isinstance(value, str) for value in values):
        return UNKNOWN
    json: Json = {key: {"$nin" if negated else "$in": list(values)}}
    return Bounds.exactly(_where(json, node, negated))


def _near(key: str, value: float) -> Json | None:
    """Return a condition for all numbers that may equal one: those around it."""
    low, high = math.floor(value) - 1, math.ceil(value) + 1
    if not -EXACT_INTS < low <= high < EXACT_INTS:
        return None
    return join("$and", [{key: {"$gte": low}}, {key: {"$lte": high}}])


def _ordering(node: Leaf, key: str, value: float) -> Json | None:
    below = isinstance(node, (Lt, Le))
    limit = math.ceil(value) + 1 if below else math.floor(value) - 1
    if not -EXACT_INTS < limit < EXACT_INTS:
        return None
    return {key: {"$lte" if below else "$gte": limit}}


def metadata_of(native: Mapping[str, Any] | None) -> MetadataDict:
    """Return the metadata of a record that polyvec did not write."""
    if not native:
        return {}
    # The lists of a dropped collection reappear in records that get its row numbers, see the page.
    return {key: value for key, value in native.items() if not key.startswith(RESERVED)}


def fault(metadata: Mapping[str, Any]) -> str | None:
    """Return why Chroma cannot hold metadata as it is, None when it can."""
    items = 0
    for key, value in metadata.items():
        if key.startswith(("#", "chroma:")):
            return f"its key {key!r} begins with '#' or 'chroma:'"
        if isinstance(value, list):
            kinds = {type(item) for item in cast("list[object]", value)}
            items += len(cast("list[object]", value))
            if len(kinds) != 1 or not kinds <= {str, int, float, bool}:
                return f"{key!r} is no list of one class of scalars"
        elif value is None or isinstance(value, (dict, datetime)):
            return f"{key!r} is {type(as_any(value)).__name__}"
        elif isinstance(value, int) and not MIN_INT <= value <= MAX_INT:
            return f"{key!r} needs more than 64 bits"
    if len(metadata) > MAX_ROWS or items > MAX_ROWS:
        return f"it has more than {MAX_ROWS} keys or items of lists"
    return None
