"""Many threads and tasks on one store; a fork; another event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import pytest
from tests.adapters.live.waiting import counts, is_late, settle
from tests.services import Server

import polyvec
from polyvec import ClosedError, Collection, F, VectorStore

RECORDS: Final = 20_000
THREADS: Final = 8
TASKS: Final = 100


def part_of(at: int, parts: int) -> tuple[list[str], Any, list[dict[str, Any]]]:
    size = RECORDS // parts
    ids = [f"p{at:03}_{row:05}" for row in range(size)]
    vectors = np.random.default_rng(at).normal(size=(size, 4)).astype(np.float32)
    return ids, vectors, [{"part": at, "row": row} for row in range(size)]


def check_everything_is_there(
    store: VectorStore, collection: Collection[dict[str, Any]], parts: int
) -> None:
    counts(store, collection, RECORDS)
    ids = [key for batch in collection.scan(include=()) for key in batch.ids]
    assert len(ids) == len(set(ids)) == RECORDS
    counts(store, collection, RECORDS // parts, F("part") == parts - 1)


def test_threads(store: VectorStore, collection: Collection[dict[str, Any]]) -> None:
    def work(at: int) -> None:
        ids, vectors, metadata = part_of(at, THREADS)
        for start in range(0, len(ids), 500):
            stop = start + 500
            collection.upsert(
                ids=ids[start:stop], vectors=vectors[start:stop], metadata=metadata[start:stop]
            )
            settle(store, collection, [ids[start]])
            assert [r.id for r in collection.get([ids[start]])] == [ids[start]]
            # Everybody writes these, in the same statement order or not.
            shared = [f"s{number}" for number in range(20)]
            collection.namespace("shared").upsert(
                ids=shared if at % 2 else shared[::-1], vectors=vectors[:20]
            )

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    check_everything_is_there(store, collection, THREADS)
    counts(store, collection.namespace("shared"), 20)


def test_tasks(
    store: VectorStore,
    collection: Collection[dict[str, Any]],
    networked: Server,
    loop: asyncio.Runner,
) -> None:
    name = collection.describe().name

    async def everything() -> None:
        async with polyvec.connect_async(networked.url) as opened:
            theirs = await opened.collection(name)

            async def work(at: int) -> None:
                ids, vectors, metadata = part_of(at, TASKS)
                await theirs.upsert(ids=ids, vectors=vectors, metadata=metadata)
                if is_late(store):
                    await theirs.wait_until_visible(ids)
                assert [r.id for r in await theirs.get([ids[-1]])] == [ids[-1]]
                hits = await theirs.query(vectors[0], top_k=3, filter=F("part") == at)
                assert hits[0].id == ids[0]

            await asyncio.gather(*(work(at) for at in range(TASKS)))

    loop.run(everything())
    check_everything_is_there(store, collection, TASKS)


def _count_in_child(collection: Collection[dict[str, Any]], answers: Any) -> None:
    try:
        answers.put(f"counted {collection.count()}")
    except ClosedError as exc:
        answers.put(str(exc))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_is_told(collection: Collection[dict[str, Any]]) -> None:
    collection.count()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_count_in_child, args=(collection, answers))
    child.start()
    answer: str = answers.get(timeout=60)
    child.join()
    assert "connect again in the child" in answer
    assert collection.count() == 0  # and the parent's connections are as they were


def test_another_loop_is_told(networked: Server) -> None:
    store = polyvec.connect_async(networked.url)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(store.ping())
        with pytest.raises(ClosedError, match="another event loop"):
            second.run(store.ping())
        first.run(store.aclose())
