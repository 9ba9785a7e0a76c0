"""What only a server shows: indexes, loading, consistency, and where that of the tests listens."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pytest
from tests.services import server
from tests.services.milvus import Local

import polyvec
from polyvec import HNSW, IVF, F, Flat, VectorStore
from polyvec.errors import DeadlineError, NotSupportedError

ROWS: Final = 3_000
WIDE: Final = 16


@pytest.fixture(scope="module")
def store() -> Iterator[VectorStore]:
    with polyvec.connect(server("milvus").url) as opened:
        opened.ping()
        yield opened


@pytest.fixture
def name(store: VectorStore) -> Iterator[str]:
    made = f"server_{uuid4().hex[:8]}"
    yield made
    store.drop_collection(made, missing_ok=True)


def block() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(5).normal(size=(ROWS, WIDE)).astype(np.float32)


def test_a_graph_is_complete_when_it_answers(store: VectorStore, name: str) -> None:
    """Just after loading, the server itself finds a tenth of the records, or none (2.3.5)."""
    graph = HNSW(m=8, ef_construction=64, ef_search=128)
    collection = store.create_collection(name, dimension=WIDE, metric="dot", index=graph)
    ids = [f"r{at}" for at in range(ROWS)]
    collection.upsert(ids=ids, vectors=block(), metadata=[{"n": at} for at in range(ROWS)])
    client: Any = store.client
    client.flush(name)
    client.release_collection(name)
    with polyvec.connect(server("milvus").url) as another:
        opened = another.collection(name)
        assert len(opened.query(block()[0], top_k=ROWS, include=())) == ROWS
        few = opened.query(block()[0], top_k=10, filter=F("n").is_in(list(range(10))), include=())
        assert {hit.id for hit in few} == set(ids[:10])
        exact = opened.query(block()[0], top_k=10, exact=True, include=())
        scores = block() @ block()[0]
        assert [hit.id for hit in exact] == [ids[at] for at in np.argsort(-scores)[:10]]
        assert opened.describe().index == graph


@pytest.fixture
def preparing(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Give a list of what is called before the client writes a request of an upsert."""
    from pymilvus.client.grpc_handler import GrpcHandler

    name_of_it = "_prepare_row_upsert_request"  # of the client, which has no public one
    prepare: Any = getattr(GrpcHandler, name_of_it)
    first: list[Callable[[], object]] = []

    def watched(*args: Any, **kw: Any) -> Any:
        for call in first:
            call()
        return prepare(*args, **kw)

    monkeypatch.setattr(GrpcHandler, name_of_it, watched)
    return first


def test_requests_of_one_upsert_are_written_in_turn(
    preparing: list[Callable[[], object]], name: str
) -> None:
    """One at a time, so that the server has the first one early; and all of them arrive."""
    meeting, met = threading.Barrier(2), [0, 0]

    def meet() -> None:
        try:
            meeting.wait(0.05)
            met[1] += 1
        except threading.BrokenBarrierError:  # nobody else came in
            meeting.reset()
            met[0] += 1

    preparing.append(meet)
    with polyvec.connect(server("milvus").url) as writer:
        collection = writer.create_collection(name, dimension=2)
        ids = [f"r{at}" for at in range(10_000)]
        collection.upsert(ids=ids, vectors=np.ones((10_000, 2), dtype=np.float32))
        assert collection.count() == 10_000
    assert met == [4, 0]


def test_who_waits_for_its_turn_waits_as_long_as_it_may(
    preparing: list[Callable[[], object]], name: str
) -> None:
    inside, may_go = threading.Event(), threading.Event()
    with polyvec.connect(server("milvus").url) as writer:
        collection = writer.create_collection(name, dimension=2)
        preparing += [inside.set, lambda: may_go.wait(60)]
        slow = threading.Thread(target=lambda: collection.upsert(ids=["a"], vectors=[[1, 2]]))
        slow.start()
        assert inside.wait(60)
        with pytest.raises(DeadlineError):
            collection.upsert(ids=["b"], vectors=[[1, 2]], timeout_s=0.3)
        may_go.set()
        slow.join()
        assert [record.id for record in collection.get(["a", "b"])] == ["a"]


@pytest.mark.parametrize(
    ("index", "kind", "params"),
    [
        (HNSW(m=7, ef_construction=33), "HNSW", {"M": "7", "efConstruction": "33"}),
        (IVF(lists=5, probes=2), "IVF_FLAT", {"nlist": "5"}),
        (None, "FLAT", {}),
    ],
    ids=repr,
)
def test_settings_reach_the_server(
    index: Any, kind: str, params: dict[str, str], store: VectorStore, name: str
) -> None:
    collection = store.create_collection(name, dimension=WIDE, metric="cosine", index=index)
    client: Any = store.client
    told = client.describe_index(name, "vector")
    assert (told["index_type"], told["metric_type"]) == (kind, "COSINE")
    assert {key: str(told[key]) for key in params} == params
    assert collection.describe().index == (index or Flat())


def test_the_default_may_be_the_servers_choice(name: str) -> None:
    with polyvec.connect(f"{server('milvus').url}?default_index=auto") as store:
        assert store.capabilities.recall_floor < 1
        collection = store.create_collection(name, dimension=WIDE)
        collection.upsert(ids=["a", "b"], vectors=block()[:2])
        assert [hit.id for hit in collection.query(block()[1], top_k=2)] == ["b", "a"]
        assert collection.describe().index is None
        client: Any = store.client
        assert client.describe_index(name, "vector")["index_type"] == "AUTOINDEX"
        with pytest.raises(NotSupportedError, match="AUTOINDEX"):
            collection.query(block()[1], search=HNSW(ef_search=50))


def test_the_first_read_and_one_after_an_own_delete_are_strong(
    store: VectorStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = store.create_collection(name, dimension=WIDE)
    levels: list[str] = []
    client: Any = store.client
    query: Callable[..., Any] = client.query

    def noting(*args: Any, **kw: Any) -> Any:
        levels.append(kw.get("consistency_level", "none"))
        return query(*args, **kw)

    monkeypatch.setattr(client, "query", noting)
    collection.upsert(ids=["a", "b"], vectors=block()[:2])
    assert collection.count() == 2
    collection.upsert(ids=["c"], vectors=block()[:1])
    assert collection.count() == 3
    collection.delete(["a", "c"])
    assert collection.count() == 1
    assert [record.id for record in collection.get(["a", "b"])] == ["b"]
    assert collection.count(consistency="strong") == 1
    assert levels == ["Strong", "Session", "Strong", "Session", "Strong"]


def test_another_process_sees_it_with_a_strong_read(store: VectorStore, name: str) -> None:
    here = store.create_collection(name, dimension=WIDE)
    address = server("milvus").url.replace("127.0.0.1", "localhost")  # no session in common
    with polyvec.connect(address) as another:
        there = another.collection(name)
        for count in range(1, 6):
            here.upsert(ids=[f"r{count}"], vectors=block()[:1])
            assert there.count(consistency="strong") == count
        here.delete(["r1"])
        assert there.count(consistency="strong") == 4


def test_making_collections_waits_for_none_of_them(name: str) -> None:
    """In either colour: the client of one of them would wait 3 s for each."""
    names = [f"{name}_{at}" for at in range(6)]

    async def make() -> float:
        async with polyvec.connect_async(server("milvus").url) as store:
            await store.ping()
            began = time.monotonic()
            for one in names:
                await store.create_collection(one, dimension=4)
            took = time.monotonic() - began
            for one in names:
                assert await (await store.collection(one)).count() == 0
                await store.drop_collection(one)
            return took

    assert asyncio.run(make()) < 6.0  # it takes 0.2 s, and took 18


def test_the_server_of_the_tests_is_reached_by_loopback_only() -> None:
    running = server("milvus")
    if not isinstance(running, Local) or not running._fenced:  # pyright: ignore[reportPrivateUsage]  # where it listens is asked
        pytest.skip("the server is not one that the tests keep in a network of its own")
    port: int = running._ports[0]  # pyright: ignore[reportPrivateUsage]  # the port inside
    assert running.address != ("127.0.0.1", port)
    with socket.create_connection(running.address, timeout=5):
        pass
    for host in ("127.0.0.1", "::1", socket.gethostbyname(socket.gethostname())):
        with pytest.raises(OSError, match=r"refused|assign|unreachable"):
            socket.create_connection((host, port), timeout=5)
