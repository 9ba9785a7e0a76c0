"""The mapping, row by row; what a filter selects is decided by the reference evaluator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec.errors import FilterError
from polyvec.evaluate import matches
from polyvec.filter_check import check_filter
from polyvec.filters import F
from polyvec.gateway import mapping
from polyvec.gateway.errors import Code, Refusal
from polyvec.records import Hit, make_record
from polyvec.types import Metric

RECORDS: Final[dict[str, dict[str, Any]]] = {
    "one": {"n": 1.0, "tag": "x", "a.b": 5.0},
    "two": {"n": 2.0, "tag": ["x", "y"], "flag": True},
    "three": {"n": 3.0, "tag": ["y"], "flag": False},
    "text": {"n": "1", "tag": "1", "a": {"b": 5.0}},
    "bare": {},
    "null": {"n": None, "tag": None},
    "true": {"n": True},
}

# What each filter selects.
FILTERS: Final[tuple[tuple[dict[str, Any], set[str]], ...]] = (
    ({"tag": "x"}, {"one", "two"}),
    ({"tag": {"$eq": "y"}}, {"two", "three"}),
    ({"tag": {"$ne": "x"}}, {"three", "text", "bare", "null", "true"}),
    ({"tag": {"$in": ["x", "1"]}}, {"one", "two", "text"}),
    ({"tag": {"$in": []}}, set()),
    ({"tag": {"$nin": ["x", "y"]}}, {"text", "bare", "null", "true"}),
    ({"tag": {"$nin": []}}, set(RECORDS)),
    ({"n": 1}, {"one"}),
    ({"n": 1.0}, {"one"}),
    ({"n": True}, {"true"}),
    ({"n": {"$gt": 1}}, {"two", "three"}),
    ({"n": {"$gte": 2, "$lt": 3}}, {"two"}),
    ({"n": {"$lte": 1}}, {"one"}),
    ({"flag": False}, {"three"}),
    ({"flag": {"$exists": True}}, {"two", "three"}),
    ({"n": {"$exists": False}}, {"bare", "null"}),
    ({"a.b": 5}, {"one"}),
    ({"n": 2, "tag": "y"}, {"two"}),
    ({"$and": [{"n": {"$gt": 1}}, {"tag": "x"}]}, {"two"}),
    ({"$or": [{"n": 3}, {"tag": "1"}], "tag": {"$ne": "z"}}, {"three", "text"}),
    ({"$or": [{"$and": [{"n": 1}, {"tag": "x"}]}, {"flag": True}]}, {"one", "two"}),
)


@pytest.mark.parametrize(("sent", "expected"), FILTERS, ids=[str(sent) for sent, _ in FILTERS])
def test_a_filter_selects(sent: dict[str, Any], expected: set[str]) -> None:
    where = mapping.to_filter(sent)
    assert {name for name, item in RECORDS.items() if matches(where, item)} == expected


def test_an_empty_filter_is_none() -> None:
    assert mapping.to_filter({}) is None


BAD_FILTERS: Final[tuple[dict[str, Any], ...]] = (
    {"a": None},
    {"a": []},
    {"a": ["x"]},
    {"a": {}},
    {"a": {"b": 1}},
    {"a": {"$eq": ["x"]}},
    {"a": {"$eq": None}},
    {"a": {"$regex": "x"}},
    {"a": {"$not": {"$eq": 1}}},
    {"a": {"$gt": "x"}},
    {"a": {"$lte": True}},
    {"a": {"$in": "x"}},
    {"a": {"$in": [["x"]]}},
    {"a": {"$in": ["x"] * 10_001}},
    {"a": {"$exists": 1}},
    {"$and": []},
    {"$and": {"a": 1}},
    {"$or": [1]},
    {"$or": [{}]},
    {"$not": [{"a": 1}]},
    {"$nor": [{"a": 1}]},
    {"$eq": 1},
)


@pytest.mark.parametrize("sent", BAD_FILTERS, ids=[str(sent)[:40] for sent in BAD_FILTERS])
def test_a_filter_that_pinecone_refuses_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        mapping.to_filter(sent)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_filter_too_deep_is_refused() -> None:
    sent: dict[str, Any] = {"a": 1}
    for at in range(2_000):
        sent = {("$or", "$and")[at % 2]: [sent, {"b": 1}]}
    with pytest.raises((Refusal, FilterError)):
        check_filter(mapping.to_filter(sent))


@pytest.mark.parametrize(
    ("index", "collection"),
    [("docs", "docs"), ("1st", "x_1st"), ("x-1st", "x-1st"), ("My_Docs", "My_Docs")],
)
def test_index_names(index: str, collection: str) -> None:
    assert mapping.collection_name(index) == collection
    assert mapping.index_name(collection) == index


@pytest.mark.parametrize("collection", ["x_", "x_a", "x", "docs"])
def test_collections_whose_names_only_look_encoded_keep_them(collection: str) -> None:
    assert mapping.index_name(collection) == collection
    assert mapping.collection_name(collection) == collection


def test_namespaces() -> None:
    assert mapping.to_namespace("") == mapping.to_namespace("__default__") == ""
    assert mapping.from_namespace("") == "__default__"
    assert mapping.to_namespace("a") == mapping.from_namespace("a") == "a"


@given(st.text(st.sampled_from("~_polyvecx$"), min_size=1, max_size=12) | st.text(min_size=1))
def test_every_key_comes_back_and_none_is_reserved(key: str) -> None:
    stored = mapping.to_key(key)
    assert mapping.from_key(stored) == key
    assert not stored.startswith("_polyvec")


@given(st.sets(st.text(st.sampled_from("~_polyvec"), max_size=11), min_size=2, max_size=2))
def test_two_keys_stay_two(keys: set[str]) -> None:
    assert len({mapping.to_key(key) for key in keys}) == 2


def test_filters_name_the_stored_key() -> None:
    assert mapping.to_filter({"_polyvec_m": {"$exists": True}}) == F(("~_polyvec_m",)).exists()


def test_metadata_is_stored_as_pinecone_keeps_it() -> None:
    sent = {"s": "x", "i": 3, "big": 2**60, "f": 0.5, "b": True, "l": ["p", "q"], "none": None}
    stored = mapping.to_metadata(sent, strips_null=True)
    assert stored == {"s": "x", "i": 3.0, "big": float(2**60), "f": 0.5, "b": True, "l": ["p", "q"]}
    assert type(stored["i"]) is float
    assert type(stored["b"]) is bool
    assert mapping.from_metadata(stored) == stored


@pytest.mark.parametrize("value", [{"a": 1}, [1], ["a", None], [["a"]], [True]])
def test_metadata_of_other_types_is_refused(value: Any) -> None:
    with pytest.raises(Refusal, match="string, number, boolean or list of strings"):
        mapping.to_metadata({"k": value}, strips_null=True)


def test_null_is_refused_until_2026_04() -> None:
    with pytest.raises(Refusal, match="got 'null' for field 'k'"):
        mapping.to_metadata({"k": None}, strips_null=False)


def test_what_polyvec_stored_beyond_pinecones_types_can_be_read() -> None:
    stored: dict[str, Any] = {
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "n": 3,
        "none": None,
        "nested": {"list": [1, None, {"deep": True}]},
    }
    assert mapping.from_metadata(stored) == {
        "at": "2026-01-02T03:04:05+00:00",
        "n": 3.0,
        "nested": {"list": [1.0, None, {"deep": True}]},
    }


@pytest.mark.parametrize(
    ("metric", "score", "distance", "expected"),
    [
        (Metric.COSINE, 0.25, 0.75, 0.25),
        (Metric.DOT, 12.5, -12.5, 12.5),
        (Metric.EUCLIDEAN, -3.0, 3.0, 9.0),
    ],
)
def test_scores(metric: Metric, score: float, distance: float, expected: float) -> None:
    hit = Hit("a", score, distance, make_record({"id": "a"}))
    assert mapping.from_score(hit, metric) == expected


def test_a_vector_becomes_float32() -> None:
    vector = mapping.to_vector([1, 0.1], 2, "x")
    assert vector.dtype == np.float32
    assert vector.tolist() == [1.0, float(np.float32(0.1))]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "must be a list of numbers"),
        ("12", "must be a list of numbers"),
        ([1.0], "Vector dimension 1 does not match the dimension of the index 2"),
        ([1.0, True], "must be a list of numbers"),
        ([1.0, None], "must be a list of numbers"),
        ([1.0, [2.0]], "must be a list of numbers"),
        ([1.0, 1e39], "does not fit a 32-bit float"),
    ],
)
def test_a_vector_is_refused(values: Any, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        mapping.to_vector(values, 2, "x")


@pytest.mark.parametrize("record_id", ["", None, 1, "x" * 513, "é", "a\0b"])
def test_an_id_is_refused(record_id: Any) -> None:
    with pytest.raises(Refusal, match="Vector ID"):
        mapping.check_id(record_id)


@pytest.mark.parametrize("record_id", ["x", "x" * 512, "a#b/c d'\"~"])
def test_an_id_is_taken(record_id: str) -> None:
    assert mapping.check_id(record_id) == record_id
