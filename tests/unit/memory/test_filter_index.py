"""Masks of the filter index against `evaluate.matches`, also while rows come and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec.evaluate import matches
from polyvec.filters import And, F, Filter, Ge, Gt, Le, Lt, Or
from polyvec.memory import filter_index
from polyvec.memory.filter_index import FilterIndex
from polyvec.memory.segment import Segment
from polyvec.testing import strategies

HUGE = 2**53

SCALARS: list[Any] = [
    True,
    False,
    0,
    1,
    1.0,
    -0.0,
    0.5,
    HUGE,
    HUGE + 1,
    float(HUGE),
    -HUGE - 1,
    2**63 - 1,
    float(2**63),
    "",
    "a",
    "A",
    "aa",
    "ab",
    "b",
    "1",
    "\uffff",
    "\U0001f600",
    "é",
    "e\u0301",
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2020, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
]
LISTS: list[Any] = [[], [1], [1.0, "a"], [True], [None], [[1]], [[]], ["a", None, HUGE + 1]]
OTHERS: list[Any] = [None, {}, {"a": 1}, [{"a": 1}], [1, {}]]

ROWS: list[dict[str, Any]] = [{}, *({"a": value} for value in [*SCALARS, *LISTS, *OTHERS])]
A = F("a")
LEAVES: list[Filter] = [
    *(F("a") == value for value in [*SCALARS, *LISTS]),
    *(A.is_in([value, "b", 0]) for value in [*SCALARS, *LISTS]),
    *(A.contains(value) for value in SCALARS),
    *(A.contains_any([value, "b"]) for value in SCALARS),
    *(A.contains_all([value, "a"]) for value in SCALARS),
    *(A.starts_with(value) for value in SCALARS if isinstance(value, str)),
    A.exists(),
    A.is_in([]),
    A.contains_any([]),
    A.contains_all([]),
    F("a.a") == 1,
    And(),
    Or(),
    ~And(),
    *(
        node(("a",), value)
        for value in SCALARS
        if not isinstance(value, bool)
        for node in (Lt, Le, Gt, Ge)
    ),
]


def mask_of(filter: Filter, rows: list[dict[str, Any]]) -> list[bool]:
    mask: list[bool] = FilterIndex(rows).mask(filter, len(rows)).tolist()
    return mask


@pytest.mark.parametrize("leaf", LEAVES, ids=repr)
def test_leaf_agrees_with_matches_on_every_class_of_value(leaf: Filter) -> None:
    expected = [matches(leaf, row) for row in ROWS]
    assert mask_of(leaf, ROWS) == expected
    assert mask_of(~leaf, ROWS) == [not one for one in expected]


@given(strategies.filters(), strategies.records_metadata(max_size=30))
def test_mask_agrees_with_matches(filter: Filter, rows: list[dict[str, Any]]) -> None:
    assert mask_of(filter, rows) == [matches(filter, row) for row in rows]


@given(
    st.lists(st.tuples(strategies.records_metadata(min_size=0, max_size=9), strategies.filters())),
    st.integers(1, 5),
)
def test_mask_agrees_while_rows_are_added(
    steps: list[tuple[list[dict[str, Any]], Filter]], small: int
) -> None:
    rows: list[dict[str, Any]] = []
    index = FilterIndex(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filter_index, "SMALL_SEGMENT", small)  # many segments, many mergers
        for added, asked in steps:
            seen = len(rows)
            rows += added
            expected = [matches(asked, row) for row in rows]
            assert index.mask(asked, len(rows)).tolist() == expected
            # A reader that took its view before the rows came.
            assert index.mask(asked, seen).tolist() == expected[:seen]


def test_a_row_is_indexed_a_logarithmic_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    indexed = 0

    class Counting(Segment):
        def __init__(self, path: Any, metadata: Any, start: int) -> None:
            nonlocal indexed
            indexed += len(metadata)
            super().__init__(path, metadata, start)

    monkeypatch.setattr(filter_index, "Segment", Counting)
    monkeypatch.setattr(filter_index, "SMALL_SEGMENT", 1)
    rows: list[dict[str, Any]] = []
    index = FilterIndex(rows)
    for number in range(1024):
        rows.append({"a": number})
        assert index.mask(F("a") == number, len(rows)).sum() == 1
    assert indexed <= 1024 * 11


def test_fields_beyond_the_limit_are_indexed_again_when_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filter_index, "MOST_FIELDS", 2)
    rows: list[dict[str, Any]] = [{"a": 1, "b": 2, "c": 3}, {"a": 2}]
    index = FilterIndex(rows)
    for name, value in [("a", 1), ("b", 2), ("c", 3), ("a", 1)]:
        assert index.mask(F(name) == value, 2).tolist() == [True, False]
