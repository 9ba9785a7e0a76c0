"""Collections made with pymilvus alone: polyvec opens, reads, filters, changes and copies them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from tests.services import server

import polyvec
from polyvec import Collection, F, InvalidRecordError, NativeLayout, VectorRecord, VectorStore
from polyvec.errors import InvalidRequestError, NotSupportedError
from polyvec.evaluate import matches
from polyvec.migrate import copy_collection

KINDS = ("lite", "server")
SEEN_WITHIN_S = 30.0

VECTORS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0.5, 0, 0]], dtype=np.float32)
ROWS: tuple[dict[str, Any], ...] = (
    {
        "no": 1,
        "title": "lamp",
        "price": 9.5,
        "score": 0.5,
        "stock": 3,
        "live": True,
        "info": {"maker": "ada", "n": 1, "deep": {"x": [1]}},
        "tags": ["red", "it's"],
        "colour": "green",
        "odd name": 4,
    },
    {
        "no": -2,
        "title": '50% "off"',
        "price": 1e300,
        "score": 0.1,
        "stock": 0,
        "live": False,
        "info": {"n": 2**53 + 1, "maker": None},
        "tags": [],
    },
    {
        "no": 2**62,
        "title": "",
        "price": -0.1,
        "score": -2.5,
        "stock": -(2**31),
        "live": True,
        "info": {"n": "1"},
        "tags": ["x"],
        "colour": 7,
    },
    {
        "no": 40,
        "title": "Lamp",
        "price": 9.0,
        "score": 3e38,
        "stock": 2**31 - 1,
        "live": False,
        "info": {"n": True},
        "tags": ["red"],
        "colour": [1, 2],
    },
)
IDS = [str(row["no"]) for row in ROWS]
METADATA: dict[str, dict[str, Any]] = {
    str(row["no"]): {
        key: float(np.float32(value)) if key == "score" else value
        for key, value in row.items()
        if key != "no"
    }
    for row in ROWS
}

FILTERS: tuple[Any, ...] = (
    F("title") == "lamp",
    F("title") != "lamp",
    F("title") > "chair",
    ~(F("title") > "chair"),
    F("title").starts_with("50%"),
    F("title").starts_with("") & (F("live") == True),  # noqa: E712 - a filter
    F("title").is_in(["Lamp", 'x"] or no > ["']),
    F("title").not_in(["Lamp", "nothing"]),
    F("title").is_in(["Lamp", 4]),
    F("title") == 4,
    F("price") == 9.5,
    F("price") == 9,
    F("price") > 9,
    ~(F("price") > 9),
    F("price") <= 9.25,
    F("price") >= -0.1,
    F("price") < 2**53 + 1,
    F("price").exists(),
    F("price").is_missing(),
    F("score") == 0.1,
    F("score") == float(np.float32(0.1)),
    F("score") != 0.1,
    F("score") < 0.1,
    F("score") <= float(np.float32(0.1)),
    F("score") > 0.1,
    ~(F("score") > 0.1),
    F("score").is_in([0.5, -2.5]),
    F("stock") == 3.0,
    F("stock") < 0.5,
    F("stock") >= 2**31 - 1,
    F("stock") == 2**40,
    F("stock").not_in([3, 0]),
    F("live") == True,  # noqa: E712 - a filter
    F("live") != True,  # noqa: E712 - a filter
    F("live") == 1,
    F("tags").contains("red"),
    F("tags") == ["red", "it's"],
    ~F("tags").contains_any(["it's", "x"]),
    F("info.n") == 1,
    F("info.n") != 1,
    F("info.n") == 2**53,
    F("info.n") == 2**53 + 1,
    F("info.n") > 0,
    F("info.n").is_in([1, "1"]),
    F("info.n") == True,  # noqa: E712 - a filter
    F("info.maker") == "ada",
    F("info.maker").exists(),
    F("info.deep.x").contains(1),
    F("info").exists(),
    F("colour") == "green",
    F("colour") == 7,
    F("colour").contains(2),
    F("colour").is_missing(),
    F("odd name") >= 4,
    F("nowhere") == 1,
    (F("price") > 5) & ~(F("live") == False),  # noqa: E712 - a filter
)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def store(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    url = f"milvus://{tmp_path_factory.mktemp('native') / 'shop.db'}"
    with polyvec.connect(url if kind == "lite" else server("milvus").url) as opened:
        opened.ping()
        yield opened


def schema(*, auto_id: bool = False) -> Any:
    client: Any = MilvusClient
    made = client.create_schema(auto_id=auto_id, enable_dynamic_field=True)
    made.add_field("no", DataType.INT64, is_primary=True)
    made.add_field("emb", DataType.FLOAT_VECTOR, dim=4)
    made.add_field("title", DataType.VARCHAR, max_length=200)
    made.add_field("price", DataType.DOUBLE)
    made.add_field("score", DataType.FLOAT)
    made.add_field("stock", DataType.INT32)
    made.add_field("live", DataType.BOOL)
    made.add_field("info", DataType.JSON)
    made.add_field(
        "tags", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=8, max_length=64
    )
    return made


def index(metric: str = "L2", **settings: Any) -> Any:
    client: Any = MilvusClient
    made = client.prepare_index_params()
    made.add_index("emb", index_name="by_emb", metric_type=metric, **settings)
    return made


def rows() -> list[dict[str, Any]]:
    return [{**row, "emb": vector} for row, vector in zip(ROWS, VECTORS, strict=True)]


@pytest.fixture(scope="module")
def create(store: VectorStore) -> Iterator[Callable[..., str]]:
    """Yield a maker of empty collections, by the vendor's client; they are dropped afterwards."""
    client: Any = store.client
    names: list[str] = []

    def made(fields: Any, indexed: Any = None) -> str:
        name = f"shop_{uuid4().hex[:8]}"
        names.append(name)
        client.create_collection(name, schema=fields)
        if indexed is not None:
            client.create_index(name, indexed, sync=False)
        return name

    yield made
    for name in names:
        client.drop_collection(name)


def fill(store: VectorStore, name: str) -> str:
    """Write the rows and wait until everybody sees them."""
    client: Any = store.client
    client.insert(name, rows())
    client.load_collection(name)
    end = time.monotonic() + SEEN_WITHIN_S
    counting = {"output_fields": ["count(*)"], "consistency_level": "Strong"}
    while client.query(name, filter="", **counting)[0]["count(*)"] < len(ROWS):
        assert time.monotonic() < end
    return name


@pytest.fixture(scope="module")
def shop(store: VectorStore, create: Callable[..., str]) -> str:
    """Return a collection with records of every kind, which tests only read."""
    return fill(store, create(schema(), index(index_type="FLAT")))


@pytest.fixture
def changing(store: VectorStore, create: Callable[..., str]) -> str:
    """Return one that the test may change."""
    return fill(store, create(schema(), index(index_type="FLAT")))


def read(collection: Collection[Any]) -> dict[str, Any]:
    return {
        key: metadata
        for batch in collection.scan(batch_size=3)
        for key, metadata in zip(batch.ids, batch.metadata or [], strict=True)
    }


def test_it_is_listed_opened_and_described(store: VectorStore, shop: str) -> None:
    assert shop in store.list_collections()
    info = store.collection(shop).describe()
    assert (info.name, info.dimension, info.metric) == (shop, 4, "euclidean")
    assert (info.layout, info.count, info.namespaces) == ("native", 4, {"": 4})
    assert info.index == polyvec.Flat()


def test_records_read_as_they_stand(store: VectorStore, shop: str) -> None:
    collection = store.collection(shop)
    assert read(collection) == METADATA
    (record,) = collection.get(["40"], include=("vector", "metadata"))
    assert np.array_equal(record.vector, VECTORS[3])
    assert type(record.metadata["stock"]) is int
    assert type(record.metadata["price"]) is float
    assert type(record.metadata["live"]) is bool
    for nobody in ("0", "040", "x", "9" * 30, '1"] or no > ["0', ""):
        if nobody:
            assert collection.get([nobody]) == []


@pytest.mark.parametrize("where", FILTERS, ids=repr)
def test_filters_mean_the_same(where: Any, store: VectorStore, shop: str) -> None:
    collection = store.collection(shop)
    expected = {key for key, metadata in METADATA.items() if matches(where, metadata)}
    assert {key for batch in collection.scan(filter=where) for key in batch.ids} == expected
    assert collection.count(where) == len(expected)
    hits = collection.query(VECTORS[0], top_k=10, filter=where)
    assert {hit.id for hit in hits} == expected


def test_what_a_server_decides(kind: str, store: VectorStore, shop: str) -> None:
    collection = store.collection(shop)
    assert collection.explain(F("price") > 5).residual is None
    assert collection.explain(F("title") != "x").residual is None
    narrowed = collection.explain(F("info.n") == 1)
    assert (narrowed.native == 'info["n"] == 1') == (kind == "server")
    assert narrowed.residual is not None


def test_scores_are_ours(store: VectorStore, shop: str) -> None:
    hits = store.collection(shop).query(VECTORS[0], top_k=2)
    assert [hit.id for hit in hits] == ["1", "40"]
    assert hits[0].score == 0.0
    assert hits[1].score == pytest.approx(-(0.5**0.5))


def test_ranges_cover_every_key(store: VectorStore, shop: str) -> None:
    from polyvec.primitives import Target

    adapter: Any = store._adapter  # pyright: ignore[reportPrivateUsage]  # a primitive is tested
    opened = adapter.open_collection(shop, None, timeout_s=None)
    target = Target(opened, "")
    found: list[str] = []
    ranges = adapter.split(target, 3, timeout_s=None)
    for span in ranges:
        page = adapter.scan(
            target, None, span, None, 10, frozenset(), consistency=None, timeout_s=None
        )
        found += page.batch.ids
    assert len(ranges) == 3
    assert found == sorted(IDS, key=int)


def test_writes(store: VectorStore, changing: str) -> None:
    collection = store.collection(changing)
    metadata: dict[str, Any] = {**METADATA["1"], "title": "sofa", "colour": {"a": None}}
    collection.upsert([VectorRecord(id="1", vector=VECTORS[3], metadata=metadata)])
    (found,) = collection.get(["1"], include=("vector", "metadata"))
    assert found.metadata == metadata
    assert np.array_equal(found.vector, VECTORS[3])
    collection.update(["1"], set={"price": 1.5}, unset=["colour"])
    assert collection.get(["1"])[0].metadata["price"] == 1.5
    assert "colour" not in collection.get(["1"])[0].metadata
    collection.delete(filter=F("title") == "sofa")
    collection.delete(["-2", "nobody"])
    assert set(read(collection)) == {str(2**62), "40"}
    collection.clear()
    assert collection.count() == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"title": 5}, "'title' is 5"),
        ({"title": None}, "'title' is None"),
        ({"score": 0.1}, "'score' is 0.1"),
        ({"stock": 2**40}, "'stock' is"),
        ({"live": 1}, "'live' is 1"),
        ({"tags": [1]}, r"'tags' is \[1\]"),
        ({"tags": "x"}, "'tags' is 'x'"),
    ],
    ids=repr,
)
def test_what_its_fields_cannot_hold_is_refused(
    change: dict[str, Any], match: str, store: VectorStore, shop: str
) -> None:
    collection = store.collection(shop)
    metadata = {**METADATA["1"], **change}
    with pytest.raises(InvalidRecordError, match=match):
        collection.upsert([VectorRecord(id="77", vector=VECTORS[3], metadata=metadata)])
    assert collection.count() == 4


def test_an_id_that_is_no_key_is_refused(store: VectorStore, shop: str) -> None:
    with pytest.raises(InvalidRecordError, match="64-bit int"):
        store.collection(shop).upsert(ids=["x"], vectors=VECTORS[:1])
    with pytest.raises(NotSupportedError, match="NativeLayout\\(namespace"):
        store.collection(shop).namespace("n").upsert(ids=["1"], vectors=VECTORS[:1])


def test_ids_that_milvus_makes_up(store: VectorStore, create: Callable[..., str]) -> None:
    name = create(schema(auto_id=True), index("COSINE", index_type="FLAT"))
    client: Any = store.client
    client.insert(name, [{k: v for k, v in row.items() if k != "no"} for row in rows()])
    collection = store.collection(name)
    with pytest.raises(NotSupportedError, match="makes up its ids"):
        collection.upsert(ids=["1"], vectors=VECTORS[:1])
    ids = [key for batch in collection.scan() for key in batch.ids]
    assert len(set(ids)) == 4
    (hit,) = collection.query(VECTORS[2], top_k=1)
    assert hit.score == pytest.approx(1.0)
    collection.delete([hit.id])
    assert collection.count() == 3


def test_roles(store: VectorStore, create: Callable[..., str]) -> None:
    client: Any = MilvusClient
    fields = client.create_schema(auto_id=False)
    fields.add_field("key", DataType.VARCHAR, is_primary=True, max_length=99)
    fields.add_field("tenant", DataType.VARCHAR, max_length=99)
    fields.add_field("body", DataType.VARCHAR, max_length=99)
    fields.add_field("emb", DataType.FLOAT_VECTOR, dim=4)
    name = create(fields, index("IP", index_type="FLAT"))
    roles = NativeLayout(id="key", vector="emb", text="body", namespace="tenant")
    base = store.collection(name, native=roles)
    for space in ('a"', ""):
        base.namespace(space).upsert(
            ids=[f'{space}1" or ""=="', f"{space}2"], vectors=VECTORS[:2], texts=["one", "two"]
        )
    spaced = base.namespace('a"')
    assert base.namespaces() == {'a"': 2, "": 2}
    assert [record.text for record in spaced.get(['a"2', "2"])] == ["two"]
    spaced.delete(["2", 'a"1" or ""=="'])
    assert base.namespaces() == {'a"': 1, "": 2}
    plain = store.collection(name)
    assert plain.count(F("tenant") == 'a"') == 1
    with pytest.raises(InvalidRequestError, match="no text field 'emb'"):
        store.collection(name, native=NativeLayout(text="emb"))
    with pytest.raises(InvalidRequestError, match="the id is its primary key 'key'"):
        store.collection(name, native=NativeLayout(id="tenant"))


def test_without_an_index_it_is_refused(store: VectorStore, create: Callable[..., str]) -> None:
    name = create(schema())
    with pytest.raises(NotSupportedError, match="has no index on 'emb'"):
        store.collection(name)


def test_a_released_one_is_loaded(store: VectorStore, changing: str) -> None:
    client: Any = store.client
    client.release_collection(changing)
    assert read(store.collection(changing)) == METADATA
    handle = store.collection(changing)
    assert handle.count() == 4
    client.release_collection(changing)
    assert handle.count() == 4
    assert [hit.id for hit in handle.query(VECTORS[0], top_k=1)] == ["1"]


def test_one_of_which_a_partition_is_loaded(
    kind: str, store: VectorStore, create: Callable[..., str]
) -> None:
    if kind == "lite":
        pytest.skip("Milvus Lite loads no partitions")
    name = create(schema(), index(index_type="FLAT"))
    client: Any = store.client
    client.create_partition(name, "more")
    client.insert(name, rows()[:3])
    client.insert(name, rows()[3:], partition_name="more")
    client.load_partitions(name, ["more"])
    assert read(store.collection(name)) == METADATA


def test_a_graph_of_others_is_read(
    kind: str, store: VectorStore, create: Callable[..., str]
) -> None:
    if kind == "lite":
        pytest.skip("Milvus Lite keeps no settings of a graph")
    graph = index(index_type="HNSW", params={"M": 7, "efConstruction": 33})
    name = fill(store, create(schema(), graph))
    collection = store.collection(name)
    assert collection.describe().index == polyvec.HNSW(m=7, ef_construction=33)
    hits = collection.query(VECTORS[0], top_k=4, search=polyvec.HNSW(ef_search=64))
    assert {hit.id for hit in hits} == set(IDS)
    exact = collection.query(VECTORS[0], top_k=4, exact=True)
    assert [hit.id for hit in exact[:2]] == ["1", "40"]


def test_a_name_that_looks_like_one_of_ours(store: VectorStore) -> None:
    client: Any = store.client
    name = f"polyvec__a_b{uuid4().hex[:8]}"
    client.create_collection(name, schema=schema())
    try:
        client.create_index(name, index(index_type="FLAT"), sync=False)
        assert name in store.list_collections()
        assert store.collection(name).describe().count == 0
    finally:
        store.drop_collection(name)
    assert name not in store.list_collections()


def test_a_snapshot_comes_back_equal(store: VectorStore, shop: str, tmp_path: Path) -> None:
    with polyvec.connect(f"parquet://{tmp_path}") as snapshot, polyvec.connect("memory://") as kept:
        copy_collection(store, snapshot, shop, to="shop")
        copy_collection(snapshot, kept, "shop")
        ours, theirs = kept.collection("shop"), store.collection(shop)
        everything: Any = ("vector", "metadata", "text")
        pairs = zip(
            ours.get(IDS, include=everything), theirs.get(IDS, include=everything), strict=True
        )
        for mine, native in pairs:
            assert (mine.id, mine.metadata, mine.text) == (native.id, native.metadata, native.text)
            assert mine.metadata == METADATA[mine.id]
            assert np.array_equal(mine.vector, native.vector)
