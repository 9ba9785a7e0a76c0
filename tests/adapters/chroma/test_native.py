"""Collections made with chromadb alone: polyvec opens, reads, filters, changes and copies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from chromadb.api.types import DefaultEmbeddingFunction
from tests.services import server

import polyvec
from polyvec import Collection, F, InvalidRecordError, NativeLayout, VectorRecord, VectorStore
from polyvec.errors import NotSupportedError
from polyvec.evaluate import matches
from polyvec.migrate import copy_collection

VECTORS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0.5, 0, 0]], dtype=np.float32)
METADATA: dict[str, dict[str, Any]] = {
    "a": {"title": "lamp", "price": 9.5, "stock": 3, "live": True, "tags": ["red", "it's"]},
    "b": {"title": "50% 'off'", "price": 100.0, "stock": 0, "live": False, "sizes": [1, 2]},
    "c'\"": {},
    "d": {"title": "Lamp", "price": 9, "stock": 2**53 + 1, "deep.key": "dotted", "r": [0.5]},
}
TEXTS = ["about lamp", "about 'off'", None, "about Lamp"]

FILTERS: tuple[Any, ...] = (
    F("title") == "lamp",
    ~(F("title") == "lamp"),
    F("title") > "chair",
    F("title").starts_with("50%"),
    F("title").is_in(["Lamp", "nothing"]),
    F("title").not_in(["Lamp", "nothing"]),
    F("title").is_in(["Lamp", 4]),
    F("price") == 9.5,
    F("price") == 9,
    F("price") > 9,
    F("price") <= 9.25,
    ~(F("price") > 9),
    F("price").exists(),
    F("price").is_missing(),
    F("stock") == 3.0,
    F("stock") < 0.5,
    F("stock") == 2**53,
    F("stock") == 2**53 + 1,
    F("live") == True,  # noqa: E712 - a filter
    F("live") != True,  # noqa: E712 - a filter
    F("live") == 1,
    F("tags").contains("red"),
    F("tags") == ["red", "it's"],
    ~F("tags").contains_any(["it's", "x"]),
    F("sizes").contains(2.0),
    F("sizes").contains_all([1, 2]),
    F("r").contains(0.5),
    F("deep\\.key") == "dotted",
    F("deep.key") == "dotted",
    F("nowhere") == 1,
    (F("price") > 5) & ~(F("live") == False),  # noqa: E712 - a filter
)


@pytest.fixture(params=["memory", "server"])
def store(request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    url = "chroma:///:memory:" if request.param == "memory" else server("chroma").url
    with polyvec.connect(url) as opened:
        opened.ping()
        yield opened


@pytest.fixture
def make(store: VectorStore) -> Iterator[Callable[..., str]]:
    """Yield a maker of collections with records of every kind, by the vendor's client."""
    client: Any = store.client
    names: list[str] = []

    def made(**settings: Any) -> str:
        name = f"shop.{uuid4().hex[:8]}-1"
        names.append(name)
        settings.setdefault("configuration", {"hnsw": {"space": "l2"}})
        settings.setdefault("embedding_function", None)
        native = client.create_collection(name, **settings)
        native.add(
            ids=list(METADATA),
            embeddings=VECTORS,
            metadatas=[item or None for item in METADATA.values()],
            documents=[text or "" for text in TEXTS],
        )
        return name

    yield made
    for name in names:  # by polyvec: see `test_lists_of_a_dropped_collection`
        store.drop_collection(name)


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
    assert info.index == polyvec.HNSW(m=16, ef_construction=100, ef_search=100)


def test_records_read_as_they_stand(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    assert read(collection) == METADATA
    (record,) = collection.get(["a"], include=("vector", "text"))
    assert np.array_equal(record.vector, VECTORS[0])
    assert record.text == "about lamp"
    assert collection.get(["nobody"]) == []


@pytest.mark.parametrize("where", FILTERS, ids=repr)
def test_filters_mean_the_same(where: Any, store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    expected = {key for key, metadata in METADATA.items() if matches(where, metadata)}
    assert {k for batch in collection.scan(filter=where) for k in batch.ids} == expected
    assert collection.count(where) == len(expected)
    hits = collection.query(VECTORS[0], top_k=10, filter=where)
    assert {hit.id for hit in hits} == expected


def test_scores_are_ours(store: VectorStore, make: Callable[..., str]) -> None:
    hits = store.collection(make()).query(VECTORS[0], top_k=2)
    assert [hit.id for hit in hits] == ["a", "d"]
    assert hits[0].score == 0.0
    assert hits[1].score == pytest.approx(-(0.5**0.5))


def test_old_metadata_tells_the_metric(store: VectorStore, make: Callable[..., str]) -> None:
    name = make(configuration=None, metadata={"hnsw:space": "cosine", "owner": "shop"})
    collection = store.collection(name)
    info = collection.describe()
    assert info.metric == "cosine"
    assert collection.query(VECTORS[3], top_k=1)[0].score == pytest.approx(1.0)


def test_a_collection_with_an_embedding_function(
    store: VectorStore, make: Callable[..., str]
) -> None:
    """The default one is named in the configuration; nothing of it is loaded or called."""
    name = make(embedding_function=DefaultEmbeddingFunction())
    collection = store.collection(name)
    assert read(collection) == METADATA
    collection.upsert([VectorRecord(id="e", vector=VECTORS[0], metadata={"n": 1}, text="new")])
    assert collection.get(["e"])[0].text == "new"


def test_roles_are_refused(store: VectorStore, make: Callable[..., str]) -> None:
    with pytest.raises(NotSupportedError, match="text"):
        store.collection(make(), native=NativeLayout(text="body"))


def test_a_collection_that_was_never_written(store: VectorStore) -> None:
    client: Any = store.client
    name = f"empty-{uuid4().hex[:8]}"
    client.create_collection(name, embedding_function=None)
    try:
        with pytest.raises(NotSupportedError, match="dimension"):
            store.collection(name)
        opened = store.collection(name, native=NativeLayout(dimension=4))
        opened.upsert(ids=["a"], vectors=VECTORS[:1])
        assert opened.count() == 1
    finally:
        client.delete_collection(name)


def test_writes(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    metadata: dict[str, Any] = {"title": "sofa", "price": 20.5, "tags": ["x"]}
    collection.upsert([VectorRecord(id="a", vector=VECTORS[3], metadata=metadata, text="new")])
    (found,) = collection.get(["a"])
    assert found.metadata == metadata
    assert found.text == "new"
    collection.update(["a"], set={"price": 1.5}, unset=["tags"])
    assert collection.get(["a"])[0].metadata == {"title": "sofa", "price": 1.5}
    collection.delete(filter=F("title") == "sofa")
    collection.delete(["b", "nobody"])
    assert set(read(collection)) == {"c'\"", "d"}


@pytest.mark.parametrize(
    "metadata", [{"n": None}, {"o": {"a": 1}}, {"l": [1, "x"]}, {"#x": 1}], ids=repr
)
def test_what_chroma_cannot_hold_is_refused(
    metadata: dict[str, Any], store: VectorStore, make: Callable[..., str]
) -> None:
    collection = store.collection(make())
    with pytest.raises(InvalidRecordError, match="chroma"):
        collection.upsert([VectorRecord(id="z", vector=VECTORS[3], metadata=metadata)])
    assert collection.count() == 4


def test_a_stranger_writes_into_ours(store: VectorStore) -> None:
    name = f"ours_{uuid4().hex[:8]}"
    ours = store.create_collection(name, dimension=4, metric="euclidean")
    try:
        ours.upsert(ids=["mine"], vectors=VECTORS[:1], metadata=[{"n": 1}])
        client: Any = store.client
        client.get_collection(name, embedding_function=None).add(
            ids=["theirs"], embeddings=VECTORS[1:2], metadatas=[{"n": 1, "t": "x"}], documents=["d"]
        )
        again = store.collection(name)
        assert read(again) == {"mine": {"n": 1}, "theirs": {"n": 1, "t": "x"}}
        assert again.count(F("n") == 1) == 2
        assert again.count(F("t") == "x") == 1
        assert {hit.id for hit in again.query(VECTORS[0], filter=F("n") >= 1)} == {"mine", "theirs"}
    finally:
        store.drop_collection(name)


def test_a_snapshot_comes_back_equal(
    store: VectorStore, make: Callable[..., str], tmp_path: Path
) -> None:
    name = make()
    with polyvec.connect(f"parquet://{tmp_path}") as snapshot, polyvec.connect("memory://") as kept:
        copy_collection(store, snapshot, name, to="shop")
        copy_collection(snapshot, kept, "shop")
        ours, theirs = kept.collection("shop"), store.collection(name)
        ids = list(METADATA)
        everything: Any = ("vector", "metadata", "text")
        pairs = zip(
            ours.get(ids, include=everything), theirs.get(ids, include=everything), strict=True
        )
        for mine, native in pairs:
            assert (mine.id, mine.metadata, mine.text) == (native.id, native.metadata, native.text)
            assert np.array_equal(mine.vector, native.vector)
