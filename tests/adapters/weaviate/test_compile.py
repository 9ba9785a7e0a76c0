"""Leaves to conditions, without a server: what is sent, and what is left to the core."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from polyvec import F
from polyvec.bounds import NONE
from polyvec.filters import Not
from polyvec.rewrite import normal_form
from polyvec.types import as_any
from polyvec_weaviate import _compile, _conditions

COLUMNS: Any = {
    (("n",), "n"): "n",
    (("s",), "s"): "s",
    (("at",), "d"): "at",
    (("author", "name"), "s"): "author__name",
}
MOMENT = datetime(2024, 5, 6, tzinfo=UTC)
TERMS = "_polyvec_terms"


def bounds(filter: Any, columns: Any = COLUMNS, most: int = 64) -> Any:
    node: Any = normal_form(filter)
    if isinstance(node, Not):
        return _compile.leaf(as_any(node.operand), True, columns, most)
    return _compile.leaf(node, False, columns, most)


def any_of(*terms: str) -> Any:
    return {"ContainsAny": [TERMS, list(terms)]}


@pytest.mark.parametrize(
    ("filter", "sent"),
    [
        (F("s") == "de", any_of("=s:sde|")),
        (F("n") == 1.0, any_of("=n:n1|")),
        (F("n") == True, any_of("=n:b1|")),  # noqa: E712 - a filter
        (F("n").is_in([2, 1]), any_of("=n:n1|", "=n:n2|")),
        (F("t").contains("x"), any_of("@t:sx|")),
        (F("t").contains_any(["x", 1]), any_of("@t:n1|", "@t:sx|")),
        (F("t").contains_all(["x", 1]), {"ContainsAll": [TERMS, ["@t:n1|", "@t:sx|"]]}),
        (F("t").contains_all([]), any_of("?t:l|")),
        (F("l") == [1, "a"], any_of('=l:l["n1", "sa"]|')),
        (F("a.b").starts_with(""), any_of("?a.b:s|")),
        (F("e").exists(), any_of("?e:b|", "?e:d|", "?e:l|", "?e:n|", "?e:o|", "?e:s|")),
        (F("n") < 3, {"LessThan": ["n", 3.0]}),
        (F("n") >= 0.5, {"GreaterThanEqual": ["n", 0.5]}),
        (F("n") > 1e300, {"GreaterThan": ["n", 1e300]}),
        (F("s") != "de", {"Not": [any_of("=s:sde|")]}),
        (~(F("n") <= 3), {"Not": [{"LessThanEqual": ["n", 3.0]}]}),
    ],
    ids=repr,
)
def test_what_is_sent(filter: Any, sent: Any) -> None:
    compiled = bounds(filter)
    assert compiled.exact
    assert _conditions.shown(compiled.upper) == sent


@pytest.mark.parametrize(
    ("filter", "lower", "unsure"),
    [
        (F("s") < "m", {"LessThan": ["s", "m"]}, "!s:s|"),
        (F("author.name") >= "m", {"GreaterThanEqual": ["author__name", "m"]}, "!author.name:s|"),
        (F("s") > " m", {"GreaterThanEqual": ["s", "!"]}, "!s:s|"),
        (F("s") <= "m ", {"LessThan": ["s", "m \0"]}, "!s:s|"),
    ],
    ids=repr,
)
def test_strings_with_outer_white_space_are_checked(filter: Any, lower: Any, unsure: str) -> None:
    compiled = bounds(filter)
    assert _conditions.shown(compiled.lower) == lower
    assert _conditions.shown(compiled.upper) == {"Or": [lower, any_of(unsure)]}


def test_a_prefix_is_a_range() -> None:
    compiled = bounds(F("s").starts_with("New"))
    inside = {"And": [{"GreaterThanEqual": ["s", "New"]}, {"LessThan": ["s", "Nex"]}]}
    assert _conditions.shown(compiled.lower) == inside
    assert _conditions.shown(compiled.upper) == {"Or": [inside, any_of("!s:s|")]}


@pytest.mark.parametrize(
    ("prefix", "end"),
    [("\ud7ff", "\ue000"), ("a\U0010ffff", "b"), ("\U0010ffff", None)],
)
def test_the_end_of_a_prefix(prefix: str, end: str | None) -> None:
    found = _conditions.shown(bounds(F("s").starts_with(prefix)).lower)
    start = {"GreaterThanEqual": ["s", prefix]}
    assert found == (start if end is None else {"And": [start, {"LessThan": ["s", end]}]})


@pytest.mark.parametrize(
    "filter", [F("x") < 3, F("x") < "a", F("x") > MOMENT, F("x").starts_with("a")], ids=repr
)
def test_without_a_property_the_class_is_all_that_is_known(filter: Any) -> None:
    compiled = bounds(filter)
    assert compiled.lower is NONE
    (term,) = _conditions.shown(compiled.upper)["ContainsAny"][1]
    assert term in ("?x:n|", "?x:s|", "?x:d|")


@pytest.mark.parametrize("sign", [1, -1])
def test_ints_that_share_a_float_are_told_apart(sign: int) -> None:
    value = sign * (2**53 + 1)
    compiled = bounds(F("n") <= value)
    assert compiled.exact
    strict, ties = _conditions.shown(compiled.upper)["Or"]
    assert strict == {"LessThan": ["n", float(value)]}
    alike = [int(term[4:-1]) for term in ties["ContainsAny"][1]]
    assert alike
    assert all(float(number) == float(value) and number <= value for number in alike)
    assert value in alike


def test_dates_of_the_index_and_beyond() -> None:
    far = any_of("!at:d>|")
    inside = {"GreaterThan": ["at", str(MOMENT)]}
    assert _conditions.shown(bounds(F("at") > MOMENT).upper) == {"Or": [inside, far]}
    assert bounds(F("at") > MOMENT).exact
    late = bounds(F("at") > datetime(3000, 1, 1, tzinfo=UTC))
    assert late.lower is NONE
    assert _conditions.shown(late.upper) == far


def test_a_collection_with_too_many_properties_is_not_trusted() -> None:
    full = bounds(F("n") < 3, most=3)
    assert _conditions.shown(full.lower) == {"LessThan": ["n", 3.0]}
    assert _conditions.shown(full.upper) == {"Or": [{"LessThan": ["n", 3.0]}, any_of("!n:n|")]}


@pytest.mark.parametrize(
    "filter", [F("s") < "m", F("x") < 3, F("at") < datetime(1500, 1, 1, tzinfo=UTC)], ids=repr
)
def test_a_complement_is_crosswise(filter: Any) -> None:
    plain, negated = bounds(filter), bounds(~filter)
    if plain.lower is not NONE:
        assert _conditions.shown(negated.upper) == {"Not": [_conditions.shown(plain.lower)]}
    assert _conditions.shown(negated.lower) == {"Not": [_conditions.shown(plain.upper)]}
