"""Filters as Mongo-style dicts: both directions, and what is refused."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given

from polyvec.errors import FilterError
from polyvec.evaluate import matches
from polyvec.filter_json import coerce, from_dict, to_dict
from polyvec.filters import And, Eq, Exists, F, Filter, Not, Or
from polyvec.rewrite import normal_form
from polyvec.testing.strategies import filters, metadata
from polyvec.types import MetadataDict

NOON: Final = datetime(2024, 5, 1, 12, tzinfo=UTC)
DEEP: Final = 100_000

PAIRS: Final[list[tuple[dict[str, Any], Filter]]] = [
    ({}, And()),
    ({"a": {"$eq": 1}}, F("a") == 1),
    ({"a": {"$ne": 1}}, F("a") != 1),
    ({"a": {"$lt": 1}}, F("a") < 1),
    ({"a": {"$lte": 1}}, F("a") <= 1),
    ({"a": {"$gt": NOON}}, F("a") > NOON),
    ({"a": {"$gte": "x"}}, F("a") >= "x"),
    ({"a": {"$in": [1, [2, None]]}}, F("a").is_in([1, [2, None]])),
    ({"a": {"$nin": [1]}}, F("a").not_in([1])),
    ({"a": {"$exists": True}}, F("a").exists()),
    ({"a": {"$exists": False}}, F("a").is_missing()),
    ({"a": {"$contains": "x"}}, F("a").contains("x")),
    ({"a": {"$containsAny": ["x"]}}, F("a").contains_any(["x"])),
    ({"a": {"$containsAll": []}}, F("a").contains_all([])),
    ({"a": {"$startsWith": "x"}}, F("a").starts_with("x")),
    ({"a": {"$not": {"$gt": 3}}}, ~(F("a") > 3)),
    ({"a": {"$eq": [1, None]}}, F("a") == [1, None]),
    ({"a.b": {"$eq": 1}}, F("a.b") == 1),
    ({r"a\.b": {"$eq": 1}}, F(("a.b",)) == 1),
    ({"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}, (F("a") == 1) & (F("b") == 2)),
    ({"$or": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}, (F("a") == 1) | (F("b") == 2)),
    ({"$or": []}, Or()),
    ({"$not": {"$or": [{"a": {"$eq": 1}}, {}]}}, ~((F("a") == 1) | And())),
]


@pytest.mark.parametrize(("document", "filter"), PAIRS)
def test_the_two_forms(document: dict[str, Any], filter: Filter) -> None:
    assert from_dict(document) == filter
    assert to_dict(filter) == document


@pytest.mark.parametrize(
    ("document", "filter"),
    [
        ({"a": 1}, F("a") == 1),
        ({"a": True}, Eq(("a",), True)),
        ({"a": None}, F("a").is_missing()),
        ({"a": {"$eq": None}}, F("a").is_missing()),
        ({"a": {"$ne": None}}, F("a").exists()),
        ({"a": [1, 2]}, F("a") == [1, 2]),
        ({"a": {"$in": [None, 1]}}, F("a").is_in([1]) | F("a").is_missing()),
        ({"a": {"$in": (1, 2)}}, F("a").is_in([1, 2])),
        ({"a": 1, "b": 2}, (F("a") == 1) & (F("b") == 2)),
        ({"a": {"$gt": 1, "$lt": 3}, "b": 2}, (F("a") > 1) & (F("a") < 3) & (F("b") == 2)),
        ({"$and": []}, And()),
        ({"$and": [{"a": 1}], "b": 2}, (F("a") == 1) & (F("b") == 2)),
        ({"$or": [{"a": 1, "b": 2}, {"c": 3}]}, (F("a") == 1) & (F("b") == 2) | (F("c") == 3)),
        ({"$not": {"a": 1}}, F("a") != 1),
        ({"a": {"$not": {"$gt": 1, "$lt": 3}}}, ~((F("a") > 1) & (F("a") < 3))),
        ({"a": {"$not": {"$not": {"$gt": 1}}}}, F("a") > 1),
        (UserDict({"a": UserDict({"$gt": 1})}), F("a") > 1),
    ],
)
def test_shorter_forms(document: dict[str, Any], filter: Filter) -> None:
    assert from_dict(document) == filter


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"a": {"$gte2": 1}}, r"unknown operator '\$gte2'; did you mean '\$gte'\?"),
        ({"a": {"$startswith": "x"}}, r"did you mean '\$startsWith'\?"),
        ({"a": {"$contains_any": []}}, r"did you mean '\$containsAny'\?"),
        ({"a": {"$regex": "x"}}, "expected one of .*startsWith"),
        ({"$nor": []}, r"did you mean '\$or'\?"),
        ({"$gt": 3}, "inside a field"),
        ({"a": {"$or": []}}, "on top"),
        ({"a": {"b": 1}}, r"\{'a.b': 1\}"),
        ({"a": {}}, "no operator"),
        ({"a": {"$gt": 1, "b": 2}}, r"\['b'\] are mixed"),
        ({"a": {"$exists": 1}}, "True or False, got 1"),
        ({"a": {"$exists": None}}, "True or False, got None"),
        ({"a": {"$in": "abc"}}, "takes a list, got 'abc'"),
        ({"a": {"$nin": {"b": 1}}}, "takes a list"),
        ({"a": {"$containsAll": "x"}}, "takes a list"),
        ({"a": {"$eq": {"b": 1}}}, "dotted path"),
        ({"a": {"$in": [{"b": 1}]}}, "dotted path"),
        ({"a": {"$gt": None}}, "expected int, float, str"),
        ({"a": {"$gt": True}}, "type bool"),
        ({"a": float("nan")}, "finite"),
        ({"a": {"$contains": ["x"]}}, "type list"),
        ({"a": {"$startsWith": 1}}, "prefix"),
        ({"a": {"$not": 3}}, r"write '\$ne'"),
        ({"a": {"$not": {}}}, "no operator"),
        ({"a": {"$not": {"b": 1}}}, "no operand"),
        ({"$and": {"a": 1}}, "takes a list"),
        ({"$or": [1]}, r"an item of '\$or' is 1"),
        ({"$not": [{"a": 1}]}, r"'\$not' is \["),
        ({1: 2}, "type int"),
        ({"": 1}, "empty"),
        ({"a..b": 1}, "empty"),
        ({"_polyvec": 1}, "reserved"),
        ({"a": {1, 2}}, "type set"),
        ({"a": datetime(2024, 1, 1)}, "tzinfo"),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_what_is_no_filter_is_refused(document: Any, reason: str) -> None:
    with pytest.raises(FilterError, match=reason):
        from_dict(document)


NESTINGS: Final[list[Callable[[dict[str, Any]], dict[str, Any]]]] = [
    lambda inner: {"$and": [inner]},
    lambda inner: {"$not": inner},
    lambda inner: {"$or": [{"x": 1}, inner]},
]


@pytest.mark.parametrize("build", NESTINGS)
def test_hostile_nesting_is_refused_without_recursion(
    build: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    document: dict[str, Any] = {"a": 1}
    for _ in range(DEEP):
        document = build(document)
    with pytest.raises(FilterError, match="nested deeper"):
        from_dict(document)


@pytest.mark.parametrize("word", ["$not", "$eq", "b"])
def test_hostile_operators_are_refused_without_recursion(word: str) -> None:
    operand: dict[str, Any] = {"$gt": 1}
    for _ in range(DEEP):
        operand = {word: operand}
    with pytest.raises(FilterError):
        from_dict({"a": operand})


def test_a_dict_that_holds_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["$and"] = [document, document]
    with pytest.raises(FilterError, match="nested deeper"):
        from_dict(document)


def test_deep_nesting_that_flattens_is_read() -> None:
    document: dict[str, Any] = {"a": 1}
    for at in range(500):
        document = {"$and": [document, {"b": at}]}
    found = from_dict(document)
    assert isinstance(found, And)
    assert len(found.operands) == 501


def test_a_filter_that_is_too_deep_is_not_written() -> None:
    tree: Filter = F("a") == 1
    for at in range(60):
        tree = Or(F("b") == at, And(F("c") == at, tree))
    with pytest.raises(FilterError, match="120 levels"):
        to_dict(tree)


@pytest.mark.laws
@given(filters(), metadata())
def test_round_trip_is_identity_up_to_normal_form(filter: Filter, record: MetadataDict) -> None:
    back = from_dict(to_dict(filter))
    assert normal_form(back) == normal_form(filter)
    assert matches(back, record) is matches(filter, record)


def test_coerce_takes_filters_dicts_and_none() -> None:
    leaf = F("a") == 1
    assert coerce(leaf) is leaf
    assert coerce({"a": 1}) == leaf
    assert coerce({}) == And()
    assert coerce(None) is None
    assert coerce(Not(Exists(("a",)))) == F("a").is_missing()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (F("a"), "until it is compared"),
        (True, "type bool"),
        ("a == 1", "type str"),
        (lambda: True, "type function"),
        ([F("a") == 1], "type list"),
        (Eq, "type type"),
        (0, "type int"),
        (b"", "type bytes"),
    ],
)
def test_coerce_refuses_anything_else(value: object, reason: str) -> None:
    with pytest.raises(FilterError, match=reason) as caught:
        coerce(value)
    assert "expected a filter such as" in str(caught.value)
