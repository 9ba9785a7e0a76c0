"""Hypothesis strategies for filters and metadata.

They draw from a universe of few fields and values, so that a filter and a record often meet, and
that universe is full of neighbours that stores mix up: `1`, `True` and `"1"`, one instant under
two offsets, one letter in two Unicode forms. Needs the extra `polyvec[testing]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy as Strategy

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
from polyvec.paths import Path
from polyvec.types import MetadataDict, Scalar

FIELD_PATHS: Final[tuple[Path, ...]] = (
    ("a",),
    ("b",),
    ("o",),
    ("o", "a"),
    ("o", "b"),
    ("o", "o", "a"),
    # One path as text, two as keys: stores that join keys with dots mix them up.
    ("o.a",),
    # An apostrophe, a quote, a backslash and a space for those that build query texts.
    ("it's \"\\",),
)
"""The fields that filters name; `metadata()` has them and no others."""

COMMON_SCALARS: Final[tuple[Scalar, ...]] = (1, True, "a", 0, "ab")
"""Few values that are drawn often."""

ADVERSARIAL_STRINGS: Final = (
    "",
    "A",
    "a ",
    "b",
    "b a",
    "1",
    "a b",
    "true",
    "null",
    "1.0",
    "0123",
    "O'Brien",
    'say "a"',
    "back\\",
    "%",
    "a%",
    "a_",
    "a*",
    "' OR '1'='1",
    '") || true || ("',
    "; DROP TABLE records; --",
    "${a}",
    "caf\u00e9",
    "cafe\u0301",
    # By code point U+FFFD comes before U+1F600, by UTF-16 unit after it.
    "\ufffd",
    "\U0001f600",
    "a\x00b",
    "a\nb",
    "2024-01-01T00:00:00+00:00",
    "x" * 300,
)

ADVERSARIAL_NUMBERS: Final = (
    -1,
    0.5,
    1.0,
    1.5,
    0.1,
    0.1 + 0.2,
    -0.0,
    # The first int that float64 does not have, beside the float that it would become.
    2**53,
    2**53 + 1,
    float(2**53),
    2**63 - 1,
    float(2**63),
    -(2**63),
    5e-324,
    1.7976931348623157e308,
)

ADVERSARIAL_DATETIMES: Final = (
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=5, minutes=45))),
    # Their instants lie outside of what a datetime in UTC can be.
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
)


def field_paths() -> Strategy[Path]:
    """Draw a path that `metadata()` may have."""
    # One path often, so that a filter looks at what the record has.
    return st.sampled_from(FIELD_PATHS[:1] * 32 + FIELD_PATHS)


def scalars() -> Strategy[Scalar]:
    """Draw a scalar: mostly a common one, else one that stores get wrong."""
    rare = (*ADVERSARIAL_STRINGS, *ADVERSARIAL_NUMBERS, *ADVERSARIAL_DATETIMES)
    return st.sampled_from(COMMON_SCALARS * 40 + rare)


def ordered_scalars() -> Strategy[str | int | float | datetime]:
    """Draw a number, str or datetime: what orderings take."""
    return scalars().map(lambda value: int(value) if isinstance(value, bool) else value)


def metadata_values() -> Strategy[Any]:
    """Draw a value of a field: a scalar, None, a list, or an object as in `FIELD_PATHS`."""
    return _weighted((5, scalars()), (4, _lists()), (1, st.none()), (1, _objects()))


def metadata() -> Strategy[MetadataDict]:
    """Draw the metadata of one record, which passes every check of a write."""
    values = metadata_values()
    fields = dict.fromkeys(sorted({path[0] for path in FIELD_PATHS}), values)
    fields["o"] = _weighted((2, _objects()), (1, values))
    usual = fields.pop("a")  # the field that filters name most often
    return _weighted(
        (4, st.fixed_dictionaries({"a": usual}, optional=fields)),
        (1, st.fixed_dictionaries({}, optional=fields)),
    )


def leaves(
    *, paths: Strategy[Path] | None = None, values: Strategy[Scalar] | None = None
) -> Strategy[Leaf]:
    """Draw one leaf of any kind.

    Parameters
    ----------
    paths
        The fields to name; `field_paths()` unless given.
    values
        Scalar operands; `scalars()` unless given. Orderings take its bools as ints.
    """
    path = field_paths() if paths is None else paths
    scalar = scalars() if values is None else values
    ordered = scalar.map(lambda value: int(value) if isinstance(value, bool) else value)
    text = st.sampled_from(("a", "ab", "", "A") * 10 + ADVERSARIAL_STRINGS)
    some = st.lists(scalar, max_size=3).map(tuple)
    operand = _weighted((3, scalar), (1, _list_operands(scalar)))
    orderings = st.one_of([st.builds(node, path, ordered) for node in (Lt, Le, Gt, Ge)])
    return _weighted(
        (4, st.builds(Eq, path, operand)),
        (3, st.builds(In, path, st.lists(operand, max_size=4).map(tuple))),
        (4, orderings),
        (2, st.builds(Contains, path, scalar)),
        (2, st.builds(ContainsAny, path, some)),
        (2, st.builds(ContainsAll, path, some)),
        (3, st.builds(Exists, path)),
        (2, st.builds(StartsWith, path, text)),
    )


def filters(
    *,
    paths: Strategy[Path] | None = None,
    values: Strategy[Scalar] | None = None,
    max_leaves: int = 8,
) -> Strategy[Filter]:
    """Draw a filter: a leaf, or a tree of `And`, `Or` and `Not`, empty ones included.

    Parameters
    ----------
    paths, values
        As for `leaves`.
    max_leaves
        About how many leaves a tree has at most.
    """

    def grow(inner: Strategy[Filter]) -> Strategy[Filter]:
        some = st.lists(inner, max_size=3)
        return st.one_of(
            some.map(lambda operands: And(*operands)),
            some.map(lambda operands: Or(*operands)),
            inner.map(Not),
        )

    return st.recursive(leaves(paths=paths, values=values), grow, max_leaves=max_leaves)


def records_metadata(*, min_size: int = 1, max_size: int = 12) -> Strategy[list[MetadataDict]]:
    """Draw the metadata of several records."""
    return st.lists(metadata(), min_size=min_size, max_size=max_size)


def _lists() -> Strategy[list[Any]]:
    items = _weighted((6, scalars()), (1, st.none()), (1, st.lists(scalars(), max_size=2)))
    return st.lists(items, max_size=3)


def _objects() -> Strategy[Mapping[str, Any]]:
    values = _weighted((5, scalars()), (1, st.none()), (2, _lists()))
    inner = st.fixed_dictionaries({}, optional={"a": values})
    return st.fixed_dictionaries(
        {}, optional={"a": values, "b": values, "o": st.one_of(inner, values)}
    )


def _list_operands(scalar: Strategy[Scalar]) -> Strategy[Any]:
    """Draw a list as an operand: nested tuples, with None allowed inside."""
    nested = st.lists(scalar, max_size=2).map(tuple)
    items: Strategy[Any] = _weighted((6, scalar), (1, st.none()), (1, nested))
    return st.lists(items, max_size=3).map(tuple)


def _weighted(*choices: tuple[int, Strategy[Any]]) -> Strategy[Any]:
    """Draw from one of several strategies by weight; `st.one_of` drops repeats."""
    table = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.integers(0, len(table) - 1).flatmap(table.__getitem__)
