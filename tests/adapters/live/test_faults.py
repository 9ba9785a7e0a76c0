"""What goes wrong between a client and a server, and what the caller is told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest
from tests.adapters.live.waiting import counts, level, settle
from tests.services import Server
from tests.services.proxy import Mode, Proxy

import polyvec
from polyvec import Collection, DeadlineError, PolyvecError, StoreError, VectorStore
from polyvec.errors import PartialWriteError, UnavailableError

DEADLINE_S: Final = 2.0
GRACE_S: Final = 2.0
"""For the machine: a deadline is kept to within this."""

COUNT: Final = 2_000
WIDE: Final = 256


def block(seed: int = 1) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(COUNT, WIDE)).astype(np.float32)


IDS: Final = [f"r{at:05}" for at in range(COUNT)]


@pytest.fixture
def proxy(networked: Server) -> Iterator[Proxy]:
    """Yield a proxy in front of the server."""
    with Proxy(networked.address) as made:
        yield made


@pytest.fixture
def proxied(networked: Server, proxy: Proxy) -> Iterator[VectorStore]:
    """Yield a store that reaches the server through the proxy, and does not repeat calls."""
    config = polyvec.connect(networked.through(*proxy.address)).config
    once = config.model_copy(update={"max_attempts": 1})
    with polyvec.connect(once) as store:
        yield store


@pytest.fixture
def wide(store: VectorStore, fresh_name: Callable[[], str]) -> str:
    """Return the name of a collection for large batches."""
    name = fresh_name()
    flat = polyvec.Flat() if "flat" in store.capabilities.index_kinds else None
    store.create_collection(name, dimension=WIDE, metric="euclidean", index=flat)
    return name


def test_refused(proxied: VectorStore, proxy: Proxy) -> None:
    proxy.become(Mode.REFUSE)
    started = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        proxied.ping(timeout_s=10)
    assert caught.value.retryable
    assert time.monotonic() - started < 5
    proxy.become(Mode.PASS)
    proxied.ping()


def test_refused_later(proxied: VectorStore, proxy: Proxy) -> None:
    proxied.ping()
    proxy.become(Mode.REFUSE)
    for _ in range(3):
        with pytest.raises((UnavailableError, DeadlineError)) as caught:
            proxied.ping(timeout_s=10)
        assert caught.value.retryable
    proxy.become(Mode.PASS)
    proxied.ping()


def test_repeated_calls_outlast_a_reset(networked: Server, proxy: Proxy, wide: str) -> None:
    with polyvec.connect(networked.through(*proxy.address)) as store:
        target = store.collection(wide)
        for at in range(5):
            proxy.reset_after(1 if at % 2 else 100_000)
            target.upsert(ids=IDS, vectors=block(at))
        counts(store, target, COUNT)


def test_reset_in_an_upsert_leaves_all_or_nothing(
    proxied: VectorStore, proxy: Proxy, store: VectorStore, wide: str
) -> None:
    target, direct = proxied.collection(wide), store.collection(wide)
    for size in (10_000, 500_000, 1_000_000):
        proxy.reset_after(size)
        with pytest.raises((UnavailableError, PartialWriteError)):
            target.upsert(ids=IDS, vectors=block(), metadata=[{"round": size}] * COUNT)
        there = direct.count(consistency=level(store))
        assert there % request_of(store) == 0, "a request was carried out half"
    target.upsert(ids=IDS, vectors=block())
    counts(store, direct, COUNT)


def request_of(store: VectorStore) -> int:
    """Return how many of the records one request holds: a backend of small requests gets more."""
    return min(COUNT, store.capabilities.limits.batch_records)


def test_stalled(proxied: VectorStore, proxy: Proxy, wide: str) -> None:
    target = proxied.collection(wide)
    proxy.become(Mode.STALL)
    calls: list[Callable[[], object]] = [
        lambda: proxied.ping(timeout_s=DEADLINE_S),
        lambda: target.upsert(ids=IDS, vectors=block(), timeout_s=DEADLINE_S),
        lambda: target.count(timeout_s=DEADLINE_S),
    ]
    for call in calls:
        started = time.monotonic()
        with pytest.raises(DeadlineError) as caught:
            call()
        assert caught.value.retryable
        assert time.monotonic() - started < DEADLINE_S + GRACE_S
    proxy.become(Mode.PASS)
    target.upsert(ids=IDS, vectors=block())
    counts(proxied, target, COUNT)


def test_stalled_tasks(networked: Server, proxy: Proxy, wide: str, loop: asyncio.Runner) -> None:
    async def work() -> float:
        async with polyvec.connect_async(networked.through(*proxy.address)) as store:
            target = await store.collection(wide)
            proxy.become(Mode.STALL)
            started = time.monotonic()
            with pytest.raises(DeadlineError):
                await target.count(timeout_s=DEADLINE_S)
            took = time.monotonic() - started
            proxy.become(Mode.PASS)
            assert await target.count() == 0
        return took

    assert loop.run(work()) < DEADLINE_S + GRACE_S


def test_killed_in_an_upsert(networked: Server, store: VectorStore, wide: str) -> None:
    if not networked.mortal:
        pytest.skip("this server is not ours to kill")
    target = store.collection(wide)
    target.upsert(ids=["before"], vectors=block()[:1], metadata=[{"kept": True}])
    settle(store, target, ["before"])
    failures: list[Exception] = []
    written = threading.Event()

    def keep_writing() -> None:
        for at in range(1000):
            try:
                target.upsert(ids=IDS, vectors=block(at), metadata=[{"at": at}] * COUNT)
            except PolyvecError as exc:
                failures.append(exc)
                return
            written.set()

    once = store.config.model_copy(update={"max_attempts": 1})
    with polyvec.connect(once) as writer:
        target = writer.collection(wide)
        thread = threading.Thread(target=keep_writing)
        thread.start()
        assert written.wait(60)
        counts(store, store.collection(wide), COUNT + 1)
        networked.kill()
        thread.join(60)
        networked.restart()
    assert not thread.is_alive()
    assert isinstance(failures[0], StoreError)
    assert failures[0].retryable
    again = store.collection(wide)
    assert [record.metadata for record in again.get(["before"])] == [{"kept": True}]
    assert again.count() == COUNT + 1
    found = {record.id: record.metadata["at"] for record in again.get(IDS)}
    size = request_of(store)
    for start in range(0, COUNT, size):
        rounds = {found[key] for key in IDS[start : start + size]}
        assert len(rounds) == 1, "a request was carried out half"
    again.upsert(ids=IDS, vectors=block(), metadata=[{"at": -1}] * COUNT)
    counts(store, again, COUNT, polyvec.F("at") == -1)


def test_pool_is_shared_by_more_callers_than_it_has(
    networked: Server, collection: Collection[dict[str, Any]]
) -> None:
    name = collection.describe().name
    config = polyvec.connect(networked.url).config.model_copy(update={"max_concurrency": 2})
    with polyvec.connect(config) as narrow:
        target = narrow.collection(name)
        threads = [threading.Thread(target=target.count) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
