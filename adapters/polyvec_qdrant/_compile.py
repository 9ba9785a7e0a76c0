"""Leaves to conditions, for collections of ours. Pure.

Everything but an ordering is a question about terms, and exact. Orderings of numbers and datetimes
are exact too; those of strings are exact for operands of up to six bytes, and bounds beyond.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, assert_never

from qdrant_client import models

from polyvec._canonical import canon
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
from polyvec_qdrant import _order
from polyvec_qdrant._conditions import Side, both, bounds, either, has, ranged
from polyvec_qdrant._layout import CLASSES, FIRST_DAY, LAST_DAY, natural_key, order_key, term

if TYPE_CHECKING:
    from polyvec.bounds import Bounds
    from polyvec.paths import Path

Indexes = Mapping[str, str]
"""Natural path, without quotes, to the kind of payload index that somebody gave it."""

_WORDS: Final[dict[type, str]] = {Lt: "lt", Le: "lte", Gt: "gt", Ge: "gte"}
_SPOILS_NUMBERS: Final = ("datetime", "integer")
_SPOILS_MOMENTS: Final = ("float", "integer")
"""Kinds of index that change what a range finds (measured, 1.18.3)."""


def leaf(node: Leaf, negated: bool, indexes: Indexes) -> Bounds:
    """Compile a leaf or its complement.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> leaf(F("lang") == "de", False, {}).upper.condition.match.value
    '=lang:sde'
    """
    lower, upper = _sides(node, indexes)
    return bounds(node, negated, lower, upper)


def _sides(node: Leaf, indexes: Indexes) -> tuple[Side, Side]:
    match node:
        case Exists(path):
            return _same(has([term("?", path, kind) for kind in CLASSES]))
        case Eq(path, value):
            return _same(has([term("=", path, canon(value))]))
        case In(path, values):
            return _same(bool(values) and has([term("=", path, canon(v)) for v in values]))
        case Contains(path, value):
            return _same(has([term("@", path, canon(value))]))
        case ContainsAny(path, values):
            return _same(bool(values) and has([term("@", path, canon(v)) for v in values]))
        case ContainsAll(path, values):
            terms = sorted({term("@", path, canon(v)) for v in values})
            return _same(both(*([has([t]) for t in terms] or [has([term("?", path, "l")])])))
        case StartsWith(path, prefix):
            return _prefix(path, prefix)
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            return _ordering(_WORDS[type(node)], path, value, indexes)
        case _:
            assert_never(node)


def _same(side: Side) -> tuple[Side, Side]:
    return side, side


def _guarded(guard: Side, lower: Side, upper: Side) -> tuple[Side, Side]:
    if lower is upper:
        return _same(both(guard, upper))
    return both(guard, lower), both(guard, upper)


def _prefix(path: Path, prefix: str) -> tuple[Side, Side]:
    guard = has([term("?", path, "s")])
    if not prefix:
        return _same(guard)
    low, high = _order.prefix_range(prefix)
    if _order.length(prefix) > _order.BYTES:
        return _guarded(guard, False, ranged(order_key(path), gte=low, lte=low))
    within = ranged(order_key(path), gte=low, lte=high)
    return _guarded(guard, within, within)


def _ordering(word: str, path: Path, value: Any, indexes: Indexes) -> tuple[Side, Side]:
    if isinstance(value, str):
        return _guarded(has([term("?", path, "s")]), *_text(word, path, value))
    is_moment = isinstance(value, datetime)
    kind = "d" if is_moment else "n"
    pair = _order.of_moment(value) if is_moment else _order.of_number(value)
    plain, paired = has([term("?", path, kind)]), has([term("?", path, kind.upper())])
    by_pair = both(paired, _by_pair(order_key(path), word, pair))
    key = natural_key(path)
    if key is None:
        return _same(by_pair)
    spoilers = _SPOILS_MOMENTS if is_moment else _SPOILS_NUMBERS
    if indexes.get(".".join(path)) in spoilers:
        return by_pair, either(plain, by_pair)
    natural = _moment(key, word, value) if is_moment else _number(key, word, value)
    return _same(either(both(plain, natural), by_pair))


def _number(key: str, word: str, value: float) -> Side:
    """Compare with the safe numbers that are stored."""
    downwards = word in ("lt", "lte")
    if _order.is_safe(value):
        return ranged(key, **{word: value})
    if abs(value) >= _order.LARGEST_SAFE:
        return (value > 0) == downwards
    if abs(value) <= _order.SMALLEST_SAFE:
        inclusive = (value > 0) == downwards
        side = "lt" if downwards else "gt"
        return ranged(key, **{f"{side}e" if inclusive else side: 0.0})
    if downwards:
        return ranged(key, lte=_order.below(value))
    return ranged(key, gte=_order.above(value))


def _moment(key: str, word: str, value: datetime) -> Side:
    downwards = word in ("lt", "lte")
    if value < FIRST_DAY:
        return not downwards
    if value > LAST_DAY:
        return downwards
    limits: dict[str, Any] = {word: value.astimezone(UTC)}
    return models.FieldCondition(key=key, range=models.DatetimeRange(**limits))


def _by_pair(key: str, word: str, pair: _order.Pair) -> Side:
    first, second = f"{key}[0]", f"{key}[1]"
    beyond = ranged(first, **{"lt" if word in ("lt", "lte") else "gt": pair[0]})
    equal = both(ranged(first, gte=pair[0], lte=pair[0]), ranged(second, **{word: pair[1]}))
    return either(beyond, equal)


def _text(word: str, path: Path, value: str) -> tuple[Side, Side]:
    """Compare by the first six bytes: a longer operand shares them with its neighbours."""
    key, number = order_key(path), _order.of_text(value)
    size = _order.length(value)
    if size < _order.BYTES:  # the int tells the operand from every other string
        return _same(ranged(key, **{word: number}))
    if size > _order.BYTES:
        side = "lt" if word in ("lt", "lte") else "gt"
        return ranged(key, **{side: number}), ranged(key, **{f"{side}e": number})
    # What shares the int is the operand, or longer.
    equal = has([term("=", path, canon(value))])
    match word:
        case "lt":
            return _same(ranged(key, lt=number))
        case "lte":
            return _same(either(ranged(key, lt=number), equal))
        case "gt":
            return _same(models.Filter(must=[ranged(key, gte=number)], must_not=[equal]))
        case _:
            return _same(ranged(key, gte=number))
