"""Ints that sort as values do."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyvec_chroma._order import (
    MAX_INT,
    MIN_INT,
    Bound,
    bound_of_floats,
    bound_of_ints,
    float_of_order,
    is_whole,
    order_of_float,
    order_of_text,
    orders_of_prefix,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
ints = st.integers(MIN_INT, MAX_INT)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
OPS = {"$lt": operator.lt, "$lte": operator.le, "$gt": operator.gt, "$gte": operator.ge}


@given(finite, finite)
@example(-0.0, 0.0)
@example(5e-324, -5e-324)
def test_floats_keep_their_order(one: float, other: float) -> None:
    assert (one < other) == (order_of_float(one) < order_of_float(other))
    assert (one == other) == (order_of_float(one) == order_of_float(other))
    assert MIN_INT <= order_of_float(one) <= MAX_INT
    assert float_of_order(order_of_float(one)) == one


@given(texts, texts)
@example("a", "a\0")
@example("a" * 7, "a" * 8)
@example("\uffff", "\U00010000")
@example("é" * 4, "é" * 3 + "e")
def test_texts_keep_their_order_as_far_as_it_goes(one: str, other: str) -> None:
    first, second = order_of_text(one), order_of_text(other)
    if first != second:
        assert (one < other) == (first < second)
    else:
        assert one == other or not (is_whole(one) or is_whole(other))


@given(texts, texts)
@example("a", "a\0")
@example("\0", "")
@example("", "a")
@example("a" * 8, "a" * 7)
def test_prefixes_are_ranges(text: str, prefix: str) -> None:
    low, high = orders_of_prefix(prefix)
    inside = low <= order_of_text(text) <= high
    if is_whole(prefix):
        assert inside == text.startswith(prefix)
    else:
        assert inside or not text.startswith(prefix)


@pytest.mark.parametrize("prefix", ["a", "abc", "é", "abcdefg", "abcdefgh"])
def test_prefixes_find_what_begins_with_them(prefix: str) -> None:
    low, high = orders_of_prefix(prefix)
    for text in (prefix, prefix + "\0", prefix + "x", prefix + "\U0010ffff" * 5):
        assert low <= order_of_text(text) <= high


def satisfied(bound: Bound, value: int) -> bool:
    return bool(bound.value) if bound.op is None else bool(OPS[bound.op](value, bound.value))


NUMBERS: list[Any] = [
    *(0, 1, -1, 0.5, -0.5, 1.5, 2**53, 2**53 + 1, float(2**53), MAX_INT, MIN_INT),
    *(float(2**63), -float(2**63), 1e300, -1e300, 5e-324),
]


@given(st.sampled_from(sorted(OPS)), ints | finite | st.sampled_from(NUMBERS), ints | finite)
@example("$lt", 2**53 + 1, float(2**53))
@example("$lte", MAX_INT, float(2**63))
@example("$gt", 0.5, 0)
@example("$gte", -0.5, 0)
def test_bounds_compare_by_exact_value(op: str, operand: Any, stored: Any) -> None:
    if isinstance(stored, int):
        assert satisfied(bound_of_ints(op, operand), stored) == OPS[op](stored, operand)
    else:
        order = order_of_float(stored)
        assert satisfied(bound_of_floats(op, operand), order) == OPS[op](stored, operand)
