"""Searches through the public API while the graph of their collection is built anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from hnsw_bench import Bench
from hnsw_data import Floats

import polyvec
from polyvec import HNSW, Collection
from polyvec.memory.graph_policy import LARGE

BATCH: Final = 10_000
QUIET: Final = 2_000
"""Searches before the rebuild, to compare with."""

GONE: Final = 4
"""One record in so many is deleted, which is more than the fifth that wears a graph."""

LOOK_S: Final = 0.5
"""Between two looks at how far the graph is."""

PATIENCE_S: Final = 300.0


def rebuild(bench: Bench) -> None:
    """Measure how long single searches take, first alone, then beside a rebuild."""
    data = bench.embeddings()
    if len(data.rows) - len(data.rows) // GONE < LARGE.least:
        bench.say("rebuild: too few rows for a graph")
        return
    bench.say(f"rebuild: a collection of {len(data.rows):,} records")
    with polyvec.connect("memory://") as store:
        records = store.create_collection(
            "worn", dimension=data.rows.shape[1], metric="cosine", index=HNSW()
        )
        ids = [f"{at:06}" for at in range(len(data.rows))]
        for start in range(0, len(ids), BATCH):
            stop = start + BATCH
            records.upsert(ids=ids[start:stop], vectors=data.rows[start:stop])
        queries = _endless(data.queries)
        for _ in _until(records, len(ids), queries):
            pass
        alone = [_one(records, next(queries)) for _ in range(QUIET)]
        gone = ids[::GONE]
        records.delete(gone)
        began = time.perf_counter()
        beside = list(_until(records, len(ids) - len(gone), queries))
        took = time.perf_counter() - began
    bench.work["rebuild"] = {
        "rows": len(ids),
        "gone": len(gone),
        "seconds": took,
        "alone": _told(alone),
        "beside": _told(beside),
    }


def _endless(queries: Floats) -> Iterator[Floats]:
    while True:
        yield from queries


def _until(records: Collection[Any], nodes: int, queries: Iterator[Floats]) -> Iterator[float]:
    """Search, and yield what each search took, until a graph of so many nodes is in use."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        look = time.monotonic() + LOOK_S
        while time.monotonic() < look:
            yield _one(records, next(queries))
        told = records.describe().details
        if told["nodes"] == nodes and not told["tombstones"]:
            return
    raise RuntimeError(f"no graph of {nodes:,} nodes after {PATIENCE_S:.0f} s")


def _one(records: Collection[Any], query: Floats) -> float:
    began = time.perf_counter()
    records.query(query, top_k=10, include=())
    return time.perf_counter() - began


def _told(spent: list[float]) -> dict[str, float]:
    """Return how many searches there were, and their times in milliseconds."""
    middle, late, last = np.quantile(np.array(spent) * 1e3, (0.5, 0.99, 1.0))
    return {"calls": len(spent), "median": middle, "p99": late, "most": last}
