"""What only Weaviate has: a schema that grows, AUTOSCHEMA, aliases, its counts, its rounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import weaviate
from tests.services import server
from tests.services.weaviate import Local
from weaviate.classes.config import DataType, Property

import polyvec
from polyvec import (
    CollectionNotFoundError,
    F,
    PartialWriteError,
    RejectedError,
    VectorStore,
)
from polyvec.capabilities import Feature
from polyvec.errors import UnavailableError
from polyvec.evaluate import matches
from polyvec.primitives import Target
from polyvec.records import RecordBatch
from polyvec.types import as_any
from polyvec_weaviate import _answers, _names, links
from polyvec_weaviate._columns import claim_for
from polyvec_weaviate.capabilities import SERVER


def rows(count: int, dimension: int = 4, seed: int = 5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def plain(ids: list[str], vectors: Any) -> RecordBatch:
    """Return a batch of records that hold nothing else."""
    metadata: list[dict[str, Any]] = [{} for _ in ids]
    texts: list[str | None] = [None] * len(ids)
    return RecordBatch(ids, vectors, metadata, texts)


def adapter_of(store: VectorStore) -> Any:
    """Return what the store asks."""
    return as_any(store)._adapter


@pytest.fixture
def url() -> str:
    return server("weaviate").url


@pytest.fixture
def store(url: str) -> Iterator[VectorStore]:
    with polyvec.connect(url) as opened:
        opened.ping()
        yield opened


@pytest.fixture
def other(url: str) -> Iterator[VectorStore]:
    """Yield a store that shares nothing with the first one but the server."""
    with polyvec.connect(url) as opened:
        yield opened


@pytest.fixture
def name(store: VectorStore) -> Iterator[str]:
    made = f"wv_{uuid4().hex[:12]}"
    yield made
    store.drop_collection(made, missing_ok=True)


@pytest.fixture
def client(store: VectorStore) -> weaviate.WeaviateClient:
    found: weaviate.WeaviateClient = store.client
    return found


def test_what_the_vendors_tools_see(
    store: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    made = store.create_collection(name, dimension=4)
    item = {"category": "billing", "price": 9.5, "live": True, "tags": ["a", "b"], "in": {"x": 1}}
    made.upsert(ids=["doc/1"], vectors=rows(1), metadata=[item], texts=["hello"])
    (found,) = client.collections.use(_names.encode(name)).query.fetch_objects().objects
    seen = {key: value for key, value in found.properties.items() if value is not None}
    assert {key: value for key, value in seen.items() if not key.startswith("_polyvec")} == {
        "category": "billing",
        "price": 9.5,
        "live": True,
        "tags": ["a", "b"],
        "in__x": 1.0,
    }
    assert (seen["_polyvec_id"], seen["_polyvec_text"]) == ("doc/1", "hello")


def test_a_write_of_known_fields_is_one_request(
    store: VectorStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store.create_collection(name, dimension=4)
    made.upsert(ids=["a"], vectors=rows(1), metadata=[{"n": 1}])
    asked: list[str] = []
    http = store.client._connection._client
    send = http.send

    def counted(request: Any, **options: Any) -> Any:
        asked.append(str(request.url))
        return send(request, **options)

    monkeypatch.setattr(http, "send", counted)
    made.upsert(ids=["b"], vectors=rows(1), metadata=[{"n": 2}])
    assert asked == []  # gRPC wrote it
    made.upsert(ids=["b"], vectors=rows(1), metadata=[{"new": 2}])
    assert any(url.endswith("/properties") for url in asked)
    assert made.count(F("new") == 2) == 1


def test_a_dropped_collection_is_not_made_anew_by_a_write(
    store: VectorStore, other: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    made = store.create_collection(name, dimension=4)
    made.upsert(ids=["a"], vectors=rows(1))
    other.drop_collection(name)
    with pytest.raises(CollectionNotFoundError):
        made.upsert(ids=["b"], vectors=rows(1))
    assert not client.collections.exists(_names.encode(name))


def test_a_write_meets_the_collection_that_has_the_name_now(
    store: VectorStore, other: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    made = store.create_collection(name, dimension=4)
    made.upsert(ids=["a"], vectors=rows(1))
    other.drop_collection(name)
    anew = other.create_collection(name, dimension=4)
    made.upsert(ids=["b"], vectors=rows(1))
    assert anew.count() == 1
    there = client.collections.use(_names.encode(name))
    assert there.aggregate.over_all(total_count=True).total_count == 1  # no stray object
    guards = [p.name for p in there.config.get().properties if p.name.startswith("_polyvec_in_")]
    assert len(guards) == 1


def test_records_that_the_server_refuses_are_named(store: VectorStore, name: str) -> None:
    """Lengths are checked before; so an object is made that the server finds too long."""
    store.create_collection(name, dimension=4)
    adapter = adapter_of(store)  # a batch of two lengths passes nothing above it
    opened = adapter.open_collection(name, None, timeout_s=10)
    target = Target(opened, "")
    first = plain(["first"], rows(1))
    adapter.upsert(target, first, timeout_s=10)
    present = np.array([False, True, False])
    mixed = replace(plain(["a", "b", "c"], rows(3, 5)), present=present)
    with pytest.raises(PartialWriteError, match="took 2 of 3") as caught:
        adapter.upsert(target, mixed, timeout_s=10)
    assert list(caught.value.failed) == ["b"]
    assert isinstance(caught.value.failed["b"], RejectedError)
    found = store.collection(name).get(["first", "a", "b", "c"], include=())
    assert [each.id for each in found] == ["first", "a", "c"]


def test_errors_of_a_batch_by_place() -> None:
    batch = plain(["a", "b", "c"], rows(3))
    error = _answers.partial(
        batch, {2: SimpleNamespace(message="no"), 0: SimpleNamespace(message="x")}
    )
    assert list(error.failed) == ["a", "c"]
    assert not error.retryable


def fields_of(client: weaviate.WeaviateClient, name: str) -> dict[str, tuple[Any, bool]]:
    """Property of a user's field to its type and whether it has an index of ranges."""
    there = client.collections.use(_names.encode(name)).config.get()
    return {
        each.name: (each.data_type, bool(each.index_range_filters))
        for each in there.properties
        if (each.description or "").startswith('{"path"')
    }


def test_who_has_claimed_a_name_decides_what_it_holds(
    store: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    """Another writer is about to add a text property of this name, which would end its index."""
    made = store.create_collection(name, dimension=4)
    there = client.collections.use(_names.encode(name))
    there.config.add_property(claim_for((("price",), "s"), "price"))
    made.upsert(ids=["a", "b"], vectors=rows(2), metadata=[{"price": 7}, {"size": 7}])
    ranged = [(DataType.NUMBER, True)] * 2
    fields = fields_of(client, name)
    assert list(fields.values()) == ranged
    assert "size" in fields
    assert "price" not in fields
    assert made.count(F("price") > 6) == 1
    assert made.explain(F("price") > 6).residual is None
    made.upsert(ids=["c"], vectors=rows(1), metadata=[{"price": "seven"}])
    assert fields_of(client, name)["price"] == (DataType.TEXT, False)
    assert made.count(F("price") > "s") == 1


def test_the_schema_grows_under_concurrent_writers(
    url: str, store: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    """Eight stores write the same new fields with classes that differ, at the same time."""
    store.create_collection(name, dimension=4)
    values: tuple[Any, ...] = (1, "one", True, 2.5, " padded ", [1, 2], ["x"], {"deep": 1})
    items: dict[str, dict[str, Any]] = {}
    ready = threading.Barrier(8)

    def write(at: int) -> None:
        with polyvec.connect(url) as mine:
            target = mine.collection(name)
            ready.wait(30)
            for turn in range(6):
                item = {f"f{turn}": values[(at + turn) % 8], "By": at, "by": str(at)}
                items[f"{at}_{turn}"] = item
                target.upsert(ids=[f"{at}_{turn}"], vectors=rows(1), metadata=[item])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    collection = store.collection(name)
    assert collection.count() == 48
    assert {r.id: r.metadata for r in collection.get(list(items))} == items
    for turn in range(6):
        field = F(f"f{turn}")
        for where in (
            field > 1,
            field <= 2.5,
            field < "p",
            field.starts_with(" "),
            field == True,  # noqa: E712 - a filter
            ~(field >= 1),
            field.contains("x"),
            F(f"f{turn}.deep") == 1,
            F("By") > 3,
            F("by") > "3",
        ):
            expected = sum(matches(where, item) for item in items.values())
            assert collection.count(where) == expected, where
    fields = fields_of(client, name)
    assert len(fields) > 12
    for kind, ranged in fields.values():
        assert ranged == (kind in (DataType.NUMBER, DataType.DATE)), fields


def test_more_fields_than_properties(
    store: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    made = store.create_collection(name, dimension=4)
    items = [{f"field{at}": at, "n": at} for at in range(70)]
    made.upsert(ids=[str(at) for at in range(70)], vectors=rows(70), metadata=items)
    there = client.collections.use(_names.encode(name)).config.get().properties
    assert sum(not each.name.startswith("_polyvec") for each in there) == 64
    assert made.count(F("field3") >= 3) == 1
    assert made.count(F("field69") >= 69) == 1  # it has none, and is checked here
    assert made.count(~(F("field69") >= 69)) == 69
    assert made.explain(F("field69") >= 69).residual is not None
    assert made.explain(F("field3") >= 3).residual is None


def test_a_property_of_the_users_own_that_means_something_else(
    store: VectorStore, client: weaviate.WeaviateClient, name: str
) -> None:
    made = store.create_collection(name, dimension=4)
    there = client.collections.use(_names.encode(name))
    there.config.add_property(Property(name="price", data_type=DataType.TEXT))
    made.upsert(ids=["a"], vectors=rows(1), metadata=[{"price": 7}])
    assert made.count(F("price") > 6) == 1
    assert made.get(["a"])[0].metadata == {"price": 7}


@pytest.mark.parametrize("share", [10, 700, 2_400])
def test_scans_of_a_namespace_among_others(store: VectorStore, name: str, share: int) -> None:
    """A tenth, a quarter and most of the collection: three ways to read it."""
    made = store.create_collection(name, dimension=4)
    here, others = made.namespace("here"), made.namespace("others")
    for space, count in ((here, share), (others, 3_000 - share)):
        ids = [f"r{at}" for at in range(count)]
        space.upsert(ids=ids, vectors=rows(count), metadata=[{"n": at % 2} for at in range(count)])
    order: list[str] = []
    cursors: list[Any] = []
    for batch in here.scan(batch_size=250, include=("metadata", "vector")):
        order += batch.ids
        cursors.append(batch.cursor)
    assert sorted(order) == sorted(f"r{at}" for at in range(share))
    half = len(cursors) // 2
    rest = [key for batch in here.scan(batch_size=90, after=cursors[half]) for key in batch.ids]
    assert rest == order[len(order) - len(rest) :]
    assert len(rest) < share or half == 0
    odd = [key for batch in here.scan(filter=F("n") == 1, batch_size=250) for key in batch.ids]
    assert odd == [key for key in order if int(key[1:]) % 2]


def test_a_scan_while_others_write(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=4)
    stay = [f"stay{at}" for at in range(1_200)]
    made.upsert(ids=stay, vectors=rows(1_200))
    found: list[str] = []
    for turn, batch in enumerate(made.scan(batch_size=100, include=())):
        found += batch.ids
        fresh = [f"new{turn}_{at}" for at in range(50)]
        made.upsert(ids=fresh, vectors=rows(50))
        made.delete([f"new{turn - 1}_{at}" for at in range(50)])
        made.upsert(ids=stay[turn : turn + 40], vectors=rows(40, seed=turn))
    assert sorted(key for key in found if key.startswith("stay")) == sorted(stay)


def test_deletes_go_on_after_ten_thousand(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=2, index=polyvec.Flat())
    count = 10_500
    ids = [f"r{at}" for at in range(count)]
    metadata = [{"old": at >= 200} for at in range(count)]
    made.upsert(ids=ids, vectors=rows(count, 2), metadata=metadata)
    made.delete(filter=F("old") == True)  # noqa: E712 - a filter
    assert made.count() == 200
    assert {key for batch in made.scan(include=()) for key in batch.ids} == set(ids[:200])


def test_counts_are_right_after_a_restart(store: VectorStore, name: str) -> None:
    """Weaviate counts a bare negation too high then, until it has read the objects."""
    running = server("weaviate")
    if not isinstance(running, Local):
        pytest.skip("this server is not ours to restart")
    made = store.create_collection(name, dimension=4)
    ids = [f"r{at}" for at in range(900)]
    made.upsert(ids=ids, vectors=rows(900), metadata=[{"n": at} for at in range(900)])
    made.upsert(ids=ids[:300], vectors=rows(300), metadata=[{"n": -1}] * 300)  # new places
    made.delete(ids[800:])
    running.kill()
    running.restart()
    with polyvec.connect(running.url) as again:
        found = again.collection(name)
        assert found.count(F("n") != -1) == 500
        assert found.count(~F("n").exists()) == 0
        assert found.count() == 800
        assert found.count(~(F("n") < 0)) == 500
        assert found.namespaces() == {"": 800}


def test_counts_after_writers_of_the_same_records(url: str, store: VectorStore, name: str) -> None:
    """Each leaves places behind in Weaviate's index, of objects that are not there any more."""
    made = store.create_collection(name, dimension=4)
    ids = [f"r{at}" for at in range(20)]

    def write(at: int) -> None:
        with polyvec.connect(url) as mine:
            target = mine.collection(name)
            for turn in range(10):
                vectors = rows(20, seed=100 * at + turn)
                order = ids if at % 2 else ids[::-1]
                target.upsert(ids=order, vectors=vectors, metadata=[{"by": at}] * 20)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    found = [record.metadata["by"] for record in made.get(ids)]
    assert made.count() == 20
    assert [made.count(F("by") == at) for at in range(6)] == [found.count(at) for at in range(6)]
    assert made.count(F("by") != found[0]) == 20 - found.count(found[0])
    made.delete(filter=F("by") == found[0])
    assert made.count() == 20 - found.count(found[0])
    made.clear()
    assert made.count() == 0


def test_a_record_that_is_replaced_is_always_there(url: str, store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=4)
    done = threading.Event()

    def write() -> None:
        with polyvec.connect(url) as mine:
            target, turn = mine.collection(name), 0
            while not done.is_set():
                turn += 1
                target.upsert(ids=["a"], vectors=rows(1, seed=turn), metadata=[{"n": turn}])

    made.upsert(ids=["a"], vectors=rows(1))
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(150):
                assert [record.id for record in made.get(["a", "absent"])] == ["a"]
                assert [hit.id for hit in made.query(rows(1)[0], top_k=1)] == ["a"]
        finally:
            done.set()
        writing.result(60)


def test_readers_of_an_alias_see_one_collection_or_the_other(
    url: str, store: VectorStore, name: str
) -> None:
    if store.capabilities.features >= SERVER.features:
        one, two, alias = name, f"{name}_2", f"{name}_live"
        for at, each in enumerate((one, two)):
            made = store.create_collection(each, dimension=4)
            metadata = [{"of": at}] * 20
            made.upsert(ids=[f"r{n}" for n in range(20)], vectors=rows(20), metadata=metadata)
        store.set_alias(alias, one)
        done = threading.Event()
        seen: list[set[int]] = []

        def read() -> None:
            with polyvec.connect(url) as mine:
                while not done.is_set():
                    found = mine.collection(alias).get([f"r{n}" for n in range(20)])
                    assert len(found) == 20
                    seen.append({record.metadata["of"] for record in found})

        with ThreadPoolExecutor(2) as pool:
            readers = [pool.submit(read) for _ in range(2)]
            for turn in range(10):
                store.set_alias(alias, (two, one)[turn % 2])
            done.set()
            for reader in readers:
                reader.result(60)
        store.drop_collection(two)
        assert all(len(each) == 1 for each in seen)
        assert store.aliases().get(alias) == one


def test_an_older_server_has_no_aliases(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def older(_client: object) -> tuple[int, int, int]:
        return (1, 31, 9)

    monkeypatch.setattr(links, "_version_of", older)
    with polyvec.connect(url) as old:
        assert Feature.ALIASES in old.capabilities.features, "nobody has asked the server yet"
        old.ping()
        assert Feature.ALIASES not in old.capabilities.features
        with pytest.raises(polyvec.NotSupportedError, match="alias"):
            old.set_alias("live", "anything")


def test_listens_on_loopback_only() -> None:
    running = server("weaviate")
    if not isinstance(running, Local):
        pytest.skip("this server is not ours")
    assert running.open_to_others() == []


def test_a_wrong_grpc_port_is_told(url: str, store: VectorStore, name: str) -> None:
    store.create_collection(name, dimension=4)
    place = url.partition("?")[0]
    config = polyvec.connect(f"{place}?grpc_port=1").config
    with polyvec.connect(config.model_copy(update={"max_attempts": 1})) as wrong:
        found = wrong.collection(name)  # this goes over REST
        with pytest.raises(UnavailableError) as caught:
            found.count()
    assert caught.value.retryable
