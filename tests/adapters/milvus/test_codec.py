"""Records to rows and back, without a server: all that JSON in Milvus would change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from polyvec.records import RecordBatch
from polyvec.testing.strategies import metadata
from polyvec.types import ALL_COLUMNS, METADATA, VECTOR, Metric, as_any
from polyvec_milvus import _codec, _layout


def shape(value: object) -> object:
    """Tell an int, a float and a bool apart, and offsets of one instant."""
    if isinstance(value, dict):
        items: dict[str, object] = as_any(value)
        return {key: shape(inner) for key, inner in items.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in as_any(value)]
    if isinstance(value, datetime):
        return value.isoformat()
    return type(value).__name__, value


@pytest.mark.laws
@given(metadata())
def test_metadata_comes_back(item: dict[str, Any]) -> None:
    natural, side = _codec.encode(item)
    row = {"pk": "/a", "meta": natural, "_polyvec_v1": side}
    back = _codec.batch_of([row], METADATA, 1, Metric.DOT).metadata
    assert back is not None
    assert shape(back[0]) == shape(item)


@given(metadata())
def test_flat_records_are_stored_as_nested_ones_are(item: dict[str, Any]) -> None:
    _, side = _codec.encode(item)
    _, nested = _codec.encode({**item, "also": {}})
    assert sorted([*json.loads(side)["t"], "o:also"]) == sorted(json.loads(nested)["t"])


@pytest.mark.parametrize("number", [2**53, -(2**53), 2.0**53, 2**53 - 1, 0.5, True])
def test_great_numbers_have_a_tag_of_their_own(number: float) -> None:
    _, side = _codec.encode({"a": number, "b": "text", "c": None})
    assert len(json.loads(side)["t"]) - 1 == (2 if abs(number) >= 2**53 else 1)


def test_a_plain_record_is_readable() -> None:
    item: dict[str, Any] = {"category": "billing", "price": 9.5, "tags": ["red", 3], "none": None}
    batch = RecordBatch(["doc_1"], np.ones((1, 2), dtype=np.float32), [item], ["about it"])
    (row,) = _codec.rows_of(batch, "tenant/1", Metric.COSINE)
    assert row.pop("vector").tolist() == [1.0, 1.0]
    row["meta"], row["_polyvec_v1"] = json.loads(row["meta"]), json.loads(row["_polyvec_v1"])
    assert row == {
        "pk": "tenant%2F1/doc_1",
        "ns": "tenant/1",
        "meta": item,
        "text": "about it",
        "_polyvec_v1": {
            "t": [
                "s:category",
                "n:price",
                "l:tags",
                _layout.list_tag(["red", 3], ("tags",)),
                "ln:tags",
                "ls:tags",
            ]
        },
    }


def test_datetimes_are_text_beside_their_offset() -> None:
    at = datetime(2024, 2, 29, 23, 30, 0, 1, tzinfo=timezone(timedelta(hours=-5)))
    natural, side = map(json.loads, _codec.encode({"at": at, "in": {"at": [at]}, "n": 1}))
    assert natural["at"] == "2024-03-01T04:30:00.000001Z"
    assert natural["in"] == {"at": ["2024-03-01T04:30:00.000001Z"]}
    assert "-05:00" in side["j"]
    assert "n" not in json.loads(side["j"])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (
            datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
            datetime.min.replace(tzinfo=UTC),
        ),
        (
            datetime.max.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        ),
        (datetime(2024, 1, 1, 0, 0, 0, 999_999, UTC), datetime(2024, 1, 1, 0, 0, 1, 0, UTC)),
        (datetime(999, 12, 31, tzinfo=UTC), datetime(1000, 1, 1, tzinfo=UTC)),
    ],
)
def test_text_of_instants_sorts_as_they_do(earlier: datetime, later: datetime) -> None:
    first, second = _layout.moment_text(earlier), _layout.moment_text(later)
    assert first < second
    assert len(first) == len(second) == 27
    assert _layout.ISO.match(first)


@pytest.mark.parametrize(
    ("vector", "stored"),
    [
        ([3.0, 4.0], [3.0, 4.0]),
        ([-0.0, 1.0], [-0.0, 1.0]),
        ([1e-20, 0.0], [1.0, 0.0]),
        ([0.0, -3e20], [0.0, -1.0]),
        ([1e-45, 0.0], [1.0, 0.0]),
    ],
    ids=repr,
)
def test_a_vector_under_cosine_comes_back(vector: list[float], stored: list[float]) -> None:
    block = np.array([vector], dtype=np.float32)
    batch = RecordBatch(["a"], block, [{}], [None])
    rows = _codec.rows_of(batch, "", Metric.COSINE)
    assert rows[0]["vector"].tolist() == stored
    back = _codec.batch_of(rows, VECTOR, 2, Metric.COSINE)
    assert back.vectors is not None
    assert back.vectors.tobytes() == block.tobytes()


def test_no_text_is_not_the_empty_one() -> None:
    batch = RecordBatch(
        ["a", "b", "c"], np.ones((3, 1), np.float32), [{}, {}, {}], [None, "", "\0"]
    )
    rows = _codec.rows_of(batch, "", Metric.DOT)
    assert _codec.batch_of(rows, ALL_COLUMNS, 1, Metric.DOT).texts == [None, "", "\0"]


def test_keys_are_apart_and_in_order() -> None:
    pairs = [("", "a"), ("a", ""), ("a/", "b"), ("a", "/b"), ("a%2F", "b"), ("%", "x"), ("", "%/")]
    keys = [_layout.pk_of(space, record_id) for space, record_id in pairs]
    assert len(set(keys)) == len(pairs)
    assert [_layout.id_of(key) for key in keys] == [record_id for _, record_id in pairs]
    ids = ["", "0", "10", "9", "a/b", "é", "日", "\U0001f600"]
    assert sorted(_layout.pk_of("x/y", one) for one in ids) == [
        _layout.pk_of("x/y", one) for one in sorted(ids)
    ]


def test_values_that_differ_have_other_tags() -> None:
    lists: list[list[Any]] = [[1], [1.5], [True], ["1"], [[1]], [None], [], ["n1"], [{"a": 1}]]
    assert len({_layout.list_tag(one, ("p",)) for one in lists}) == len(lists)
    assert _layout.list_tag([1, None], ("p",)) == _layout.list_tag([1.0, None], ("p",))
    empty: list[dict[str, Any]] = [{}]
    assert _layout.list_tag([{"a": None}], ("p",)) == _layout.list_tag(empty, ("p",))
    assert _layout.big_tag("=", 2**53, ("p",)) == _layout.big_tag("=", 2.0**53, ("p",))
    assert _layout.big_tag("=", 2**53 + 1, ("p",)) != _layout.big_tag("=", 2**53, ("p",))


def test_paths_that_look_alike_differ() -> None:
    paths = [("a.b",), ("a", "b"), ("a:s",), ("a\\", "b"), ("a\\.b",), ("",), ("#x",), ("x" * 41,)]
    assert len({_layout.spell(path) for path in paths}) == len(paths)
    assert max(len(_layout.spell(("é" * n,)).encode()) for n in range(130)) <= 40


def test_columns_say_what_is_read() -> None:
    assert _codec.fields_for(frozenset(), Metric.COSINE) == ["pk"]
    assert _codec.fields_for(VECTOR, Metric.DOT) == ["pk", "vector"]
    assert _codec.fields_for(VECTOR, Metric.COSINE) == ["pk", "vector", "_polyvec_v1"]
    assert set(_codec.fields_for(ALL_COLUMNS, Metric.DOT)) == {
        *("pk", "meta", "text", "vector", "_polyvec_v1")
    }
