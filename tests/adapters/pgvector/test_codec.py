"""Batches to binary columns and back, without a server."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec.operands import instant_us
from polyvec.records import RecordBatch
from polyvec.testing import strategies
from polyvec.types import ALL_COLUMNS, Metric
from polyvec_pgvector import _binary, _codec, _values

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
nasty = st.text(st.sampled_from("\0\1\2a\U0010ffff"), max_size=6)
moments = st.datetimes(
    timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
)


def field_value(field: bytes) -> bytes | None:
    (size,) = struct.unpack(">i", field[:4])
    return None if size < 0 else field[4:]


def through(batch: RecordBatch, namespace: str = "", metric: Metric = Metric.DOT) -> RecordBatch:
    """Encode, and decode what PostgreSQL would send back."""
    encoded = _codec.encode(_codec.in_order(batch), namespace, metric)
    rows: list[tuple[Any, ...]] = []
    for at in range(len(encoded)):
        columns = (encoded.sidecars, encoded.vectors, encoded.metadata, encoded.texts)
        sidecar, vector, metadata, text = (field_value(column[at]) for column in columns)
        record_id = field_value(encoded.ids[at])
        assert record_id is not None
        assert metadata is not None
        rows.append(
            (
                record_id.decode(),
                None if sidecar is None else sidecar[1:].decode(),
                vector,
                metadata[1:].decode(),
                None if text is None else text.decode(),
            )
        )
    dimension = 0 if batch.vectors is None else batch.vectors.shape[1]
    return _codec.decode(rows, ALL_COLUMNS, dimension)


@given(strategies.metadata())
def test_metadata_reads_back(metadata: dict[str, Any]) -> None:
    batch = RecordBatch(["a"], np.ones((1, 2), np.float32), [metadata], ["text\0"])
    found = through(batch)
    assert found.metadata is not None
    assert _values.exact_json(found.metadata[0]) == _values.exact_json(
        {key: metadata[key] for key in found.metadata[0]}
    )
    assert set(found.metadata[0]) == set(metadata)
    assert found.texts == ["text\0"]


@given(st.lists(nasty, min_size=2, max_size=5))
def test_escaped_texts_keep_order_and_prefixes(values: list[str]) -> None:
    for one, other in pairwise(values):
        left, right = _values.escape(one), _values.escape(other)
        assert (left < right) == (one < other)
        assert (left == right) == (one == other)
        assert right.startswith(left) == other.startswith(one)
        assert "\0" not in left


@given(moments, moments)
def test_instants_sort_as_texts(one: datetime, other: datetime) -> None:
    texts = _values.instant(one), _values.instant(other)
    instants = instant_us(one), instant_us(other)
    assert instants[0] is not None
    assert instants[1] is not None
    assert (texts[0] < texts[1]) == (instants[0] < instants[1])
    assert (texts[0] == texts[1]) == (instants[0] == instants[1])
    assert len(texts[0]) == 27


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_value_and_class(value: float) -> None:
    found = json.loads(_values.number(value))
    assert isinstance(found, float)
    assert found == value


@given(st.integers(2**53, 2**63 - 1))
def test_large_floats_are_written_exactly(value: int) -> None:
    assert int(float(_values.number(float(value)))) == int(float(value))
    assert _values.number(float(value)).split(".")[0] == str(int(float(value)))


def test_plain_metadata_needs_no_sidecar() -> None:
    metadata = {"a": 1, "b": [1.5, None, "x"], "at": datetime(2024, 1, 1, tzinfo=UTC)}
    text, sidecar = _values.encode(metadata)
    assert sidecar == {}
    assert _values.decode(text, None) == metadata


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-13, 1.0, 1e15, 3e38])
def test_vectors_read_back_bit_by_bit(scale: float) -> None:
    vectors = (np.array([[1, 0.5, -0.25], [0, 1, 0]]) * scale).astype(np.float32)
    batch = RecordBatch(["a", "b"], vectors, [{}, {}], [None, None])
    found = through(batch, metric=Metric.COSINE)
    assert found.vectors is not None
    assert found.vectors.tobytes() == vectors.tobytes()
    stored, _ = _codec.stored_vectors(vectors, Metric.COSINE)
    squares = np.einsum("ij,ij->i", stored, stored)
    assert np.isfinite(squares).all()
    assert (squares > 1e-30).all()


def test_records_without_a_vector() -> None:
    present = np.array([True, False])
    batch = RecordBatch(["a", "b"], np.eye(2, dtype=np.float32), [{}, {}], ["x", None], present)
    found = through(batch, metric=Metric.COSINE)
    assert found.present is not None
    assert found.present.tolist() == [True, False]


def test_rows_are_in_the_order_of_ids() -> None:
    batch = RecordBatch(["b", "a"], np.eye(2, dtype=np.float32), [{"n": 1}, {"n": 2}], [None, None])
    found = through(batch)
    assert found.ids == ["a", "b"]
    assert found.metadata == [{"n": 2}, {"n": 1}]


@given(st.text(max_size=256), st.text(max_size=256))
def test_namespaces_do_not_meet(one: str, other: str) -> None:
    stored = _codec.stored_namespace(one), _codec.stored_namespace(other)
    assert (stored[0] == stored[1]) == (one == other)
    assert all(len(text.encode()) <= _codec.MAX_NAMESPACE_BYTES for text in stored)


def test_a_namespace_that_looks_like_a_digest() -> None:
    long = "日" * 256
    digest = _codec.stored_namespace(long)
    assert digest != long
    assert _codec.stored_namespace(digest) != digest


def test_arrays_say_what_they_hold() -> None:
    fields = [_binary.field(b"ab"), _binary.field(None)]
    dimensions, nulls, oid, count, first = struct.unpack(">iiIii", _binary.array(fields, 25)[:20])
    assert (dimensions, nulls, oid, count, first) == (1, 1, 25, 2, 1)


@pytest.mark.parametrize(
    ("metric", "distance", "score"),
    [(Metric.COSINE, 0.25, 0.75), (Metric.DOT, -3.0, 3.0), (Metric.EUCLIDEAN, 2.0, -2.0)],
)
def test_scores_turn_distances_round(metric: Metric, distance: float, score: float) -> None:
    assert _codec.scores([distance], metric)[0] == score
