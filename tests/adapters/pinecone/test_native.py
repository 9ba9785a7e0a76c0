"""Indexes that the vendor's client made, opened, read and written through polyvec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pinecone import Pinecone
from tests.services import server

import polyvec
from polyvec import F, NativeLayout, VectorStore
from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.evaluate import matches
from polyvec_pinecone.links import arguments_of

RECORDS: dict[str, tuple[list[float], dict[str, Any]]] = {
    "a": ([1.0, 0.0], {"lang": "de", "year": 2020, "tags": ["x", "y"], "body": "eins"}),
    "b": ([0.0, 2.0], {"lang": "en", "year": 2021.5, "on": True}),
    "c": ([3.0, 4.0], {"lang": ["de", "en"], "on": False, "author.name": "Ann"}),
    "d": ([1.0, 1.0], {}),
}
METADATA: dict[str, dict[str, Any]] = {
    "a": {"lang": "de", "year": 2020.0, "tags": ["x", "y"], "body": "eins"},
    "b": {"lang": "en", "year": 2021.5, "on": True},
    "c": {"lang": ["de", "en"], "on": False, "author.name": "Ann"},
    "d": {},
}
FILTERS: list[Any] = [
    F("lang") == "de",
    F("lang") != "de",
    F("lang").contains("de"),
    ~F("lang").contains("de"),
    F("tags").contains_all(["x", "y"]),
    F("year") > 2020,
    ~(F("year") > 2020),
    F("year").exists(),
    F("year").is_in([2020, "de"]),
    F("on") == True,  # noqa: E712 - the filter's own
    F("lang").starts_with("d"),
    F("lang") < "e",
    F(("author.name",)) == "Ann",
    F("author.name") == "Ann",
    (F("lang") == "de") | ~F("on").exists(),
]


@pytest.fixture
def store() -> Iterator[VectorStore]:
    with polyvec.connect(server("pinecone").url) as opened:
        yield opened


@pytest.fixture
def name(store: VectorStore) -> Iterator[str]:
    """Yield an index that polyvec had no part in."""
    made = f"native-{uuid4().hex[:10]}"
    client = Pinecone(**arguments_of(store.config))  # type: ignore[arg-type]  # it is Pinecone's
    client.indexes.create(name=made, dimension=2, metric="euclidean", timeout=60)
    try:
        with client.index(name=made) as index:
            for space in ("", "tenant"):
                index.upsert(
                    vectors=[(key, *rest) for key, rest in RECORDS.items()], namespace=space
                )
        opened = store.collection(made)
        for space in ("", "tenant"):
            opened.namespace(space).wait_until_visible(list(RECORDS))
        yield made
    finally:
        client.indexes.delete(made, timeout=60)
        client.close()


def test_reading(store: VectorStore, name: str) -> None:
    found = store.collection(name)
    info = found.describe()
    assert (info.layout, info.dimension, info.metric, info.count) == ("native", 2, "euclidean", 8)
    assert info.namespaces == {"": 4, "tenant": 4}
    assert name in store.list_collections()
    records = found.get([*RECORDS, "e", "ünknown"])
    assert {record.id: record.metadata for record in records} == METADATA
    assert records[2].vector.tolist() == [3.0, 4.0]
    hits = found.query([3.0, 3.0], top_k=2)
    assert [(hit.id, hit.distance) for hit in hits] == [
        ("c", 1.0),
        ("d", pytest.approx(2.828427, abs=1e-5)),
    ]
    scanned = [
        key for batch in found.scan(batch_size=3, include=("metadata",)) for key in batch.ids
    ]
    assert sorted(scanned) == list(RECORDS)
    assert [key for batch in found.scan(include=()) for key in batch.ids] == scanned


def test_filters(store: VectorStore, name: str) -> None:
    found = store.collection(name)
    for where in FILTERS:
        right = {key for key, item in METADATA.items() if matches(where, item)}
        assert {k for batch in found.scan(where, include=()) for k in batch.ids} == right, where
        assert found.count(where) == len(right), where
        hits = found.query([1.0, 1.0], top_k=4, filter=where)
        assert {hit.id for hit in hits} == right, where


def test_text_is_a_key(store: VectorStore, name: str) -> None:
    found = store.collection(name, native=NativeLayout(text="body"))
    record = found.get(["a"])[0]
    assert record.text == "eins"
    assert "body" not in record.metadata
    found.upsert(ids=["e"], vectors=[[1.0, 2.0]], texts=["zwei"], metadata=[{"n": 1.5}])
    found.wait_until_visible(["e"])
    assert found.get(["e"])[0].text == "zwei"
    assert store.collection(name).get(["e"])[0].metadata == {"n": 1.5, "body": "zwei"}


def test_writing_and_deleting(store: VectorStore, name: str) -> None:
    found = store.collection(name)
    found.update(["a"], set={"lang": "fr"}, unset=["tags"])
    found.delete(filter=F("lang") == "en")
    found.wait_until_visible(["b"], absent=True)
    left = {record.id: record.metadata for record in found.get(list(RECORDS))}
    assert left["a"] == {"lang": "fr", "year": 2020.0, "body": "eins"}
    assert set(left) == {"a", "c", "d"}
    assert found.namespace("tenant").count() == 4


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"ids": ["é"]}, "ids are 1 to 512 characters of ASCII"),
        ({"metadata": [{"n": 1}]}, r"'n' is an int \(1\)"),
        ({"metadata": [{"n": None}]}, "'n' is None"),
        ({"metadata": [{"n": [1]}]}, "a list of other things"),
        ({"metadata": [{"n": {"a": 1}}]}, "'n' is an object"),
        ({"vectors": [[0.0, 0.0]]}, "its vector is zero"),
    ],
)
def test_what_cannot_be_represented(
    store: VectorStore, name: str, columns: dict[str, Any], told: str
) -> None:
    found = store.collection(name)
    given: dict[str, Any] = {"ids": ["x"], "vectors": [[1.0, 1.0]], **columns}
    with pytest.raises(InvalidRecordError, match=told):
        found.upsert(**given)
    with pytest.raises(NotSupportedError, match="has a text"):
        found.upsert(ids=["x"], vectors=[[1.0, 1.0]], texts=["t"])
    with pytest.raises(InvalidRecordError, match="'__default__' is its name"):
        found.namespace("__default__").upsert(ids=["x"], vectors=[[1.0, 1.0]])
    assert found.count() == 4
