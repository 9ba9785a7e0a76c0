"""From leaves of a filter to SQL over jsonb. Pure; every leaf over our tables is exact.

A leaf is written so that it is true exactly when the record matches, and false or NULL
otherwise; PostgreSQL's AND and OR keep that, because the core leaves `Not` only above leaves, and
its WHERE takes NULL for false. A negated leaf is `(…) IS NOT TRUE`.

The operands have the form that `_values.canonical` gives the stored values, so numbers are equal
by value whatever their class, texts by code points, and datetimes by instant; the five classes
of jsonb keep the others apart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from polyvec.bounds import UNKNOWN, Bounds
from polyvec.filters import (
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    StartsWith,
)
from polyvec_pgvector import _native_compile
from polyvec_pgvector._jsonb import INDEXED_LENGTH, jsonb_at, over_jsonb, text_start
from polyvec_pgvector._layout import Layout, OwnLayout
from polyvec_pgvector._sql import Sql, also, join
from polyvec_pgvector._values import canonical, escape

if TYPE_CHECKING:
    from polyvec.paths import Path

_LOOSE_SIGNS: Final = {Lt: "<=", Le: "<=", Gt: ">=", Ge: ">="}

_LAST_CODE_POINT: Final = 0x10FFFF


def leaf(node: Leaf, negated: bool, layout: Layout) -> Bounds:
    """Compile a leaf or its complement for one layout."""
    if isinstance(layout, OwnLayout):
        condition = _own(node, layout)
    else:
        found = _native_compile.condition(node, layout)
        if found is None:
            return UNKNOWN
        condition = found
    return Bounds.exactly(complement(condition) if negated else condition)


def complement(condition: Sql) -> Sql:
    """Return the exact complement: NULL counts as false."""
    return Sql(f"({condition.text}) IS NOT TRUE", condition.params)


def all_of(filters: Sequence[Sql]) -> Sql:
    """Join by AND."""
    return join("AND", filters)


def any_of(filters: Sequence[Sql]) -> Sql:
    """Join by OR."""
    return join("OR", filters)


def _own(node: Leaf, layout: OwnLayout) -> Sql:
    condition = _contained(node)
    if condition is not None:
        return condition
    extra = _served_by_index(node, layout.indexed.get(node.path))
    return also(over_jsonb(node, jsonb_at(node.path)), [extra])


def _contained(node: Leaf) -> Sql | None:
    """Return the leaf as `metadata @> …`, which the GIN index serves, where that is all of it.

    An object contains `{"a": 1}` exactly when its `a` is the number 1 and no list; it contains
    `{"a": [1]}` exactly when its `a` is a list with that item.
    """
    match node:
        case Eq(path, value) if not isinstance(value, tuple):
            return Sql("metadata @> %s::jsonb", (_nested(path, canonical(value)),))
        case Contains(path, value):
            return Sql("metadata @> %s::jsonb", (_nested(path, canonical([value])),))
        case In(path, values) if values and not any(isinstance(v, tuple) for v in values):
            wanted = [_nested(path, canonical(value)) for value in values]
            return Sql("metadata @> ANY(%s::jsonb[])", (wanted,))
        case ContainsAny(path, values) if values:
            wanted = [_nested(path, canonical([value])) for value in values]
            return Sql("metadata @> ANY(%s::jsonb[])", (wanted,))
        case ContainsAll(path, values):  # an empty one asks for a list, as `[]` does
            return Sql("metadata @> %s::jsonb", (_nested(path, canonical(list(values))),))
        case _:
            return None


def _nested(path: Path, text: str) -> str:
    for key in reversed(path):
        text = f"{{{canonical_key(key)}:{text}}}"
    return text


def canonical_key(key: str) -> str:
    """Return a key as JSON text."""
    return json.dumps(key, ensure_ascii=False)


def _served_by_index(node: Leaf, kind: str | None) -> Sql | None:
    """Return what follows from the leaf and an index over the start of a text can serve.

    Indexes over numbers and datetimes serve the leaf itself.
    """
    if kind != "str":
        return None
    start = text_start(jsonb_at(node.path))
    match node:
        case Lt(_, str(operand)) | Le(_, str(operand)) | Gt(_, str(operand)) | Ge(_, str(operand)):
            sign = _LOOSE_SIGNS[type(node)]
            return Sql(f"{start.text} {sign} %s", (*start.params, escape(operand)[:INDEXED_LENGTH]))
        case StartsWith(_, prefix) if prefix:
            first = escape(prefix)[:INDEXED_LENGTH]
            lower = Sql(f"{start.text} >= %s", (*start.params, first))
            last = _after_all_with(first)
            if last is None:
                return lower
            return join("AND", [lower, Sql(f"{start.text} < %s", (*start.params, last))])
        case _:
            return None


def _after_all_with(prefix: str) -> str | None:
    """Return the first text after all those with the prefix, None where there is none."""
    head = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not head:
        return None
    following = ord(head[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are no text
        following = 0xE000
    return head[:-1] + chr(following)
