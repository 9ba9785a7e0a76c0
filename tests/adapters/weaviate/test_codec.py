"""Records to objects and back, without a server."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec._canonical import canon, fields, record_uuid
from polyvec.evaluate import matches
from polyvec.filters import F
from polyvec.records import RecordBatch
from polyvec.testing.strategies import metadata
from polyvec.types import ALL_COLUMNS
from polyvec_weaviate import _codec, _layout
from polyvec_weaviate._columns import names_for

NUMBER = "1f0c3d2e"
ITEM: dict[str, Any] = {"category": "billing", "price": 9.5, "tags": ["red", "it's"], "no": None}


def columns_for(item: dict[str, Any]) -> dict[Any, str]:
    return {each: names_for(each)[0] for each in _codec.wanted_columns([item]) if names_for(each)}


def test_a_plain_record_is_readable() -> None:
    found = _codec.encode(ITEM, columns_for(ITEM))
    natural = {key: value for key, value in found.items() if not key.startswith("_polyvec")}
    assert natural == {"category": "billing", "price": 9.5, "tags": ["red", "it's"]}
    assert found["_polyvec_terms"] == [
        "*|",
        "=category:sbilling|",
        "=price:n9.5|",
        '=tags:l["sred", "sit\'s"]|',
        "?category:s|",
        "?price:n|",
        "?tags:l|",
        "@tags:sit's|",
        "@tags:sred|",
    ]


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        (" outer", "!x:s|"),
        ("outer\u3000", "!x:s|"),
        (datetime(1600, 1, 1, tzinfo=UTC), "!x:d<|"),
        (datetime(3000, 1, 1, tzinfo=UTC), "!x:d>|"),
    ],
)
def test_what_the_index_would_order_wrongly_is_marked(value: Any, mark: str) -> None:
    item = {"x": value}
    found = _codec.encode(item, columns_for(item))
    assert mark in found["_polyvec_terms"]
    assert "x" not in found


def test_a_field_without_a_property_is_marked() -> None:
    found = _codec.encode({"n": 1, "s": "x", "b": True}, {})
    marks = [term for term in found["_polyvec_terms"] if term.startswith("!")]
    assert marks == ["!n:n|", "!s:s|"]  # a bool has no order


def test_an_offset_with_seconds_is_told_in_utc() -> None:
    odd = datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32)))
    found = _codec.encode({"x": odd}, columns_for({"x": odd}))
    assert found["x"].utcoffset() == timedelta(0)
    assert found["x"] == odd


def back(objects: list[Any]) -> list[Any]:
    """Return objects as a search answers them."""
    return [
        SimpleNamespace(uuid=uuid.UUID(each.uuid), properties=each.properties, vector=each.vector)
        for each in objects
    ]


@pytest.mark.laws
@given(metadata())
def test_metadata_comes_back(item: dict[str, Any]) -> None:
    batch = RecordBatch(["a"], np.ones((1, 3), dtype=np.float32), [item], ["t"])
    objects = _codec.objects_of(batch, "space", NUMBER, columns_for(item))
    found = _codec.batch_of(back(objects), ALL_COLUMNS, 3)
    kept = {key: value for key, value in item.items() if value is not None}
    assert found.metadata is not None
    assert {k: v for k, v in found.metadata[0].items() if v is not None} == kept
    assert (found.ids, found.texts, found.present) == (["a"], ["t"], None)


@pytest.mark.laws
@given(metadata(), metadata())
def test_terms_tell_what_equals(one: dict[str, Any], other: dict[str, Any]) -> None:
    terms = set(_codec.encode(one, {})["_polyvec_terms"])
    for path, value in fields(other):
        if not isinstance(value, dict):
            where: Any = F(path) == value
            assert matches(where, one) == (_layout.term("=", path, canon(value)) in terms)


def test_a_record_without_a_vector() -> None:
    block = np.zeros((2, 3), dtype=np.float32)
    block[0] = 1
    present = np.array([True, False])
    batch = RecordBatch(["a", "b"], block, [{}, {}], [None, None], present)
    objects = _codec.objects_of(batch, "", NUMBER, {})
    assert [each.vector for each in objects] == [{"default": [1.0, 1.0, 1.0]}, None]
    found = _codec.batch_of(back(objects), ALL_COLUMNS, 3)
    assert found.present is not None
    assert found.present.tolist() == [True, False]


def test_every_object_is_bound_to_its_collection() -> None:
    batch = RecordBatch(["a"], np.ones((1, 3), dtype=np.float32), [{}], [None])
    (made,) = _codec.objects_of(batch, "one", NUMBER, {})
    assert made.properties["_polyvec_in_1f0c3d2e"] == {}
    assert made.properties["_polyvec_ns"] == "1f0c3d2e=one|"


@pytest.mark.laws
@given(st.text(), st.text(min_size=1), st.text(), st.text(min_size=1))
def test_objects_of_two_records_differ(n1: str, i1: str, n2: str, i2: str) -> None:
    same = record_uuid(n1, i1) == record_uuid(n2, i2)
    assert same == ((n1, i1) == (n2, i2))


@given(st.text())
def test_a_namespace_comes_back(name: str) -> None:
    text = _layout.namespace_term(NUMBER, name)
    assert _layout.namespace_of(NUMBER, text) == name
    assert _layout.namespace_of("other", text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (0.0, -0.0), (2**63, float(2**63)), ([1], [1.0]), ({"a": None}, {})],
    ids=repr,
)
def test_equal_values_share_a_text(one: Any, other: Any) -> None:
    assert canon(one) == canon(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), ("1", 1), ("", None), ([], {}), ([None], []), ("2024-01-01", 1), ("a", ["a"])],
    ids=repr,
)
def test_other_values_do_not(one: Any, other: Any) -> None:
    assert canon(one) != canon(other)


def test_a_long_value_is_hashed_and_a_path_cannot_be_forged() -> None:
    assert len(_layout.term("=", ("k",), "s" + "x" * 10_000)) < 80
    assert _layout.term("=", ("a:sb",), "sc") != _layout.term("=", ("a",), "sb:sc")
    assert _layout.term("=", ("a.b",), "sc") != _layout.term("=", ("a", "b"), "sc")
