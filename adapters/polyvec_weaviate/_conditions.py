"""Conditions of Weaviate, and how they are joined. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from weaviate.classes.query import Filter

from polyvec.bounds import ALL, NONE, Bounds
from polyvec_weaviate._layout import TERMS

Condition: TypeAlias = Any
"""A filter of the client; it exports no public name for their class."""

Side: TypeAlias = "Condition | bool"
"""A condition; True for all records, False for none."""


def has(terms: Iterable[str]) -> Side:
    """Return the condition that a record has one of the terms."""
    wanted = sorted(set(terms))
    return Filter.by_property(TERMS).contains_any(wanted) if wanted else False


def has_all(terms: Iterable[str]) -> Side:
    """Return the condition that a record has every one of the terms."""
    wanted = sorted(set(terms))
    return Filter.by_property(TERMS).contains_all(wanted) if wanted else True


def both(*sides: Side) -> Side:
    """Join by and."""
    if any(side is False for side in sides):
        return False
    rest = [side for side in sides if side is not True]
    return all_of(rest) if rest else True


def either(*sides: Side) -> Side:
    """Join by or."""
    if any(side is True for side in sides):
        return True
    rest = [side for side in sides if side is not False]
    return any_of(rest) if rest else False


def all_of(conditions: Sequence[Condition]) -> Condition:
    """Join one or more by and."""
    return conditions[0] if len(conditions) == 1 else Filter.all_of(list(conditions))


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Join one or more by or."""
    return conditions[0] if len(conditions) == 1 else Filter.any_of(list(conditions))


def bounds(lower: Side, upper: Side, negated: bool) -> Bounds:
    """Return the bounds of a leaf or of its complement; Weaviate's Not is an exact one."""
    if negated:
        exact = lower is upper
        lower, upper = _not(upper), _not(lower)
        if exact:
            upper = lower
    if lower is upper:
        return Bounds.exactly(_constant(lower))
    return Bounds(_constant(lower), _constant(upper))


def _not(side: Side) -> Side:
    return not side if isinstance(side, bool) else Filter.not_(side)


def _constant(side: Side) -> Any:
    if isinstance(side, bool):
        return ALL if side else NONE
    return side


def shown(condition: Condition) -> Any:
    """Return a condition as plain data, with Weaviate's words for the operators."""
    inner = getattr(condition, "filters", None)
    if inner is not None:
        return {condition.operator.value: [shown(each) for each in inner]}
    return {condition.operator.value: [condition.target, _plain(condition.value)]}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]  # of anything
    return value if isinstance(value, (bool, int, float, str)) else str(value)
