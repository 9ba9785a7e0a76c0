"""Ints that sort as numbers, datetimes and strings do, without a server."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from polyvec_qdrant import _order

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@given(NUMBERS, NUMBERS)
@example(2**53, 2**53 + 1)
@example(2**53 + 1, float(2**53))
@example(2**63 - 1, float(2**63))
@example(-(2**63), float(-(2**63)))
@example(0, -0.0)
@example(5e-324, 0)
def test_numbers_sort_as_they_do(one: float, other: float) -> None:
    mine, theirs = _order.of_number(one), _order.of_number(other)
    assert (mine < theirs) == (one < other)
    assert (mine == theirs) == (one == other)
    assert all(0 <= part < 2**53 for part in mine)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-3, 3))
def test_moments_sort_as_they_do(moment: datetime, apart: int) -> None:
    try:
        other = moment + timedelta(microseconds=apart)
    except OverflowError:
        return
    mine, theirs = _order.of_moment(moment), _order.of_moment(other)
    assert (mine < theirs) == (moment < other)
    assert (mine == theirs) == (moment == other)


@given(TEXTS, TEXTS)
@example("billing", "billing\0")
@example("abcdef", "abcdefg")
@example("\uffff", "\U00010000")
@example("", "\0")
def test_texts_sort_as_their_first_bytes_do(one: str, other: str) -> None:
    mine, theirs = _order.of_text(one), _order.of_text(other)
    first = one.encode()[: _order.BYTES], other.encode()[: _order.BYTES]
    assert (mine < theirs) == (first[0] < first[1])
    assert (mine == theirs) == (first[0] == first[1])
    assert mine < 10**15, "more digits would not survive the server's parser"


@given(TEXTS, TEXTS)
def test_a_prefix_is_a_range(prefix: str, text: str) -> None:
    low, high = _order.prefix_range(prefix)
    if _order.length(prefix) <= _order.BYTES and text.startswith(prefix):
        assert low <= _order.of_text(text) <= high
    if low <= _order.of_text(text) <= high:
        cut = prefix.encode()[: _order.BYTES]
        assert text.encode()[: len(cut)] == cut


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.1)
@example(0.30000000000000004)
@example(1e22)
def test_safe_numbers_have_fifteen_digits(value: float) -> None:
    if _order.is_safe(value):
        assert float(f"{value:.15g}") == value
    elif _order.SMALLEST_SAFE < abs(value) < _order.LARGEST_SAFE:
        below, above = _order.below(value), _order.above(value)
        assert below <= value <= above
        assert math.isclose(below, above, rel_tol=1e-14)
        assert _order.is_safe(below) or not abs(below) > _order.SMALLEST_SAFE
