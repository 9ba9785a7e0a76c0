"""Records become what Chroma stores, readable and whole."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from polyvec.records import RecordBatch
from polyvec.testing.areas.records import VALUES
from polyvec.testing.checks import same_value
from polyvec.testing.strategies import metadata
from polyvec.types import ALL_COLUMNS, Include, Metric, as_any
from polyvec_chroma import _codec, _native, _replacing
from polyvec_chroma._layout import KEY, MAX_ROWS, SIDECAR, TAGS, field_name


def round_trip(
    item: dict[str, Any],
    *,
    text: str | None = "t",
    vector: Any = (1.0, 0.0),
    metric: Any = "cosine",
) -> tuple[dict[str, Any], RecordBatch]:
    block = np.array([vector], dtype=np.float32)
    batch = RecordBatch(["a"], block, [item], [text])
    vectors, (native,), documents = _codec.rows_of(batch, Metric(metric))
    back = _codec.batch_of(
        ["a"], vectors.astype(np.float64), [native], documents, ALL_COLUMNS, block.shape[1]
    )
    return native, back


@given(metadata())
def test_metadata_reads_back(item: dict[str, Any]) -> None:
    _, back = round_trip(item)
    assert back.metadata is not None
    assert same_value(back.metadata[0], item)


@pytest.mark.parametrize("name", VALUES)
def test_every_value_of_the_suite_reads_back(name: str) -> None:
    item = {"value": VALUES[name], "o": {"value": VALUES[name]}}
    _, back = round_trip(item)
    assert back.metadata is not None
    assert same_value(back.metadata[0], item)


def test_native_fields_are_readable() -> None:
    item = {
        "category": "billing",
        "price": 9.5,
        "stock": 3,
        "ok": True,
        "tags": ["x", "y"],
        "at": datetime(2024, 1, 1, tzinfo=UTC),
        "author": {"name": "Ada"},
        "none": None,
    }
    native, _ = round_trip(item)
    readable = {key: value for key, value in native.items() if not key.startswith("_polyvec")}
    assert readable == {
        "category": "billing",
        "price": 9.5,
        "stock": 3,
        "ok": True,
        "tags": ["x", "y"],
        "at": "2024-01-01T00:00:00+00:00",
        "author.name": "Ada",
    }
    side = json.loads(native[SIDECAR])
    assert set(side["m"]) == {"at", "author", "none"}, "what is natural is stored once"
    assert 0 <= native[KEY] < 2**62


def test_chroma_can_hold_every_native_value() -> None:
    for value in VALUES.values():
        native, _ = round_trip({"value": value, "o": {"value": value}})
        assert _native.fault({k: v for k, v in native.items() if not k.startswith("#")}) is None


@pytest.mark.parametrize("key", ["#x", "chroma:x", "a.b", "a\\b", "\\#x", "chroma:document", "."])
def test_awkward_keys_read_back(key: str) -> None:
    native, back = round_trip({key: 1, "o": {key: 2}})
    assert back.metadata == [{key: 1, "o": {key: 2}}]
    assert not any(name.startswith(("#", "chroma:")) for name in native)


def test_field_names_do_not_collide() -> None:
    paths = [("a", "b"), ("a.b",), ("a\\", "b"), ("a\\.b",), ("#x",), ("\\#x",), ("chroma:x",)]
    assert len({field_name(path) for path in paths}) == len(paths)


def test_keys_of_another_writer_are_not_ours() -> None:
    """S12: an upsert merges, so a record may have fields that its tags do not name."""
    native, _ = round_trip({"kept": 1})
    native["stale"] = "left behind"
    back = _codec.batch_of(["a"], None, [native], ["t"], frozenset(("metadata",)), 2)
    assert back.metadata == [{"kept": 1}]


def test_stale_keys_are_removed_by_name() -> None:
    old = {"gone": 1, "kept": 1, TAGS: ["r", "i:gone", "i:kept"]}
    new, _ = round_trip({"kept": 2})
    merged = _replacing.stale_keys(old, new)
    assert merged["gone"] is None
    assert merged["kept"] == 2
    assert _replacing.stale_keys(None, new) is new
    assert _replacing.stale_keys({"kept": 1}, new) is new


def test_a_record_wider_than_chroma_keeps_is_kept_whole() -> None:
    """S3: more than 5,461 keys or list items in one record poison the collection."""
    for item in (
        {f"k{at}": at for at in range(6_000)},
        {"list": list(range(6_000)), "name": "x"},
        {"a": list(range(2_600)), "b": list(range(2_600))},
    ):
        native, back = round_trip(item)
        assert native[TAGS][0] == "w"
        assert len(native) <= MAX_ROWS
        lists: list[list[Any]] = [as_any(v) for v in native.values() if isinstance(v, list)]
        assert sum(map(len, lists)) <= MAX_ROWS
        assert back.metadata == [item]
    native, _ = round_trip({"list": list(range(6_000)), "name": "x"})
    assert native["name"] == "x"


@pytest.mark.parametrize("text", [None, "", "x", "a\0b"])
def test_texts_read_back(text: str | None) -> None:
    _, back = round_trip({}, text=text)
    assert back.texts == [text]


def test_a_vector_that_stays_is_not_written_again() -> None:
    """S4: each rewrite of the index can cut records off, and costs ten times the metadata."""
    block = np.array([[1, 0], [0, 1], [3, 4]], dtype=np.float32)
    batch = RecordBatch(["a", "b", "c"], block, [{"n": 1}, {"n": 2}, {}], ["x", None, "z"])
    vectors, rows, texts = _codec.rows_of(batch, Metric.COSINE)
    rounded = vectors.astype(np.float64) * (1 + 1e-7)
    old = {
        "ids": ["c", "b"],
        "metadatas": [None, {"gone": 1}],
        "documents": ["z", ""],
        "embeddings": [rounded[2], [1.0, 0.0]],
    }
    plan = _replacing.replacing(batch.ids, vectors, rows, texts, old)
    assert plan.rewritten == {"ids": ["c"], "metadatas": [rows[2]]}
    assert plan.written is not None
    assert plan.written["ids"] == ["a", "b"]
    assert plan.written["metadatas"][1]["gone"] is None
    assert np.array_equal(plan.written["embeddings"], vectors[:2])
    retold = _replacing.replacing(batch.ids, vectors, rows, ["x", "", "new"], old)
    assert retold.rewritten is None, "an update with a text would embed it"
    # As Chroma answers where the first writer of a collection is not done.
    early: dict[str, Any] = {**old, "embeddings": np.array([])}
    again = _replacing.replacing(batch.ids, vectors, rows, texts, early)
    assert again.rewritten is None
    assert again.written is not None
    assert again.written["ids"] == batch.ids
    assert again.written["metadatas"] == [*plan.written["metadatas"], rows[2]]
    nothing: dict[str, Any] = {"ids": []}
    assert _replacing.replacing(batch.ids, vectors, rows, texts, nothing).rewritten is None


VECTORS = {
    "unit": (1.0, 0.0),
    "long": (3e30, -4e30),
    "short": (3e-30, 4e-30),
    "uneven": (1e10, 1e-35),
    "thirds": (1 / 3, 2 / 3),
}


@pytest.mark.parametrize("metric", list(Metric), ids=str)
@pytest.mark.parametrize("name", VECTORS)
def test_vectors_read_back(name: str, metric: Metric) -> None:
    vector = np.array(VECTORS[name], dtype=np.float32)
    native, back = round_trip({}, vector=vector, metric=metric)
    assert back.vectors is not None
    if metric is Metric.COSINE:
        assert np.allclose(back.vectors[0], vector, rtol=1e-6, atol=0)
    else:
        assert np.array_equal(back.vectors[0], vector)
        assert native[SIDECAR] == "{}"


def test_a_vector_that_unit_length_would_spoil_is_kept_beside_it() -> None:
    native, _ = round_trip({}, vector=VECTORS["uneven"])
    exact = np.frombuffer(base64.b64decode(json.loads(native[SIDECAR])["v"]), dtype="<f4")
    assert np.array_equal(exact, np.array(VECTORS["uneven"], dtype=np.float32))


def test_records_of_others_decode_by_their_own_fields() -> None:
    columns: frozenset[Include] = frozenset(("metadata", "text"))
    native = {"price": 1.5, "tags": ["x"], TAGS: ["left by a dropped collection"]}
    back = _codec.batch_of(["a", "b"], None, [native, None], ["text", None], columns, 2)
    assert back.metadata == [{"price": 1.5, "tags": ["x"]}, {}]
    assert back.texts == ["text", None]


@pytest.mark.parametrize(
    ("item", "word"),
    [
        ({"a": None}, "NoneType"),
        ({"a": {}}, "dict"),
        ({"a": []}, "list of one class"),
        ({"a": [1, "x"]}, "list of one class"),
        ({"#a": 1}, "begins with"),
        ({"a": list(range(6_000))}, "more than"),
    ],
)
def test_what_a_native_collection_cannot_hold(item: dict[str, Any], word: str) -> None:
    assert word in str(_native.fault(item))
