"""`make bench-migrate`: a migration against reading the source and writing the target alone.

    PYTHONPATH=. python tests/benchmarks/bench_migrate.py [--records N] [--pairs a-b,c-d] [--write]

One worker, in turn, several rounds, medians. What is told is the ratio of the rate of a migration
without plan and verification to the slower of the two rates alone, which is the most it can reach
where reading and writing share no resource; then how the rate grows with the workers, and how
much memory the process takes while it copies.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from tests.migrate.there_and_back import opened
from tests.services import MODULES, started

from polyvec import Collection, VectorStore
from polyvec.migrate import migrate

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "benchmarks" / "migrate.md"
PLOT: Final = ROOT / "docs" / "benchmarks" / "migrate-memory.svg"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
RECORDS: Final = 100_000
DIMENSION: Final = 384
BATCH: Final = 4_000
PAIRS: Final = ("pgvector-milvus", "memory-pgvector")
WORKERS: Final = (1, 2, 4)
WHOLE: Final = ("metadata", "text", "vector")


@dataclass
class Outcome:
    """Rates of one pair, records per second."""

    pair: str
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
    pair: str, source: VectorStore, target: VectorStore, records: int, rounds: int, folder: Path
) -> Outcome:
    """Measure one pair, the three in turn."""
    name = "bench_migrate"
    source.drop_collection(name, missing_ok=True)
    docs = source.create_collection(name, dimension=DIMENSION)
    fill(docs, records)
    outcome = Outcome(pair, [], [], [], {}, [])

    def read() -> int:
        return sum(len(batch) for batch in docs.scan(batch_size=BATCH, include=WHOLE))

    def fresh() -> Collection[Any]:
        target.drop_collection("bench_target", missing_ok=True)
        return target.create_collection("bench_target", dimension=DIMENSION)

    def move(workers: int, journal: Path) -> None:
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

    for at in range(rounds):
        outcome.read.append(rate(records, read))
        kept = list(docs.scan(batch_size=BATCH, include=WHOLE))
        goal = fresh()

        def write(goal: Collection[Any] = goal, kept: list[Any] = kept) -> None:
            for batch in kept:
                goal.upsert(batch)

        outcome.write.append(rate(records, write))
        del kept, write
        target.drop_collection("bench_target")
        with Memory() as memory:
            journal = folder / f"{pair}-{at}"
            outcome.moved.append(rate(records, lambda j=journal: move(1, j)))  # type: ignore[misc]  # bound now
        outcome.memory = memory.samples
    outcome.by_workers[1] = statistics.median(outcome.moved)
    for workers in WORKERS[1:]:
        target.drop_collection("bench_target")
        journal = folder / f"{pair}-w{workers}"
        outcome.by_workers[workers] = rate(records, lambda w=workers, j=journal: move(w, j))  # type: ignore[misc]  # bound now
    target.drop_collection("bench_target")
    source.drop_collection(name)
    return outcome


def table(outcomes: list[Outcome], records: int) -> str:
    """Return the result as a Markdown table."""
    lines = [
        f"{records:,} records of {DIMENSION} dimensions with a text and three fields; Python "
        f"{platform.python_version()}, {os.cpu_count()} cores; "
        + "; ".join(f"{name}: {what}" for name, what in sorted(started().items())),
        "",
        "| pair | read alone /s | write alone /s | migration, 1 worker /s | ratio to the slower | "
        + " | ".join(f"{n} workers" for n in WORKERS[1:])
        + " | memory, first to highest MB |",
        "|---|---|---|---|---|" + "---|" * len(WORKERS),
    ]
    for one in outcomes:
        memory = [mb for _, mb in one.memory] or [0.0]
        cells = [
            one.pair.replace("-", " → "),
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


def main() -> None:
    """Measure, print, and with `--write` renew the page and the plot."""
    parser = argparse.ArgumentParser(description="speed of a migration, as ratios")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", default=",".join(PAIRS))
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    known = {"memory", "parquet", *MODULES}
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for pair in str(chosen.pairs).split(","):
            one, other = pair.split("-")
            if not {one, other} <= known:
                sys.stderr.write(f"{pair}: no such server here\n")
                continue
            with opened(one, folder / "a") as source, opened(other, folder / "b") as target:
                done = measure(pair, source, target, chosen.records, chosen.rounds, folder)
            outcomes.append(done)
            sys.stdout.write(f"{pair}: ratio {done.ratio:.2f}\n")
            sys.stdout.flush()
    result = table(outcomes, chosen.records)
    sys.stdout.write(f"{result}\n")
    if chosen.write:
        PLOT.write_text(plot(outcomes), encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
        before, rest = text.split(START)
        after = rest.split(END)[1]
        image = f"![memory over time]({PLOT.name})"
        shown = f"{before}{START}\n{result}\n\n{image}\n{END}{after}"
        PAGE.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
