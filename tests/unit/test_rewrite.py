"""Rewrites: meaning is kept, the form is normal, constants are gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given

from polyvec.evaluate import matches
from polyvec.filters import (
    And,
    ContainsAll,
    ContainsAny,
    Eq,
    F,
    Filter,
    In,
    Not,
    Or,
)
from polyvec.rewrite import depth, flatten, fold, is_all, is_none, normal_form, push_not
from polyvec.testing.strategies import filters, metadata
from polyvec.types import MetadataDict

A: Final = F("a") == 1
B: Final = F("b") < 2
C: Final = F("c").exists()
ALL: Final = And()
NONE: Final = Or()
DEEP: Final = 10_000


@pytest.mark.laws
@given(filters(), metadata())
def test_rewrites_keep_the_meaning(filter: Filter, record: MetadataDict) -> None:
    expected = matches(filter, record)
    assert matches(flatten(filter), record) is expected
    assert matches(push_not(filter), record) is expected
    assert matches(fold(filter), record) is expected
    assert matches(normal_form(filter), record) is expected


@pytest.mark.laws
@given(filters())
def test_the_normal_form_is_normal(filter: Filter) -> None:
    normal = normal_form(filter)
    assert normal_form(normal) == normal
    assert flatten(normal) == push_not(normal) == fold(normal) == normal
    if normal not in (ALL, NONE):
        _assert_normal(normal)


def _assert_normal(node: Filter) -> None:
    match node:
        case Not(operand):
            assert not isinstance(operand, (And, Or, Not))
            _assert_normal(operand)
        case And(operands) | Or(operands):
            assert len(operands) >= 2
            assert len(set(operands)) == len(operands)
            for operand in operands:
                assert type(operand) is not type(node)
                assert Not(operand) not in operands
                _assert_normal(operand)
        case In(_, values):
            assert len(values) >= 2
        case ContainsAny(_, values):
            assert values
        case _:
            pass


@given(filters())
def test_depth_is_what_recursion_finds(filter: Filter) -> None:
    def deepest(node: Filter) -> int:
        match node:
            case And(operands) | Or(operands):
                return 1 + max(map(deepest, operands), default=0)
            case Not(operand):
                return 1 + deepest(operand)
            case _:
                return 0

    assert depth(filter) == deepest(filter)
    assert depth(flatten(filter)) <= depth(filter)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (And(And(A, B), C), And(A, B, C)),
        (And(A, And(B, And(C))), And(A, B, C)),
        (Or(Or(A), And(Or(B, C))), Or(A, B, C)),
        (And(A), A),
        (~~A, A),
        (~And(~A), A),
        (~Or(And(~Or(A, B))), Or(A, B)),
        (And(And(), A), A),
        (Or(C, And(And(), Or(A, B))), Or(C, A, B)),
        (Or(C, ~~Or(A, B)), Or(C, A, B)),
        (Not(And()), NONE),
        (And(), ALL),
    ],
)
def test_flatten(filter: Filter, expected: Filter) -> None:
    assert flatten(filter) == expected


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (~(A & B), ~A | ~B),
        (~(A | B), ~A & ~B),
        (~(~A | (B & ~C)), And(A, Or(~B, C))),
        (~ALL, NONE),
        (~NONE, ALL),
        (~A, ~A),
    ],
)
def test_push_not(filter: Filter, expected: Filter) -> None:
    assert push_not(filter) == expected


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (In(("a",), ()), NONE),
        (~F("a").is_in([]), ALL),
        (F("a").contains_any([]), NONE),
        (F("a").contains_all([]), ContainsAll(("a",), ())),
        (F("a").starts_with(""), F("a").starts_with("")),
        (A & NONE, NONE),
        (A & ALL, A),
        (A | ALL, ALL),
        (A | NONE, A),
        (Or(NONE, NONE), NONE),
        (And(ALL), ALL),
        (And(A, B, A), And(A, B)),
        (And(A, F("a") == True), And(A, Eq(("a",), True))),  # noqa: E712 - builds a filter
        (And(A, F("a") == 1.0), A),
        (A & ~A, NONE),
        (Or(B, A, ~A), ALL),
        (And(B, Or(C, ~C)), B),
        (Or(And(A, NONE), B), B),
        (And(Or(And(A, B)), C), And(A, B, C)),
        (F("a").is_in([1]), A),
        (F("a").is_in([1, 1.0]), A),
        (~F("a").is_in([1]), ~A),
        (F("a").is_in([1, True, 1.0]), In(("a",), (1, True))),
        (F("a").is_in([1]) & A, A),
        (F("a").contains_all([1, "x", 1]), ContainsAll(("a",), (1, "x"))),
    ],
)
def test_fold(filter: Filter, expected: Filter) -> None:
    found = fold(filter)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "filter", [None, ALL, ~NONE, A | ~A, ~F("a").is_in([]), And(ALL, Or(B, ~B)), ~(A & ~A)]
)
def test_what_folds_to_true_is_all(filter: Filter | None) -> None:
    assert is_all(filter)
    assert not is_none(filter)


@pytest.mark.parametrize("filter", [NONE, ~ALL, A & ~A, F("a").is_in([]), And(B, NONE)])
def test_what_folds_to_false_is_none(filter: Filter) -> None:
    assert is_none(filter)
    assert not is_all(filter)


@pytest.mark.parametrize("filter", [A, ~A, C, A | B, F("a").starts_with("")])
def test_what_looks_at_a_field_is_neither(filter: Filter) -> None:
    assert not is_all(filter)
    assert not is_none(filter)


DEEPEN: Final[list[Callable[[Filter], Filter]]] = [
    lambda node: And(node, A),
    lambda node: And(A, node),
    lambda node: Or(And(node)),
    lambda node: ~~node,
    lambda node: ~And(~Or(node)),
]


@pytest.mark.parametrize("build", DEEPEN)
def test_hostile_depth_is_flattened_without_recursion(build: Callable[[Filter], Filter]) -> None:
    tree: Filter = A
    for _ in range(DEEP):
        tree = build(tree)
    assert depth(flatten(tree)) <= 1
    assert normal_form(tree) == A


def test_order_is_kept() -> None:
    fields = [F(("n", str(at))) == at for at in range(50)]
    nested = And(And(*fields[:10]), *fields[10:20], And(And(*fields[20:49]), fields[49]))
    flat = normal_form(nested)
    assert isinstance(flat, And)
    assert list(flat.operands) == fields
