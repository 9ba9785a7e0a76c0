"""Leaves to native filters, for collections of ours. Pure.

A leaf becomes alternatives: a tag that the record must have, and what must hold for its native
fields then. Its complement has, for each alternative, the tag missing or the condition turned
round; so both signs are exact wherever the condition is. Only texts longer than seven bytes are
ordered by bounds, because an int holds no more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, assert_never, cast

from polyvec.bounds import ALL, NONE, UNKNOWN, Bounds, Constant
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
    Not,
    StartsWith,
)
from polyvec.operands import Operand
from polyvec.paths import Path
from polyvec_chroma._layout import (
    BOOL,
    CLASSES,
    DATETIME,
    FLOAT,
    INT,
    LIST,
    ORDER,
    STR,
    TAGS,
    class_tag,
    field_name,
    instant,
    item_tag,
    list_tag,
)
from polyvec_chroma._order import (
    MAX_INT,
    MIN_INT,
    Bound,
    bound_of_floats,
    bound_of_ints,
    is_whole,
    order_of_float,
    order_of_text,
    orders_of_prefix,
)
from polyvec_chroma._where import MAX_CONDITIONS, Json, Where, join

MAX_OPERANDS: Final = 2_000
"""Operands of one leaf that Chroma is sent. Measured: a list of 15,000 works, 30,000 do not."""

_OPS: Final[dict[type, str]] = {Lt: "$lt", Le: "$lte", Gt: "$gt", Ge: "$gte"}
_INVERSE: Final = {
    "$eq": "$ne",
    "$in": "$nin",
    "$lt": "$gte",
    "$lte": "$gt",
    "$gt": "$lte",
    "$gte": "$lt",
}


@dataclass(frozen=True, slots=True)
class _Test:
    """A comparison of one native field."""

    key: str
    op: str
    value: Any

    def json(self, negated: bool) -> Json:
        return {self.key: {_INVERSE[self.op] if negated else self.op: self.value}}


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A record that has a tag, and satisfies all of the tests."""

    tag: str
    tests: tuple[_Test, ...] = ()

    def json(self, negated: bool) -> Json:
        tag = {TAGS: {"$not_contains" if negated else "$contains": self.tag}}
        tests = [test.json(negated) for test in self.tests]
        return join("$or" if negated else "$and", [tag, *tests])

    @property
    def conditions(self) -> int:
        return 1 + len(self.tests)


_Parts: TypeAlias = "list[_Tagged]"


def leaf(node: Leaf, negated: bool) -> Bounds:
    """Compile a leaf or its complement.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> leaf(F("lang") == "de", False).upper.json
    {'$and': [{'_polyvec_tags': {'$contains': 's:lang'}}, {'lang': {'$eq': 'de'}}]}
    """
    match node:
        case Exists(path):
            return _exactly(node, [_Tagged(class_tag(kind, path)) for kind in CLASSES], negated)
        case Eq(path, value):
            return _exactly(node, _one_of(path, (value,)), negated)
        case In(path, values):
            if len(values) > MAX_OPERANDS:
                return UNKNOWN
            return _exactly(node, _one_of(path, values), negated)
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            return _ordering(node, _OPS[type(node)], path, value, negated)
        case StartsWith(path, prefix):
            return _prefix(node, path, prefix, negated)
        case Contains(path, value):
            return _exactly(node, [_Tagged(item_tag(path, value))], negated)
        case ContainsAny(path, values):
            if len(values) > MAX_OPERANDS:
                return UNKNOWN
            return _exactly(node, [_Tagged(item_tag(path, value)) for value in values], negated)
        case ContainsAll(path, values):
            if len(values) > MAX_OPERANDS:
                return UNKNOWN
            tags = [item_tag(path, v) for v in values] or [class_tag(LIST, path)]
            return _exactly(node, [_Tagged(tag) for tag in tags], negated, word="$and")
        case _:
            assert_never(node)


def _exactly(node: Leaf, parts: _Parts, negated: bool, *, word: str = "$or") -> Bounds:
    return Bounds.exactly(_side(node, parts, negated, word=word))


def _between(node: Leaf, lower: _Parts, upper: _Parts, negated: bool) -> Bounds:
    if lower == upper:
        return _exactly(node, lower, negated)
    low, high = _side(node, lower, negated), _side(node, upper, negated)
    return Bounds(high, low) if negated else Bounds(low, high)


def _side(node: Leaf, parts: _Parts, negated: bool, *, word: str = "$or") -> Where | Constant:
    """Return the records that satisfy any of the parts (all for `$and`), or the others."""
    if not parts:
        return ALL if negated else NONE
    conditions = sum(part.conditions for part in parts)
    if negated:
        word = "$and" if word == "$or" else "$or"
    whole = Not(node) if negated else node
    if conditions > MAX_CONDITIONS:  # Chroma would refuse it: all records are looked at here
        return Where(None, whole, lenient=True, conditions=conditions, depth=2)
    json = join(word, [part.json(negated) for part in parts])
    return Where(json, whole, lenient=negated, conditions=conditions, depth=2)


def _one_of(path: Path, values: Sequence[Operand]) -> _Parts:
    """Return what a field that equals one of the values satisfies, one part for each class."""
    ints: list[int] = []
    floats: list[int] = []
    texts: list[str] = []
    bools: set[bool] = set()
    moments: list[int] = []
    parts: _Parts = []
    for value in values:
        match value:
            case bool():
                bools.add(value)
            case int() | float():
                _add_number(value, ints, floats)
            case str():
                texts.append(value)
            case datetime():
                moments.append(instant(value))
            case tuple():
                tag = list_tag(path, value)
                assert tag is not None, "an operand holds no object"
                parts.append(_Tagged(tag))
    name, order = field_name(path), ORDER + field_name(path)
    if bools:
        tests = () if len(bools) == 2 else (_Test(name, "$eq", next(iter(bools))),)
        parts.append(_Tagged(class_tag(BOOL, path), tests))
    for kind, key, found in (
        (INT, name, ints),
        (FLOAT, order, floats),
        (STR, name, texts),
        (DATETIME, order, moments),
    ):
        if found:
            test = _Test(key, "$in", found) if len(found) > 1 else _Test(key, "$eq", found[0])
            parts.append(_Tagged(class_tag(kind, path), (test,)))
    return parts


def _add_number(value: float, ints: list[int], floats: list[int]) -> None:
    """Add a number to the ints and to the floats that equal it, if there are any."""
    if float(value) == value:
        floats.append(order_of_float(float(value)))
    if (isinstance(value, int) or value.is_integer()) and MIN_INT <= int(value) <= MAX_INT:
        ints.append(int(value))


def _ordering(node: Leaf, op: str, path: Path, value: object, negated: bool) -> Bounds:
    order = ORDER + field_name(path)
    if isinstance(value, str):
        return _text_ordering(node, op, path, value, negated)
    if isinstance(value, datetime):
        test = _Test(order, op, instant(value))
        return _exactly(node, [_Tagged(class_tag(DATETIME, path), (test,))], negated)
    number = cast("float", value)
    parts = [
        *_bounded(class_tag(INT, path), field_name(path), bound_of_ints(op, number)),
        *_bounded(class_tag(FLOAT, path), order, bound_of_floats(op, number)),
    ]
    return _exactly(node, parts, negated)


def _bounded(tag: str, key: str, bound: Bound) -> _Parts:
    if bound.op is None:
        return [_Tagged(tag)] if bound.value else []
    return [_Tagged(tag, (_Test(key, bound.op, bound.value),))]


def _text_ordering(node: Leaf, op: str, path: Path, value: str, negated: bool) -> Bounds:
    tag, order = class_tag(STR, path), order_of_text(value)
    part: Callable[[str], _Parts] = lambda op: [  # noqa: E731 - two uses, one line below
        _Tagged(tag, (_Test(ORDER + field_name(path), op, order),))
    ]
    if is_whole(value):
        return _exactly(node, part(op), negated)
    return _between(node, part(op.removesuffix("e")), part(op.removesuffix("e") + "e"), negated)


def _prefix(node: Leaf, path: Path, prefix: str, negated: bool) -> Bounds:
    tag = class_tag(STR, path)
    if not prefix:
        return _exactly(node, [_Tagged(tag)], negated)
    low, high = orders_of_prefix(prefix)
    key = ORDER + field_name(path)
    if low == high:
        some = [_Tagged(tag, (_Test(key, "$eq", low),))]
    else:
        some = [_Tagged(tag, (_Test(key, "$gte", low), _Test(key, "$lte", high)))]
    return _exactly(node, some, negated) if is_whole(prefix) else _between(node, [], some, negated)
