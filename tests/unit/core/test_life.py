"""A store from connect to close, and the places it does not belong to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, FakeConfig
from tests.unit.core.samples import QUERY, fill, vectors

import polyvec
from polyvec import _runtime
from polyvec.errors import ClosedError, UnavailableError
from polyvec.store_async import AsyncVectorStore
from polyvec.threaded import threaded

COLLECTION_VERBS: list[Callable[[Any], Any]] = [
    lambda c: c.upsert(ids=["a"], vectors=vectors(1)),
    lambda c: c.upsert(ids=[], vectors=[]),
    lambda c: c.get(["a"]),
    lambda c: c.get([]),
    lambda c: c.query(QUERY),
    lambda c: c.query_many(vectors(2)),
    lambda c: c.update(["a"], set={"b": 1}),
    lambda c: c.delete(["a"]),
    lambda c: c.clear(),
    lambda c: c.count(),
    lambda c: list(c.scan()),
    lambda c: c.namespaces(),
    lambda c: c.drop_namespace("n"),
    lambda c: c.describe(),
    lambda c: c.explain({"a": 1}),
    lambda c: c.why("a", {"a": 1}),
    lambda c: c.wait_until_visible(["a"]),
]
STORE_VERBS: list[Callable[[Any], Any]] = [
    lambda s: s.ping(),
    lambda s: s.list_collections(),
    lambda s: s.has_collection("c"),
    lambda s: s.collection("c"),
    lambda s: s.create_collection("d", dimension=3),
    lambda s: s.drop_collection("c"),
    lambda s: s.set_alias("live", "c"),
    lambda s: s.aliases(),
    lambda s: s.drop_alias("live"),
]


def test_connecting_does_no_io(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    assert store.capabilities is fake.can
    assert store.client is None
    assert fake.calls == []
    store.ping()
    assert fake.operations() == ["ping"]


@pytest.mark.parametrize("verb", COLLECTION_VERBS)
def test_a_closed_store_refuses_every_verb_of_a_collection(
    driver: Driver, verb: Callable[[Any], Any]
) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    collection = store.create_collection("c", dimension=3, metric="dot")
    store.close()
    fake.forget()
    with pytest.raises(ClosedError, match="this fake store was closed; connect again"):
        verb(collection)
    with pytest.raises(ClosedError):
        verb(collection.namespace("other"))
    assert fake.calls == []


@pytest.mark.parametrize("verb", STORE_VERBS)
def test_a_closed_store_refuses_every_verb(driver: Driver, verb: Callable[[Any], Any]) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    store.close()
    with pytest.raises(ClosedError, match="closed"):
        verb(store)
    assert fake.calls == []


def test_closing_twice_is_fine_and_closes_once(driver: Driver) -> None:
    fake = FakeAdapter()
    with driver.store(fake) as store:
        store.ping()
        store.close()
        store.close()
    assert fake.closings == 1


def test_leaving_the_context_closes_also_after_an_error(driver: Driver) -> None:
    fake = FakeAdapter()
    with pytest.raises(ZeroDivisionError), driver.store(fake):
        raise ZeroDivisionError
    assert fake.closings == 1


def test_a_scan_under_way_ends_with_the_store(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    collection = store.create_collection("c", dimension=3, metric="dot")
    fill(collection, 9)
    batches = iter(collection.scan())
    assert len(next(batches)) == 5
    store.close()
    with pytest.raises(ClosedError):
        next(batches)


FORKING = """
import os, polyvec
store = polyvec.connect("memory://")
store.ping()
child = os.fork()
if child == 0:
    try:
        store.ping()
    except polyvec.ClosedError as exc:
        print(exc, flush=True)
    os._exit(0)
os.waitpid(child, 0)
store.ping()
print("the parent goes on")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_store_does_not_survive_a_fork() -> None:
    # In a process of its own: forking one that has threads, as a test worker has, is not safe.
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=60
    )
    refused, parent = done.stdout.splitlines()
    assert "connections do not survive a fork: connect again in the child" in refused
    assert parent == "the parent goes on"


def test_async_another_process_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeAdapter()
    store = AsyncVectorStore(threaded(fake), FakeConfig())
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(ClosedError, match="another process"):
        asyncio.run(store.ping())
    assert fake.calls == []


def test_async_a_store_belongs_to_the_loop_of_its_first_verb() -> None:
    fake = FakeAdapter()
    store = AsyncVectorStore(threaded(fake), FakeConfig())
    asyncio.run(store.ping())
    with pytest.raises(ClosedError, match="another event loop; connect again in this loop"):
        asyncio.run(store.ping())
    assert len(fake.calls) == 1


def test_sync_the_home_is_the_process() -> None:
    home = _runtime.Home()
    home.check()
    home._pid += 1  # pyright: ignore[reportPrivateUsage]  # a fork, without one
    with pytest.raises(ClosedError, match="another process"):
        home.check()


def test_connect_and_connect_async_open_the_same_url() -> None:
    with polyvec.connect("memory://") as store:
        assert store.capabilities.store == "memory"
        assert store.list_collections() == []

    async def main() -> list[str]:
        async with polyvec.connect_async("memory://") as opened:
            await opened.create_collection("a", dimension=2)
            return await opened.list_collections()

    assert asyncio.run(main()) == ["a"]


def test_reprs_name_what_they_are(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    collection = store.create_collection("c", dimension=3)
    prefix = "Async" if driver.is_async else ""
    assert repr(store) == f"{prefix}VectorStore('fake')"
    expected = f"{prefix}Collection('c', namespace='n', store='fake')"
    assert repr(collection.namespace("n")) == expected


def test_an_unreachable_store_says_so_on_ping(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    fake.always("ping", UnavailableError("connection refused", store="fake", operation="ping"))
    with pytest.raises(UnavailableError, match=r"fake\.ping: connection refused"):
        store.ping()
    assert len(slept) == FakeConfig().max_attempts - 1


def test_a_thread_adapter_forwards_what_is_pure() -> None:
    fake = FakeAdapter()
    wrapped = threaded(fake)
    assert wrapped.capabilities is fake.can
    assert wrapped.map_error(KeyError(), "x") is None
    assert wrapped.client is None

    async def main() -> list[str]:
        listed = await wrapped.list_collections(timeout_s=None)
        await wrapped.aclose()
        return listed

    assert asyncio.run(main()) == []
    assert fake.closings == 1
