"""Leaves become exact conditions, bounds, or nothing; and the two signs are complements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate

import pytest

from polyvec.bounds import ALL, NONE, UNKNOWN, Bounds
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
from polyvec_sqlite._compile import (
    MAX_OPERANDS,
    Condition,
    Has,
    Joint,
    all_of,
    any_of,
    complement,
    leaf,
)
from polyvec_sqlite._facts import MAX_PATH
from polyvec_sqlite._schema import Tables
from polyvec_sqlite._statements import GROUP, choose, readable

A = ("a",)
MANY = tuple(range(MAX_OPERANDS + 1))

EXACT: list[Leaf] = [
    Eq(A, 1),
    Eq(A, True),
    Eq(A, "x' OR 1=1 --"),
    Eq(A, ()),
    Lt(A, 2.5),
    Le(A, "m"),
    Gt(A, datetime(2024, 1, 1, tzinfo=UTC)),
    Ge(("a", "b"), 0),
    In(A, (1, "x", False)),
    In(A, (1, ())),
    In(A, ()),
    Contains(A, 1),
    ContainsAny(A, (1, "x")),
    ContainsAny(A, ()),
    ContainsAll(A, (1, "x")),
    ContainsAll(A, ()),
    Exists(A),
    StartsWith(A, "p"),
    StartsWith(A, ""),
]

BOUNDED: list[Leaf] = [
    Eq(A, (1, "x")),
    In(A, (1, (2, 3))),
    In(A, ((), (2, 3))),
    In(A, MANY),
    ContainsAny(A, MANY),
    ContainsAll(A, MANY),
]

DEEP: list[Leaf] = [Eq(A * (MAX_PATH + 1), 1), Exists(A * (MAX_PATH + 1))]


@pytest.mark.parametrize("node", EXACT, ids=repr)
def test_what_sql_decides_as_polyvec_does_is_exact(node: Leaf) -> None:
    assert leaf(node, negated=False).exact
    assert leaf(node, negated=True).exact


@pytest.mark.parametrize("node", BOUNDED, ids=lambda node: repr(node)[:40])
@pytest.mark.parametrize("negated", [False, True])
def test_what_sql_decides_roughly_has_bounds(node: Leaf, negated: bool) -> None:
    bounds = leaf(node, negated)
    assert not bounds.exact
    assert (bounds.lower, bounds.upper) != (NONE, ALL)


@pytest.mark.parametrize("node", DEEP, ids=repr)
@pytest.mark.parametrize("negated", [False, True])
def test_a_path_deeper_than_the_facts_is_unknown(node: Leaf, negated: bool) -> None:
    assert leaf(node, negated) is UNKNOWN


def test_a_path_as_deep_as_the_facts_is_exact() -> None:
    assert leaf(Eq(A * MAX_PATH, 1), negated=False).exact


@pytest.mark.parametrize("node", [*EXACT, *BOUNDED, *DEEP], ids=lambda node: repr(node)[:40])
def test_the_two_signs_are_crosswise_complements(node: Leaf) -> None:
    plain, negated = leaf(node, negated=False), leaf(node, negated=True)
    assert negated.upper == complement(plain.lower)
    assert negated.lower == complement(plain.upper)
    assert plain.upper == complement(negated.lower)


def test_the_complement_of_all_is_any_of_the_complements() -> None:
    one, two = Has("path = ?", ("a",)), Has("path = ?", ("b",), negated=True)
    expected = any_of([Has("path = ?", ("a",), negated=True), Has("path = ?", ("b",))])
    assert complement(all_of([one, two])) == expected
    assert complement(expected) == all_of([one, two])


def test_nothing_of_the_user_gets_into_the_text_of_a_statement() -> None:
    hostile = "x') OR 1=1; DROP TABLE polyvec_collections; --"
    condition = leaf(Eq((hostile,), hostile), negated=False).upper
    clause = choose(Tables(1), hostile, condition)
    assert "DROP" not in clause.ahead + clause.where
    assert clause.where.count("?") == len(clause.parameters)


def test_classes_that_are_equal_in_sql_have_different_kinds() -> None:
    def parameters(value: object) -> tuple[object, ...]:
        condition = leaf(Eq(A, value), negated=False).upper  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # each is an operand
        assert isinstance(condition, Has)
        return condition.parameters

    assert parameters(1) == parameters(1.0)
    assert len({parameters(1), parameters(True), parameters("1")}) == 3


def test_datetimes_compare_by_instant() -> None:
    here = datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    there = datetime(2024, 1, 1, tzinfo=UTC)
    assert leaf(Eq(A, here), negated=False) == leaf(Eq(A, there), negated=False)


@pytest.mark.parametrize(
    ("prefix", "start_and_stop"),
    [
        ("ab", ("ab", "ac")),
        ("", ("",)),
        ("a\U0010ffff", ("a\U0010ffff", "b")),
        ("\U0010ffff", ("\U0010ffff",)),
        ("\ud7ff", ("\ud7ff", "\ue000")),
    ],
)
def test_a_prefix_is_an_interval(prefix: str, start_and_stop: tuple[str, ...]) -> None:
    condition = leaf(StartsWith(A, prefix), negated=False).upper
    assert isinstance(condition, Has)
    assert condition.parameters[2:] == start_and_stop


def test_inner_joints_are_not_nested() -> None:
    condition: Condition = Has("path = ?", ("a",))
    for _ in range(60):
        condition = any_of([Has("path = ?", ("b",)), all_of([condition, Has("path = ?", ("c",))])])
    clause = choose(Tables(1), "", condition)
    text = clause.ahead + clause.where
    assert text.count("AS MATERIALIZED") == 119  # all joints but the outermost
    assert deepest(text) <= 4
    assert text.count("?") == len(clause.parameters)


def deepest(text: str) -> int:
    """Return how many parentheses are open at once, at most."""
    steps = [1 if char == "(" else -1 for char in text if char in "()"]
    return max(accumulate(steps))


def test_a_long_chain_is_cut_into_groups() -> None:
    condition = any_of([Has("path = ?", (str(at),)) for at in range(GROUP + 1)])
    clause = choose(Tables(1), "n", condition)
    assert clause.parameters == ("n", *(str(at) for at in range(GROUP + 1)))
    assert clause.where.count(") OR (") == 1


def test_a_condition_is_shown_with_its_values() -> None:
    bounds: Bounds = leaf(Lt(A, 5), negated=True)
    assert readable(bounds.upper) == (
        "NOT EXISTS(path = '[\"a\"]' AND kind = 'number' AND value < 5)"
    )
    assert isinstance(both := all_of([bounds.upper, bounds.upper]), Joint)
    assert readable(both) == f"({readable(bounds.upper)} AND {readable(bounds.upper)})"
