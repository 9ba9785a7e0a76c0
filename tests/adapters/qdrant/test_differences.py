"""Where local mode and a server part ways: each says so itself, and polyvec answers the same.

Each test runs on both, and knows on which. What a server does was measured
with 1.18.3; what local mode does, with qdrant-client 1.20. What only a server has (shard keys,
snapshots, strict mode) polyvec does not use.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse
from tests.services.qdrant import networked, version

import polyvec
from polyvec import Collection, F, InvalidRecordError, NativeLayout, VectorRecord, VectorStore
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    NotSupportedError,
)
from polyvec.evaluate import matches

Refused: tuple[type[Exception], ...] = (ValueError, UnexpectedResponse)
RNG = np.random.default_rng(20)


@pytest.fixture(params=["local", "server"])
def local(request: pytest.FixtureRequest) -> bool:
    """Whether the client's local mode answers here, and not a server."""
    return bool(request.param == "local")


@pytest.fixture
def old(local: bool) -> bool:
    """Whether a server answers that is older than 1.19.1.

    Since then conditions without an index mean what they mean with one, and in local mode:
    github.com/qdrant/landing_page/pull/2678, github.com/qdrant/qdrant/issues/9065 and 10096.
    """
    if local:
        return False
    return tuple(map(int, version(networked().address).split("."))) < (1, 19, 1)


@pytest.fixture
def url(local: bool) -> str:
    return "qdrant:///:memory:" if local else networked().url


@pytest.fixture
def store(url: str) -> Iterator[VectorStore]:
    with polyvec.connect(url) as opened:
        opened.ping()
        yield opened


@pytest.fixture
def raw(store: VectorStore) -> Any:
    """The vendor's client of the same database."""
    return store.client


@pytest.fixture
def name(store: VectorStore) -> Iterator[str]:
    made = f"differ-{uuid4().hex[:8]}"
    yield made
    store.drop_collection(made, missing_ok=True)


@pytest.fixture
def docs(store: VectorStore, name: str) -> Collection[Any]:
    return store.create_collection(name, dimension=2, metric="dot")


@pytest.fixture
def native(raw: Any, store: VectorStore, name: str) -> Callable[..., Collection[Any]]:
    """Return a maker of collections by the vendor's client: one point for each payload."""

    def make(payloads: list[dict[str, Any]], **vectors: Any) -> Collection[Any]:
        params = models.VectorParams(size=2, distance=models.Distance.DOT, **vectors)
        raw.create_collection(name, vectors_config=params)
        points = [
            models.PointStruct(id=at, vector=[1.0, float(at)], payload=payload)
            for at, payload in enumerate(payloads)
        ]
        raw.upsert(name, points, wait=True)
        return store.collection(name)

    return make


def refusal(call: Callable[[], object]) -> str:
    """Return the class of the error that the vendor's client raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which it is, is the question
        call()
    return type(caught.value).__name__


def selected(collection: Collection[Any], where: Any) -> set[str]:
    return {record_id for batch in collection.scan(filter=where) for record_id in batch.ids}


def expected(payloads: list[dict[str, Any]], where: Any) -> set[str]:
    return {str(at) for at, payload in enumerate(payloads) if matches(where, payload)}


def test_errors(store: VectorStore, raw: Any, docs: Collection[Any], local: bool) -> None:
    told = "ValueError" if local else "UnexpectedResponse"
    params = models.VectorParams(size=2, distance=models.Distance.DOT)
    absent = f"absent-{uuid4().hex[:8]}"
    assert refusal(lambda: raw.get_collection(absent)) == told
    assert refusal(lambda: raw.create_collection(docs.name, vectors_config=params)) == told
    assert raw.delete_collection(absent) is False
    with pytest.raises(CollectionNotFoundError):
        store.collection(absent)
    with pytest.raises(CollectionExistsError):
        store.create_collection(docs.name, dimension=2)
    with pytest.raises(CollectionNotFoundError):
        store.drop_collection(absent)


def test_a_point_that_is_not_there(raw: Any, docs: Collection[Any], local: bool) -> None:
    change = refusal(lambda: raw.set_payload(docs.name, payload={"a": 1}, points=[1]))
    assert change == ("KeyError" if local else "UnexpectedResponse")
    docs.upsert(ids=["here"], vectors=[[1, 2]])
    docs.update(["absent", "here"], set={"a": 1})
    assert [record.metadata for record in docs.get(["here", "absent"])] == [{"a": 1}]


def test_names_of_aliases(store: VectorStore, raw: Any, docs: Collection[Any], local: bool) -> None:
    pointing = models.CreateAlias(collection_name=docs.name, alias_name=docs.name)
    change = [models.CreateAliasOperation(create_alias=pointing)]
    told = "ValueError" if local else "UnexpectedResponse"
    assert refusal(lambda: raw.update_collection_aliases(change)) == told
    with pytest.raises(CollectionExistsError):
        store.set_alias(docs.name, docs.name)


@pytest.mark.parametrize("point", [-1, 2**64], ids=["negative", "65 bits"])
def test_numbers_of_points(
    raw: Any, docs: Collection[Any], native: Any, store: VectorStore, point: int, local: bool
) -> None:
    store.drop_collection(docs.name)
    shop = native([{"n": 1}])
    odd = models.PointStruct(id=point, vector=[1.0, 2.0])
    if local:
        raw.upsert(shop.name, [odd])
        raw.delete(shop.name, points_selector=[point])
    else:
        with pytest.raises(Exception, match=r"."):  # a 400, or the client's own validation
            raw.upsert(shop.name, [odd])
    with pytest.raises(InvalidRecordError, match="below 2"):
        shop.upsert(ids=[str(point)], vectors=[[1, 2]])
    assert shop.count() == 1


def test_strings_of_numbers_are_ids(docs: Collection[Any]) -> None:
    ids = ["-1", "0", "00", str(2**64), "1e3", str(uuid4())]
    docs.upsert(ids=ids, vectors=np.ones((len(ids), 2)))
    assert {record.id for record in docs.get(ids)} == set(ids)


def test_digits_of_numbers(raw: Any, docs: Collection[Any], local: bool) -> None:
    values = [float(value) for value in RNG.standard_normal(1_000) / 3]
    ids = [str(at) for at in range(len(values))]
    docs.upsert(
        ids=ids, vectors=np.ones((len(ids), 2)), metadata=[{"x": value} for value in values]
    )
    # The server's own copy, which serves ranges, is damaged in about one of ten.
    points, _ = raw.scroll(docs.name, limit=len(ids), with_payload=["x", "_polyvec_id"])
    stored = {point.payload["_polyvec_id"]: point.payload["x"] for point in points}
    damaged = sum(stored[record_id] != values[int(record_id)] for record_id in ids)
    assert damaged == 0 if local else 20 < damaged < 300
    kept = [record.metadata["x"] for record in docs.get(ids)]
    assert kept == values
    for value in values[:50]:
        where = (F("x") >= value) & (F("x") <= value)
        assert docs.count(where) == values.count(value)


def test_numbers_without_a_value(raw: Any, docs: Collection[Any], native: Any, local: bool) -> None:
    raw.delete_collection(docs.name)
    native([{"x": math.inf}])
    (point,) = raw.retrieve(docs.name, [0])
    assert point.payload["x"] == (math.inf if local else None)


def test_polyvec_writes_no_number_without_a_value(docs: Collection[Any]) -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(InvalidRecordError):
            docs.upsert(ids=["a"], vectors=[[1, 2]], metadata=[{"x": value}])
    assert docs.count() == 0


def test_long_integers(raw: Any, docs: Collection[Any], native: Any, local: bool) -> None:
    payloads = [{"n": 2**53}, {"n": 2**53 + 1}, {"n": 2**53 + 2}]
    for at, payload in enumerate(payloads):
        docs.upsert(ids=[str(at)], vectors=[[1, 2]], metadata=[payload])
    above = models.Filter(
        must=[models.FieldCondition(key="n", range=models.Range(gt=float(2**53)))]
    )
    assert raw.count(docs.name, count_filter=above).count == (2 if local else 1)
    wheres = (F("n") > 2**53, F("n") >= 2**53 + 1, F("n") == 2**53 + 1, F("n") < 2**53 + 1)
    for where in wheres:
        assert selected(docs, where) == expected(payloads, where), where
    raw.delete_collection(docs.name)
    shop = native(payloads)
    for where in wheres:
        assert selected(shop, where) == expected(payloads, where), where


MIXED: list[dict[str, Any]] = [
    {"p": 1},
    {"p": 1.0},
    {"p": 2.5},
    {"p": "1"},
    {"p": "2024-05-01T00:00:00Z"},
    {"p": True},
    {"p": [1, 2.5]},
    {"p": [None]},
    {"p": None},
    {},
]
ABOUT_MIXED: tuple[Any, ...] = (
    F("p") == 1,
    F("p") > 0,
    F("p") > "0",
    F("p").starts_with("2024"),
    F("p").contains(2.5),
    F("p").exists(),
    F("p").is_missing(),
    ~(F("p") > 2),
    F("p").is_in([1, "1", True]),
)


@pytest.mark.parametrize("kind", [None, "integer", "float", "keyword", "datetime", "text", "bool"])
def test_an_index_changes_no_answer(
    raw: Any, docs: Collection[Any], native: Any, store: VectorStore, kind: Any, local: bool
) -> None:
    raw.delete_collection(docs.name)
    native(MIXED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # local mode: "payload indexes have no effect"
        if kind is not None:
            raw.create_payload_index(docs.name, "p", field_schema=kind, wait=True)
    positive = models.Filter(must=[models.FieldCondition(key="p", range=models.Range(gt=0))])
    found = {point.id for point in raw.scroll(docs.name, scroll_filter=positive)[0]}
    if not local and kind == "integer":
        assert 2 not in found  # the float is dropped
    else:
        assert kind == "datetime" or {0, 1, 2} <= found
    shop = store.collection(docs.name)  # the indexes are read when it is opened
    for where in ABOUT_MIXED:
        assert selected(shop, where) == expected(MIXED, where), where


def test_a_list_that_holds_null(raw: Any, docs: Collection[Any], native: Any, old: bool) -> None:
    raw.delete_collection(docs.name)
    shop = native(MIXED)
    null = models.Filter(must=[models.IsNullCondition(is_null=models.PayloadField(key="p"))])
    found = {point.id for point in raw.scroll(shop.name, scroll_filter=null)[0]}
    assert found == ({8} if old else {7, 8})
    none = models.FieldCondition(key="p", values_count=models.ValuesCount(lte=0))
    counted = raw.scroll(shop.name, scroll_filter=models.Filter(must=[none]))[0]
    assert (9 in {point.id for point in counted}) is not old
    for where in (F("p").exists(), F("p").is_missing(), F("p") == [None], F("p").contains(1)):
        assert selected(shop, where) == expected(MIXED, where), where


HOSTILE_KEYS: list[dict[str, Any]] = [{"a\\b": 1}, {'a"b': 1}, {"a.b": 1}, {"a b[]": 1}]


@pytest.mark.parametrize("row", range(len(HOSTILE_KEYS)))
def test_keys_that_cannot_be_named(
    raw: Any, docs: Collection[Any], native: Any, row: int, local: bool
) -> None:
    (key,) = HOSTILE_KEYS[row]
    where = F(key.replace("\\", "\\\\").replace(".", "\\.")) == 1
    for at, payload in enumerate(HOSTILE_KEYS):
        docs.upsert(ids=[str(at)], vectors=[[1, 2]], metadata=[payload])
    wanted = expected(HOSTILE_KEYS, where)
    assert wanted == {str(row)}
    assert selected(docs, where) == wanted
    if "\\" in key:
        asked = models.Filter(
            must=[models.FieldCondition(key=f'"{key}"', match=models.MatchValue(value=1))]
        )
        if local:
            raw.count(docs.name, count_filter=asked)
        else:
            assert refusal(lambda: raw.count(docs.name, count_filter=asked)) == "UnexpectedResponse"
    raw.delete_collection(docs.name)
    assert selected(native(HOSTILE_KEYS), where) == wanted


def test_parts_of_texts(raw: Any, docs: Collection[Any], old: bool) -> None:
    texts = ["Hello world", "hello", "say hello", "Hell", ""]
    payloads = [{"t": text} for text in texts]
    docs.upsert(
        ids=[str(at) for at in range(len(texts))], vectors=np.ones((5, 2)), metadata=payloads
    )
    asked = models.Filter(
        must=[models.FieldCondition(key="t", match=models.MatchText(text="Hell"))]
    )
    points, _ = raw.scroll(docs.name, scroll_filter=asked, with_payload=["t"])
    words = {point.payload["t"] for point in points}
    assert ("Hello world" in words) is old  # a substring there, a word here
    where = F("t").starts_with("Hell")
    assert selected(docs, where) == expected(payloads, where) == {"0", "3"}


def test_deep_filters(docs: Collection[Any]) -> None:
    payloads = [{"n": at} for at in range(40)]
    docs.upsert(ids=[str(n) for n in range(40)], vectors=np.ones((40, 2)), metadata=payloads)
    where: Any = F("n") == 0
    # A server takes 48 levels over gRPC, 60 over REST; a level of ours may be two of them.
    for at in range(1, 40):
        where = ~(where | (F("n") == at)) if at % 2 else where | (F("n") == at)
    wanted = expected(payloads, where)
    assert 0 < len(wanted) < 40
    assert selected(docs, where) == wanted
    assert docs.count(where) == len(wanted)


def test_ties(docs: Collection[Any]) -> None:
    # A server gives equal scores in any order, and in another for another limit; local mode the
    # last written first. Which fall inside of top_k is open, their order is that of the ids.
    ids = [f"{at:02}" for at in RNG.permutation(60)]
    docs.upsert(ids=ids, vectors=np.ones((60, 2)))
    for k in (1, 3, 5, 59, 60):
        found = [hit.id for hit in docs.query([1, 1], top_k=k)]
        assert len(found) == k
        assert found == sorted(set(found))


def test_lengths_of_vectors_under_cosine(
    store: VectorStore, name: str, tmp_path: Path, local: bool
) -> None:
    rows = RNG.standard_normal((50, 8)) * 10.0 ** RNG.integers(-12, 12, size=(50, 1))
    vectors = rows.astype(np.float32)
    ids = [str(at) for at in range(50)]
    places = [store, None] if local else [store]
    for place in places:
        at = place or polyvec.connect(f"qdrant://{tmp_path}")
        docs = at.create_collection(name, dimension=8, metric="cosine")
        docs.upsert(ids=ids, vectors=vectors)
        if place is None:  # a directory gives raw vectors once it was opened again
            at.close()
            at = polyvec.connect(f"qdrant://{tmp_path}")
            docs = at.collection(name)
        kept = {record.id: record.vector for record in docs.get(ids, include=("vector",))}
        for record_id, vector in zip(ids, vectors, strict=True):
            scale = float(np.abs(vector).max())
            assert np.abs(kept[record_id] - vector).max() <= 1e-6 * scale
        (hit,) = docs.query(vectors[7], top_k=1)
        assert hit.id == "7"
        assert hit.score == pytest.approx(1.0, abs=1e-5)
        if place is None:
            at.close()


@pytest.mark.parametrize("datatype", ["uint8", "float16"])
def test_short_vectors_are_read_and_not_written(
    native: Any, docs: Collection[Any], raw: Any, datatype: str, local: bool
) -> None:
    raw.delete_collection(docs.name)
    shop = native([{"n": 1}], datatype=models.Datatype(datatype))
    raw.upsert(shop.name, [models.PointStruct(id=5, vector=[2.6001, 300])], wait=True)
    (point,) = raw.retrieve(shop.name, [5], with_vectors=True)
    exact = np.array_equal(np.array(point.vector, np.float32), np.array([2.6001, 300], np.float32))
    assert exact is local  # local mode takes no notice of the datatype
    assert shop.count() == 2
    with pytest.raises(NotSupportedError, match=datatype):
        shop.upsert(ids=["6"], vectors=[[1, 2]])


def test_scores_of_quantised_vectors(store: VectorStore, raw: Any, name: str, local: bool) -> None:
    int8 = models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
    )
    raw.create_collection(
        name,
        vectors_config=models.VectorParams(size=64, distance=models.Distance.DOT),
        quantization_config=int8,
    )
    vectors = RNG.standard_normal((500, 64)).astype(np.float32)
    raw.upsert(name, models.Batch(ids=list(range(500)), vectors=vectors.tolist()), wait=True)
    scores = vectors.astype(np.float64) @ vectors[3].astype(np.float64)
    hits = store.collection(name, native=NativeLayout()).query(vectors[3], top_k=20)
    assert [hit.score for hit in hits] == pytest.approx(
        [scores[int(hit.id)] for hit in hits], rel=1e-5
    )


@pytest.mark.parametrize("local", ["local"], indirect=True)
def test_many_points(docs: Collection[Any]) -> None:
    vectors = RNG.standard_normal((20_500, 2)).astype(np.float32)
    ids = [str(at) for at in range(len(vectors))]
    docs.upsert(ids=ids, vectors=vectors)
    best = np.argsort(-(vectors @ np.array([1, 0.5], np.float32)), kind="stable")[:5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # local mode warns from 20,000 points on
        hits = docs.query([1, 0.5], top_k=5, exact=True)
    assert [hit.id for hit in hits] == [ids[at] for at in best]


def test_threads(docs: Collection[Any]) -> None:
    # The client's local mode loses points under threads; a lock of ours stands before it.
    def write(part: int) -> None:
        for row in range(20):
            docs.upsert(
                [VectorRecord(id=f"{part}-{row}", vector=np.array([part, row], np.float32))]
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert docs.count() == 160
    for record in docs.get([f"3-{row}" for row in range(20)], include=("vector",)):
        assert record.vector.tolist() == [3.0, float(record.id[2:])]


def test_namespaces_that_look_like_uuids(docs: Collection[Any], raw: Any) -> None:
    # A facet of local mode rewrites such values; one of a server lists values of deleted points.
    spaces = ["550E8400-E29B-41D4-A716-446655440000", "550e8400e29b41d4a716446655440000", "gone"]
    for space in spaces:
        docs.namespace(space).upsert(ids=["a"], vectors=[[1, 2]])
    docs.namespace("gone").delete(["a"])
    assert docs.namespaces() == dict.fromkeys(spaces[:2], 1)
