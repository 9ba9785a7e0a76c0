"""Retries, and which exception arrives in the end."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, FakeConfig, NativeError
from tests.unit.core.samples import fill, ids_of

from polyvec import _calls
from polyvec.errors import (
    AccessError,
    ClosedError,
    DeadlineError,
    RateLimitedError,
    StoreError,
    UnavailableError,
)


def down() -> UnavailableError:
    return UnavailableError("reset", store="fake")


def test_what_may_succeed_is_repeated_with_growing_jittered_waits(
    driver: Driver, slept: list[float]
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(max_attempts=12))
    fake.script("count", *[down() for _ in range(11)])
    assert collection.count() == 0
    assert len(fake.calls) == 12
    longest = [min(_calls.LONGEST_WAIT_S, _calls.FIRST_WAIT_S * 2**n) for n in range(11)]
    assert len(slept) == 11
    for wait, most in zip(slept, longest, strict=True):
        assert most / 2 <= wait <= most
    ratios = {round(wait / most, 6) for wait, most in zip(slept, longest, strict=True)}
    assert len(ratios) > 1, "no jitter"


def test_only_the_failed_part_of_a_verb_is_repeated(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(max_concurrency=1))
    fake.script("upsert", None, down())
    fill(collection, 9)
    assert [call.args[0].ids[0] for call in fake.of("upsert")] == ["r00", "r03", "r03", "r06"]
    assert len(slept) == 1


@pytest.mark.parametrize("seconds", [0.0, 3.5, 42.0])
def test_the_wait_that_the_server_asks_for_is_kept(
    driver: Driver, slept: list[float], seconds: float
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", RateLimitedError("slow down", retry_after_s=seconds))
    assert collection.count() == 0
    assert slept == [seconds]


def test_a_moment_in_the_past_is_no_wait(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", RateLimitedError("slow down", retry_after_s=-2.0))
    assert collection.count() == 0
    assert slept == [0.0]


def test_the_number_of_attempts_is_kept(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(max_attempts=3))
    errors = [down() for _ in range(5)]
    fake.script("count", *errors)
    with pytest.raises(UnavailableError) as caught:
        collection.count()
    assert caught.value is errors[2]
    assert (len(fake.calls), len(slept)) == (3, 2)


def test_one_attempt_is_no_retry(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(max_attempts=1))
    fake.script("count", down())
    with pytest.raises(UnavailableError):
        collection.count()
    assert (len(fake.calls), slept) == (1, [])


def test_no_wait_goes_past_the_deadline(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", RateLimitedError("slow down", retry_after_s=60.0))
    with pytest.raises(RateLimitedError, match="slow down"):
        collection.count(timeout_s=30)
    assert (len(fake.calls), slept) == (1, [])


def test_what_cannot_succeed_is_not_repeated(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    error = AccessError("who are you")
    fake.script("count", error)
    with pytest.raises(AccessError) as caught:
        collection.count()
    assert caught.value is error
    assert (len(fake.calls), slept) == (1, [])


def test_a_second_error_of_another_kind_ends_the_attempts(
    driver: Driver, slept: list[float]
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", down(), AccessError("expired"))
    with pytest.raises(AccessError):
        collection.count()
    assert (len(fake.calls), len(slept)) == (2, 1)


def test_a_known_exception_of_the_client_is_mapped_and_kept_as_cause(
    driver: Driver, slept: list[float]
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(max_attempts=2))
    natives = [NativeError(503), NativeError(503)]
    fake.script("count", *natives)
    with pytest.raises(UnavailableError) as caught:
        collection.count()
    assert caught.value.__cause__ is natives[1]
    assert (caught.value.store, caught.value.operation) == ("fake", "count")
    assert len(slept) == 1
    fake.script("count", NativeError(400))
    with pytest.raises(StoreError) as refused:
        collection.count()
    assert not refused.value.retryable
    assert len(slept) == 1


@pytest.mark.parametrize("unknown", [NativeError(418), KeyError("x"), TimeoutError("own")])
def test_an_unknown_exception_passes_unchanged(
    driver: Driver, slept: list[float], unknown: Exception
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", unknown)
    with pytest.raises(type(unknown)) as caught:
        collection.count(timeout_s=60)
    assert caught.value is unknown
    assert caught.value.__cause__ is None
    assert (len(fake.calls), slept) == (1, [])


def test_a_repeated_attempt_is_logged_not_printed(
    driver: Driver, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", down())
    with caplog.at_level(logging.INFO, logger="polyvec"):
        collection.count()
    assert [record.getMessage() for record in caplog.records] == [
        "attempt 1 failed, trying again: fake: reset"
    ]


def test_a_store_closed_while_waiting_is_not_asked_again(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyvec import _runtime, _runtime_async

    fake = FakeAdapter()
    store = driver.store(fake)
    fake.script("ping", down())
    inner: Any = getattr(store, "inner", store)

    def close(seconds: float) -> None:
        inner._caller.closed = True

    async def close_async(seconds: float) -> None:
        close(seconds)

    monkeypatch.setattr(_runtime, "sleep", close)
    monkeypatch.setattr(_runtime_async, "sleep", close_async)
    with pytest.raises(ClosedError):
        store.ping()
    assert len(fake.calls) == 1


def test_opening_listing_and_all_else_is_retried_too(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    for operation in ("ping", "list_collections", "create_collection", "open_collection"):
        fake.script(operation, down())
    fake.script("aliases", down())
    store.ping()
    assert store.list_collections() == []
    collection = store.create_collection("c", dimension=3, metric="dot")
    assert store.aliases() == {}
    for operation in ("scan", "search", "get", "namespaces", "delete_where"):
        fake.script(operation, down())
    fill(collection, 2)
    assert ids_of(collection.query([1, 0, 0])) == ["r00", "r01"]
    assert [batch.ids for batch in collection.scan()] == [["r00", "r01"]]
    assert len(collection.get(["r00"])) == 1
    assert collection.namespaces() == {"": 2}
    collection.clear()
    assert len(slept) == 10


def test_time_that_ran_out_on_the_server_is_repeated(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fake.script("count", DeadlineError("the server's statement timeout"))
    assert collection.count() == 0
    assert len(slept) == 1
