"""Filter nodes and `F`: what can be built, what is refused, equality and text."""

from __future__ import annotations

import copy
import datetime
import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given

from polyvec.errors import FilterError
from polyvec.filters import (
    And,
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    F,
    Filter,
    Ge,
    Gt,
    In,
    Le,
    Lt,
    Not,
    Or,
    StartsWith,
)
from polyvec.paths import format_path, parse_path
from polyvec.testing.strategies import field_paths, filters

A: Final = F("a") == 1
B: Final = F("b") == 2
C: Final = F("c") == 3
NOON: Final = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
DEEP: Final = 10_000


class Colour(StrEnum):
    RED = "red"


class Grade(IntEnum):
    FIRST = 1


class OldColour(str, Enum):  # noqa: UP042 - str() of a member is its name, unlike StrEnum's
    RED = "red"


def evaluated(text: str) -> object:
    names = {"F": F, "And": And, "Or": Or, "Not": Not, "datetime": datetime}
    return eval(text, names)  # noqa: S307 - text of our own repr


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (F("a") == 1, Eq(("a",), 1)),
        (F("a") != 1, Not(Eq(("a",), 1))),
        (F("a") < 1, Lt(("a",), 1)),
        (F("a") <= 1, Le(("a",), 1)),
        (F("a") > 1, Gt(("a",), 1)),
        (F("a") >= 1, Ge(("a",), 1)),
        (5 < F("a"), Gt(("a",), 5)),  # noqa: SIM300 - the reflected form is the point
        (np.float64(5) >= F("a"), Le(("a",), 5)),
        (NOON < F("a"), Gt(("a",), NOON)),  # noqa: SIM300 - the reflected form is the point
        (F("a").is_in([1, "x"]), In(("a",), (1, "x"))),
        (F("a").is_in(v for v in (1, 2)), In(("a",), (1, 2))),
        (F("a").is_in(np.array([1, 2])), In(("a",), (1, 2))),
        (F("a").not_in([1]), Not(In(("a",), (1,)))),
        (F("a").contains("x"), Contains(("a",), "x")),
        (F("a").contains_any(["x"]), ContainsAny(("a",), ("x",))),
        (F("a").contains_all({"x"}), ContainsAll(("a",), ("x",))),
        (F("a").starts_with("x"), StartsWith(("a",), "x")),
        (F("a").exists(), Exists(("a",))),
        (F("a").is_missing(), Not(Exists(("a",)))),
        (F("a") == None, Not(Exists(("a",)))),  # noqa: E711 - builds a filter
        (F("a") != None, Exists(("a",))),  # noqa: E711 - builds a filter
        (F("a").is_in([None, 1]), Or(In(("a",), (1,)), Not(Exists(("a",))))),
        (F("a").not_in([None, 1]), Not(Or(In(("a",), (1,)), Not(Exists(("a",)))))),
        (F("a") == [1, [None, "x"]], Eq(("a",), (1, (None, "x")))),
        (A & B, And(A, B)),
        (A | B, Or(A, B)),
        (~A, Not(A)),
    ],
)
def test_sugar_builds_the_node(built: Filter, expected: Filter) -> None:
    assert built == expected
    assert type(built) is type(expected)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("author.name", ("author", "name")),
        (r"a\.b", ("a.b",)),
        (r"a\\.b", ("a\\", "b")),
        (r"a\\\.b", ("a\\.b",)),
        (r"a\nb", (r"a\nb",)),
        ("a\\", ("a\\",)),
        ("ünï 😀", ("ünï 😀",)),
        ("k" * 128, ("k" * 128,)),
        ("id", ("id",)),
    ],
)
def test_names_are_read_as_paths(text: str, path: tuple[str, ...]) -> None:
    assert F(text).path == path
    assert F(path).path == path
    assert parse_path(format_path(path)) == path


def test_a_tuple_names_keys_as_they_are() -> None:
    assert F(("author", "na.me\\")).path == ("author", "na.me\\")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("a..b", "empty"),
        (".a", "empty"),
        ("a.", "empty"),
        ((), "empty"),
        (("a", ""), "empty"),
        ("k" * 129, "129 code points"),
        ("$a", "reserved"),
        ("a.$b", "reserved"),
        ("_polyvec_x", "reserved"),
        ("a\x00", "NUL"),
        ("a\ud800", "surrogate"),
        (("a", 1), "int"),
        (["a"], "tuple"),
        (1, "tuple"),
        (None, "tuple"),
    ],
)
def test_impossible_names_are_refused(name: Any, reason: str) -> None:
    with pytest.raises(FilterError, match=reason):
        F(name)


def test_a_node_refuses_a_name_that_is_no_path() -> None:
    with pytest.raises(FilterError, match=r"tuple of keys, got 'a.b'"):
        Exists("a.b")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the mistake under test


@pytest.mark.parametrize(
    ("operand", "reason"),
    [
        (math.nan, "finite"),
        (math.inf, "finite"),
        (-math.inf, "finite"),
        (np.float32("nan"), "finite"),
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        pytest.param(10**10_000, "33220 bits", id="huge"),
        (np.uint64(2**63), "64 bits"),
        (datetime.datetime(2024, 1, 1), "attach a tzinfo"),  # noqa: DTZ001 - naive on purpose
        (datetime.date(2024, 1, 1), "type date"),
        ("\ud800", "surrogate"),
        (b"x", "type bytes"),
        ({1}, "type set"),
        ({"x": 1}, "dotted path"),
        (object(), "type object"),
        (1j, "type complex"),
        (np.array([1]), "type ndarray"),
        (np.datetime64("2024-01-01"), "type datetime64"),
        (F("b"), "field"),
    ],
)
def test_impossible_operands_are_refused(operand: Any, reason: str) -> None:
    field = F("a")
    for build in (
        lambda: field == operand,
        lambda: field != operand,
        lambda: field < operand,
        lambda: field.is_in([1, operand]),
        lambda: field.contains(operand),
        lambda: field.contains_any([operand]),
        lambda: field.contains_all([operand]),
    ):
        with pytest.raises(FilterError):
            build()
    with pytest.raises(FilterError, match=reason):
        field.__eq__(operand)


@pytest.mark.parametrize("operand", [math.nan, {"x": 1}, object(), b"x"])
def test_list_operands_are_checked_inside(operand: object) -> None:
    with pytest.raises(FilterError, match="'a'"):
        F("a").__eq__([1, [operand]])


@pytest.mark.parametrize("operand", [True, np.bool_(True), None, [1], (1,), {"x": 1}])
def test_orderings_take_numbers_strs_and_datetimes(operand: Any) -> None:
    for compare in (F.__lt__, F.__le__, F.__gt__, F.__ge__):
        with pytest.raises(FilterError, match="'a'"):
            compare(F("a"), operand)


@pytest.mark.parametrize("operand", [None, [1], {"x": 1}])
def test_contains_takes_scalars(operand: Any) -> None:
    with pytest.raises(FilterError, match="'a'"):
        F("a").contains(operand)
    with pytest.raises(FilterError, match="'a'"):
        F("a").contains_any([operand])


@pytest.mark.parametrize("values", ["abc", b"abc", 1, None, {"x": 1}])
def test_lists_of_values_are_no_strs_or_single_values(values: Any) -> None:
    field = F("a")
    for build in (field.is_in, field.not_in, field.contains_any, field.contains_all):
        with pytest.raises(FilterError, match="put a single value into a list"):
            build(values)


def test_a_prefix_is_a_str() -> None:
    with pytest.raises(FilterError, match="a str as prefix"):
        F("a").starts_with(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the mistake under test


def test_none_reaches_no_hand_built_node() -> None:
    for build in (lambda: Eq(("a",), None), lambda: In(("a",), (None,))):  # type: ignore[arg-type, unused-ignore]  # pyright: ignore[reportArgumentType]  # the mistake under test
        with pytest.raises(FilterError, match="exists"):
            build()


def test_hostile_list_operands_are_refused_without_recursion() -> None:
    hostile: list[Any] = []
    hostile.append(hostile)
    with pytest.raises(FilterError, match="nested deeper"):
        F("a").__eq__(hostile)


@pytest.mark.parametrize(
    ("operand", "plain"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
        (OldColour.RED, "red"),
        (Grade.FIRST, 1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        ("a\x00b", "a\x00b"),
    ],
)
def test_operands_become_plain_values(operand: Any, plain: object) -> None:
    node = Eq(("a",), operand)
    assert node.value == plain
    assert type(node.value) is type(plain)


def test_datetimes_get_a_fixed_offset() -> None:
    class Summer(datetime.tzinfo):
        def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
            return datetime.timedelta(hours=2)

        def tzname(self, dt: datetime.datetime | None) -> str:
            return "summer"

        def dst(self, dt: datetime.datetime | None) -> datetime.timedelta:
            return datetime.timedelta(hours=1)

    node = Eq(("a",), datetime.datetime(2024, 5, 1, 14, tzinfo=Summer()))
    assert isinstance(node.value, datetime.datetime)
    assert node.value.tzinfo == datetime.timezone(datetime.timedelta(hours=2))
    assert node.value == NOON


def test_filters_and_fields_have_no_truth_value() -> None:
    for use in (
        lambda: 1 < F("x") < 3,
        lambda: bool(A),
        lambda: A and B,
        lambda: not A,
        lambda: bool(F("x")),
    ):
        with pytest.raises(FilterError, match="truth value"):
            use()


def test_a_forgotten_comparison_or_parenthesis_is_named() -> None:
    uses: list[Callable[[], object]] = [
        lambda: F("a") == 1 & F("b"),
        lambda: F("a") & A,
        lambda: A | F("b"),
        lambda: ~F("a"),
    ]
    for use in uses:
        with pytest.raises(FilterError):
            use()
    with pytest.raises(FilterError, match="bind tighter"):
        _ = F("a") == 1 | F("b")


def test_a_field_is_no_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(F("a"))


@pytest.mark.parametrize("operand", [None, 1, True, {"a": 1}, F("a"), "a"])
def test_joints_refuse_what_is_no_filter(operand: Any) -> None:
    joins: list[Callable[[Any], object]] = [And, Or, Not, A.__and__, A.__or__]
    for join in joins:
        with pytest.raises(FilterError, match="expected a filter"):
            join(operand)


def test_chains_stay_flat() -> None:
    assert And(A, B, C) == A & B & C
    assert Or(A, B, C) == A | B | C
    assert And(A, And(B, C)) == A & (B & C)
    assert And(Or(A, B), C) == (A | B) & C
    chain: Filter = A
    for at in range(DEEP):
        chain = chain & (F("n") == at)
    assert isinstance(chain, And)
    assert len(chain.operands) == DEEP + 1


def test_equality_knows_classes() -> None:
    assert Eq(("a",), 1) == Eq(("a",), 1.0)
    assert hash(Eq(("a",), 1)) == hash(Eq(("a",), 1.0))
    assert Eq(("a",), 1) != Eq(("a",), True)
    assert Eq(("a",), 0) != Eq(("a",), False)
    assert Eq(("a",), (1, True)) != Eq(("a",), (1, 1))
    assert Eq(("a",), 2**53 + 1) != Eq(("a",), float(2**53))
    assert In(("a",), (1,)) != In(("a",), (True,))
    assert Contains(("a",), 1) != Eq(("a",), 1)
    assert Lt(("a",), 1) != Le(("a",), 1)
    assert ContainsAny(("a",), ()) != ContainsAll(("a",), ())
    assert And(A, B) != Or(A, B)
    assert And(A, B) != And(B, A)
    assert And() != Or()
    assert And(And(A), B) != And(And(A, B))
    east = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert Eq(("a",), NOON) == Eq(("a",), east)
    assert len({Eq(("a",), NOON), Eq(("a",), east), Eq(("a",), 1), Eq(("a",), True)}) == 3


def test_nodes_are_frozen_and_can_be_copied() -> None:
    with pytest.raises(FrozenInstanceError):
        A.path = ("b",)  # type: ignore[misc, union-attr]  # pyright: ignore[reportAttributeAccessIssue]  # the mistake under test
    with pytest.raises(FrozenInstanceError):
        F("a").path = ("b",)  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # the mistake under test
    tree = (A & ~B) | F("t").is_in([NOON, (1, None)])
    assert copy.deepcopy(tree) == tree
    assert pickle.loads(pickle.dumps(tree)) == tree  # noqa: S301 - our own bytes


DEEPEN: Final[list[Callable[[Filter], Filter]]] = [
    lambda node: And(node, A),
    lambda node: And(A, node),
    Or,
    Not,
    lambda node: Or(A, And(B, node)),
]


@pytest.mark.parametrize("build", DEEPEN)
def test_hostile_depth_breaks_neither_text_nor_equality(
    build: Callable[[Filter], Filter],
) -> None:
    one, two = A, A
    for _ in range(DEEP):
        one, two = build(one), build(two)
    assert one == two
    assert hash(one) == hash(two)
    assert one != build(two)
    assert "F('a')" in repr(one)


@pytest.mark.parametrize(
    ("filter", "text"),
    [
        (F("price") < 50, "F('price') < 50"),
        (~F("a").exists(), "~F('a').exists()"),
        (F("a") != 1, "F('a') != 1"),
        (~(F("a") != 1), "~(F('a') != 1)"),
        (~(A & B), "~((F('a') == 1) & (F('b') == 2))"),
        (A & B | C, "((F('a') == 1) & (F('b') == 2)) | (F('c') == 3)"),
        (And(And(A, B), C), "And((F('a') == 1) & (F('b') == 2), F('c') == 3)"),
        (And(), "And()"),
        (Or(A), "Or(F('a') == 1)"),
        (F("o.a").contains_all([1, "x"]), "F('o.a').contains_all([1, 'x'])"),
        (F(("o.a", "b")).starts_with("x"), "F(('o.a', 'b')).starts_with('x')"),
        (F("a") == [1, [None]], "F('a') == [1, [None]]"),
        (
            F("a") > NOON,
            "F('a') > datetime.datetime(2024, 5, 1, 12, 0, tzinfo=datetime.timezone.utc)",
        ),
    ],
)
def test_text_is_readable(filter: Filter, text: str) -> None:
    assert repr(filter) == text


@given(filters())
def test_text_builds_an_equal_filter(filter: Filter) -> None:
    assert evaluated(repr(filter)) == filter


@given(field_paths())
def test_path_text_round_trips(path: tuple[str, ...]) -> None:
    assert parse_path(format_path(path)) == path


class _NoMoment(datetime.datetime):
    """As pandas.NaT: a datetime whose methods raise."""

    def utcoffset(self) -> datetime.timedelta | None:
        raise ValueError("no moment")


def test_a_datetime_that_is_no_moment_is_refused() -> None:
    with pytest.raises(FilterError, match=r"'at'.*a moment"):
        F("at") == _NoMoment(2024, 1, 1)  # noqa: B015  # pyright: ignore[reportUnusedExpression]  # building it is the test
