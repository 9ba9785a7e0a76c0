"""`make bench-migrate`: a migration against reading the source and writing the target alone.

    PYTHONPATH=. python tests/benchmarks/bench_migrate.py [--records N] [--pairs a-b,c-d] [--write]

One worker, in turn, several rounds, medians. What is told is the ratio of the rate of a migration
without plan and verification to the slower of the two rates alone, which is the most it can reach
where reading and writing share no resource; then how the rate grows with the workers, and how
much memory the process takes while it copies. Creating the target and counting what it holds,
which take Milvus seconds whatever its size, are in none of them. `a-b:flat` is without an index
in b: a graph of PostgreSQL takes so long to build that it hides what the migration costs.

`--memory-records N` measures the memory alone: N records of 64 dimensions from a snapshot in a
directory to PostgreSQL, within it, and back into another directory, four workers, each in a
process of its own.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from tests.migrate.there_and_back import opened
from tests.services import MODULES, server, started

import polyvec
from polyvec import Collection, Flat, VectorStore
from polyvec.migrate import migrate
from polyvec.schema import Index

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "benchmarks" / "migrate.md"
PLOT: Final = ROOT / "docs" / "benchmarks" / "migrate-memory.svg"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
MEMORY_START, MEMORY_END = "<!-- memory:start -->", "<!-- memory:end -->"
RECORDS: Final = 100_000
DIMENSION: Final = 384
SMALL: Final = 64
BATCH: Final = 4_000
PAIRS: Final = ("pgvector-milvus", "memory-pgvector:flat", "memory-pgvector")
SLOW: Final = {"memory-pgvector": 4}
"""Pairs that have a part of the records, because the target builds a graph of them."""
WORKERS: Final = (1, 2, 4)
WHOLE: Final = ("metadata", "text", "vector")


@dataclass
class Outcome:
    """Rates of one pair, records per second."""

    pair: str
    records: int
    read: list[float]
    write: list[float]
    moved: list[float]
    by_workers: dict[int, float]
    memory: list[tuple[float, float]]

    @property
    def ratio(self) -> float:
        """Of a migration to the slower of reading and writing alone."""
        slower = min(statistics.median(self.read), statistics.median(self.write))
        return statistics.median(self.moved) / slower


class Memory:
    """Samples the resident memory of this process."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(0.1):
            self.samples.append((time.monotonic() - began, resident_mb()))


def resident_mb() -> float:
    """Return the resident memory in megabytes."""
    text = Path("/proc/self/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def fill(docs: Collection[Any], records: int) -> None:
    """Write random records, a batch at a time."""
    rng = np.random.default_rng(1)
    for first in range(0, records, BATCH):
        ids = [f"doc-{at:08d}" for at in range(first, min(first + BATCH, records))]
        docs.upsert(
            ids=ids,
            vectors=rng.normal(size=(len(ids), DIMENSION)).astype(np.float32),
            metadata=[
                {"category": f"c{at % 20}", "price": at / 7, "stock": at}
                for at in range(first, first + len(ids))
            ],
            texts=[f"the text of record {name}, some words long" for name in ids],
        )


def rate(records: int, work: Callable[[], object]) -> float:
    """Return records per second of a piece of work."""
    gc.collect()
    began = time.perf_counter()
    work()
    return records / (time.perf_counter() - began)


def measure(
    pair: str,
    source: VectorStore,
    target: VectorStore,
    records: int,
    rounds: int,
    folder: Path,
    index: Index | None = None,
) -> Outcome:
    """Measure one pair, the three in turn."""
    name = "bench_migrate"
    source.drop_collection(name, missing_ok=True)
    plain = Flat() if source.capabilities.store == "pgvector" else None  # a graph is of no use here
    docs = source.create_collection(name, dimension=DIMENSION, index=plain)
    fill(docs, records)
    ends = pair.replace(":", "-")
    outcome = Outcome(pair, records, [], [], [], {}, [])

    def read() -> int:
        return sum(len(batch) for batch in docs.scan(batch_size=BATCH, include=WHOLE))

    def fresh() -> Collection[Any]:
        target.drop_collection("bench_target", missing_ok=True)
        return target.create_collection("bench_target", dimension=DIMENSION, index=index)

    def move(workers: int, journal: Path) -> float:
        fresh()
        gc.collect()
        report = migrate(
            source,
            target,
            name,
            to="bench_target",
            fidelity="none",
            verify="none",
            workers=workers,
            batch_size=BATCH,
            journal=journal,
        )
        assert report.count == records
        return records / report.copy_s

    for at in range(rounds):
        outcome.read.append(rate(records, read))
        kept = list(docs.scan(batch_size=BATCH, include=WHOLE))
        goal = fresh()

        def write(goal: Collection[Any] = goal, kept: list[Any] = kept) -> None:
            for batch in kept:
                goal.upsert(batch)

        outcome.write.append(rate(records, write))
        del kept, write
        with Memory() as memory:
            outcome.moved.append(move(1, folder / f"{ends}-{at}"))
        outcome.memory = memory.samples
    outcome.by_workers[1] = statistics.median(outcome.moved)
    for workers in WORKERS[1:]:
        outcome.by_workers[workers] = move(workers, folder / f"{ends}-w{workers}")
    target.drop_collection("bench_target")
    source.drop_collection(name)
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """Return the result as a Markdown table."""
    lines = [
        f"{DIMENSION} dimensions, a text and three fields, {BATCH:,} records a batch; Python "
        f"{platform.python_version()}, {os.cpu_count()} cores; "
        + "; ".join(f"{name}: {what}" for name, what in sorted(started().items())),
        "",
        "| pair | records | read alone /s | write alone /s | migration, 1 worker /s | "
        "ratio to the slower | "
        + " | ".join(f"{n} workers" for n in WORKERS[1:])
        + " | memory, first to highest MB |",
        "|---|---|---|---|---|---|" + "---|" * len(WORKERS),
    ]
    for one in outcomes:
        memory = [mb for _, mb in one.memory] or [0.0]
        cells = [
            one.pair.replace("-", " → ").replace(":flat", ", no index"),
            f"{one.records:,}",
            f"{statistics.median(one.read):,.0f}",
            f"{statistics.median(one.write):,.0f}",
            f"{statistics.median(one.moved):,.0f}",
            f"{one.ratio:.2f}",
            *(f"{one.by_workers[n] / one.by_workers[1]:.2f} times" for n in WORKERS[1:]),
            f"{memory[0]:.0f} → {max(memory):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(outcomes: list[Outcome]) -> str:
    """Return memory over time as an SVG."""
    width, height, left, top = 720, 260, 60, 20
    longest = max((t for one in outcomes for t, _ in one.memory), default=1.0)
    highest = 1.1 * max((mb for one in outcomes for _, mb in one.memory), default=1.0)
    colours = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    title = "resident memory of the process, MB, over seconds of copying"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="14">{title}</text>',
    ]
    bottom, right = height - 30, width - 20
    for step in range(5):
        y = bottom - step * (bottom - top) / 4
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="8" y="{y + 4:.0f}">{highest * step / 4:.0f}</text>')
        x = left + step * (right - left) / 4
        parts.append(f'<text x="{x:.0f}" y="{height - 10}">{longest * step / 4:.0f}</text>')
    for at, one in enumerate(outcomes):
        places = [
            (left + t / longest * (right - left), bottom - mb / highest * (bottom - top))
            for t, mb in one.memory
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        colour = colours[at % len(colours)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        y = bottom - 10 - 16 * at
        parts.append(f'<text x="{right - 160}" y="{y}" fill="{colour}">{one.pair}</text>')
    return "\n".join([*parts, "</svg>", ""])


def rates(pairs: list[str], records: int, rounds: int, folder: Path) -> list[Outcome]:
    """Measure pairs, and tell of each when it is done."""
    known = {"memory", "parquet", *MODULES}
    outcomes: list[Outcome] = []
    for pair in pairs:
        ends, _, index = pair.partition(":")
        one, other = ends.split("-")
        if not {one, other} <= known:
            sys.stderr.write(f"{pair}: no such server here\n")
            continue
        began, part = time.monotonic(), SLOW.get(pair, 1)
        with opened(one, folder / "a") as source, opened(other, folder / "b") as target:
            flat = Flat() if index == "flat" else None
            some = 1 if part > 1 else rounds
            done = measure(pair, source, target, records // part, some, folder, flat)
        outcomes.append(done)
        took_s = time.monotonic() - began
        sys.stdout.write(f"{pair}: ratio {done.ratio:.2f}, {took_s:.0f} s\n")
        sys.stdout.flush()
    return outcomes


def memory_alone(records: int, folder: Path) -> str:
    """Move many small records between real stores; return what each process took."""
    name = "bench_memory"
    write_apart(folder / "from", name, records)
    start, end = f"parquet://{folder}/from", f"parquet://{folder}/to"
    lines = [
        "| | records | seconds | resident before, MB | highest, MB | growth, MB |",
        "|---|---|---|---|---|---|",
    ]
    database = server("pgvector").url
    with (
        polyvec.connect(database) as store,
        ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as apart,
    ):
        for to in (name, f"{name}_2"):
            store.drop_collection(to, missing_ok=True)
            store.create_collection(to, dimension=SMALL, index=Flat())
        for one, other, to in (
            (start, database, name),
            (database, database, f"{name}_2"),
            (database, end, name),
        ):
            took_s, before, highest = apart.submit(leg, one, other, name, to, folder).result()
            ends = " → ".join(
                "parquet" if url in (start, end) else "pgvector" for url in (one, other)
            )
            lines.append(
                f"| {ends} | {records:,} | {took_s:.0f} | {before:.0f} | {highest:.0f} "
                f"| {highest - before:.0f} |"
            )
        for to in (name, f"{name}_2"):
            assert store.collection(to).count() == records
            store.drop_collection(to)
    return "\n".join(lines)


def leg(source: str, target: str, name: str, to: str, folder: Path) -> tuple[float, float, float]:
    """Migrate in this process, which has only connected; return seconds and megabytes."""
    journal = folder / f"journal-{os.getpid()}"
    with polyvec.connect(source) as one, polyvec.connect(target) as other:
        one.collection(name).describe()
        other.ping()  # the clients are loaded now
        before, began = resident_mb(), time.monotonic()
        with Memory() as memory:
            migrate(one, other, name, to=to, fidelity="none", verify="none", journal=journal)
        return time.monotonic() - began, before, max(mb for _, mb in memory.samples)


def write_apart(place: Path, name: str, records: int) -> None:
    """Write a snapshot in a process of its own, whose memory is not ours."""
    program = f"""
import numpy as np, polyvec
rng = np.random.default_rng(1)
with polyvec.connect("parquet://{place}") as store:
    docs = store.create_collection("{name}", dimension={SMALL})
    for first in range(0, {records}, 20_000):
        ids = [f"doc-{{at:08d}}" for at in range(first, min(first + 20_000, {records}))]
        docs.upsert(ids=ids, vectors=rng.normal(size=(len(ids), {SMALL})).astype("f4"),
                    metadata=[{{"n": at, "word": f"w{{at % 7}}"}} for at in range(len(ids))],
                    texts=[f"the text of {{one}}" for one in ids])
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def write_page(result: str, start: str, end: str) -> None:
    """Renew the part of the page between two marks."""
    before, rest = PAGE.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    PAGE.write_text(f"{before}{start}\n{result}\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Measure, print, and with `--write` renew the page and the plot."""
    parser = argparse.ArgumentParser(description="speed of a migration, as ratios")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", default=",".join(PAIRS))
    parser.add_argument("--memory-records", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if chosen.memory_records:
            result = memory_alone(chosen.memory_records, Path(name))
            sys.stdout.write(f"{result}\n")
            if chosen.write:
                write_page(result, MEMORY_START, MEMORY_END)
            return
        outcomes = rates(str(chosen.pairs).split(","), chosen.records, chosen.rounds, Path(name))
    result = table(outcomes)
    sys.stdout.write(f"{result}\n")
    if chosen.write:
        PLOT.write_text(plot(outcomes), encoding="utf-8")
        write_page(f"{result}\n\n![memory over time]({PLOT.name})", START, END)


if __name__ == "__main__":
    main()
