"""Operations survive being written and read, whatever they hold."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec.memory.codec import decode, encode
from polyvec.memory.operations import (
    Create,
    Delete,
    Drop,
    DropAlias,
    Operation,
    SetAlias,
    Update,
    Upsert,
)
from polyvec.primitives import Patch
from polyvec.records import RecordBatch
from polyvec.schema import HNSW, IVF, CollectionSpec, Flat
from polyvec.testing import strategies
from polyvec.types import Metric

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SPECS = [
    CollectionSpec("a", 1),
    CollectionSpec("b", 20_000, Metric.DOT, Flat()),
    CollectionSpec("c", 3, Metric.EUCLIDEAN, Flat(best_effort=True), {"$datetime": datetime}),
    CollectionSpec("d", 3, Metric.COSINE, HNSW(1, 2, 3, best_effort=True), {"a.b": str, "c": int}),
    CollectionSpec("e", 3, Metric.COSINE, IVF(lists=5), {"x": bool, "y": float}),
]


def again(operation: Operation) -> Operation:
    return decode(b"".join(encode(operation)))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_specs(spec: CollectionSpec) -> None:
    assert again(Create(spec, 7)) == Create(spec, 7)


@given(TEXTS, TEXTS, st.none() | st.lists(TEXTS))
def test_names_and_ids(name: str, other: str, ids: list[str] | None) -> None:
    operations: list[Operation] = [
        Drop(name),
        SetAlias(name, other),
        DropAlias(name),
        Delete(name, other, ids),
    ]
    for operation in operations:
        assert again(operation) == operation


@given(st.data(), st.integers(0, 4), st.integers(1, 3), st.booleans(), st.booleans())
def test_records(data: st.DataObject, n: int, dimension: int, some: bool, numbered: bool) -> None:
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
    values = st.lists(floats, min_size=n * dimension, max_size=n * dimension)
    vectors = np.array(data.draw(values), dtype=np.float32).reshape(n, dimension)
    metadata = data.draw(st.lists(strategies.metadata(), min_size=n, max_size=n))
    texts = data.draw(st.lists(st.none() | TEXTS, min_size=n, max_size=n))
    ids = data.draw(st.lists(TEXTS, min_size=n, max_size=n, unique=True))
    present = np.arange(n) % 2 == 0 if some else None
    sequence = np.arange(n, dtype=np.int64) * 2**40 if numbered else None
    batch = RecordBatch(ids, vectors, metadata, texts, present)
    found = again(Upsert("c", "n", batch, sequence))
    assert isinstance(found, Upsert)
    assert (found.collection, found.namespace, found.batch.ids) == ("c", "n", ids)
    assert repr(found.batch.metadata) == repr(metadata)
    assert found.batch.texts == texts
    assert same(found.batch.vectors, vectors)
    assert same(found.batch.present, present)
    assert same(found.sequence, sequence)


@given(strategies.metadata(), st.frozensets(TEXTS), st.booleans(), st.booleans())
def test_patches(
    changes: dict[str, Any], unset: frozenset[str], vectors: bool, texts: bool
) -> None:
    block = np.array([[1.5, -0.0], [1e-45, 3e38]], dtype=np.float32) if vectors else None
    patch = Patch(changes, unset, block, ["x", None] if texts else None)
    found = again(Update("c", "n", ["a", "b"], patch))
    assert isinstance(found, Update)
    assert found.ids == ["a", "b"]
    assert repr(found.patch.set) == repr(changes)
    assert (found.patch.unset, found.patch.texts) == (unset, patch.texts)
    assert same(found.patch.vectors, block)


def test_junk_is_refused() -> None:
    for payload in (b"", b"12345678{}", b"\2" + bytes(7) + b"{}", b"\xff" * 30):
        with pytest.raises((ValueError, KeyError, struct.error)):
            decode(payload)


def same(one: Any, other: Any) -> bool:
    """Tell whether two arrays, or two Nones, have equal bits."""
    if one is None or other is None:
        return one is other
    return bool(one.tobytes() == other.tobytes() and one.shape == other.shape)
