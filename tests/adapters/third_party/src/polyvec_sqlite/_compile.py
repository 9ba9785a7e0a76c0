"""From leaves of a filter to conditions on records, which `_statements` writes as SQL.

A condition says that a record has, or lacks, a fact (see `_facts`). Most leaves are exact; equality
with a list and very long lists of operands have bounds; long paths are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, assert_never, cast

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
    StartsWith,
)
from polyvec_sqlite._facts import ITEM, LIST, MAX_PATH, STR, VALUES, path_text, scalar_fact

MAX_OPERANDS: Final = 500
"""Operands of one leaf that become parameters; a statement has at most 32,766."""

LAST_CODE_POINT: Final = 0x10FFFF

_SIGNS: Final = {Lt: "<", Le: "<=", Gt: ">", Ge: ">="}


@dataclass(frozen=True, slots=True)
class Has:
    """The record has a fact for which `sql` holds, or lacks one.

    Parameters
    ----------
    sql
        Over the columns `path`, `kind` and `value` of one fact, without user data.
    parameters
        What its question marks stand for.
    negated
        True: no fact of the record satisfies `sql`.
    """

    sql: str
    parameters: tuple[str | int | float, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Joint:
    """All of the parts hold, or any of them."""

    word: Literal["AND", "OR"]
    parts: tuple[Condition, ...]


Condition: TypeAlias = Has | Joint
"""The native filter of this adapter."""

_Side: TypeAlias = Condition | Constant


def leaf(node: Leaf, negated: bool) -> Bounds:
    """Compile a leaf or its complement; pure."""
    if len(node.path) > MAX_PATH:
        return UNKNOWN
    bounds = _positive(node)
    if not negated:
        return bounds
    upper = complement(bounds.lower)
    return Bounds.exactly(upper) if bounds.exact else Bounds(complement(bounds.upper), upper)


def all_of(parts: Sequence[Condition]) -> Condition:
    """Join conditions by and."""
    return Joint("AND", tuple(parts))


def any_of(parts: Sequence[Condition]) -> Condition:
    """Join conditions by or."""
    return Joint("OR", tuple(parts))


def complement(side: _Side) -> _Side:
    """Return the condition that holds for exactly the other records."""
    match side:
        case Constant.ALL:
            return NONE
        case Constant.NONE:
            return ALL
        case Has():
            return replace(side, negated=not side.negated)
        case Joint(word, parts):
            others = tuple(cast("Condition", complement(part)) for part in parts)
            return Joint("OR" if word == "AND" else "AND", others)
        case _:
            assert_never(side)


def _positive(node: Leaf) -> Bounds:
    where = path_text(node.path)
    match node:
        case Exists():
            marks = ", ".join("?" * len(VALUES))
            return Bounds.exactly(Has(f"path = ? AND kind IN ({marks})", (where, *VALUES)))
        case Eq(_, value):
            return _one_of(where, (value,))
        case In(_, values):
            return _one_of(where, values)
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            kind, plain = scalar_fact(value)
            sql = f"path = ? AND kind = ? AND value {_SIGNS[type(node)]} ?"
            return Bounds.exactly(Has(sql, (where, kind, plain)))
        case StartsWith(_, prefix):
            return Bounds.exactly(_starts_with(where, prefix))
        case Contains(_, value):
            return _scalars(where, (value,), ITEM)
        case ContainsAny(_, values):
            return _scalars(where, values, ITEM)
        case ContainsAll(_, values):
            return _contains_all(where, values)
        case _:
            assert_never(node)


def _one_of(where: str, operands: Sequence[Any]) -> Bounds:
    """Equality with one of the operands: exact for scalars, bounds for lists."""
    lists = [cast("tuple[object, ...]", value) for value in operands if isinstance(value, tuple)]
    scalars = _scalars(where, [value for value in operands if not isinstance(value, tuple)], "")
    lengths = sorted({len(value) for value in lists})
    if not lengths:
        return scalars
    marks = ", ".join("?" * len(lengths))
    same_length = Has(f"path = ? AND kind = ? AND value IN ({marks})", (where, LIST, *lengths))
    upper = same_length if scalars.upper is NONE else any_of((scalars.upper, same_length))
    if lengths == [0] and scalars.exact:  # there is only one empty list
        return Bounds.exactly(upper)
    return Bounds(scalars.lower, upper)


def _scalars(where: str, operands: Sequence[str | float | datetime], prefix: str) -> Bounds:
    """Return the bounds of "has a fact whose value is one of these scalars"."""
    by_kind: dict[str, list[Any]] = {}
    for operand in operands:
        kind, plain = scalar_fact(operand)
        by_kind.setdefault(prefix + kind, []).append(plain)
    if not by_kind:
        return Bounds.exactly(NONE)
    parts: list[str] = []
    parameters: list[str | int | float] = [where]
    few = len(operands) <= MAX_OPERANDS
    for kind, values in by_kind.items():
        if few:
            parts.append(f"kind = ? AND value IN ({', '.join('?' * len(values))})")
            parameters += [kind, *values]
        else:
            parts.append("kind = ? AND value BETWEEN ? AND ?")
            parameters += [kind, min(values), max(values)]
    has = Has(f"path = ? AND ({' OR '.join(parts)})", tuple(parameters))
    return Bounds.exactly(has) if few else Bounds(NONE, has)


def _contains_all(where: str, operands: Sequence[str | float | datetime]) -> Bounds:
    if not operands:
        return Bounds.exactly(Has("path = ? AND kind = ?", (where, LIST)))
    facts = [scalar_fact(operand) for operand in operands[:MAX_OPERANDS]]
    sql = "path = ? AND kind = ? AND value = ?"
    parts = [Has(sql, (where, ITEM + kind, plain)) for kind, plain in facts]
    condition = parts[0] if len(parts) == 1 else all_of(parts)
    return Bounds(condition if len(operands) <= MAX_OPERANDS else NONE, condition)


def _starts_with(where: str, prefix: str) -> Condition:
    """Texts with a prefix are an interval in the order of code points.

    Neither LIKE, which folds case, nor substr, which stops at NUL.
    """
    has = Has("path = ? AND kind = ? AND value >= ?", (where, STR, prefix))
    stop = _after_all_with(prefix)
    if stop is None:
        return has
    return Has(f"{has.sql} AND value < ?", (*has.parameters, stop))


def _after_all_with(prefix: str) -> str | None:
    """Return the first text after all those with the prefix, None where there is none."""
    head = prefix.rstrip(chr(LAST_CODE_POINT))
    if not head:
        return None
    following = ord(head[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are no text
        following = 0xE000
    return head[:-1] + chr(following)
