"""Scan: pages, columns, and cursors that any process can continue from."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, able
from tests.unit.core.fake_filters import Quality
from tests.unit.core.samples import fill, names, numbered, vectors

from polyvec import F, InvalidRequestError
from polyvec._cursor import encode, fingerprint
from polyvec.capabilities import ScanStability
from polyvec.primitives import ScanPage
from polyvec.records import RecordBatch


def test_pages_are_no_longer_than_asked_nor_than_the_store_gives(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 12)
    assert [len(batch) for batch in collection.scan()] == [5, 5, 2]
    assert [len(batch) for batch in collection.scan(batch_size=4)] == [4, 4, 4]
    assert [len(batch) for batch in collection.scan(batch_size=1)] == [1] * 12


def test_columns_are_those_that_include_names(driver: Driver) -> None:
    fake = FakeAdapter(quality=Quality.UNKNOWN)
    collection = driver.collection(fake)
    fill(collection, 3)
    (batch,) = collection.scan()
    assert (batch.metadata, batch.texts) == (numbered(3), [f"text {n}" for n in range(3)])
    assert batch.vectors is None
    (batch,) = collection.scan(F("n") == 2, include=("vector",))
    assert batch.ids == ["r02"]
    assert batch.metadata is None
    assert batch.texts is None
    assert batch.vectors is not None
    assert batch.vectors.tolist() == vectors(3)[2:].tolist()
    (batch,) = collection.scan(include=())
    assert (batch.ids, batch.vectors, batch.metadata, batch.texts) == (names(3), None, None, None)


@pytest.mark.parametrize("quality", [Quality.EXACT, Quality.UNKNOWN])
def test_every_batch_has_a_cursor_that_another_store_can_use(
    driver: Driver, quality: Quality
) -> None:
    fake = FakeAdapter(quality=quality)
    collection = driver.collection(fake).namespace("n")
    fill(collection, 17)
    where = F("n") != 3
    batches = list(collection.scan(where, batch_size=4))
    assert len(batches) > 3
    for at, batch in enumerate(batches):
        assert isinstance(batch.cursor, str)
        assert batch.cursor
        opened = driver.store(fake).collection("c").namespace("n")
        rest = [b.ids for b in opened.scan({"n": {"$ne": 3}}, batch_size=4, after=batch.cursor)]
        assert rest == [b.ids for b in batches[at + 1 :]]
    assert list(collection.scan(where, batch_size=4, after=batches[-1].cursor)) == []


def test_another_batch_size_and_other_columns_continue_the_same_scan(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 9)
    first = next(iter(collection.scan(batch_size=2)))
    rest = list(collection.scan(batch_size=5, include=("vector",), after=first.cursor))
    assert [key for batch in rest for key in batch.ids] == names(9)[2:]


def test_behind_the_end_nothing_is_asked(driver: Driver) -> None:
    fake = FakeAdapter(able(scan_stability=ScanStability.QUIESCENT))
    collection = driver.collection(fake)
    fill(collection, 3)
    (batch,) = collection.scan()
    fake.forget()
    assert list(collection.scan(after=batch.cursor)) == []
    assert fake.calls == []


def test_records_present_throughout_come_once_whatever_is_written(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 12)
    seen: list[str] = []
    for batch in collection.scan(batch_size=3):
        seen += batch.ids
        if len(seen) == 3:
            collection.delete(["r00", "r04", "r11"])
            fill(collection, 2)  # r00 comes back, r01 is replaced: it keeps its place
            collection.upsert(ids=["new"], vectors=vectors(1))
    assert sorted(set(seen)) == sorted([*names(11)[:4], *names(11)[5:], "new"])
    assert [key for key in seen if key != "r00"] == [*names(11)[1:4], *names(11)[5:], "new"]


def test_empty_pages_are_skipped(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 12)

    def emptied(page: ScanPage) -> ScanPage:
        return replace(page, batch=page.batch.slice(0, 0))

    fake.script("scan", None, emptied)
    assert [batch.ids for batch in collection.scan()] == [names(5), names(12)[10:]]
    fake.script("scan", None, None, emptied)
    assert [batch.ids for batch in collection.scan()] == [names(5), names(10)[5:]]


def test_a_page_without_cursor_and_end_is_a_bug_of_the_adapter(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 12)
    fake.script("scan", lambda page: replace(page, cursor=None))
    with pytest.raises(AssertionError, match="needs a cursor"):
        list(collection.scan())


def test_arguments_are_checked_at_once_not_at_the_first_batch(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    bad: dict[str, Any]
    for bad in ({"batch_size": 0}, {"batch_size": "3"}, {"include": ("x",)}, {"after": "junk"}):
        with pytest.raises(InvalidRequestError):
            collection.scan(**bad)
    assert fake.calls == []


def test_a_cursor_of_another_scan_is_refused(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 9)
    plain = next(iter(collection.scan())).cursor
    filtered = next(iter(collection.scan(F("n") > 0))).cursor
    with pytest.raises(InvalidRequestError, match="another filter"):
        collection.scan(F("n") > 0, after=plain)
    with pytest.raises(InvalidRequestError, match="another filter"):
        collection.scan(F("n") > 1, after=filtered)
    with pytest.raises(InvalidRequestError, match="another filter"):
        collection.scan(after=filtered)
    with pytest.raises(InvalidRequestError, match="another namespace"):
        collection.namespace("x").scan(after=plain)


def test_a_cursor_of_another_collection_is_refused(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    first, second = (store.create_collection(name, dimension=2) for name in ("one", "two"))
    for collection in (first, second):
        collection.upsert(ids=["a", "b"], vectors=[[1, 0], [0, 1]])
    cursor = next(iter(first.scan(batch_size=1))).cursor
    with pytest.raises(InvalidRequestError, match="another collection"):
        second.scan(after=cursor)


def test_equal_filters_share_a_fingerprint() -> None:
    assert fingerprint(None) == fingerprint(~F("a").is_in([]))
    assert fingerprint(F("a") == 1) == fingerprint(~(F("a") != 1))
    assert fingerprint(F("a").is_in([1])) == fingerprint(F("a") == 1)
    assert fingerprint(F("a") == 1) == fingerprint(F("a") == 1.0)
    assert fingerprint(F("a") > 2) == fingerprint(F("a") > 2.0)
    assert fingerprint(F("a").is_in([1, 2.0])) == fingerprint(F("a").is_in([1.0, 2]))
    assert fingerprint(F("a") == [1, [2.0]]) == fingerprint(F("a") == [1.0, [2]])
    different = [F("a") == 1, F("a") == True, F("a") == "1", F("a") == 1.5, F("b") == 1]  # noqa: E712 - an operand
    assert len({fingerprint(one) for one in different}) == len(different)


def packed(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "x",
        "r05",
        "é",
        "AAAA",
        packed({}),
        packed([]),
        packed([1, "", ""]),
        packed([1, "", "", 5]),
        packed([1, None, "", "5"]),
        packed([2, "", "", "5"]),
        packed(["1", "", "", "5"]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        5,
        b"abc",
        True,
        RecordBatch([]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_junk_is_no_cursor(driver: Driver, junk: Any) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    with pytest.raises(InvalidRequestError, match="after=") as caught:
        collection.scan(after=junk)
    assert len(str(caught.value)) < 300
    assert fake.calls == []


def test_a_cursor_is_ascii_without_what_urls_escape() -> None:
    for namespace in ("", "ténant/1?&", "\U0001f600"):
        for position in ("17", None, "ключ"):
            cursor = encode(position, ("articles", namespace), "abc")
            assert cursor.isascii()
            assert set(cursor) <= set(
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
            )
