"""Conditions of Qdrant and how they are joined; native filters. Pure.

A native filter is a condition and the polyvec filter it came from. A condition that nests too
deeply for the server is left out: then all records of the namespace are candidates, and the filter
itself decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from qdrant_client import models

from polyvec.bounds import ALL, NONE, Bounds, Constant
from polyvec.filters import And, Not, Or
from polyvec_qdrant._layout import NS, TERMS

if TYPE_CHECKING:
    from polyvec.filters import Filter, Leaf

Condition: TypeAlias = "models.Condition"
Side: TypeAlias = "Condition | bool"
"""A condition; True for all records, False for none."""

Word = Literal["must", "should"]

DEEPEST: Final = 20
"""`must`, `should` and `must_not` inside each other. Measured: 48 levels work over gRPC, 60 over
REST; a level of ours may take two."""


@dataclass(frozen=True, slots=True)
class Where:
    """A native filter.

    Parameters
    ----------
    condition
        What the server is sent; None where that would be too deep.
    node
        The filter.
    depth
        Levels of the condition.
    """

    condition: Condition | None
    node: Filter
    depth: int


def all_of(parts: Sequence[Where]) -> Where:
    """Join by and."""
    return _joined("must", parts, And(*(part.node for part in parts)))


def any_of(parts: Sequence[Where]) -> Where:
    """Join by or."""
    return _joined("should", parts, Or(*(part.node for part in parts)))


def _joined(word: Word, parts: Sequence[Where], node: Filter) -> Where:
    depth = 1 + max(part.depth for part in parts)
    conditions = [part.condition for part in parts if part.condition is not None]
    if len(conditions) < len(parts) or depth > DEEPEST:
        return Where(None, node, depth)
    parts_of: dict[str, Any] = {word: conditions}
    return Where(models.Filter(**parts_of), node, depth)


def bounds(node: Leaf, negated: bool, lower: Side, upper: Side) -> Bounds:
    """Return the bounds of a leaf, or of its complement, from those of the leaf."""
    whole: Filter = Not(node) if negated else node
    if lower is upper:
        return Bounds.exactly(_native(_complement(upper) if negated else upper, whole))
    if negated:
        lower, upper = _complement(upper), _complement(lower)
    return Bounds(_native(lower, whole), _native(upper, whole))


def _native(side: Side, node: Filter) -> Where | Constant:
    if isinstance(side, bool):
        return ALL if side else NONE
    return Where(side, node, _depth(side))


def _depth(condition: Condition) -> int:
    if not isinstance(condition, models.Filter):
        return 0
    inner: list[Any] = []
    for part in (condition.must, condition.should, condition.must_not):
        inner += part if isinstance(part, list) else []
    return 1 + max(map(_depth, inner), default=0)


def _complement(side: Side) -> Side:
    return not side if isinstance(side, bool) else models.Filter(must_not=[side])


def both(*sides: Side) -> Side:
    """Join sides by and; constants fold."""
    if any(side is False for side in sides):
        return False
    rest = [side for side in sides if not isinstance(side, bool)]
    return True if not rest else rest[0] if len(rest) == 1 else models.Filter(must=rest)


def either(*sides: Side) -> Side:
    """Join sides by or; constants fold."""
    if any(side is True for side in sides):
        return True
    rest = [side for side in sides if not isinstance(side, bool)]
    return False if not rest else rest[0] if len(rest) == 1 else models.Filter(should=rest)


def neither(*sides: Side) -> Side:
    """Return what satisfies none of the sides."""
    return _complement(either(*sides))


def has(terms: Sequence[str]) -> Condition:
    """Return the condition that a record has one of these terms."""
    return matches(TERMS, sorted(set(terms)))


def matches(key: str, values: Sequence[Any]) -> Condition:
    """Return the condition that a field is one of these strings or bools."""
    if len(values) == 1:
        return models.FieldCondition(key=key, match=models.MatchValue(value=values[0]))
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))


def ranged(key: str, **limits: float) -> Condition:
    """Return the condition that a number lies in a range: `lt`, `lte`, `gt`, `gte`."""
    return models.FieldCondition(key=key, range=models.Range(**limits))


@lru_cache(maxsize=1024)
def _in_namespace(key: str, namespace: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=namespace))


def whole_filter(where: Where | None, namespace: str, key: str = NS) -> models.Filter:
    """Return the filter of a request: the namespace, and the condition where there is one."""
    conditions: list[Any] = [_in_namespace(key, namespace)]
    if where is not None and where.condition is not None:
        conditions.append(where.condition)
    return models.Filter(must=conditions)
