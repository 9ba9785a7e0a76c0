"""Speed of the memory store, as ratios to the shortest numpy that does the same.

    python tests/benchmarks/bench_memory.py [--data PATH]

`--data` names a Parquet file with columns id, text, pos, topic, lemmas,
relations and vector_int8 (384 numbers, quantised per row); without it random
records of the same shape are made. Both sides of a ratio run in one process in
turns; numbers are medians.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.filters import F, Filter
from polyvec.memory.directory import Directory
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Target
from polyvec.records import RecordBatch
from polyvec.schema import CollectionSpec
from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyvec.types import MetadataDict, Vector

RECORDS: Final = 117_659
DIMENSION: Final = 384
REPEATS: Final = 40
K: Final = 10
BATCH: Final = 10_000
NO_TIME: Final[dict[str, Any]] = {"timeout_s": None}
READ: Final[dict[str, Any]] = {"timeout_s": None, "consistency": None}
TWO_CLAUSES: Final[tuple[Filter, ...]] = (
    (F("pos") == "noun") & (F("relations") > 5),
    F("topic").is_in(["noun.artifact", "noun.animal"]) & ~F("lemmas").contains("dog"),
    F("topic").starts_with("noun.a") | (F("relations") <= 2),
)


@dataclass(frozen=True)
class Data:
    """Records as columns."""

    ids: list[str]
    vectors: Vector
    metadata: list[MetadataDict]
    texts: list[str | None]

    def batch(self, start: int, stop: int) -> RecordBatch:
        """Return some records as a batch."""
        part = slice(start, stop)
        return RecordBatch(
            self.ids[part], self.vectors[part], self.metadata[part], self.texts[part]
        )


@dataclass(frozen=True)
class Row:
    """One line of the report; `ratio` is ours divided by the other's, `mark` what is wanted."""

    what: str
    ours: float
    unit: str
    other: float | None = None
    mark: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the other's."""
        return None if self.other is None else self.ours / self.other


def load(path: Path) -> Data:
    """Read records from a Parquet file."""
    parquet: Any = import_module("pyarrow.parquet")  # it ships no types
    table = parquet.read_table(path)
    raw = table["vector_int8"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    vectors: Vector = raw.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = ["pos", "topic", "lemmas", "relations"]
    metadata: list[MetadataDict] = table.select(names).to_pylist()
    return Data(table["id"].to_pylist(), vectors, metadata, table["text"].to_pylist())


def synthetic(records: int = RECORDS) -> Data:
    """Make random records of the same shape."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((records, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    parts = ["noun", "verb", "adj", "adv"]
    kinds = ["artifact", "animal", "act", "state", "food", "person", "plant", "time", "shape"]
    metadata: list[MetadataDict] = [
        {
            "pos": parts[number % 4],
            "topic": f"{parts[number % 4]}.{kinds[number % 9]}",
            "lemmas": [f"lemma{number}", "dog" if number % 500 == 0 else f"word{number % 999}"],
            "relations": number * 7 % 23,
        }
        for number in range(records)
    ]
    texts: list[str | None] = [
        f"word {number}: a definition in ten words" for number in range(records)
    ]
    return Data([f"n{number:08d}" for number in range(records)], vectors, metadata, texts)


def seconds(*actions: Callable[[], object], repeats: int) -> list[float]:
    """Run actions in turns and return the median seconds of each."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats):
        for action, taken in zip(actions, times, strict=True):
            start = perf_counter()
            action()
            taken.append(perf_counter() - start)
    return [median(taken) for taken in times]


def filled(data: Data, directory: Directory | None = None, size: int = 100_000) -> MemoryAdapter:
    """Return a store with all records, written in batches of `size`."""
    adapter = MemoryAdapter(directory)
    spec = CollectionSpec("bench", data.vectors.shape[1], Metric.COSINE)
    adapter.create_collection(spec, **NO_TIME)
    at = target(adapter)
    for start in range(0, len(data.ids), size):
        adapter.upsert(at, data.batch(start, start + size), **NO_TIME)
    return adapter


def target(adapter: MemoryAdapter) -> Target:
    """Return the default namespace of the collection."""
    return Target(adapter.open_collection("bench", None, **NO_TIME), "")


def upsert(data: Data) -> list[Row]:
    """Columnar upsert against the copies that any store must make."""

    def by_hand() -> None:
        block = np.empty_like(data.vectors)
        block[:] = data.vectors
        norms = np.sqrt(np.einsum("nd,nd->n", block, block))
        rows = dict(zip(data.ids, range(len(data.ids)), strict=True))
        metadata = [{**row, "lemmas": row["lemmas"][:]} for row in data.metadata]
        texts = data.texts[:]
        assert len(rows) == len(norms) == len(metadata) == len(texts)

    ours, other = seconds(lambda: filled(data), by_hand, repeats=5)
    return [Row(f"upsert {data.vectors.shape}, columnar / plain copies", ours, "s", other)]


def queries(data: Data, adapter: MemoryAdapter) -> list[Row]:
    """Exact queries against a matrix product and argpartition."""
    at, random = target(adapter), np.random.default_rng(1)
    query = data.vectors[random.integers(len(data.ids))][None].copy()
    many = data.vectors[random.integers(len(data.ids), size=100)]
    columns: Any = frozenset({"metadata", "text"})

    def search(vectors: Vector, node: Filter | None = None) -> Callable[[], object]:
        return lambda: adapter.search(at, vectors, node, K, columns, None, **READ)

    def by_hand() -> object:
        unit = query[0] / np.linalg.norm(query[0])
        scores = data.vectors @ unit
        best = np.argpartition(scores, -K)[-K:]
        rows: list[int] = best[np.argsort(-scores[best])].tolist()
        return [
            (data.ids[row], float(scores[row]), data.metadata[row], data.texts[row]) for row in rows
        ]

    def many_by_hand() -> object:
        scores = many @ data.vectors.T
        best = np.argpartition(scores, -K, axis=1)[:, -K:]
        return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), 1), 1)

    search(query)()
    one, hand = seconds(search(query), by_hand, repeats=REPEATS)
    batch, hands = seconds(search(many), many_by_hand, repeats=5)
    wide, narrow = TWO_CLAUSES[0], (F("topic") == "noun.food") & (F("relations") < 2)
    filtered = seconds(search(query, wide), search(query, narrow), repeats=REPEATS)
    return [
        Row("exact query / matmul and argpartition", one * 1e3, "ms", hand * 1e3, "<= 1.15 x"),
        Row("100 exact queries / matmul and argpartition", batch * 1e3, "ms", hands * 1e3),
        Row(f"exact query where {wide}", filtered[0] * 1e3, "ms"),
        Row(f"exact query where {narrow}", filtered[1] * 1e3, "ms"),
    ]


def masks(data: Data) -> list[Row]:
    """Filters to row masks: the first time, then with the index there, then between writes."""
    adapter = filled(data)
    at = target(adapter)
    view = adapter.view(at)
    rows: list[Row] = []
    for node in TWO_CLAUSES:
        start = perf_counter()
        view.index.mask(node, view.n)
        cold = perf_counter() - start
        (warm,) = seconds(partial(view.index.mask, node, view.n), repeats=REPEATS)
        rows.append(Row(f"mask of {node}", warm * 1e3, "ms", mark="<= 2 ms"))
        rows.append(Row("    the first time", cold * 1e3, "ms"))

    def write_and_count() -> None:
        adapter.upsert(at, data.batch(0, 1), **NO_TIME)
        adapter.count(at, TWO_CLAUSES[0], **READ)

    (mixed,) = seconds(write_and_count, repeats=500)
    return [*rows, Row("upsert of 1, then count by a filter", mixed * 1e3, "ms")]


def durable(data: Data) -> list[Row]:
    """A store in a directory against writing the same number of bytes to a file."""
    place = Path(tempfile.mkdtemp(prefix="polyvec-bench-"))
    try:
        start = perf_counter()
        adapter = filled(data, Directory(place / "store"), BATCH)
        written = perf_counter() - start
        start = perf_counter()
        adapter.checkpoint()
        saved = perf_counter() - start
        size = sum(file.stat().st_size for file in (place / "store").iterdir())
        start = perf_counter()
        adapter.close()
        closed = perf_counter() - start

        def open_again() -> None:
            again = MemoryAdapter(Directory(place / "store"))
            again.ping(**NO_TIME)
            again.close()

        (opened,) = seconds(open_again, repeats=3)
        raw = _raw_write(place / "raw", size)
        return [
            Row(f"durable upsert in batches of {BATCH:,} / plain write", written, "s", raw),
            Row("checkpoint / plain write", saved, "s", raw),
            Row("open and close", opened, "s"),
            Row("close", closed, "s"),
            *_single_writes(data, place / "single"),
        ]
    finally:
        shutil.rmtree(place)


def _raw_write(path: Path, size: int) -> float:
    block = os.urandom(size // 12)
    start = perf_counter()
    with path.open("wb") as file:
        for _ in range(12):
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
    return perf_counter() - start


def _single_writes(data: Data, path: Path) -> list[Row]:
    adapter = filled(Data([], data.vectors[:0], [], []), Directory(path))
    at = target(adapter)

    def write(first: int) -> None:
        for row in range(first, first + 50):
            adapter.upsert(at, data.batch(row, row + 1), **NO_TIME)

    def together() -> None:
        threads = [threading.Thread(target=write, args=(50 * number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    alone, eight = seconds(lambda: write(0), together, repeats=5)
    adapter.close()
    return [
        Row("durable upsert of 1", alone / 50 * 1e3, "ms"),
        Row("durable upsert of 1, 8 threads", eight / 400 * 1e3, "ms"),
    ]


def run(data: Data) -> list[Row]:
    """Measure everything; about half a minute."""
    adapter = filled(data)
    return [*upsert(data), *queries(data, adapter), *masks(data), *durable(data)]


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description="speed of the memory store")
    parser.add_argument("--data", type=Path, help="Parquet file; random records without it")
    chosen: Path | None = parser.parse_args().data
    data = synthetic() if chosen is None else load(chosen)
    for row in run(data):
        ratio = "" if row.ratio is None else f"{row.ratio:6.2f} x"
        print(f"{row.ours:10.3f} {row.unit:<3}{ratio:>9}  {row.mark:<10} {row.what}")  # noqa: T201


if __name__ == "__main__":
    main()
