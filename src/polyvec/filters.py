"""Filter nodes, and `F`, which builds them.

A filter is a tree of the frozen nodes below. Nodes check their path and operands when they are
made, so a filter that exists is valid, whoever built it. What a filter means is defined in
`polyvec.evaluate`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias, TypeVar, cast

from polyvec.errors import FilterError
from polyvec.operands import (
    Operand,
    check_operand,
    check_operands,
    check_ordered,
    check_prefix,
    check_scalar,
    check_scalars,
    iterate_values,
    operand_key,
)
from polyvec.paths import Path, check_path, parse_path, show
from polyvec.types import Scalar

OrderedOperand: TypeAlias = str | int | float | datetime
"""What `<`, `<=`, `>` and `>=` compare with."""


class _Node:
    """What all nodes share: boolean operators, equality by meaning of the operands, `repr`."""

    __slots__ = ()

    def __and__(self, other: Filter) -> And:
        left = self.operands if isinstance(self, And) else (cast("Filter", self),)
        return _extended(And, left, other)

    def __or__(self, other: Filter) -> Or:
        left = self.operands if isinstance(self, Or) else (cast("Filter", self),)
        return _extended(Or, left, other)

    def __invert__(self) -> Not:
        return Not(cast("Filter", self))

    def __bool__(self) -> bool:
        raise FilterError(
            "a filter has no truth value; combine filters with &, | and ~ in place of and, or and "
            "not, and write a chained comparison as (F('x') > 1) & (F('x') < 3)"
        )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return False
        return tuple(_tokens(cast("Filter", self))) == tuple(_tokens(cast("Filter", other)))

    def __hash__(self) -> int:
        return hash(tuple(_tokens(cast("Filter", self))))

    def __repr__(self) -> str:
        # Imported late: the text of a filter is written in terms of the nodes.
        from polyvec.filter_repr import render

        return render(cast("Filter", self))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Eq(_Node):
    """The field equals `value`, class and value; a list operand equals the whole list."""

    path: Path
    value: Operand

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))
        _set(self, "value", check_operand(self.path, self.value))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Ordering(_Node):
    path: Path
    value: OrderedOperand

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))
        _set(self, "value", check_ordered(self.path, self.value))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lt(_Ordering):
    """The field is of the class of `value` (number, str or datetime) and less."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Le(_Ordering):
    """The field is of the class of `value` (number, str or datetime) and less or equal."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gt(_Ordering):
    """The field is of the class of `value` (number, str or datetime) and greater."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ge(_Ordering):
    """The field is of the class of `value` (number, str or datetime) and greater or equal."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class In(_Node):
    """The field equals one of `values`, as `Eq` does; false when `values` is empty."""

    path: Path
    values: tuple[Operand, ...]

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))
        _set(self, "values", check_operands(self.path, self.values))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contains(_Node):
    """The field is a list and one of its items equals the scalar `value`."""

    path: Path
    value: Scalar

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))
        _set(self, "value", check_scalar(self.path, self.value))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _ContainsMany(_Node):
    path: Path
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))
        _set(self, "values", check_scalars(self.path, self.values))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContainsAny(_ContainsMany):
    """The field is a list that contains at least one of `values`; false when that is empty."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContainsAll(_ContainsMany):
    """The field is a list that contains each of `values`; true for every list when empty."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Exists(_Node):
    """The field is there and is not None."""

    path: Path

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StartsWith(_Node):
    """The field is a str that starts with `prefix`; every str starts with `""`."""

    path: Path
    prefix: str

    def __post_init__(self) -> None:
        _set(self, "path", check_path(self.path))
        _set(self, "prefix", check_prefix(self.path, self.prefix))


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class And(_Node):
    """All operands hold; `And()` is true."""

    operands: tuple[Filter, ...]

    def __init__(self, *operands: Filter) -> None:
        _set(self, "operands", tuple(_check_filter(operand) for operand in operands))


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Or(_Node):
    """At least one operand holds; `Or()` is false."""

    operands: tuple[Filter, ...]

    def __init__(self, *operands: Filter) -> None:
        _set(self, "operands", tuple(_check_filter(operand) for operand in operands))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(_Node):
    """The exact complement of `operand`: it holds for every record that `operand` does not."""

    operand: Filter

    def __post_init__(self) -> None:
        _check_filter(self.operand)


Leaf: TypeAlias = (
    Eq | Lt | Le | Gt | Ge | In | Contains | ContainsAny | ContainsAll | Exists | StartsWith
)
"""The nodes that look at one field."""

Filter: TypeAlias = Leaf | And | Or | Not
"""The closed union: a `match` that forgets a member fails type checking."""


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Field:
    r"""A metadata field that builds filters: `F("price") < 50`.

    Parameters
    ----------
    name
        A dotted path, in which `\.` is a dot and `\\` a backslash of the key, or a tuple of
        keys, which are taken as they are.

    Raises
    ------
    FilterError
        If a key is empty, longer than 128 code points, starts with `$` or `_polyvec`, or holds NUL
        or a lone surrogate. Every operator raises it for an operand that the field cannot have.

    Examples
    --------
    >>> F("price") < 50
    F('price') < 50
    >>> (F("author.name") == "Ada") & ~F("tags").contains("old")
    (F('author.name') == 'Ada') & ~F('tags').contains('old')
    """

    path: Path

    # Without this, numpy scalars on the left would take the comparison for one of arrays.
    __array_ufunc__: ClassVar[None] = None

    def __init__(self, name: str | tuple[str, ...]) -> None:
        _set(self, "path", parse_path(name) if isinstance(name, str) else check_path(name))

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # builds a node, as documented
        """Field equals `value`; `== None` means that the field is missing."""
        if value is None:
            return self.is_missing()
        return Eq(self.path, cast("Operand", _not_a_field(value)))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # builds a node, as documented
        """Complement of `==`: also holds for records that lack the field."""
        if value is None:
            return self.exists()
        return Not(Eq(self.path, cast("Operand", _not_a_field(value))))

    # A field is no key of a dict: equality builds a filter and never answers.
    __hash__: ClassVar[None]  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]  # unhashable on purpose

    def __lt__(self, value: OrderedOperand) -> Lt:
        return Lt(self.path, _not_a_field(value))

    def __le__(self, value: OrderedOperand) -> Le:
        return Le(self.path, _not_a_field(value))

    def __gt__(self, value: OrderedOperand) -> Gt:
        return Gt(self.path, _not_a_field(value))

    def __ge__(self, value: OrderedOperand) -> Ge:
        return Ge(self.path, _not_a_field(value))

    def is_in(self, values: Iterable[object]) -> Filter:
        """Field equals one of `values`; None among them means "or the field is missing"."""
        items = list(iterate_values(self.path, values))
        rest = In(self.path, cast("tuple[Operand, ...]", [v for v in items if v is not None]))
        return rest if len(rest.values) == len(items) else Or(rest, self.is_missing())

    def not_in(self, values: Iterable[object]) -> Not:
        """Complement of `is_in`: also holds for records that lack the field."""
        return Not(self.is_in(values))

    def contains(self, value: Scalar) -> Contains:
        """Field is a list that has the scalar `value` among its items."""
        return Contains(self.path, value)

    def contains_any(self, values: Iterable[Scalar]) -> ContainsAny:
        """Field is a list that has at least one of `values` among its items."""
        return ContainsAny(self.path, cast("tuple[Scalar, ...]", values))

    def contains_all(self, values: Iterable[Scalar]) -> ContainsAll:
        """Field is a list that has each of `values` among its items."""
        return ContainsAll(self.path, cast("tuple[Scalar, ...]", values))

    def starts_with(self, prefix: str) -> StartsWith:
        """Field is a str that starts with `prefix`, code point by code point."""
        return StartsWith(self.path, prefix)

    def exists(self) -> Exists:
        """Field is there and is not None."""
        return Exists(self.path)

    def is_missing(self) -> Not:
        """Field is absent or None."""
        return Not(Exists(self.path))

    def __bool__(self) -> bool:
        raise FilterError(f"{self!r} has no truth value; use .exists() to test for a value")

    def __repr__(self) -> str:
        from polyvec.filter_repr import render_field

        return render_field(self.path)

    def _misplaced(self, other: object = None) -> Filter:
        raise FilterError(
            f"{self!r} is a field, no filter; put each comparison in parentheses, as in "
            "(F('a') == 1) & (F('b') == 2), because & and | bind tighter than =="
        )

    __and__ = __rand__ = __or__ = __ror__ = __invert__ = _misplaced


F = Field

_T = TypeVar("_T")
_Joint = TypeVar("_Joint", And, Or)


def _set(node: object, name: str, value: object) -> None:
    """Set a field of a frozen node while it is being made."""
    object.__setattr__(node, name, value)


def _check_filter(value: object) -> Filter:
    if isinstance(value, _Node):
        return cast("Filter", value)
    raise FilterError(
        f"expected a filter as operand, got {show(value)} of type {type(value).__name__}; "
        "build one with F, for example F('price') < 50"
    )


def _not_a_field(value: _T) -> _T:
    if isinstance(value, Field):
        raise FilterError(f"cannot compare with the field {value!r}; expected a value")
    return value


def _extended(kind: type[_Joint], left: tuple[Filter, ...], right: object) -> _Joint:
    """Join filters with one more, so that the chain `a & b & c` stays flat."""
    # Those on the left were checked when they were joined; checking them again for each link of a
    # chain of 10,000 would take seconds.
    joined = object.__new__(kind)
    _set(joined, "operands", (*left, _check_filter(right)))
    return joined


def _tokens(node: Filter) -> Iterator[Hashable]:
    """Yield the tree in prefix order, with the number of operands: equal trees, equal tokens.

    Iterative, so that a hostile tree of any depth can be compared.
    """
    stack: list[Filter] = [node]
    while stack:
        item = stack.pop()
        match item:
            case And(operands) | Or(operands):
                yield (type(item), len(operands))
                stack.extend(reversed(operands))
            case Not(operand):
                yield Not
                stack.append(operand)
            case In(path, values) | ContainsAny(path, values) | ContainsAll(path, values):
                yield (type(item), path, tuple(operand_key(value) for value in values))
            case Exists(path):
                yield (Exists, path)
            case StartsWith(path, prefix):
                yield (StartsWith, path, prefix)
            case _:
                yield (type(item), item.path, operand_key(item.value))
