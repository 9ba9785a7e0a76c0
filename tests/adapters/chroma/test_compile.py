"""Leaves become exact filters or bounds, against a model of Chroma's `where`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.adapters.chroma.chroma_where import selects

from polyvec import And, F, Or
from polyvec.bounds import ALL, NONE, UNKNOWN, Bounds, compile_filter
from polyvec.evaluate import matches
from polyvec.filters import Contains, ContainsAny, Eq, Filter, In, Leaf, StartsWith
from polyvec.testing.cases import CASES
from polyvec.testing.strategies import filters, leaves, metadata
from polyvec.testing.world import WORLD
from polyvec_chroma import _native
from polyvec_chroma._codec import encode
from polyvec_chroma._compile import MAX_OPERANDS, leaf
from polyvec_chroma._layout import TAGS
from polyvec_chroma._where import Where, all_of, any_of, candidates, certain

GOLDEN: list[tuple[Leaf, bool, dict[str, Any]]] = [
    (F("ok") == True, False, {"$and": [{TAGS: {"$contains": "b:ok"}}, {"ok": {"$eq": True}}]}),  # type: ignore[list-item]  # noqa: E712 - `==` builds a leaf
    (
        Eq(("n",), 2),
        True,
        {
            "$and": [
                {"$or": [{TAGS: {"$not_contains": "i:n"}}, {"n": {"$ne": 2}}]},
                {
                    "$or": [
                        {TAGS: {"$not_contains": "f:n"}},
                        {"_polyvec_o:n": {"$ne": 0x4000_0000_0000_0000}},
                    ]
                },
            ]
        },
    ),
    (
        F("n") < 0.5,
        False,
        {
            "$or": [
                {"$and": [{TAGS: {"$contains": "i:n"}}, {"n": {"$lte": 0}}]},
                {
                    "$and": [
                        {TAGS: {"$contains": "f:n"}},
                        {"_polyvec_o:n": {"$lt": 0x3FE0_0000_0000_0000}},
                    ]
                },
            ]
        },
    ),
    (Contains(("tags",), "x"), False, {TAGS: {"$contains": "e4:tagssx"}}),
    (Contains(("tags",), "x"), True, {TAGS: {"$not_contains": "e4:tagssx"}}),
    (
        Eq(("author", "name"), "it's"),
        False,
        {"$and": [{TAGS: {"$contains": "s:author.name"}}, {"author.name": {"$eq": "it's"}}]},
    ),
    (
        F("at") >= datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC),
        False,
        {"$and": [{TAGS: {"$contains": "d:at"}}, {"_polyvec_o:at": {"$gte": 1_000_000}}]},
    ),
]


@pytest.mark.parametrize(("node", "negated", "wanted"), GOLDEN)
def test_golden(node: Leaf, negated: bool, wanted: dict[str, Any]) -> None:
    bounds = leaf(node, negated)
    assert bounds.exact
    assert bounds.upper.json == wanted


class Ours:
    """The compiler of collections of ours."""

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        return leaf(node, negated)

    def all_of(self, filters: Any) -> Where:
        return all_of(filters)

    def any_of(self, filters: Any) -> Where:
        return any_of(filters)


class Native(Ours):
    """The compiler of collections that polyvec did not make."""

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        return _native.leaf(node, negated)


def stored(item: dict[str, Any]) -> dict[str, Any]:
    native, tags, _ = encode(item)
    return {**native, TAGS: tags}


def chosen(side: Any, native: Mapping[str, Any]) -> bool:
    """Tell whether Chroma selects a record by one side of bounds."""
    if side in (ALL, NONE):
        return side is ALL
    return side.json is None or selects(side.json, native)


def check_bounds(bounds: Bounds, right: bool, native: Mapping[str, Any]) -> None:
    assert not chosen(bounds.lower, native) or right, "the lower bound selects a wrong record"
    assert chosen(bounds.upper, native) or not right, "the upper bound misses a right record"
    if bounds.exact:
        assert chosen(bounds.upper, native) == right


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_of_the_suite(case: Any) -> None:
    bounds = compile_filter(case.where, Ours(), None).bounds
    for row in WORLD.values():
        check_bounds(bounds, matches(case.where, row.metadata), stored(row.metadata))


@given(filters(), metadata())
@example(F("a") < 0.5, {"a": 0})
@example(~(F("a") == 2**53 + 1), {"a": float(2**53)})
@example(F("a") < "abcdefgh", {"a": "abcdefg"})
def test_filters_agree_with_the_meaning(where: Filter, item: dict[str, Any]) -> None:
    bounds = compile_filter(where, Ours(), None).bounds
    check_bounds(bounds, matches(where, item), stored(item))


@given(leaves(), metadata())
def test_signs_are_crosswise_complements(node: Leaf, item: dict[str, Any]) -> None:
    plain, negated, native = leaf(node, False), leaf(node, True), stored(item)
    assert chosen(plain.lower, native) != chosen(negated.upper, native)
    assert chosen(plain.upper, native) != chosen(negated.lower, native)


@given(filters(), metadata())
def test_odd_records_are_all_candidates_and_never_certain(
    where: Filter, item: dict[str, Any]
) -> None:
    upper = compile_filter(where, Ours(), None).bounds.upper
    if upper in (ALL, NONE):
        return
    wide, foreign = {TAGS: ["w"]}, {"a": 1}
    for native, mixed in ((wide, False), (wide, True), (foreign, True)):
        wanted = candidates(upper, mixed=mixed)
        assert wanted is None or selects(wanted, native)
        sure = certain(upper)
        assert sure is None or not selects(sure, native)
    native = stored(item)
    sure = certain(upper)
    assert sure is None or selects(sure, native) == chosen(upper, native)


FLAT = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.sampled_from([0, 1, -1, 2, 0.5, 1.0, 1.5, "a", "ab", "", True, False, ["a"], ["b", "ab"]]),
    max_size=2,
)


@given(filters(), FLAT)
@example(F("a") < 0.5, {"a": 0})
@example(F("a") == 0.5, {"a": 0})
@example(~(F("a") == "a"), {})
def test_native_filters_are_bounds(where: Filter, item: dict[str, Any]) -> None:
    bounds = compile_filter(where, Native(), None).bounds
    check_bounds(bounds, matches(where, item), item)


def test_long_texts_are_bounds() -> None:
    for node in (F("a") < "abcdefgh", StartsWith(("a",), "abcdefgh")):
        assert not leaf(node, False).exact
        assert not leaf(node, True).exact
    assert leaf(F("a") < "abcdefg", False).exact
    assert leaf(StartsWith(("a",), "abcdefg"), True).exact


def test_too_many_operands_are_left_to_the_core() -> None:
    many = tuple(range(MAX_OPERANDS + 1))
    assert leaf(In(("a",), many), False) is UNKNOWN
    assert leaf(ContainsAny(("a",), many), True) is UNKNOWN
    assert leaf(In(("a",), many[1:]), False).exact


def test_constants() -> None:
    assert leaf(In(("a",), ()), False) == Bounds.exactly(NONE)
    assert leaf(ContainsAny(("a",), ()), True) == Bounds.exactly(ALL)
    assert leaf(Eq(("a",), 1e300), True).upper is not ALL  # floats may be as large


def test_a_filter_too_large_for_chroma_looks_at_all_records() -> None:
    large = Or(*(And(F("a") == at, F("b") != at) for at in range(300)))
    bounds = compile_filter(large, Ours(), None).bounds
    assert bounds.exact
    assert bounds.upper.json is None
    assert candidates(bounds.upper, mixed=False) is None
    assert certain(bounds.upper) is None
    assert matches(bounds.upper.node, {"a": 7}) == matches(large, {"a": 7}) is True
