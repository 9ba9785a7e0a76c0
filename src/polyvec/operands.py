"""Operands of filter nodes: what is allowed, how it is normalised, when two are the same.

An operand is a str, a 64-bit int, a finite float, a bool or an aware datetime. `Eq` and `In` also
take lists of these and None, nested; a list is stored as a tuple.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, Union, cast

import numpy as np

from polyvec.errors import FilterError
from polyvec.metadata import fixed_offset, has_surrogate
from polyvec.paths import Path, format_path, show
from polyvec.types import Scalar

ListOperand: TypeAlias = "tuple[Scalar | ListOperand | None, ...]"
Operand: TypeAlias = Union[Scalar, ListOperand]  # noqa: UP007  # `|` fails on the quoted, recursive alias

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1
MAX_LIST_DEPTH: Final = 50
"""How deep a list operand may be nested."""

_SCALARS: Final = "str, int, float, bool or timezone-aware datetime"
_MICROSECOND: Final = timedelta(microseconds=1)


def check_operand(path: Path, value: object) -> Operand:
    """Return the operand of an equality in plain form: a scalar, or a list as nested tuples."""
    if isinstance(value, (list, tuple)):
        return _check_list(path, cast("Iterable[object]", value), depth=1)
    return check_scalar(path, value, expected=f"{_SCALARS}, or a list of these")


def check_scalar(path: Path, value: object, *, expected: str = _SCALARS) -> Scalar:
    """Return a scalar operand as a plain str, int, float, bool or datetime.

    numpy scalars and subclasses (`StrEnum`, `IntEnum`) become the Python value they hold; a
    datetime gets the fixed offset that it has at that moment.

    Raises
    ------
    FilterError
        For any other class, NaN, infinity, an int beyond 64 bits, a naive datetime, a lone
        surrogate.
    """
    value = _unboxed(value)
    match value:
        case bool():
            return value
        case str():
            return _check_str(path, value)
        case int():
            return _check_int(path, value)
        case float():
            return _check_float(path, value)
        case datetime():
            return _check_datetime(path, value)
        case None:
            raise _refuse(path, value, expected, "None means missing: write ~F(…).exists()")
        case Mapping():
            hint = "name a field of the object with a dotted path"
            raise _refuse(path, cast("object", value), expected, hint)
        case _:
            raise _refuse(path, value, expected, "")


def check_ordered(path: Path, value: object) -> str | int | float | datetime:
    """Return the operand of `<`, `<=`, `>` or `>=`: a number, str or aware datetime."""
    expected = "int, float, str or timezone-aware datetime for an ordering"
    if isinstance(value, (bool, np.bool_, list, tuple)):
        raise _refuse(path, cast("object", value), expected, "")
    return check_scalar(path, value, expected=expected)


def check_operands(path: Path, values: object) -> tuple[Operand, ...]:
    """Return the values of `In`, each as `check_operand` gives it."""
    return tuple(check_operand(path, value) for value in iterate_values(path, values))


def check_scalars(path: Path, values: object) -> tuple[Scalar, ...]:
    """Return the values of `ContainsAny` or `ContainsAll`, each as `check_scalar` gives it."""
    return tuple(check_scalar(path, value) for value in iterate_values(path, values))


def check_prefix(path: Path, prefix: object) -> str:
    """Return the operand of `StartsWith` as a plain str."""
    if not isinstance(prefix, str):
        raise _refuse(path, prefix, "a str as prefix", "")
    return _check_str(path, prefix)


def iterate_values(path: Path, values: object) -> Iterable[object]:
    """Return `values` as an iterable, and refuse what is one by accident: str, bytes, mappings."""
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping)):
        return cast("Iterable[object]", values)
    shown = cast("object", values)  # type: ignore[redundant-cast]  # not redundant for pyright
    raise _refuse(path, shown, "a list of values", "put a single value into a list")


def instant_us(moment: datetime) -> int | None:
    """Return microseconds since 0001-01-01T00:00Z, exactly; None for a naive datetime.

    Comparing aware datetimes with `<` is not used: Python ignores the offset when both sides share
    a tzinfo, calls instants in a repeated hour unequal, and `astimezone` overflows at the years 1
    and 9999.
    """
    offset = moment.utcoffset()
    if offset is None:
        return None
    seconds = moment.toordinal() * 86_400 + moment.hour * 3_600 + moment.minute * 60 + moment.second
    return (seconds - 86_400) * 1_000_000 + moment.microsecond - offset // _MICROSECOND


def operand_key(value: Operand | None) -> Hashable:
    """Return a key that two operands share exactly when they mean the same.

    `1` and `1.0` share one, `1` and `True` do not; datetimes share one by instant.
    """
    match value:
        case bool():
            return ("bool", value)
        case tuple():
            return ("list", *(operand_key(item) for item in value))
        case datetime():
            return ("datetime", instant_us(value))
        case _:
            return value


def _unboxed(value: object) -> object:
    """Return the Python value of a numpy scalar, and anything else as it is.

    np.str_ is a str already. np.longdouble (code "g") and np.datetime64 stay: `item` keeps the
    former as it is, and makes a bare int of the latter.
    """
    if not isinstance(value, np.generic):
        return value
    scalar = cast("Any", value)
    unboxed: object = scalar.item() if scalar.dtype.char in "?bhilqpBHILQPefd" else scalar
    return unboxed


def _check_list(path: Path, values: Iterable[object], *, depth: int) -> ListOperand:
    if depth > MAX_LIST_DEPTH:
        raise FilterError(
            f"field {format_path(path)!r}: a list operand is nested deeper than "
            f"{MAX_LIST_DEPTH} levels"
        )
    return tuple(
        _check_list(path, cast("Iterable[object]", item), depth=depth + 1)
        if isinstance(item, (list, tuple))
        else None
        if item is None
        else check_scalar(path, item, expected=f"{_SCALARS}, None or a list inside a list")
        for item in values
    )


def _check_str(path: Path, value: str) -> str:
    if has_surrogate(value):
        raise _refuse(path, value, "valid Unicode", "the str holds a lone surrogate")
    # str() of an Enum member is its name, str.__str__ is the text it holds.
    return str.__str__(value)


def _check_int(path: Path, value: int) -> int:
    if not MIN_INT <= value <= MAX_INT:
        # Not shown in full: the text of a huge int takes quadratic time.
        raise FilterError(
            f"field {format_path(path)!r}: an int operand has {int(value).bit_length()} bits; "
            f"expected {MIN_INT} to {MAX_INT}; use a float or a str"
        )
    return int.__int__(value)


def _check_float(path: Path, value: float) -> float:
    if not math.isfinite(value):
        hint = "metadata holds finite numbers only; use exists() to test for a value"
        raise _refuse(path, value, "a finite number", hint)
    return float.__float__(value)


def _check_datetime(path: Path, value: datetime) -> datetime:
    try:
        offset = value.utcoffset()
    except ValueError:  # pandas.NaT is a datetime whose methods raise
        raise _refuse(path, value, "a moment", "use is_missing() or exists()") from None
    if offset is None:
        hint = "attach a tzinfo, for example value.replace(tzinfo=timezone.utc)"
        raise _refuse(path, value, "a timezone-aware datetime, got a naive one", hint)
    if getattr(value, "nanosecond", 0):  # pandas.Timestamp is a datetime with more digits
        raise _refuse(path, value, "a datetime of whole microseconds", "round it")
    return fixed_offset(value)


def _refuse(path: Path, value: object, expected: str, hint: str) -> FilterError:
    kind = type(value).__name__
    tail = f"; {hint}" if hint else ""
    return FilterError(
        f"field {format_path(path)!r}: operand {show(value)} of type {kind} is not allowed here; "
        f"expected {expected}{tail}"
    )
