"""Native filters: a `where` of Chroma, and the polyvec filter it came from. Pure.

Chroma's `where` decides for the records that have tags. The others ("odd": too wide to be
indexed, or added by somebody else's client) have none, and are decided here, by the filter
itself. They are few or none, and a filter can always find them: a negated condition selects all
records without tags, and `odd` selects them beside any other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from polyvec.filters import And, Or
from polyvec_chroma._layout import REGULAR, TAGS, WIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.filters import Filter

Json: TypeAlias = "dict[str, Any]"

MAX_CONDITIONS: Final = 400
"""Conditions in one `where`. Measured: 1,000 work; SQLite's limit is the depth of an expression."""

MAX_DEPTH: Final = 40
"""`$and` and `$or` inside each other. Measured: 60 work."""

FOREIGN: Final[Json] = {
    "$and": [{TAGS: {"$not_contains": REGULAR}}, {TAGS: {"$not_contains": WIDE}}]
}
"""Records that somebody else's client added to a collection of ours."""

TAGGED: Final[Json] = {TAGS: {"$contains": REGULAR}}
WIDE_ONES: Final[Json] = {TAGS: {"$contains": WIDE}}


@dataclass(frozen=True, slots=True)
class Where:
    """A native filter.

    Parameters
    ----------
    json
        What Chroma is sent, for records with tags; None where that would be too large for it:
        then all records are looked at.
    node
        The filter, for records without tags.
    lenient
        Whether `json` also selects the records without tags: all of them, or none.
    conditions, depth
        Size of `json`.
    """

    json: Json | None
    node: Filter
    lenient: bool
    conditions: int
    depth: int


def all_of(parts: Sequence[Where]) -> Where:
    """Join by and."""
    node = And(*(part.node for part in parts))
    return _joined("$and", parts, node, lenient=all(part.lenient for part in parts))


def any_of(parts: Sequence[Where]) -> Where:
    """Join by or."""
    node = Or(*(part.node for part in parts))
    return _joined("$or", parts, node, lenient=any(part.lenient for part in parts))


def _joined(word: str, parts: Sequence[Where], node: Filter, *, lenient: bool) -> Where:
    conditions = sum(part.conditions for part in parts)
    depth = 1 + max(part.depth for part in parts)
    whole = [part.json for part in parts if part.json is not None]
    too_large = len(whole) < len(parts) or conditions > MAX_CONDITIONS or depth > MAX_DEPTH
    json = None if too_large else join(word, whole)
    return Where(json, node, lenient or json is None, conditions, depth)


def join(word: str, parts: Sequence[Json]) -> Json:
    """Join one or more conditions by `$and` or `$or`, flat: Chroma refuses a list of one."""
    flat: list[Json] = []
    for part in parts:
        inner = part.get(word)
        flat += inner if isinstance(inner, list) else [part]
    return flat[0] if len(flat) == 1 else {word: flat}


def odd_ones(*, mixed: bool) -> Json:
    """Return the condition that selects the records without tags; `mixed`: foreign ones too."""
    return {TAGS: {"$not_contains": REGULAR}} if mixed else WIDE_ONES


def candidates(where: Where, *, mixed: bool) -> Json | None:
    """Return a condition for all records that may match; None for all records."""
    if where.json is None or where.lenient:
        return where.json
    return join("$or", [where.json, odd_ones(mixed=mixed)])


def certain(where: Where) -> Json | None:
    """Return a condition for the records with tags that match; None where Chroma cannot tell."""
    if where.json is None or not where.lenient:
        return where.json
    return join("$and", [TAGGED, where.json])
