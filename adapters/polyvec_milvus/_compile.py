"""Leaves to expressions, for collections of ours. Pure.

A leaf asks for the class by a tag and then compares; a negated one is true without the tag. So no
answer depends on what Milvus makes of a missing field, or of one of another class.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, assert_never

from polyvec.bounds import ALL, NONE, Bounds
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
from polyvec_milvus._expressions import (
    after_prefix,
    column,
    float_literal,
    has,
    is_nameable,
    joined,
    listed,
    literal,
    negated,
    quoted,
)
from polyvec_milvus._layout import (
    CLASSES,
    ISO,
    META,
    big_tag,
    class_of,
    is_big,
    list_tag,
    tag,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.paths import Path

_WORDS: Final[dict[type, tuple[str, str]]] = {
    Lt: ("<", ">="),
    Le: ("<=", ">"),
    Gt: (">", "<="),
    Ge: (">=", "<"),
}
INT_LIMIT: Final = 2**63
"""Ints from here on, and its negative, do not parse."""

LONGEST_CHAIN: Final = 32
"""Comparisons that stand for `in` on Milvus Lite, which has no `in` for JSON."""


def leaf(node: Leaf, complement: bool, server: bool) -> Bounds:
    """Compile a leaf or its complement.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> leaf(F("price") < 50, False, True).upper
    'meta["price"] < 50'
    >>> leaf(F("price") < 50, True, True).upper
    '((not json_contains_any(_polyvec_v1["t"], ["n:price"])) or meta["price"] >= 50)'
    """
    match node:
        case Exists(path):
            return _tagged([tag(kind, path) for kind in CLASSES], complement)
        case Eq(path, str(value)):  # most filters: one group of one value
            return _compared("s", path, [value], complement, server)
        case Eq(path, value):
            return _one_of(path, [value], complement, server)
        case In(path, values):
            return _one_of(path, values, complement, server)
        case Contains(path, value):
            return _contains(path, [value], complement, server, every=False)
        case ContainsAny(path, values):
            return _contains(path, values, complement, server, every=False)
        case ContainsAll(path, values):
            if not values:
                return _tagged([tag("l", path)], complement)
            return _contains(path, values, complement, server, every=True)
        case StartsWith(path, prefix):
            return _prefix(path, prefix, complement)
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            return _ordering(_WORDS[type(node)], path, value, complement, server)
        case _:
            assert_never(node)


def _tagged(tags: Sequence[str], complement: bool) -> Bounds:
    """Return the bounds of a leaf that a tag decides."""
    return Bounds.exactly(negated(has(tags)) if complement else has(tags))


def _narrowed(tags: Sequence[str], complement: bool) -> Bounds:
    """Return the bounds of a leaf that a tag narrows down; the core checks the rest."""
    return Bounds(negated(has(tags)), ALL) if complement else Bounds(NONE, has(tags))


def _guarded(name: str, compared: str, opposite: str, complement: bool) -> Bounds:
    """Return the bounds of a comparison that counts only with its tag."""
    if complement:
        return Bounds.exactly(f"({negated(has([name]))} or {opposite})")
    return Bounds.exactly(f"({has([name])} and {compared})")


def _any_of(parts: Sequence[Bounds], complement: bool) -> Bounds:
    """Join the parts of a disjunction; of the complement, by and."""
    if len(parts) == 1:
        return parts[0]
    word, neutral, absorbing = ("and", ALL, NONE) if complement else ("or", NONE, ALL)

    def side(natives: list[Any]) -> Any:
        if absorbing in natives:
            return absorbing
        rest = [native for native in natives if native is not neutral]
        return joined(word, rest) if rest else neutral

    lower = side([part.lower for part in parts])
    if all(part.exact for part in parts):
        return Bounds.exactly(lower)
    return Bounds(lower, side([part.upper for part in parts]))


def _all_of(parts: Sequence[Bounds], complement: bool) -> Bounds:
    return _any_of(parts, not complement)


def _constant(value: bool) -> Bounds:
    return Bounds.exactly(ALL if value else NONE)


def _is_strict(kind: str, path: Path, values: Sequence[Any], server: bool) -> bool:
    """Tell whether a comparison that holds proves the class, so that no tag is needed.

    The server keeps numbers, bools and strings apart (measured, 2.3.5); our datetimes are strings
    to it, and a key of digits could be the place of an item in a list.
    """
    if not server or any(key.isdigit() for key in path[1:]):
        return False
    return kind in "nb" or (kind == "s" and not any(ISO.match(value) for value in values))


def _one_of(path: Path, values: Sequence[Any], complement: bool, server: bool) -> Bounds:
    tags: list[str] = []
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for value in values:
        kind = class_of(value)
        if kind == "l":
            tags.append(list_tag(value, path))
        elif kind == "n" and is_big(value):
            tags.append(big_tag("=", value, path))
        else:  # the server refuses a list of ints and floats
            fraction = isinstance(value, float) and not value.is_integer()
            groups[kind + ("f" if fraction else "")].append(value)
    parts = [_tagged(tags, complement)] if tags else []
    for name, group in groups.items():
        parts.append(_compared(name[0], path, group, complement, server))
    return _any_of(parts, complement) if parts else _constant(complement)


def _compared(
    kind: str, path: Path, values: Sequence[Any], complement: bool, server: bool
) -> Bounds:
    name = tag(kind, path)
    literals = list(dict.fromkeys(map(literal, values)))
    if not is_nameable(path) or (not server and len(literals) > LONGEST_CHAIN):
        return _narrowed([name], complement)
    field = column(META, path)
    if len(literals) == 1:
        same, other = f"{field} == {literals[0]}", f"{field} != {literals[0]}"
    elif server and kind != "b":
        same = f"{field} in {listed(literals)}"
        other = f"(not ({same}))"
    else:
        same = joined("or", [f"{field} == {one}" for one in literals])
        other = joined("and", [f"{field} != {one}" for one in literals])
    if not complement and _is_strict(kind, path, values, server):
        return Bounds.exactly(same)
    return _guarded(name, same, other, complement)


def _contains(
    path: Path, values: Sequence[Any], complement: bool, server: bool, *, every: bool
) -> Bounds:
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    parts: list[Bounds] = []
    for value in values:
        kind = class_of(value)
        if kind == "n" and is_big(value):
            parts.append(_tagged([big_tag("~", value, path)], complement))
        else:
            groups[kind].append(value)
    function = "json_contains_all" if every else "json_contains_any"
    for kind, group in groups.items():
        name = tag(f"l{kind}", path)
        if not is_nameable(path):
            parts.append(_narrowed([name], complement))
            continue
        call = f"{function}({column(META, path)}, {listed(map(float_literal, group))})"
        if not complement and _is_strict(kind, path, group, server):
            parts.append(Bounds.exactly(call))
        else:
            parts.append(_guarded(name, call, f"(not {call})", complement))
    return (_all_of if every else _any_of)(parts, complement) if parts else _constant(complement)


def _prefix(path: Path, prefix: str, complement: bool) -> Bounds:
    name = tag("s", path)
    if not prefix:
        return _tagged([name], complement)
    if not is_nameable(path):
        return _narrowed([name], complement)
    field, stop = column(META, path), after_prefix(prefix)
    inside, outside = f"{field} >= {quoted(prefix)}", f"{field} < {quoted(prefix)}"
    if stop is not None:
        inside = f"({inside} and {field} < {quoted(stop)})"
        outside = f"({outside} or {field} >= {quoted(stop)})"
    return _guarded(name, inside, outside, complement)


def _ordering(
    words: tuple[str, str], path: Path, value: Any, complement: bool, server: bool
) -> Bounds:
    field = column(META, path)
    name = tag(class_of(value), path)
    if not is_nameable(path):
        return _narrowed([name], complement)
    if isinstance(value, (str, datetime)):
        operand = literal(value)
    else:
        number = whole(value)
        if isinstance(number, int):
            beyond = abs(number) > INT_LIMIT
            inexact = abs(number) < INT_LIMIT and int(float(number)) != number
            if inexact or abs(number) == INT_LIMIT:
                return _narrowed([name], complement)
            number = float(number) if beyond else number
        operand = repr(number)
        if not complement and _is_strict("n", path, [value], server):
            return Bounds.exactly(f"{field} {words[0]} {operand}")
    return _guarded(
        name, f"{field} {words[0]} {operand}", f"{field} {words[1]} {operand}", complement
    )
