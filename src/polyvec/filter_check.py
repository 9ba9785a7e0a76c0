"""Checks of a whole filter before any I/O: its depth, and its fields against a typed model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from polyvec.errors import FilterError
from polyvec.filters import (
    And,
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Filter,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    Not,
    Or,
    StartsWith,
)
from polyvec.operands import Operand
from polyvec.paths import format_path, show
from polyvec.rewrite import depth, flatten

if TYPE_CHECKING:
    from pydantic import BaseModel

    from polyvec.field_types import FieldType

MAX_DEPTH: Final = 50
"""The most `And`, `Or` and `Not` above a leaf, after flattening."""


def check_filter(filter: Filter | None, model: type[BaseModel] | None = None) -> None:
    """Check a filter before it is used.

    Parameters
    ----------
    filter
        None, which is no filter, passes.
    model
        The typed metadata of the collection, if it has one: every field of the filter must be in
        it, and be able to hold a value of the operand's class. Fields go by the key they are
        stored under, which is the serialization alias where there is one.

    Raises
    ------
    FilterError
        If the filter is too deep, names an unknown field, or compares a field with a class that it
        cannot have.
    """
    if filter is None:
        return
    check_depth(filter)
    if model is not None:
        for leaf in leaves(filter):
            _check_leaf(leaf, model)


def check_depth(filter: Filter) -> None:
    """Refuse a filter that is deeper than `MAX_DEPTH` after flattening; iterative.

    Everything that walks a filter by recursion relies on it. Nested `And` in `And`, `Or` in `Or`
    and pairs of `Not` do not count.
    """
    if not isinstance(filter, (And, Or, Not)):
        return
    found = depth(flatten(filter))
    if found > MAX_DEPTH:
        raise FilterError(
            f"the filter nests And, Or and Not {found} levels deep after flattening; at most "
            f"{MAX_DEPTH} are allowed; split the query or use is_in for many values of one field"
        )


def leaves(filter: Filter) -> Iterator[Leaf]:
    """Yield the leaves from left to right; iterative."""
    todo = [filter]
    while todo:
        node = todo.pop()
        match node:
            case And(operands) | Or(operands):
                todo.extend(reversed(operands))
            case Not(operand):
                todo.append(operand)
            case _:
                yield node


def _check_leaf(leaf: Leaf, model: type[BaseModel]) -> None:
    # Imported late: only typed collections need the walk through annotations.
    from polyvec.field_types import class_of, field_type

    found = field_type(model, leaf.path)
    match leaf:
        case Exists():
            return
        case StartsWith(_, prefix):
            operands: tuple[Operand, ...] = (prefix,)
        case In(_, values):
            operands = values
        case Contains() | ContainsAny() | ContainsAll():
            _check_items(leaf, found, model)
            return
        case Eq(_, value) | Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            operands = (value,)
    for operand in operands:
        if not found.may_be(class_of(operand)):
            raise _refuse(leaf, operand, found, model)
        if isinstance(operand, tuple):
            for item in operand:
                if item is not None and not found.may_hold(class_of(item)):
                    raise _refuse(leaf, item, found, model)


def _check_items(
    leaf: Contains | ContainsAny | ContainsAll, found: FieldType, model: type[BaseModel]
) -> None:
    from polyvec.field_types import class_of

    if not found.may_be("list"):
        raise FilterError(
            f"field {format_path(leaf.path)!r} of {model.__name__} is {found}, no list; contains, "
            "contains_any and contains_all look at the items of lists, use == or is_in"
        )
    for value in (leaf.value,) if isinstance(leaf, Contains) else leaf.values:
        if not found.may_hold(class_of(value)):
            raise _refuse(leaf, value, found, model)


def _refuse(leaf: Leaf, operand: object, found: FieldType, model: type[BaseModel]) -> FilterError:
    from polyvec.field_types import class_of

    return FilterError(
        f"field {format_path(leaf.path)!r} of {model.__name__} is {found}, and {leaf!r} compares "
        f"it with {show(operand)}, which is {class_of(operand)}; this can never be true, expected "
        "an operand of the field's class"
    )
