"""Conditions of Pinecone's filter language and how they are joined; native filters. Pure.

A native filter is a condition and the polyvec filter it came from. A condition that nests too
deeply, or has too many parts, is left out: then all records of the namespace are candidates, and
the filter itself decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from polyvec.bounds import ALL, NONE, Bounds, Constant
from polyvec.filters import And, Or

if TYPE_CHECKING:
    from polyvec.filters import Filter

Json: TypeAlias = dict[str, Any]
Side: TypeAlias = "Json | bool"
"""A condition; True for all records, False for none."""

Word = Literal["$and", "$or"]

DEEPEST: Final = 12
"""`$and` and `$or` inside each other. Pinecone names no limit; protobuf decoders stop at 100
messages, and each level is five of them."""

MOST: Final = 2_000
"""Conditions of one filter. Ours: Pinecone names no limit but that of a list."""

LONGEST_LIST: Final = 10_000
"""Values of one `$in` or `$nin`: docs.pinecone.io/reference/api/database-limits."""


@dataclass(frozen=True, slots=True)
class Where:
    """A native filter.

    Parameters
    ----------
    condition
        What the server is sent; None where that would be too much.
    node
        The filter.
    """

    condition: Json | None
    node: Filter


def all_of(filters: Sequence[Where]) -> Where:
    """Join by and."""
    return _joined("$and", filters, And(*(part.node for part in filters)))


def any_of(filters: Sequence[Where]) -> Where:
    """Join by or."""
    return _joined("$or", filters, Or(*(part.node for part in filters)))


def _joined(word: Word, parts: Sequence[Where], node: Filter) -> Where:
    conditions = [part.condition for part in parts if part.condition is not None]
    if len(conditions) < len(parts):
        return Where(None, node)
    return fitting(_join(word, conditions), node)


def fitting(condition: Json, node: Filter) -> Where:
    """Return a native filter; without a condition where that is too deep or too large."""
    depth, size = _measure(condition)
    return Where(condition if depth <= DEEPEST and size <= MOST else None, node)


def _measure(condition: Json) -> tuple[int, int]:
    """Return the levels and the number of comparisons of a condition."""
    depth, size = 0, 0
    for key, value in condition.items():
        if key not in ("$and", "$or"):
            size += 1
            continue
        for part in value:
            deeper, more = _measure(part)
            depth, size = max(depth, 1 + deeper), size + more
    return depth, size


def bounds(node: Filter, lower: Side, upper: Side) -> Bounds:
    """Return the bounds of a leaf."""
    if lower is upper or lower == upper:
        return Bounds.exactly(_native(upper, node))
    return Bounds(_native(lower, node), _native(upper, node))


def _native(side: Side, node: Filter) -> Where | Constant:
    if isinstance(side, bool):
        return ALL if side else NONE
    return fitting(side, node)


def both(*sides: Side) -> Side:
    """Join sides by and; constants fold."""
    return _folded("$and", sides, neutral=True)


def either(*sides: Side) -> Side:
    """Join sides by or; constants fold."""
    return _folded("$or", sides, neutral=False)


def _folded(word: Word, sides: Sequence[Side], *, neutral: bool) -> Side:
    rest: list[Json] = []
    for side in sides:
        if not isinstance(side, bool):
            rest.append(side)
        elif side is not neutral:
            return side
    return neutral if not rest else rest[0] if len(rest) == 1 else _join(word, rest)


def _join(word: Word, parts: Sequence[Json]) -> Json:
    """Join conditions; those that are joined by the same word already lose a level."""
    flat: list[Json] = []
    for part in parts:
        inner = part.get(word)
        flat += [part] if inner is None or len(part) > 1 else inner
    return {word: flat}


def among(key: str, values: Sequence[Any]) -> Json:
    """Return the condition that a field is, or a list has, one of the values (one at least)."""
    if len(values) == 1:
        return {key: {"$eq": values[0]}}
    parts = [{key: {"$in": part}} for part in _pieces(values)]
    return parts[0] if len(parts) == 1 else {"$or": parts}


def outside(key: str, values: Sequence[Any]) -> Json:
    """Return the condition that a scalar field is there and is none of the values."""
    if len(values) == 1:
        return {key: {"$ne": values[0]}}
    parts = [{key: {"$nin": part}} for part in _pieces(values)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _pieces(values: Sequence[Any]) -> list[list[Any]]:
    return [list(values[at : at + LONGEST_LIST]) for at in range(0, len(values), LONGEST_LIST)]


def exists(key: str, there: bool) -> Json:
    """Return the condition that a field is there, or is not."""
    return {key: {"$exists": there}}
