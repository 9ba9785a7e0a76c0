"""A filter leaf over one jsonb expression that has the form of `_values.canonical`. Pure.

Each condition is true exactly when the leaf matches; false or NULL otherwise.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, assert_never

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
from polyvec.metadata import DATETIME_TAG
from polyvec.types import Scalar
from polyvec_pgvector._sql import Sql
from polyvec_pgvector._values import canonical, escape, instant

if TYPE_CHECKING:
    from polyvec.paths import Path

SIGNS: Final = {Lt: "<", Le: "<=", Gt: ">", Ge: ">="}

INDEXED_LENGTH: Final = 256
"""Code points of a text in an index of its own: at most 1,024 of the 2,704 bytes of a row."""


def jsonb_at(path: Path, column: str = "metadata") -> Sql:
    """Return the jsonb value at a path: NULL where a step is absent or not into an object."""
    return Sql(f"({column}{' -> %s::text' * len(path)})", path)


def over_jsonb(node: Leaf, value: Sql) -> Sql:
    """Compile a leaf over any jsonb expression that has the canonical form."""
    at, params = value.text, value.params
    match node:
        case Exists():
            return Sql(f"{at} <> 'null'::jsonb", params)
        case Eq(_, operand):
            return Sql(f"{at} = %s::jsonb", (*params, canonical(operand)))
        case In(_, operands):
            return Sql(f"{at} = ANY(%s::jsonb[])", (*params, [canonical(o) for o in operands]))
        case Lt(_, operand) | Le(_, operand) | Gt(_, operand) | Ge(_, operand):
            return _ordered(value, SIGNS[type(node)], operand)
        case StartsWith(_, prefix):
            text = string_of(value)
            return Sql(f'starts_with({text.text} COLLATE "C", %s)', (*text.params, escape(prefix)))
        case Contains(_, operand):
            return _list_contains(value, "@> %s::jsonb", canonical([operand]))
        case ContainsAny(_, operands):
            wanted = [canonical([operand]) for operand in operands]
            return _list_contains(value, "@> ANY(%s::jsonb[])", wanted)
        case ContainsAll(_, operands):
            return _list_contains(value, "@> %s::jsonb", canonical(list(operands)))
        case _:
            assert_never(node)


def _list_contains(value: Sql, test: str, operand: str | list[str]) -> Sql:
    at, params = value.text, value.params
    return Sql(f"(jsonb_typeof({at}) = 'array' AND {at} {test})", (*params, *params, operand))


def _ordered(value: Sql, sign: str, operand: Scalar) -> Sql:
    """Compare within one class; the CASE gives NULL for the others."""
    match operand:
        case str():
            text = string_of(value)
            return Sql(f'{text.text} COLLATE "C" {sign} %s', (*text.params, escape(operand)))
        case datetime():
            text = instant_of(value)
            return Sql(f'{text.text} COLLATE "C" {sign} %s', (*text.params, instant(operand)))
        case _:
            numeric = numeric_of(value)
            return Sql(f"{numeric.text} {sign} %s::numeric", (*numeric.params, canonical(operand)))


def string_of(value: Sql) -> Sql:
    """Return the text of a jsonb string, NULL for other classes."""
    return _when("string", value, f"{value.text} #>> '{{}}'", 1)


def numeric_of(value: Sql) -> Sql:
    """Return the number of a jsonb number, NULL for other classes."""
    return _when("number", value, f"{value.text}::numeric", 1)


def instant_of(value: Sql) -> Sql:
    """Return the text of a stored datetime, which sorts as its instant."""
    return Sql(f"({value.text} ->> '{DATETIME_TAG}')", value.params)


def _when(kind: str, value: Sql, then: str, uses: int) -> Sql:
    text = f"(CASE WHEN jsonb_typeof({value.text}) = '{kind}' THEN {then} END)"
    return Sql(text, value.params * (1 + uses))


def text_start(value: Sql) -> Sql:
    """Return the expression that the index over a field of texts is made of."""
    text = string_of(value)
    return Sql(f'(left({text.text}, {INDEXED_LENGTH}) COLLATE "C")', text.params)
