"""Tables made with psycopg alone: polyvec opens, reads, filters, changes and copies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from tests.services import server

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
from polyvec.evaluate import matches
from polyvec.migrate import copy_collection
from polyvec_pgvector._sql import trusted

Filter_ = Any

COLUMNS = """
    id bigint PRIMARY KEY, title text NOT NULL, price numeric(8, 2), stock integer, rating float8,
    live boolean, seen timestamptz, made timestamp, tags text[], sizes int[], code uuid,
    attributes jsonb, body text, tenant text, embedding {vector}(4)
"""
ROWS = (
    (1, "lamp", "9.50", 3, 4.5, True, "2024-01-02 03:04:05.678901+02", "2024-05-06 07:08:09"),
    (2, "50% 'off'", "100.00", 0, "NaN", False, "infinity", None),
    (3, "chair", None, None, None, None, None, None),
    (4, "Lamp", "9.50", 2**31 - 1, 1e300, True, "1999-12-31 23:59:59Z", "0044-03-15 12:00:00 BC"),
)
LISTS: tuple[tuple[Any, ...], ...] = (
    (["red", "it's"], [1, 2], "550e8400-e29b-41d4-a716-446655440000", '{"a": {"b": 1}, "n": 1.0}'),
    ([], [], None, '{"a": [1, null, "x"], "n": 12345678901234567890}'),
    (None, None, None, None),
    (["red", None], [3], None, '{"a": null, "n": 0.1, "text": "x\\ty"}'),
)
VECTORS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0.5, 0, 0]], dtype=np.float32)


def execute(url: str, text: str, values: tuple[Any, ...] | None = None) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(trusted(text), values)


@pytest.fixture
def url() -> str:
    return server("pgvector").url


@pytest.fixture
def store(url: str) -> Iterator[VectorStore]:
    with polyvec.connect(url) as opened:
        yield opened


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., str]]:
    """Yield a maker of tables with rows of every kind."""
    names: list[str] = []

    def made(vector: str = "vector", index: str | None = "vector_l2_ops") -> str:
        name = f'Shop\'s "{uuid4().hex[:8]}" 100%'
        names.append(name)
        quoted = '"' + name.replace('"', '""') + '"'
        execute(url, "CREATE EXTENSION IF NOT EXISTS vector")
        execute(url, f"CREATE TABLE {quoted} ({COLUMNS.format(vector=vector)})")
        if index is not None:
            execute(url, f"CREATE INDEX ON {quoted} USING hnsw (embedding {index}) WITH (m = 8)")
        marks = ", ".join(["%s"] * 15)
        for row, lists, numbers in zip(ROWS, LISTS, VECTORS, strict=True):
            tenant = "north" if row[0] < 3 else None
            values = (*row, *lists, f"about {row[1]}", tenant, str(numbers.tolist()))
            statement = f"INSERT INTO {quoted.replace('%', '%%')} VALUES ({marks})"
            execute(url, statement, values)
        return name

    yield made
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        execute(url, f"DROP TABLE IF EXISTS {quoted}")


EXPECTED: dict[str, dict[str, Any]] = {
    "1": {
        "title": "lamp",
        "price": 9.5,
        "stock": 3,
        "rating": 4.5,
        "live": True,
        "seen": datetime(2024, 1, 2, 1, 4, 5, 678901, tzinfo=UTC),
        "made": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        "tags": ["red", "it's"],
        "sizes": [1, 2],
        "code": "550e8400-e29b-41d4-a716-446655440000",
        "attributes": {"a": {"b": 1}, "n": 1.0},
        "tenant": "north",
        "body": "about lamp",
    },
    "2": {
        "title": "50% 'off'",
        "price": 100.0,
        "stock": 0,
        "live": False,
        "tags": [],
        "sizes": [],
        "attributes": {"a": [1, None, "x"], "n": 12345678901234567890},
        "tenant": "north",
        "body": "about 50% 'off'",
    },
    "3": {"title": "chair", "body": "about chair"},
    "4": {
        "title": "Lamp",
        "price": 9.5,
        "stock": 2**31 - 1,
        "rating": 1e300,
        "live": True,
        "seen": datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        "tags": ["red", None],
        "sizes": [3],
        "attributes": {"a": None, "n": 0.1, "text": "x\ty"},
        "body": "about Lamp",
    },
}

FILTERS: tuple[Filter_, ...] = (
    F("title") == "lamp",
    F("title") > "chair",
    F("title") < "chair\0",
    F("title") >= "chair\0",
    F("title") == "chair\0",
    F("title").starts_with("50%"),
    F("title").is_in(["Lamp", "nothing", 4]),
    ~(F("title") == "lamp"),
    F("price") == 9.5,
    F("price") > 9,
    F("price") > 2**60,
    F("price").exists(),
    ~F("price").exists(),
    F("stock") == 3.0,
    F("stock") <= 0.5,
    F("stock") == True,  # noqa: E712 - a filter
    F("rating") > 1,
    F("rating") == 1e300,
    ~(F("rating") > 1),
    F("live") == True,  # noqa: E712 - a filter
    F("live") == 1,
    F("seen") < datetime(2024, 1, 2, 1, 4, 5, 678902, tzinfo=UTC),
    F("seen") == datetime(2024, 1, 2, 1, 4, 5, 678901, tzinfo=UTC),
    F("seen").exists(),
    F("made") > datetime(2024, 1, 1, tzinfo=UTC),
    F("tags").contains("red"),
    F("tags") == ["red", None],
    F("tags").contains_all([]),
    ~F("tags").contains_any(["it's", "x"]),
    F("sizes").contains(2.0),
    F("sizes") == [1, 2],
    F("code") == "550e8400-e29b-41d4-a716-446655440000",
    F("code") > "5",
    F("attributes.a.b") == 1,
    F("attributes.a").exists(),
    F("attributes.a").contains(1),
    F("attributes.a").contains("x"),
    F("attributes.a") == [1, None, "x"],
    F("attributes.n") == 1,
    F("attributes.n") == 0.1,
    F("attributes.n") > 0.5,
    F("attributes.n") > 12345678901234567000.0,
    F("attributes.n").is_in([1, 0.1]),
    F("attributes.text") == "x\ty",
    F("attributes.text") < "y\0",
    F("attributes.a") == datetime(2024, 1, 1, tzinfo=UTC),
    F("title.deeper") == "x",
    F("nowhere") == 1,
    ~(F("nowhere") == 1),
    (F("price") > 5) & ~(F("live") == False),  # noqa: E712 - a filter
)


def read(collection: Collection[Any]) -> dict[str, Any]:
    return {
        key: metadata
        for batch in collection.scan(batch_size=2)
        for key, metadata in zip(batch.ids, batch.metadata or [], strict=True)
    }


def test_it_is_listed_opened_and_described(store: VectorStore, make: Callable[..., str]) -> None:
    name = make()
    assert name in store.list_collections()
    info = store.collection(name).describe()
    assert (info.name, info.dimension, info.metric) == (name, 4, "euclidean")
    assert (info.layout, info.count, info.namespaces) == ("native", 4, {"": 4})
    assert info.index == polyvec.HNSW(m=8, ef_construction=64)
    assert info.details["read_as_text"] == {"code": "uuid"}


def test_rows_read_as_records(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make())
    assert read(collection) == EXPECTED
    (record,) = collection.get(["1"])
    assert np.array_equal(record.vector, VECTORS[0])
    assert collection.get(["01", "x", "9" * 30]) == []


@pytest.mark.parametrize("where", FILTERS, ids=repr)
def test_filters_mean_the_same(
    where: Filter_, store: VectorStore, make: Callable[..., str]
) -> None:
    collection = store.collection(make())
    expected = {key for key, metadata in EXPECTED.items() if matches(where, metadata)}
    assert {k for batch in collection.scan(filter=where) for k in batch.ids} == expected
    assert collection.count(where) == len(expected)
    hits = collection.query(VECTORS[0], top_k=10, filter=where)
    assert {hit.id for hit in hits} == expected


def test_roles(store: VectorStore, make: Callable[..., str]) -> None:
    roles = NativeLayout(text="body", namespace="tenant")
    collection = store.collection(make(), native=roles)
    assert collection.namespaces() == {"": 2, "north": 2}
    north = collection.namespace("north")
    assert [record.text for record in north.get(["1", "3"])] == ["about lamp"]
    assert "body" not in north.get(["1"])[0].metadata
    assert collection.count() == 2


def test_halfvec(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make("halfvec", "halfvec_cosine_ops"))
    assert collection.describe().metric == "cosine"
    hits = collection.query(VECTORS[3], top_k=4, include=("vector",))
    assert hits[0].id == "4"
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(hits[0].record.vector, VECTORS[3])


def test_what_cannot_be_seen_is_asked_for(store: VectorStore, make: Callable[..., str]) -> None:
    name = make(index=None)
    with pytest.raises(InvalidRequestError, match="metric"):
        store.collection(name)
    collection = store.collection(name, native=NativeLayout(metric=polyvec.Metric.DOT))
    assert collection.query(VECTORS[3], top_k=1)[0].score == pytest.approx(0.5)
    with pytest.raises(InvalidRequestError, match="no_such"):
        store.collection(name, native=NativeLayout(id="no_such", metric=polyvec.Metric.DOT))


def test_writes(store: VectorStore, make: Callable[..., str]) -> None:
    collection = store.collection(make(), native=NativeLayout(text="body"))
    metadata = {"title": "sofa", "price": 20.5, "tags": ["x"], "attributes": {"deep": [1, 2.5]}}
    written = VectorRecord(id="3", vector=VECTORS[3], metadata=metadata, text="new")
    collection.upsert([written])
    (found,) = collection.get(["3"])
    assert found.metadata == metadata
    assert found.text == "new"
    collection.update(["3"], set={"price": 1.5}, unset=["tags"])
    assert collection.get(["3"])[0].metadata == {
        "title": "sofa",
        "price": 1.5,
        "attributes": {"deep": [1, 2.5]},
    }
    collection.delete(filter=F("title") == "sofa")
    collection.delete(["1", "not a number"])
    assert set(read(collection)) == {"2", "4"}


@pytest.mark.parametrize(
    "metadata",
    [{"title": "x", "colour": "red"}, {"title": 5}, {"title": "x", "price": 3}],
    ids=["no such column", "another class", "an int among floats"],
)
def test_what_columns_cannot_hold_is_refused(
    metadata: dict[str, Any], store: VectorStore, make: Callable[..., str]
) -> None:
    collection = store.collection(make())
    with pytest.raises(InvalidRecordError):
        collection.upsert([VectorRecord(id="9", vector=VECTORS[3], metadata=metadata)])
    assert collection.count() == 4


def test_a_snapshot_comes_back_equal(
    store: VectorStore, make: Callable[..., str], tmp_path: Path
) -> None:
    name = make()
    # A number beyond 64 bits is no metadata: such a record is refused by every store.
    store.collection(name).update(["2"], set={"attributes": {"n": 5}})
    with polyvec.connect(f"parquet://{tmp_path}") as snapshot, polyvec.connect("memory://") as kept:
        copy_collection(store, snapshot, name, to="shop")
        copy_collection(snapshot, kept, "shop")
        ours, theirs = kept.collection("shop"), store.collection(name)
        ids = list(EXPECTED)
        assert [r.metadata for r in ours.get(ids)] == [r.metadata for r in theirs.get(ids)]
        for mine, native in zip(ours.get(ids), theirs.get(ids), strict=True):
            assert np.array_equal(mine.vector, native.vector)
