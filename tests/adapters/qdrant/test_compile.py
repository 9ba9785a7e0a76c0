"""Leaves to conditions, without a server: what is sent, and what is left to the core."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from polyvec import F
from polyvec.bounds import ALL, NONE
from polyvec.filters import Not
from polyvec.rewrite import normal_form
from polyvec.types import as_any
from polyvec_qdrant import _compile, _conditions
from polyvec_qdrant._conditions import Where


def bounds(filter: Any, indexes: dict[str, str] | None = None) -> Any:
    node: Any = normal_form(filter)
    if isinstance(node, Not):
        return _compile.leaf(as_any(node.operand), True, indexes or {})
    return _compile.leaf(node, False, indexes or {})


def shown(native: Any) -> Any:
    assert isinstance(native, Where)
    assert native.condition is not None
    return native.condition.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize(
    ("filter", "sent"),
    [
        (F("lang") == "de", {"key": "_polyvec_terms", "match": {"value": "=lang:sde"}}),
        (F("n") == 1.0, {"key": "_polyvec_terms", "match": {"value": "=n:n1"}}),
        (F("n").is_in([2, 1]), {"key": "_polyvec_terms", "match": {"any": ["=n:n1", "=n:n2"]}}),
        (F("t").contains("x"), {"key": "_polyvec_terms", "match": {"value": "@t:sx"}}),
        (F("a.b").starts_with(""), {"key": "_polyvec_terms", "match": {"value": "?a.b:s"}}),
        (
            F("lang") != "de",
            {"must_not": [{"key": "_polyvec_terms", "match": {"value": "=lang:sde"}}]},
        ),
    ],
    ids=repr,
)
def test_what_is_sent(filter: Any, sent: Any) -> None:
    compiled = bounds(filter)
    assert compiled.exact
    assert shown(compiled.upper) == sent


@pytest.mark.parametrize(
    "filter",
    [
        F("n") < 3,
        F("n") >= 0.1 + 0.2,
        F("n") > 1e300,
        F("n") <= 5e-324,
        F("n") < 2**63 - 1,
        F('q"q') < 3,
        F("s") < "abc",
        F("s") >= "abcdef",
        F("s").starts_with("日本"),
        F("at") > datetime(2024, 1, 1, tzinfo=UTC),
        F("at") <= datetime.max.replace(tzinfo=UTC),
        F("x").exists(),
        F("t").contains_all([]),
    ],
    ids=repr,
)
def test_what_is_exact(filter: Any) -> None:
    assert bounds(filter).exact
    assert bounds(~filter).exact


@pytest.mark.parametrize(
    "filter", [F("s") < "abcdefg", F("s").starts_with("abcdefg"), F("s") >= "日本語"], ids=repr
)
def test_long_texts_are_bounds(filter: Any) -> None:
    plain, negated = bounds(filter), bounds(~filter)
    assert not plain.exact
    assert not negated.exact
    assert plain.upper not in (ALL, NONE)
    assert negated.lower not in (ALL, NONE)


@pytest.mark.parametrize(("kind", "exact"), [("float", True), ("integer", False), ("text", True)])
def test_an_index_of_another_kind_makes_bounds(kind: str, exact: bool) -> None:
    assert bounds(F("n") < 3, {"n": kind}).exact is exact


def test_a_filter_that_nests_too_deeply_is_not_sent() -> None:
    leaf = bounds(F("a") == 1).upper
    node = leaf
    for _ in range(_conditions.DEEPEST + 3):
        node = _conditions.any_of([leaf, _conditions.all_of([leaf, node])])
    assert node.condition is None
    assert node.node is not None
