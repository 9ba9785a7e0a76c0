"""Leaves to expressions, for collections that polyvec did not make. Pure.

Fields of the schema that cannot be null are compared exactly. Of JSON and dynamic fields a server
is asked for a superset, because what `not` means for a missing key changed between versions; the
core checks the rest, and everything about arrays, nullable fields and Milvus Lite's JSON.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from pymilvus import DataType

from polyvec.bounds import ALL, NONE, UNKNOWN, Bounds
from polyvec.filters import Eq, Exists, Ge, Gt, In, Le, Leaf, Lt, StartsWith
from polyvec_milvus._expressions import (
    after_prefix,
    column,
    is_nameable,
    joined,
    listed,
    literal,
    quoted,
)
from polyvec_milvus._layout import EXACT
from polyvec_milvus._native import INTS, is_of

if TYPE_CHECKING:
    from polyvec.paths import Path
    from polyvec_milvus._schema import Layout

DYNAMIC: Final = "$meta"
"""The JSON that holds the fields beyond the schema."""

LARGEST: Final[dict[DataType, float]] = {
    DataType.FLOAT: float(np.finfo(np.float32).max),
    DataType.DOUBLE: float(np.finfo(np.float64).max),
}
"""Finite up to here; what is beyond, or not a number, is no value."""

_WORDS: Final[dict[type, tuple[str, str]]] = {
    Lt: ("<", ">="),
    Le: ("<=", ">"),
    Gt: (">", "<="),
    Ge: (">=", "<"),
}


def leaf(node: Leaf, complement: bool, layout: Layout) -> Bounds:
    """Compile a leaf or its complement."""
    fields = layout.fields
    assert fields is not None
    name = node.path[0]
    kind = fields.kinds.get(name)
    if kind is DataType.JSON or (kind is None and fields.dynamic):
        place = (name, node.path[1:]) if kind is not None else (DYNAMIC, node.path)
        if complement or not layout.server or name in fields.nullable:
            return UNKNOWN
        return _in_json(node, *place)
    if kind is None or len(node.path) > 1 or name in fields.nullable:
        return UNKNOWN
    if kind in LARGEST:
        return _of_floats(node, complement, name, kind)
    compared = _compared(node, name, kind)
    if compared is None:
        return UNKNOWN
    if isinstance(compared, bool):
        return Bounds.exactly(ALL if compared is not complement else NONE)
    return Bounds.exactly(compared[1] if complement else compared[0])


def _compared(node: Leaf, name: str, kind: DataType) -> tuple[str, str] | bool | None:
    """Return a comparison and its opposite, or what it always is; None where Milvus may differ."""
    match node:
        case Exists():
            return True if kind in INTS or kind in (DataType.VARCHAR, DataType.BOOL) else None
        case Eq(_, value):
            if is_of(value, kind):
                text = literal(cast("Any", value))
                return f"{name} == {text}", f"{name} != {text}"
            return _never(value, kind)
        case In(_, values) if values and all(is_of(value, kind) for value in values):
            inside = f"{name} in {listed(literal(cast('Any', value)) for value in values)}"
            return inside, f"(not ({inside}))"
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value) if is_of(value, kind):
            word, other = _WORDS[type(node)]
            return f"{name} {word} {literal(value)}", f"{name} {other} {literal(value)}"
        case StartsWith(_, prefix) if kind is DataType.VARCHAR and prefix:
            stop = after_prefix(prefix)
            if stop is None:
                return f"{name} >= {quoted(prefix)}", f"{name} < {quoted(prefix)}"
            return (
                f"({name} >= {quoted(prefix)} and {name} < {quoted(stop)})",
                f"({name} < {quoted(prefix)} or {name} >= {quoted(stop)})",
            )
        case _:
            return None


def _never(value: object, kind: DataType) -> bool | None:
    """Return False for a value of a class that the field never has, None where that is open."""
    if isinstance(value, str):
        return False if kind in INTS or kind is DataType.BOOL else None
    return False if isinstance(value, bool) and kind in INTS else None


def _of_floats(node: Leaf, complement: bool, name: str, kind: DataType) -> Bounds:
    """Compare a field of floats; infinity and NaN in it are no values."""
    limit = repr(LARGEST[kind])
    finite = f"{name} >= -{limit} and {name} <= {limit}"
    match node:
        case Exists():
            return _either(f"({finite})", complement)
        case Eq(_, value) if _is_number(value):
            low, high = _around(cast("float", value), kind)
            if low != high:
                return Bounds.exactly(ALL if complement else NONE)
            return _either(f"({name} == {low!r})", complement)
        case Lt(_, value) | Ge(_, value) if _is_number(value):
            _, high = _around(cast("float", value), kind)
            return _either(f"({finite} and {name} {_WORDS[type(node)][0]} {high!r})", complement)
        case Le(_, value) | Gt(_, value) if _is_number(value):
            low, _ = _around(cast("float", value), kind)
            return _either(f"({finite} and {name} {_WORDS[type(node)][0]} {low!r})", complement)
        case _:
            return UNKNOWN


def _either(native: str, complement: bool) -> Bounds:
    """Return a comparison, or what it leaves out: `not` is plain where nothing can be null."""
    return Bounds.exactly(f"(not {native})" if complement else native)


def _is_number(value: object) -> bool:
    """Tell whether an operand is a finite number that has a neighbour of the field's type."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < LARGEST[DataType.FLOAT] and (isinstance(value, float) or abs(value) < EXACT)


def _around(value: float, kind: DataType) -> tuple[float, float]:
    """Return the values of the field's type next to a number; the same one where it is one."""
    number = float(value)
    if kind is DataType.DOUBLE:
        return number, number
    near = np.float32(number)
    if float(near) == number:
        return number, number
    below = near if float(near) < number else np.nextafter(near, np.float32(-math.inf))
    return float(below), float(np.nextafter(below, np.float32(math.inf)))


def _in_json(node: Leaf, name: str, path: Path) -> Bounds:
    """Narrow a leaf down by a comparison that holds for its class only (measured, 2.3.5)."""
    if not path or not is_nameable(path) or any(key.isdigit() for key in path):
        return UNKNOWN  # a key of digits could be a place in a list
    place = column(name, path)
    match node:
        case Eq(_, value) if _is_plain(value):
            return Bounds(NONE, f"{place} == {literal(cast('Any', value))}")
        case In(_, values) if values and all(map(_is_plain, values)):
            texts = dict.fromkeys(literal(cast("Any", value)) for value in values)
            return Bounds(NONE, joined("or", [f"{place} == {text}" for text in texts]))
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value) if isinstance(
            value, (int, float)
        ) and _is_plain(value):
            return Bounds(NONE, f"{place} {_WORDS[type(node)][0]} {literal(value)}")
        case _:
            return UNKNOWN


def _is_plain(value: object) -> bool:
    """Tell whether an operand is compared without rounding."""
    if isinstance(value, (bool, str)):
        return True
    return isinstance(value, (int, float)) and abs(value) < EXACT
