"""Leaves to conditions, for collections of ours. Pure.

Everything but an ordering is a question about terms, and exact. Orderings of numbers and datetimes
are exact while the collection has no more properties than it may; those of strings are exact but
for strings with white space at an end.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, assert_never

from weaviate.classes.query import Filter

from polyvec._canonical import canon, class_of
from polyvec.filters import (
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    StartsWith,
)
from polyvec_weaviate._conditions import Side, both, bounds, either, has, has_all
from polyvec_weaviate._layout import CLASSES, FIRST_DATE, SPACE, is_trimmed, side_of, term

if TYPE_CHECKING:
    from polyvec.bounds import Bounds
    from polyvec.paths import Path
    from polyvec_weaviate._columns import Columns

_WORDS: Final[dict[type, str]] = {
    Lt: "less_than",
    Le: "less_or_equal",
    Gt: "greater_than",
    Ge: "greater_or_equal",
}
_HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "less_than": operator.lt,
    "less_or_equal": operator.le,
    "greater_than": operator.gt,
    "greater_or_equal": operator.ge,
}
_DOWN: Final = ("less_than", "less_or_equal")
_EXACT_INTS: Final = 2.0**53
_BEYOND_INTS: Final = 2.0**65
"""No stored int is as large; between the two some ints share a float."""


def leaf(node: Leaf, negated: bool, columns: Columns, most: int) -> Bounds:
    """Compile a leaf or its complement.

    Parameters
    ----------
    columns
        Fields that have a property.
    most
        How many properties the collection may have.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> leaf(F("lang") == "de", False, {}, 64).upper.value
    ['=lang:sde|']
    """
    lower, upper = _sides(node, columns, most)
    return bounds(lower, upper, negated)


def column_of(node: Leaf) -> tuple[Path, str] | None:
    """Return the field whose property a leaf would use, None for one that terms decide."""
    match node:
        case StartsWith(path, prefix):
            return (path, "s") if prefix else None
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            return path, class_of(value)
        case _:
            return None


def _sides(node: Leaf, columns: Columns, most: int) -> tuple[Side, Side]:
    match node:
        case Exists(path):
            return _same(has(term("?", path, kind) for kind in CLASSES))
        case Eq(path, value):
            return _same(has([term("=", path, canon(value))]))
        case In(path, values):
            return _same(has(term("=", path, canon(value)) for value in values))
        case Contains(path, value):
            return _same(has([term("@", path, canon(value))]))
        case ContainsAny(path, values):
            return _same(has(term("@", path, canon(value)) for value in values))
        case ContainsAll(path, values):
            if not values:
                return _same(has([term("?", path, "l")]))
            return _same(has_all(term("@", path, canon(value)) for value in values))
        case StartsWith(path, prefix):
            return _prefix(path, prefix, columns)
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            word = _WORDS[type(node)]
            is_full = len(columns) > most  # writers did not see each other's properties
            if isinstance(value, str):
                name = columns.get((path, "s"))
                return _text(path, name, None if name is None else _than(name, word, value))
            if isinstance(value, datetime):
                return _moment(path, columns.get((path, "d")), word, value, is_full)
            return _number(path, columns.get((path, "n")), word, value, is_full)
        case _:
            assert_never(node)


def _same(side: Side) -> tuple[Side, Side]:
    return side, side


def _compare(name: str, word: str, value: Any) -> Side:
    return getattr(Filter.by_property(name), word)(value)


def _text(path: Path, name: str | None, sure: Side | None) -> tuple[Side, Side]:
    """Add the strings that no property orders; without one, all strings."""
    if name is None or sure is None:
        return False, has([term("?", path, "s")])
    return sure, either(sure, has([term("!", path, "s")]))


def _prefix(path: Path, prefix: str, columns: Columns) -> tuple[Side, Side]:
    if not prefix:
        return _same(has([term("?", path, "s")]))
    name = columns.get((path, "s"))
    if name is None:
        return _text(path, None, None)
    end = _successor(prefix)
    upper: Side = True if end is None else _than(name, "less_than", end)
    return _text(path, name, both(_than(name, "greater_or_equal", prefix), upper))


def _than(name: str, word: str, value: str) -> Side:
    """Compare with the strings in the index, which have no white space at an end.

    The server trims an operand too; one that it would change gives way to a neighbour.
    """
    if is_trimmed(value):
        return _compare(name, word, value)
    if value[0] in SPACE:
        code = ord(value[0])
        while chr(code) in SPACE:
            code += 1
        value = chr(code)
    else:
        value += "\0"
    return _compare(name, "less_than" if word in _DOWN else "greater_or_equal", value)


def _successor(prefix: str) -> str | None:
    """Return the least string above all that begin with the prefix; None where there is none."""
    while prefix:
        code = ord(prefix[-1]) + 1
        if code == 0xD800:
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[:-1] + chr(code)
        prefix = prefix[:-1]
    return None


def _number(
    path: Path, name: str | None, word: str, value: float, is_full: bool
) -> tuple[Side, Side]:
    if name is None:
        return False, has([term("?", path, "n")])
    sure = _by_float(path, name, word, value)
    return (sure, either(sure, has([term("!", path, "n")]))) if is_full else _same(sure)


def _by_float(path: Path, name: str, word: str, value: float) -> Side:
    """Compare with numbers of which the property holds the float; equal floats go by terms."""
    nearest = float(value)
    if abs(nearest) < _EXACT_INTS or abs(nearest) >= _BEYOND_INTS:
        return _compare(name, word, nearest)
    strict = _compare(name, "less_than" if word in _DOWN else "greater_than", nearest)
    below, above = math.nextafter(nearest, -math.inf), math.nextafter(nearest, math.inf)
    middle = int(nearest)
    alike = range((middle + int(below)) // 2 - 1, (middle + int(above)) // 2 + 2)
    holds = _HOLDS[word]
    ties = [number for number in alike if float(number) == nearest and holds(number, value)]
    return either(strict, has(term("=", path, f"n{number}") for number in ties))


def _moment(
    path: Path, name: str | None, word: str, value: datetime, is_full: bool
) -> tuple[Side, Side]:
    """Compare dates in the index; those outside of it are on one side, or checked."""
    if name is None:
        return False, has([term("?", path, "d")])
    down = word in _DOWN
    beyond = side_of(value)
    far = has([term("!", path, "d<" if down else "d>")])
    unsure: list[str] = [term("!", path, "d")] if is_full else []
    if not beyond:
        sure = either(_compare(name, word, value), far)
    else:
        # All dates of the index are on one side of the operand, and so is one of the far ends;
        # the end that the operand lies in is compared on the records.
        within = _compare(name, "greater_or_equal", FIRST_DATE)
        sure = either(within, far) if (beyond == ">") == down else False
        unsure.append(term("!", path, f"d{beyond}"))
    return (sure, either(sure, has(unsure))) if unsure else _same(sure)
