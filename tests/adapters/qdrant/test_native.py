"""Collections made with qdrant-client alone: polyvec opens, reads, filters, changes and copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import models
from tests.services.qdrant import networked

import polyvec
from polyvec import (
    Collection,
    F,
    InvalidRecordError,
    InvalidRequestError,
    NativeLayout,
    VectorRecord,
    VectorStore,
)
from polyvec.errors import NotSupportedError
from polyvec.evaluate import matches
from polyvec.migrate import copy_collection

VECTORS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0.5, 0, 0]], dtype=np.float32)
UUID = "550e8400-e29b-41d4-a716-446655440000"
POINTS: dict[int | str, dict[str, Any]] = {
    1: {"title": "lamp", "price": 9.5, "stock": 3, "live": True, "tags": ["red", "it's"]},
    2: {
        "title": "50% 'off'",
        "price": 100.0,
        "stock": 0,
        "live": False,
        "sizes": [1, 2],
        "t": None,
    },
    7: {},
    UUID: {"title": "Lamp", "price": 9, "a": {"b": [1, "x"]}, "a.b": "dotted", "tags": []},
}
METADATA = {str(point): payload for point, payload in POINTS.items()}

FILTERS: tuple[Any, ...] = (
    F("title") == "lamp",
    ~(F("title") == "lamp"),
    F("title") > "chair",
    F("title").starts_with("50%"),
    F("title").is_in(["Lamp", "nothing", 4]),
    F("title").not_in(["Lamp", "nothing"]),
    F("price") == 9.5,
    F("price") == 9.0,
    F("price") > 9,
    ~(F("price") > 9),
    F("price") > 9.000000000000002,
    F("price").exists(),
    F("price").is_missing(),
    F("stock") < 0.5,
    F("live") == True,  # noqa: E712 - a filter
    F("live") == 1,
    F("tags").contains("red"),
    F("tags") == ["red", "it's"],
    F("tags") == [],
    F("tags").exists(),
    F("tags").contains_all([]),
    ~F("tags").contains_any(["it's", "x"]),
    F("sizes").contains(2.0),
    F("sizes").contains_all([1, 2]),
    F("a.b").contains("x"),
    F("a.b") == "dotted",
    F("a\\.b") == "dotted",
    F("t").exists(),
    F("title") == datetime(2024, 1, 1, tzinfo=UTC),
    F("nowhere") == 1,
    (F("price") > 5) & ~(F("live") == False),  # noqa: E712 - a filter
)


@pytest.fixture(params=["local", "server"])
def store(request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    url = "qdrant:///:memory:" if request.param == "local" else networked().url
    with polyvec.connect(url) as opened:
        opened.ping()
        yield opened


@pytest.fixture
def make(store: VectorStore) -> Iterator[Callable[..., str]]:
    """Yield a maker of collections with points of every kind, by the vendor's client."""
    client: Any = store.client
    names: list[str] = []

    def made(vectors: Any = None, name_of: str = "") -> str:
        name = f"shop.{uuid4().hex[:8]}"
        names.append(name)
        plain = models.VectorParams(size=4, distance=models.Distance.EUCLID)
        client.create_collection(name, vectors_config=vectors or plain)
        points = [
            models.PointStruct(id=point, vector={name_of: row} if name_of else row, payload=payload)
            for (point, payload), row in zip(POINTS.items(), VECTORS.tolist(), strict=True)
        ]
        client.upsert(name, points)
        return name

    yield made
    for name in names:
        client.delete_collection(name)


def read(collection: Collection[Any]) -> dict[str, Any]:
    return {
        key: metadata
        for batch in collection.scan(batch_size=3)
        for key, metadata in zip(batch.ids, batch.metadata or [], strict=True)
    }


def test_it_is_listed_opened_and_described(store: VectorStore, make: Callable[..., str]) -> None:
    name = make()
    assert name in store.list_collections()
    info = store.collection(name).describe()
    assert (info.name, info.dimension, info.metric) == (name, 4, "euclidean")
    assert (info.layout, info.count, info.namespaces) == ("native", 4, {"": 4})


def test_points_read_as_they_stand(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    assert read(collection) == METADATA
    (record,) = collection.get(["1"], include=("vector",))
    assert np.array_equal(record.vector, VECTORS[0])
    assert collection.get(["nobody", "01", str(2**64)]) == []


@pytest.mark.parametrize("where", FILTERS, ids=repr)
def test_filters_mean_the_same(where: Any, store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    expected = {key for key, metadata in METADATA.items() if matches(where, metadata)}
    assert {k for batch in collection.scan(filter=where) for k in batch.ids} == expected
    assert collection.count(where) == len(expected)
    hits = collection.query(VECTORS[0], top_k=10, filter=where)
    assert {hit.id for hit in hits} == expected


def test_roles(store: VectorStore, make: Callable[..., str]) -> None:
    roles = NativeLayout(text="title", namespace="t")
    collection = store.collection(make(), native=roles)
    assert collection.get(["1"])[0].text == "lamp"
    assert "title" not in collection.get(["1"])[0].metadata
    north = collection.namespace("north")
    north.upsert([VectorRecord(id="9", vector=VECTORS[0], metadata={"n": 1}, text="sofa")])
    assert collection.namespaces() == {"": 4, "north": 1}
    assert north.get(["9", "1"])[0].text == "sofa"
    assert [hit.id for hit in north.query(VECTORS[1])] == ["9"]
    collection.delete(["9"])  # it is in the other namespace
    assert north.count() == 1
    north.delete(["9", "1"])
    assert collection.namespaces() == {"": 4}


def test_a_named_vector(store: VectorStore, make: Callable[..., str]) -> None:
    params = models.VectorParams(size=4, distance=models.Distance.DOT)
    one = store.collection(make({"image": params}, "image"))
    assert one.query(VECTORS[3], top_k=1)[0].score == pytest.approx(0.5)
    two = make({"image": params, "text": params}, "image")
    with pytest.raises(InvalidRequestError, match="vector="):
        store.collection(two)
    opened = store.collection(two, native=NativeLayout(vector="image"))
    assert opened.count() == 4
    with pytest.raises(NotSupportedError, match="several vectors"):
        opened.upsert(ids=["1"], vectors=VECTORS[:1])
    assert opened.get(["1"])[0].metadata == METADATA["1"]


def test_writes(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    metadata: dict[str, Any] = {"title": "sofa", "price": 20.5, "deep": {"x": [None, 1]}}
    collection.upsert([VectorRecord(id="1", vector=VECTORS[3], metadata=metadata)])
    assert collection.get(["1"])[0].metadata == metadata
    collection.update(["1"], set={"price": 1.5}, unset=["deep"])
    assert collection.get(["1"])[0].metadata == {"title": "sofa", "price": 1.5}
    collection.delete(filter=F("title") == "sofa")
    collection.delete(["2", "nobody"])
    assert set(read(collection)) == {"7", UUID}


@pytest.mark.parametrize(
    ("record_id", "metadata"),
    [
        ("9", {"at": datetime(2024, 1, 1, tzinfo=UTC)}),
        ("9", {"x": [0.1 + 0.2]}),
        ("doc", {}),
        (UUID.upper(), {}),
    ],
    ids=repr,
)
def test_what_a_point_cannot_hold_is_refused(
    record_id: str, metadata: dict[str, Any], store: VectorStore, make: Callable[..., str]
) -> None:
    collection = store.collection(make())
    with pytest.raises(InvalidRecordError):
        collection.upsert([VectorRecord(id=record_id, vector=VECTORS[3], metadata=metadata)])
    assert collection.count() == 4


def test_a_snapshot_comes_back_equal(
    store: VectorStore, make: Callable[..., str], tmp_path: Path
) -> None:
    name = make()
    with polyvec.connect(f"parquet://{tmp_path}") as snapshot, polyvec.connect("memory://") as kept:
        copy_collection(store, snapshot, name, to="shop")
        copy_collection(snapshot, kept, "shop")
        ours, theirs = kept.collection("shop"), store.collection(name)
        ids = list(METADATA)
        everything: Any = ("vector", "metadata")
        mine = {record.id: record for record in ours.get(ids, include=everything)}
        for native in theirs.get(ids, include=everything):
            assert mine[native.id].metadata == native.metadata
            assert np.array_equal(mine[native.id].vector, native.vector)
