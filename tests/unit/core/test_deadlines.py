"""`timeout_s`: handed down as it shrinks, and over when it is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, FakeConfig, able
from tests.unit.core.samples import QUERY, fill, names, vectors

from polyvec import deadline as deadline_module
from polyvec.deadline import Deadline
from polyvec.errors import DeadlineError, InvalidRequestError


class Clock:
    """A clock that goes forward by `step_s` whenever a primitive is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fake: FakeAdapter, step_s: float) -> None:
        self.now_s = 1_000.0
        self.step_s = step_s
        monkeypatch.setattr(deadline_module, "time", self)
        fake.on_call = self._tick

    def monotonic(self) -> float:
        return self.now_s

    def _tick(self, operation: str) -> None:
        self.now_s += self.step_s


VERBS: list[Callable[[Any], Any]] = [
    lambda c: c.upsert(ids=names(9), vectors=vectors(9), timeout_s=100.0),
    lambda c: c.get(names(9), timeout_s=100.0),
    lambda c: c.update(names(9), set={"a": 1}, timeout_s=100.0),
    lambda c: c.delete(names(9), timeout_s=100.0),
    lambda c: list(c.scan(batch_size=3, timeout_s=100.0)),
    lambda c: c.query_many(vectors(6), timeout_s=100.0),
    lambda c: c.query(QUERY, exact=True, timeout_s=100.0),
    lambda c: c.count(timeout_s=100.0),
    lambda c: c.namespaces(timeout_s=100.0),
    lambda c: c.describe(timeout_s=100.0),
    lambda c: c.clear(timeout_s=100.0),
    lambda c: c.drop_namespace("", timeout_s=100.0),
    lambda c: c.why("r00", {"n": 1}, timeout_s=100.0),
    lambda c: c.wait_until_visible(names(9), timeout_s=100.0),
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_primitive_gets_what_is_left(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, verb: Callable[[Any], Any]
) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.forget()
    Clock(monkeypatch, fake, 1.0)
    verb(collection)
    left = [call.kw["timeout_s"] for call in fake.calls]
    assert left == [100.0 - at for at in range(len(left))]
    assert left


@pytest.mark.parametrize("verb", [verb for at, verb in enumerate(VERBS) if at < 6])
def test_a_verb_of_many_calls_ends_between_them(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, verb: Callable[[Any], Any]
) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.forget()
    Clock(monkeypatch, fake, 60.0)
    with pytest.raises(Exception, match=r"timeout_s=100.0 is over") as caught:
        verb(collection)
    error = caught.value
    assert isinstance(error, DeadlineError) or isinstance(error.__cause__, DeadlineError)
    assert len(fake.calls) == 2


def test_without_a_limit_none_is_handed_down(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    collection.count()
    assert fake.calls[0].kw["timeout_s"] is None


def test_the_store_s_default_holds_and_a_call_overrides_it(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(timeout_s=50.0))
    collection.count()
    collection.count(timeout_s=7)
    default, own = (call.kw["timeout_s"] for call in fake.calls)
    assert 40 < default <= 50
    assert 5 < own <= 7


def test_async_a_primitive_is_cancelled_when_time_is_over() -> None:
    driver = Driver("async")
    fake = FakeAdapter(able(concurrency=1))
    store: Any = driver.store(fake)
    cancelled: list[bool] = []

    class Hanging:
        async def __call__(self, **kw: Any) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

    store.inner._adapter.ping = Hanging()
    with pytest.raises(DeadlineError, match=r"timeout_s=0.01 is over") as caught:
        store.ping(timeout_s=0.01)
    assert cancelled == [True]
    assert isinstance(caught.value.__cause__, TimeoutError)
    # The store is none the worse, and its one turn was given back.
    assert store.list_collections() == []
    driver.close()


def test_async_a_cancelled_verb_is_cancelled_not_retried() -> None:
    driver = Driver("async")
    fake = FakeAdapter()
    store: Any = driver.store(fake)
    fake.script("ping", asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        store.ping()
    assert len(fake.calls) == 1
    driver.close()


def test_async_cancelling_in_a_repeated_attempt_cancels(slept: list[float]) -> None:
    from polyvec.errors import UnavailableError

    driver = Driver("async")
    fake = FakeAdapter()
    store: Any = driver.store(fake)
    fake.script("ping", UnavailableError("reset"), asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        store.ping()
    assert len(fake.calls) == 2
    driver.close()


def test_a_write_waits_for_an_update_no_longer_than_its_deadline(driver: Driver) -> None:
    from polyvec.capabilities import Feature, UpdateAtomicity

    fake = FakeAdapter(
        able(
            without=[Feature.SERVER_SIDE_UPDATE],
            update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,
        )
    )
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 1)
    writing, leave = threading.Event(), threading.Event()

    def hold(operation: str) -> None:
        if operation == "upsert" and not writing.is_set():
            writing.set()
            assert leave.wait(20)

    fake.on_call = hold

    def late(target: Any) -> Any:
        again = {"ids": ["r00"], "vectors": vectors(1), "timeout_s": 0.02}
        if not driver.is_async:
            assert writing.wait(20)
            try:
                return target.upsert(**again)
            finally:
                leave.set()

        async def work() -> Any:
            while not writing.is_set():
                await asyncio.sleep(0)
            try:
                return await target.upsert(**again)
            finally:
                leave.set()

        return work()

    done, refused = driver.together([lambda c: c.update(["r00"], set={"a": 1}), late], collection)
    assert done is None
    assert isinstance(refused, DeadlineError)
    assert fake.rows()["r00"].metadata == {"n": 0, "a": 1}


@pytest.mark.parametrize(
    "bad", [0, -1, float("nan"), float("inf"), True, "3", 10**400, np.float32("nan"), [1]]
)
def test_what_is_no_duration_is_refused(driver: Driver, bad: Any) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    with pytest.raises(InvalidRequestError, match="timeout_s="):
        collection.count(timeout_s=bad)
    assert fake.calls == []


@pytest.mark.parametrize("huge", [1e12, 1.7e308])
def test_a_huge_duration_is_one(driver: Driver, huge: float) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 3)
    assert collection.count(timeout_s=huge) == 3
    collection.update(["r00"], set={"a": 1}, timeout_s=huge)


def test_deadline_counts_down() -> None:
    deadline = Deadline(60)
    first = deadline.left()
    second = deadline.left()
    assert first is not None
    assert second is not None
    assert 0 < second <= first <= 60
    assert Deadline(None).left() is None
