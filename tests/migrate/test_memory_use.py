"""Memory does not grow with the collection: a source that is made up as it is read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from polyvec import RecordBatch, VectorStore
from polyvec.memory._config import MemoryConfig
from polyvec.memory.store import MemoryAdapter
from polyvec.migrate import migrate
from polyvec.primitives import Columns, KeyRange, Native, OpenedCollection, ScanPage, Target

DIMENSION: Final = 64
SIZE: Final = 1_000


class Endless(MemoryAdapter):
    """A source of any number of records that keeps none of them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count_of = count

    def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        return {"": self.count_of}

    def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        return [KeyRange()]

    def scan(
        self,
        target: Target,
        native: Native | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        first = 0 if after is None else int(after) + 1
        last = min(first + limit, self.count_of)
        n = last - first
        batch = RecordBatch(
            ids=[f"record-{at}" for at in range(first, last)],
            vectors=np.full((n, DIMENSION), 1.0 + first, dtype=np.float32),
            metadata=[{"n": at, "word": f"w{at % 7}"} for at in range(first, last)],
            texts=[f"text of {at}" for at in range(first, last)],
        )
        return ScanPage(batch, str(last - 1), done=last == self.count_of)


class Sink(MemoryAdapter):
    """A target that counts records and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        self.taken += len(batch)


def peak_bytes(count: int, journal: Path) -> int:
    """Return the most memory that a migration had at once."""
    source = VectorStore(Endless(count), MemoryConfig())
    sink = Sink()
    target = VectorStore(sink, MemoryConfig())
    source.create_collection("docs", dimension=DIMENSION)
    options: dict[str, Any] = {"batch_size": SIZE, "workers": 1, "journal": journal}
    tracemalloc.start()
    try:
        report = migrate(source, target, "docs", verify="none", **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.count == sink.taken == count
    return peak


@pytest.mark.usefixtures("tmp_path")
def test_ten_times_the_records_take_the_same_memory(tmp_path: Path) -> None:
    peak_bytes(2 * SIZE, tmp_path / "warm")  # imports and caches
    small = peak_bytes(4 * SIZE, tmp_path / "small")
    large = peak_bytes(40 * SIZE, tmp_path / "large")
    # A batch of 1,000 records is about 1 MB here; 36 more of them would be seen.
    assert large < 1.2 * small + 1_000_000
