"""Never more requests under way than the store may have, and that many when there is work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.core.drivers import Driver, Verb
from tests.unit.core.fake import FakeAdapter, FakeConfig, able
from tests.unit.core.samples import QUERY, fill, ids_of, names, vectors

from polyvec import _runtime, _runtime_async
from polyvec.deadline import Deadline
from polyvec.errors import DeadlineError

PATIENCE_S = 20


class Meeting:
    """Holds calls of one primitive back until `wanted` of them are under way at once."""

    def __init__(self, fake: FakeAdapter, operation: str, wanted: int) -> None:
        self._operation = operation
        self._barrier = threading.Barrier(wanted)
        fake.on_call = self

    def __call__(self, operation: str) -> None:
        if operation == self._operation:
            self._barrier.wait(PATIENCE_S)


CALLS: list[tuple[str, Verb]] = [
    ("upsert", lambda c: c.upsert(ids=names(12), vectors=vectors(12))),
    ("get", lambda c: c.get(names(16))),
    ("delete_ids", lambda c: c.delete(names(16))),
    ("search", lambda c: c.query_many(vectors(8))),
]


@pytest.mark.parametrize(("operation", "verb"), CALLS)
def test_as_many_as_allowed_are_under_way_at_once(
    driver: Driver, operation: str, verb: Verb
) -> None:
    fake = FakeAdapter(able(concurrency=4))
    collection = driver.collection(fake, in_threads=True)
    Meeting(fake, operation, 4)
    verb(collection)
    assert len(fake.of(operation)) == 4
    assert fake.most_under_way == 4


@pytest.mark.parametrize(("limit", "wish"), [(1, 8), (2, 8), (8, 2), (8, 1)], ids=str)
def test_neither_the_store_nor_the_configuration_is_exceeded(
    driver: Driver, limit: int, wish: int
) -> None:
    most = min(limit, wish)
    fake = FakeAdapter(able(concurrency=limit))
    collection = driver.collection(fake, FakeConfig(max_concurrency=wish), in_threads=True)
    Meeting(fake, "upsert", most)
    fill(collection, 24)
    collection.query_many(vectors(12))
    assert fake.most_under_way == most


@pytest.mark.parametrize("limit", [1, 3])
def test_verbs_at_the_same_time_share_the_limit_of_their_store(driver: Driver, limit: int) -> None:
    fake = FakeAdapter(able(concurrency=limit))
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 10)
    Meeting(fake, "search", limit)
    verb: Verb = lambda c: c.query(QUERY, top_k=2)  # noqa: E731 - typed by its name
    answers = driver.together([verb] * 12, collection)
    assert [ids_of(hits) for hits in answers] == [["r00", "r01"]] * 12
    assert fake.most_under_way == limit


def test_waiting_for_a_turn_ends_at_the_deadline(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 1)
    entered, leave = threading.Event(), threading.Event()

    def hold(operation: str) -> None:
        if operation == "count":
            entered.set()
            assert leave.wait(PATIENCE_S)

    fake.on_call = hold

    def late(target: Any) -> Any:
        if not driver.is_async:
            assert entered.wait(PATIENCE_S)
            try:
                return target.get(["r00"], timeout_s=0.02)
            finally:
                leave.set()

        async def work() -> Any:
            while not entered.is_set():
                await asyncio.sleep(0)
            try:
                return await target.get(["r00"], timeout_s=0.02)
            finally:
                leave.set()

        return work()

    counted, refused = driver.together([lambda c: c.count(), late], collection)
    assert counted == 1
    assert isinstance(refused, DeadlineError)
    assert fake.of("get") == []
    assert ids_of(collection.get(["r00"])) == ["r00"]


def test_answers_keep_their_order_whoever_is_first(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=4))
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 16)
    Meeting(fake, "get", 4)
    asked = names(16)[::-1]
    assert ids_of(collection.get(asked)) == asked


def test_sync_after_a_failure_nothing_more_is_started() -> None:
    started: list[int] = []

    def call(number: int) -> Callable[[], int]:
        def run() -> int:
            started.append(number)
            if number == 1:
                raise ValueError("one")
            return number

        return run

    done = _runtime.outcomes([call(number) for number in range(5)], 1)
    assert started == [0, 1]
    assert done[0] == 0
    assert isinstance(done[1], ValueError)
    assert done[2:] == [None, None, None]


def test_sync_an_exit_in_a_worker_is_not_lost() -> None:
    barrier = threading.Barrier(3)

    def leave() -> int:
        barrier.wait(PATIENCE_S)
        if threading.current_thread() is threading.main_thread():
            return 0
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        _runtime.outcomes([leave] * 3, 3)


@pytest.mark.parametrize("limit", [1, 3])
def test_async_a_call_that_cancels_itself_is_not_lost(limit: int) -> None:
    # grpc.aio raises CancelledError when the channel is closed under a call.
    async def cancelled() -> int:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await _runtime_async.outcomes([cancelled] * 3, limit)

    asyncio.run(main())


def test_a_write_that_cancelled_itself_does_not_look_done() -> None:
    driver = Driver("async")
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("upsert", None, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        fill(collection, 9)
    driver.close()


class TestSharedLock:
    """Writers of whole records together; one that reads first alone; nobody starves."""

    def test_sync(self) -> None:
        lock = _runtime.SharedLock()
        free = Deadline(None)
        order: list[str] = []
        waiting = threading.Event()

        def change() -> None:
            waiting.set()
            with lock.alone(free):
                order.append("alone")

        with lock.shared(free), lock.shared(free):
            changer = threading.Thread(target=change)
            changer.start()
            assert waiting.wait(PATIENCE_S)
            assert order == []
        changer.join(PATIENCE_S)
        with lock.shared(free):
            order.append("shared")
        assert order == ["alone", "shared"]

    def test_sync_deadline(self) -> None:
        lock = _runtime.SharedLock()
        free = Deadline(None)
        with lock.shared(free), pytest.raises(DeadlineError), lock.alone(Deadline(0.01)):
            pass
        with lock.alone(free):
            for held in (lock.shared, lock.alone):
                with pytest.raises(DeadlineError), held(Deadline(0.01)):
                    pass
        with lock.shared(free), lock.shared(free):
            pass
        with lock.alone(free):
            pass

    def test_async_first_come_first_served(self) -> None:
        async def main() -> list[str]:
            lock = _runtime_async.SharedLock()
            free = Deadline(None)
            order: list[str] = []

            async def hold(name: str, held: Any) -> None:
                async with held(free):
                    order.append(name)

            async with lock.shared(free):
                tasks = [asyncio.create_task(hold("alone", lock.alone))]
                await asyncio.sleep(0)
                tasks += [asyncio.create_task(hold(f"{n}", lock.shared)) for n in range(3)]
                for _ in range(5):
                    await asyncio.sleep(0)
                assert order == [], "someone came in before the one that waited longer"
            await asyncio.gather(*tasks)
            return order

        assert asyncio.run(main()) == ["alone", "0", "1", "2"]

    def test_async_cancelled_while_waiting_or_leaving(self) -> None:
        async def main() -> None:
            lock = _runtime_async.SharedLock()
            free = Deadline(None)

            async def hold(held: Any) -> None:
                async with held(free):
                    await asyncio.sleep(0)

            for ticks in range(12):
                tasks = [
                    asyncio.create_task(hold(held))
                    for held in (lock.shared, lock.alone, lock.shared, lock.alone, lock.shared)
                ]
                for _ in range(ticks):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                    await asyncio.sleep(0)
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                async with asyncio.timeout(PATIENCE_S):
                    await hold(lock.alone)
                    await hold(lock.shared)

        asyncio.run(main())

    def test_async_deadline(self) -> None:
        async def main() -> None:
            lock = _runtime_async.SharedLock()
            free = Deadline(None)
            async with lock.shared(free):
                with pytest.raises(DeadlineError):
                    async with lock.alone(Deadline(0.01)):
                        pass
            async with lock.alone(free):
                for held in (lock.shared, lock.alone):
                    with pytest.raises(DeadlineError):
                        async with held(Deadline(0.01)):
                            pass
            async with lock.shared(free), lock.shared(free):
                pass

        asyncio.run(main())
