"""From leaves of a filter to SQL over columns of somebody else's table. Pure.

Every column reads through `_native.value_sql`, and is compared as what it reads as. Nearly all
leaves are exact; what PostgreSQL's numbers would decide otherwise than Python's is left to the
core (`None` here).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast

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
from polyvec.operands import Operand
from polyvec_pgvector._jsonb import SIGNS, jsonb_at, numeric_of, over_jsonb
from polyvec_pgvector._layout import Column, TableLayout
from polyvec_pgvector._native import value_sql
from polyvec_pgvector._sql import Sql, join
from polyvec_pgvector._values import canonical

FALSE: Final = Sql("FALSE")

_EXACT_INT: Final = 2**53
"""Ints up to here are float8 without loss."""


def condition(node: Leaf, layout: TableLayout) -> Sql | None:
    """Return the exact condition, None where the server cannot decide."""
    column = layout.fields.get(node.path[0])
    if column is None:
        return FALSE
    if column.kind in ("jsonb", "array"):
        return _over_json(node, column)
    if len(node.path) > 1:
        return FALSE  # a step into something that is no object
    match node:
        case Exists():
            return Sql(f"{value_sql(column)} IS NOT NULL")
        case Contains() | ContainsAny() | ContainsAll():
            return FALSE
        case StartsWith(_, prefix):
            return _starts_with(column, prefix)
        case Eq(_, operand):
            return _compared(column, "=", operand)
        case In(_, operands):
            return _any([_compared(column, "=", operand) for operand in operands])
        case Lt(_, operand) | Le(_, operand) | Gt(_, operand) | Ge(_, operand):
            return _compared(column, SIGNS[type(node)], operand)


def _any(parts: list[Sql | None]) -> Sql | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    some = [part for part in known if part is not FALSE]
    return join("OR", some) if some else FALSE


def _compared(column: Column, sign: str, operand: Operand) -> Sql | None:
    value = value_sql(column)
    match operand:
        case bool():
            return Sql(f"{value} = %s", (operand,)) if column.kind == "bool" else FALSE
        case str() if column.kind in ("str", "text_form"):
            return _text(value, sign, operand)
        case int() | float() if column.kind == "int":
            return Sql(f"{value}::numeric {sign} %s::numeric", (canonical(operand),))
        case int() | float() if column.kind == "float":
            if isinstance(operand, int) and abs(operand) > _EXACT_INT:
                return None
            return Sql(f"{value} {sign} %s::float8", (repr(operand),))
        case datetime() if column.kind == "datetime":
            return Sql(f"{value} {sign} %s::timestamptz", (operand,))
        case _:
            return FALSE


def _text(value: str, sign: str, operand: str) -> Sql:
    r"""Compare texts by code point.

    No text of PostgreSQL holds NUL, so none lies between `"a"` and `"a\0…"`.
    """
    head, nul, _ = operand.partition("\0")
    if nul and sign == "=":
        return FALSE
    if nul:
        sign = "<=" if sign.startswith("<") else ">"
    return Sql(f'{value} COLLATE "C" {sign} %s', (head,))


def _starts_with(column: Column, prefix: str) -> Sql:
    if column.kind not in ("str", "text_form") or "\0" in prefix:
        return FALSE
    return Sql(f'starts_with({value_sql(column)} COLLATE "C", %s)', (prefix,))


def _over_json(node: Leaf, column: Column) -> Sql | None:
    value = jsonb_at(node.path[1:], value_sql(column))
    if column.kind == "jsonb" and isinstance(node, (Eq, In, Lt, Le, Gt, Ge)):
        numbers = _numbers(node, value)
        if numbers is not None:
            return numbers
    if any(_differs(operand, column) for operand in _operands(node)):
        return None
    # A datetime of ours is an object with a key of ours; no jsonb of others means one.
    if isinstance(node, (Lt, Le, Gt, Ge)) and isinstance(node.value, datetime):
        return FALSE
    return over_jsonb(node, value)


def _operands(node: Leaf) -> tuple[object, ...]:
    match node:
        case Exists():
            return ()
        case StartsWith(_, prefix):
            return (prefix,)
        case In(_, values) | ContainsAny(_, values) | ContainsAll(_, values):
            return cast("tuple[object, ...]", values)
        case _:
            return (node.value,)


def _numbers(node: Eq | In | Lt | Le | Gt | Ge, value: Sql) -> Sql | None:
    """Compare numbers of jsonb as they read: without a fraction as ints, others as floats."""
    operands = node.values if isinstance(node, In) else (node.value,)
    sign = "=" if isinstance(node, (Eq, In)) else SIGNS[type(node)]
    parts: list[Sql] = []
    for operand in operands:
        if not isinstance(operand, (int, float)) or isinstance(operand, bool):
            return None
        if isinstance(operand, int) and abs(operand) > _EXACT_INT:
            return None
        number = numeric_of(value)
        text = (
            f"(CASE WHEN scale({number.text}) = 0 THEN {number.text} {sign} %s::numeric "
            f"ELSE {number.text}::float8 {sign} %s::float8 END)"
        )
        params = number.params
        exact, rough = canonical(operand), repr(operand)
        parts.append(Sql(text, (*params, *params, exact, *params, rough)))
    return join("OR", parts)


def _differs(operand: object, column: Column) -> bool:
    """Tell whether jsonb of others may hold the operand in another form than ours.

    Their numbers may have more digits than a float keeps, their texts may hold U+0001, which ours
    escape, and `{"$datetime": …}` is an object to them.
    """
    match operand:
        case str():
            return "\0" in operand or "\1" in operand
        case bool() | None:
            return False
        case tuple():
            return any(_differs(item, column) for item in cast("tuple[object, ...]", operand))
        case int() | float():
            return column.kind == "jsonb"  # an array column holds ints, texts or bools
        case _:
            return True
