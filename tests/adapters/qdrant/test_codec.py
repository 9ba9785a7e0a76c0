"""Records to points and back, without a server: all that JSON in Qdrant would change."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from polyvec._canonical import canon, record_uuid, spell
from polyvec.records import RecordBatch
from polyvec.testing.strategies import metadata
from polyvec.types import ALL_COLUMNS, Metric, as_any
from polyvec_qdrant import _codec, _layout, _native


def through_json(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload as a server keeps it: floats of more than 15 digits are damaged."""

    def damaged(text: str) -> float:
        value = float(text)
        return float(f"{value:.15g}") if abs(value) < 1e22 else value * (1 - 2**-52)

    read: dict[str, Any] = json.loads(json.dumps(payload), parse_float=damaged)
    return read


@pytest.mark.laws
@given(metadata())
def test_metadata_survives_a_parser_that_is_not_exact(item: dict[str, Any]) -> None:
    payload = _codec.encode(item)
    back = _codec.decode(through_json(payload))
    assert _shape(back) == _shape(item)


def _shape(value: object) -> object:
    """Tell an int, a float and a bool apart."""
    if isinstance(value, dict):
        items: dict[str, object] = as_any(value)
        return {key: _shape(inner) for key, inner in items.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in as_any(value)]
    return type(value).__name__, value


def test_a_plain_record_is_readable() -> None:
    item: dict[str, Any] = {"category": "billing", "price": 9.5, "tags": ["red", 3]}
    assert _codec.encode(item) == {
        **item,
        "_polyvec_terms": [
            "?category:s",
            "=category:sbilling",
            "?price:n",
            "=price:n9.5",
            "?tags:l",
            '=tags:l["sred", "n3"]',
            "@tags:sred",
            "@tags:n3",
        ],
        "_polyvec_order": {"category": 111458613732480},
    }


@pytest.mark.parametrize(
    "vector",
    [[3.0, 4.0], [1e-30, 1e-30], [1e30, -1e30], [1.0, 1e-12], [0.6, 0.8], [1e-38, 3e-38]],
    ids=repr,
)
def test_a_vector_under_cosine_comes_back(vector: list[float]) -> None:
    block = np.array([vector], dtype=np.float32)
    batch = RecordBatch(["a"], block, [{}], [None])
    ids, stored, payloads = _codec.points_of(batch, "", Metric.COSINE)
    assert abs(np.linalg.norm(stored[0].astype(np.float64)) - 1) < 1e-6
    back = _codec.batch_of(
        [through_json(payload) for payload in payloads], stored.tolist(), ALL_COLUMNS, 2
    )
    assert back.vectors is not None
    assert np.allclose(back.vectors, block, rtol=1e-6, atol=0)
    assert back.texts == [None]
    assert ids == [record_uuid("", "a")]


def test_points_of_two_namespaces_are_two() -> None:
    ids = {record_uuid(space, key) for space, key in (("", "a"), ("a", ""), ("x", "a"))}
    assert len(ids) == 3
    assert record_uuid("n", "é\0'") == record_uuid("n", "é\0'")


def test_values_that_differ_have_other_terms() -> None:
    values: list[Any] = [1, 1.5, True, "1", "true", [1], ["1"], [[1]], [None], [], "n1", 2**53 + 1]
    assert len({canon(value) for value in values}) == len(values)
    assert canon(1) == canon(1.0)
    assert canon([1, None]) == canon((1.0, None))
    long = ["x" * 300, "x" * 299 + "y"]
    assert len({_layout.term("=", ("a",), canon(text)) for text in long}) == 2


def test_paths_that_look_alike_differ() -> None:
    paths = [("a.b",), ("a", "b"), ("a:s",), ("a\\", "b"), ("a\\.b",), ("",)]
    assert len({spell(path) for path in paths}) == len(paths)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("price",), "price"),
        (("author", "name"), "author.name"),
        (("a.b",), '"a.b"'),
        (("日本", "x y"), '"日本"."x y"'),
        (('q"q',), None),
        (("b\\s",), None),
    ],
)
def test_natural_keys_are_quoted(path: Any, key: str | None) -> None:
    assert _layout.natural_key(path) == key


@pytest.mark.parametrize(
    ("record_id", "point"),
    [
        ("7", 7),
        ("0", 0),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", None),
        ("007", None),
        ("-1", None),
        ("550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
        ("550E8400-E29B-41D4-A716-446655440000", None),
        ("doc", None),
    ],
)
def test_ids_of_native_points(record_id: str, point: Any) -> None:
    assert _native.point_id_of(record_id) == point
