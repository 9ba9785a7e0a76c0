"""Reading a namespace by several readers, and asking what a write would refuse."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import polyvec
from polyvec import F, InvalidRecordError, InvalidRequestError, VectorRecord
from polyvec.primitives import KeyRange


@pytest.fixture
def docs() -> polyvec.Collection:
    made = polyvec.connect("memory://").create_collection("docs", dimension=2)
    ids = [f"r{at}" for at in range(100)]
    made.upsert(ids=ids, vectors=np.ones((100, 2)), metadata=[{"n": at} for at in range(100)])
    made.namespace("other").upsert(ids=["x"], vectors=[[1, 0]])
    return made


@pytest.mark.parametrize("parts", [1, 2, 7, 1000])
def test_ranges_cover_everything_once(docs: polyvec.Collection, parts: int) -> None:
    spans = docs.ranges(parts)
    assert (spans[0].start, spans[-1].stop) == (None, None)
    assert len(spans) <= max(1, min(parts, 100))
    found = [
        record_id
        for span in spans
        for batch in docs.scan(span=span, batch_size=9)
        for record_id in batch.ids
    ]
    assert sorted(found) == sorted(f"r{at}" for at in range(100))


def test_a_range_with_a_filter_and_a_cursor(docs: polyvec.Collection) -> None:
    where = F("n") >= 10
    first, *rest = docs.ranges(3)
    batches = list(docs.scan(where, span=first, batch_size=4))
    again = docs.scan(where, span=first, batch_size=4, after=batches[0].cursor)
    assert [batch.ids for batch in again] == [batch.ids for batch in batches[1:]]
    assert rest


def test_records_that_come_later_are_in_a_range(docs: polyvec.Collection) -> None:
    spans = docs.ranges(4)
    docs.upsert(ids=["late"], vectors=[[1, 1]])
    found = [i for span in spans for batch in docs.scan(span=span) for i in batch.ids]
    assert found.count("late") == 1


def test_bad_arguments(docs: polyvec.Collection) -> None:
    for parts in (0, -1, 1.5, "3", True):
        with pytest.raises(InvalidRequestError):
            docs.ranges(parts)  # type: ignore[arg-type]  # what is refused
    assert list(docs.namespace("nobody").ranges(3))[-1].stop is None
    assert docs.namespace("nobody").ranges(1) == [KeyRange()]


def test_the_asynchronous_form() -> None:
    async def run() -> int:
        async with polyvec.connect_async("memory://") as store:
            docs = await store.create_collection("docs", dimension=1)
            await docs.upsert(ids=["a", "b", "c"], vectors=[[1]] * 3)
            spans = await docs.ranges(2)
            docs.check([VectorRecord(id="a", vector=[1.0])])  # type: ignore[arg-type]  # converted
            return sum([len(b) for span in spans async for b in docs.scan(span=span)])

    assert asyncio.run(run()) == 3


def test_check_refuses_what_upsert_refuses_and_writes_nothing(docs: polyvec.Collection) -> None:
    good = VectorRecord(id="new", vector=[1.0, 2.0])  # type: ignore[arg-type]  # converted
    bad = VectorRecord(id="bad", vector=[0.0, 0.0])  # type: ignore[arg-type]  # converted
    docs.check([good])
    with pytest.raises(InvalidRecordError, match="'bad'"):
        docs.check([good, bad])
    assert docs.get(["new", "bad"]) == []
