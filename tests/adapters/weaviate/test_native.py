"""Collections made with weaviate-client alone: opened, read, filtered, changed and copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import weaviate
from tests.services import server
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject

import polyvec
from polyvec import F, InvalidRecordError, NativeLayout, VectorRecord, VectorStore
from polyvec.errors import InvalidRequestError, NotSupportedError
from polyvec.evaluate import matches
from polyvec.migrate import copy_collection

VECTORS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0.5, 0, 0]], dtype=np.float32)
IDS = [str(UUID(int=at + 1)) for at in range(4)]
AT = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
OBJECTS: list[dict[str, Any]] = [
    {"title": "lamp", "price": 9.5, "stock": 3, "live": True, "tags": ["red", "it's"], "at": AT},
    {"title": " lamp ", "price": 100.0, "stock": 0, "live": False, "body": "The quick fox"},
    {},
    {"title": "Lamp", "price": 9.0, "stock": 7, "body": "fox, quick!", "tags": []},
]
METADATA = [dict(item) for item in OBJECTS]

FILTERS: tuple[Any, ...] = (
    F("title") == "lamp",
    ~(F("title") == "lamp"),
    F("title") == " lamp ",
    F("title").is_in(["lamp", "nothing"]),
    F("title").not_in(["Lamp", "nothing"]),
    F("title") > "Lamp",
    F("title").starts_with("lam"),
    F("body") == "The quick fox",
    F("body") == "quick fox the",
    ~(F("body") == "fox, quick!"),
    F("price") == 9.5,
    F("price") > 9,
    ~(F("price") > 9),
    F("price").exists(),
    F("stock") == 3.0,
    F("stock") < 0.5,
    F("stock").is_in([0, 7, "x"]),
    F("live") == True,  # noqa: E712 - a filter
    F("live") != True,  # noqa: E712 - a filter
    F("live") == 1,
    F("tags").contains("red"),
    F("at") == AT,
    F("at") < datetime(3000, 1, 1, tzinfo=UTC),
    F("nowhere") == 1,
    (F("price") > 9) & ~F("tags").contains("red"),
)


def text(name: str, tokenization: Tokenization) -> Property:
    return Property(name=name, data_type=DataType.TEXT, tokenization=tokenization)


PROPERTIES = [
    text("title", Tokenization.FIELD),
    text("body", Tokenization.WORD),
    text("kind", Tokenization.FIELD),
    Property(name="price", data_type=DataType.NUMBER),
    Property(name="stock", data_type=DataType.INT),
    Property(name="live", data_type=DataType.BOOL),
    Property(name="tags", data_type=DataType.TEXT_ARRAY),
    Property(name="at", data_type=DataType.DATE),
]
L2 = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.L2_SQUARED)


@pytest.fixture
def store() -> Iterator[VectorStore]:
    with polyvec.connect(server("weaviate").url) as opened:
        yield opened


@pytest.fixture
def client(store: VectorStore) -> weaviate.WeaviateClient:
    store.ping()
    found: weaviate.WeaviateClient = store.client
    return found


@pytest.fixture
def fresh(client: weaviate.WeaviateClient) -> Iterator[Callable[..., Any]]:
    """Yield a maker of collections of the vendor's own."""
    names: list[str] = []

    def make(**arguments: Any) -> Any:
        names.append(f"Native{uuid4().hex[:12]}")
        arguments = {
            "properties": PROPERTIES,
            "vector_config": Configure.Vectors.self_provided(vector_index_config=L2),
            **arguments,
        }
        return client.collections.create(names[-1], **arguments)

    yield make
    for name in names:
        client.collections.delete(name)


def fill(collection: Any, objects: list[dict[str, Any]] = OBJECTS) -> None:
    rows = zip(IDS, objects, VECTORS, strict=True)
    collection.data.insert_many(
        [DataObject(uuid=i, properties=p, vector=v.tolist()) for i, p, v in rows]
    )


@pytest.fixture
def name(fresh: Callable[..., Any]) -> str:
    """Return the name of a collection with one vector and four objects."""
    made = fresh()
    fill(made)
    return str(made.name)


def test_opens_as_it_is(store: VectorStore, name: str) -> None:
    info = store.collection(name).describe()
    assert (info.dimension, info.metric, info.layout) == (4, polyvec.Metric.EUCLIDEAN, "native")
    assert (info.count, info.namespaces) == (4, {"": 4})
    assert isinstance(info.index, polyvec.HNSW)
    assert info.details["properties"]["stock"] == "int"
    assert name in store.list_collections()


def test_reads_what_is_there(store: VectorStore, name: str) -> None:
    collection = store.collection(name)
    found = collection.get([*IDS, "no uuid", IDS[0].upper()])
    assert [record.id for record in found] == IDS
    assert [record.metadata for record in found] == METADATA
    assert np.array_equal([record.vector for record in found], VECTORS)
    scanned = [record for batch in collection.scan(batch_size=3) for record in batch.records()]
    assert [record.id for record in scanned] == IDS


@pytest.mark.parametrize("where", FILTERS, ids=repr)
def test_filter(store: VectorStore, name: str, where: polyvec.Filter) -> None:
    collection = store.collection(name)
    expected = [at for at, item in zip(IDS, METADATA, strict=True) if matches(where, item)]
    hits = collection.query(VECTORS[0], top_k=4, filter=where)
    assert sorted(hit.id for hit in hits) == expected
    assert collection.count(where) == len(expected)
    scanned = [each for batch in collection.scan(filter=where) for each in batch.ids]
    assert scanned == expected


def test_scores(store: VectorStore, name: str) -> None:
    hits = store.collection(name).query(VECTORS[0], top_k=2, exact=True)
    assert [hit.id for hit in hits] == [IDS[0], IDS[3]]
    assert [hit.score for hit in hits] == pytest.approx([0.0, -(0.5**0.5)])


def test_deletes(store: VectorStore, name: str) -> None:
    collection = store.collection(name)
    collection.delete(["not there", IDS[2]])
    collection.delete(filter=F("price") > 9)
    assert [each for batch in collection.scan() for each in batch.ids] == [IDS[3]]
    collection.clear()
    assert collection.count() == 0


def test_writes_what_fits(store: VectorStore, name: str) -> None:
    collection = store.collection(name)
    record = VectorRecord(id=IDS[0], vector=VECTORS[1], metadata={"price": 1.5, "stock": 2})
    collection.upsert([record])
    assert collection.get([IDS[0]]) == [record]
    assert collection.count() == 4


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (VectorRecord(id="a", vector=VECTORS[0]), "UUID"),
        (VectorRecord(id=IDS[0], vector=VECTORS[0], text="x"), "holds a text"),
        (VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"colour": 1}), "has no property"),
        (VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"price": "x"}), "type number"),
        (VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"price": 1}), "type number"),
        (VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"stock": 2**53 + 1}), "as a float"),
        (VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"live": None, "at": 1}), "type date"),
    ],
    ids=["id", "text", "key", "class", "int", "large", "date"],
)
def test_refuses_what_does_not(
    store: VectorStore, name: str, record: VectorRecord[Any], reason: str
) -> None:
    collection = store.collection(name)
    with pytest.raises(InvalidRecordError, match=reason):
        collection.upsert([record])
    assert collection.get([IDS[0]])[0].metadata == METADATA[0]


def test_text_and_namespace_by_property(store: VectorStore, fresh: Callable[..., Any]) -> None:
    made = fresh()
    fill(
        made, [{"body": "t", "kind": "a"}, {"kind": "a", "stock": 1}, {"stock": 1}, {"kind": " a"}]
    )
    roles = NativeLayout(text="body", namespace="kind")
    collection = store.collection(made.name, native=roles)
    assert collection.namespaces() == {"a": 2, "": 1, " a": 1}
    inside = collection.namespace("a")
    assert [(r.id, r.text) for r in inside.get(IDS)] == [(IDS[0], "t"), (IDS[1], None)]
    assert [r.id for r in collection.get(IDS)] == [IDS[2]]
    assert [hit.id for hit in collection.query(VECTORS[0], top_k=4)] == [IDS[2]]
    inside.delete(IDS)
    assert inside.count() == 0
    assert collection.count() == 1
    inside.upsert([VectorRecord(id=IDS[0], vector=VECTORS[0], text="new")])
    assert made.query.fetch_object_by_id(IDS[0]).properties["kind"] == "a"


def test_tenants_are_namespaces(store: VectorStore, fresh: Callable[..., Any]) -> None:
    made = fresh(multi_tenancy_config=Configure.multi_tenancy(enabled=True))
    made.tenants.create(["one", "two"])
    fill(made.with_tenant("one"))
    collection = store.collection(made.name)
    assert collection.namespaces() == {"one": 4}
    one, three = collection.namespace("one"), collection.namespace("three")
    assert one.count(F("price") > 9) == 2
    assert three.count() == 0
    assert three.query(VECTORS[0], top_k=3) == []
    assert collection.get(IDS) == []
    three.upsert([VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"price": 2.0})])
    assert collection.namespaces() == {"one": 4, "three": 1}
    one.delete(filter=F("price") > 9)
    assert one.count() == 2
    with pytest.raises(NotSupportedError, match="tenants"):
        collection.upsert([VectorRecord(id=IDS[0], vector=VECTORS[0])])


def test_several_vectors(store: VectorStore, fresh: Callable[..., Any]) -> None:
    made = fresh(
        vector_config=[
            Configure.Vectors.self_provided(name="small", vector_index_config=L2),
            Configure.Vectors.self_provided(name="large"),
        ]
    )
    made.data.insert(
        uuid=IDS[0],
        properties=OBJECTS[0],
        vector={"small": VECTORS[0].tolist(), "large": [1.0] * 6},
    )
    made.data.insert(uuid=IDS[1], properties={}, vector={"large": [1.0] * 6})
    with pytest.raises(InvalidRequestError, match=r"large.*small"):
        store.collection(made.name)
    collection = store.collection(made.name, native=NativeLayout(vector="small"))
    assert collection.describe().dimension == 4
    assert [hit.id for hit in collection.query(VECTORS[0], top_k=4)] == [IDS[0]]
    batch = next(iter(collection.scan(include=("vector",))))
    assert batch.present is not None
    assert batch.present.tolist() == [True, False]
    with pytest.raises(NotSupportedError, match="several vectors"):
        collection.upsert([VectorRecord(id=IDS[0], vector=VECTORS[0])])


def test_empty_collection_needs_a_dimension(store: VectorStore, fresh: Callable[..., Any]) -> None:
    made = fresh()
    with pytest.raises(InvalidRequestError, match="dimension="):
        store.collection(made.name)
    collection = store.collection(made.name, native=NativeLayout(dimension=4))
    assert collection.count() == 0
    collection.upsert([VectorRecord(id=IDS[0], vector=VECTORS[0], metadata={"title": "x"})])
    assert collection.count(F("title") == "x") == 1


def test_copies_to_a_snapshot_and_on(store: VectorStore, name: str, tmp_path: Path) -> None:
    with (
        polyvec.connect(f"parquet://{tmp_path / 'snapshot'}") as snapshot,
        polyvec.connect("memory://") as memory,
    ):
        copy_collection(store, snapshot, name)
        copy_collection(snapshot, memory, name)
        copied = memory.collection(name).get(IDS)
    assert copied == store.collection(name).get(IDS)
    assert [record.metadata for record in copied] == METADATA
