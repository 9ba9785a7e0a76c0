"""Leaves to SQL: values are parameters, whatever they hold; no server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from polyvec.bounds import UNKNOWN, Bounds
from polyvec.filters import Eq, F
from polyvec.schema import Flat
from polyvec.testing.corpus import HOSTILE, KEYS, WITH_NUL
from polyvec.types import Metric
from polyvec_pgvector import _compile
from polyvec_pgvector._layout import Column, OwnLayout, Place, TableLayout
from polyvec_pgvector._sql import Sql, identifier, string

PLACE = Place(
    table='"public"."t"',
    oid=1,
    extension="public",
    vector_oid=2,
    vector="vector",
    vector_type="vector",
    dimension=3,
    metric=Metric.COSINE,
    index=Flat(),
)
OWN = OwnLayout(PLACE, {("price",): "float", ("name",): "str"})
MOMENT = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def column(name: str, kind: Any, type_name: str) -> Column:
    return Column(name, identifier(name), kind, type_name, generated=False)


TABLE = TableLayout(
    place=PLACE,
    key=column("id", "int", "int8"),
    text=None,
    namespace=None,
    fields={
        "title": column("title", "str", "text"),
        "stock": column("stock", "int", "int4"),
        "rating": column("rating", "float", "float8"),
        "extra": column("extra", "jsonb", "jsonb"),
    },
)


def native(where: Any, layout: Any = OWN, *, negated: bool = False) -> Sql:
    bounds = _compile.leaf(where, negated, layout)
    assert bounds.exact
    found: Sql = bounds.lower
    return found


GOLDEN = [
    (F("a") == 1, "metadata @> '{\"a\":1}'::jsonb"),
    (F("a.b") == "x", 'metadata @> \'{"a":{"b":"x"}}\'::jsonb'),
    (F("a") == 1e17, "metadata @> '{\"a\":100000000000000000.0}'::jsonb"),
    (F("a") == [1, None], "(metadata -> 'a'::text) = '[1,null]'::jsonb"),
    (F("a").is_in([1, "x"]), 'metadata @> ANY(ARRAY[\'{"a":1}\', \'{"a":"x"}\']::jsonb[])'),
    (F("a").contains(True), "metadata @> '{\"a\":[true]}'::jsonb"),
    (F("a").contains_all([]), "metadata @> '{\"a\":[]}'::jsonb"),
    (F("a").exists(), "(metadata -> 'a'::text) <> 'null'::jsonb"),
    (
        F("a") == MOMENT,
        'metadata @> \'{"a":{"$datetime":"2024-01-02T03:04:05.000006Z"}}\'::jsonb',
    ),
    (
        F("a") < MOMENT,
        "((metadata -> 'a'::text) ->> '$datetime') COLLATE \"C\" < '2024-01-02T03:04:05.000006Z'",
    ),
    (
        F("price") >= 2,
        (
            "(CASE WHEN jsonb_typeof((metadata -> 'price'::text)) = 'number' "
            "THEN (metadata -> 'price'::text)::numeric END) >= '2'::numeric"
        ),
    ),
]


@pytest.mark.parametrize(("where", "expected"), GOLDEN, ids=lambda v: repr(v)[:60])
def test_golden(where: Any, expected: str) -> None:
    assert str(native(where)) == expected
    assert str(native(where, negated=True)) == f"({expected}) IS NOT TRUE"


def test_an_index_over_texts_gets_a_condition_of_its_own() -> None:
    shown = str(native(F("name").starts_with("ab")))
    assert "left(" in shown
    assert ">= 'ab'" in shown
    assert "< 'ac'" in shown
    assert "left(" not in str(native(F("other").starts_with("ab")))


@pytest.mark.parametrize("text", [*HOSTILE, *WITH_NUL], ids=repr)
def test_no_value_is_part_of_a_statement(text: str) -> None:
    plain = native(F("a") > "x")
    found = native(F("a") > text)
    assert found.text == plain.text
    assert all("\0" not in str(value) for value in found.params)
    assert native(F("a") == text).text == native(F("a") == "x").text


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_no_key_is_part_of_a_statement(key: str) -> None:
    assert native(F((key, "b")) > 1).text == native(F(("a", "b")) > 1).text
    assert native(F((key,)).exists()).params == (key,)


def test_joining_keeps_values_in_order() -> None:
    joined = _compile.all_of([native(F("a") == 1), _compile.any_of([native(F("b") > "x")] * 2)])
    assert joined.text.count("%s") == len(joined.params)
    assert joined.params[0] == '{"a":1}'


@pytest.mark.parametrize(
    "where",
    [
        F("extra.x") == 2**60,
        F("extra.x").contains(1),
        F("extra.x") == "a\0b",
        F("extra.x") == MOMENT,
        F("rating") > 2**60,
    ],
    ids=repr,
)
def test_what_others_may_hold_in_another_form_is_left_to_the_core(where: Any) -> None:
    for negated in (False, True):
        assert _compile.leaf(where, negated, TABLE) == UNKNOWN


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (F("title") == "x", '"title"::text COLLATE "C" = \'x\''),
        (F("title") == 1, "FALSE"),
        (F("title") <= "x\0y", '"title"::text COLLATE "C" <= \'x\''),
        (F("title") > "x\0y", '"title"::text COLLATE "C" > \'x\''),
        (F("stock") > 1.5, "\"stock\"::bigint::numeric > '1.5'::numeric"),
        (F("nowhere") == 1, "FALSE"),
        (F("stock.deeper") == 1, "FALSE"),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_columns_of_others(where: Any, expected: str) -> None:
    assert str(native(where, TABLE)) == expected


def test_bounds_of_both_signs_are_complements() -> None:
    bounds = _compile.leaf(Eq(("a",), 1), False, OWN)
    negated = _compile.leaf(Eq(("a",), 1), True, OWN)
    assert isinstance(bounds, Bounds)
    assert negated.lower.text == f"({bounds.lower.text}) IS NOT TRUE"


def test_quoting() -> None:
    assert identifier('a"b%') == '"a""b%%"'
    assert string("a'b") == "'a''b'"
    assert string("a\\'b%") == "E'a\\\\''b%%'"
