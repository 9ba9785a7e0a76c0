"""`make bench-adapters`: each verb against the best hand-written use of the vendor's client.

    PYTHONPATH=. python tests/benchmarks/bench_adapters.py [BACKEND ...] [--rounds N] [--write]

Both sides run against one server, in one process, in turn, and move the same bytes in the same
layout with the same replace and isolation. What is told are the medians of all calls of at least
30 rounds, which the design calls p50, and their ratio. A backend adds a module
`adapters_<backend>.py` here with `cases() -> Iterator[Case]`.
`--write` renews the sections of these backends in the page, and leaves the others as they are.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from tests.services import started

PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks" / "adapters.md"
HERE: Final = Path(__file__).parent
PREFIX: Final = "adapters_"
ROUNDS: Final = 30
WARM_UP: Final = 3


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """One verb of one backend.

    Parameters
    ----------
    verb
        What is measured, with the size of it.
    ours, raw
        Do it once, through polyvec and by hand.
    budget
        Largest ratio that the design allows, None where it names none.
    slack_us
        What the design adds to that, in microseconds.
    before
        Brings both sides into the same state before each call; not timed.
    calls
        Calls in one round, for what takes a few milliseconds: the first ones find cold caches.
    rounds
        Rounds where another number is needed; None for as many as were asked for.
    """

    verb: str
    ours: Callable[[], object]
    raw: Callable[[], object]
    budget: float | None = None
    slack_us: float = 0.0
    before: Callable[[], object] = nothing
    calls: int = 1
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What came out; times in milliseconds."""

    backend: str
    verb: str
    ours_ms: float
    raw_ms: float
    ratio: float
    budget: str
    kept: str


def measure(backend: str, case: Case, rounds: int) -> Row:
    """Run both sides in turn, and swap who is first."""
    ours: list[float] = []
    raw: list[float] = []
    rounds, warm_up = (rounds, WARM_UP) if case.rounds is None else (case.rounds, 1)
    for at in range(-warm_up, rounds):
        sides = [(case.ours, ours), (case.raw, raw)]
        for call, times in sides if at % 2 else sides[::-1]:
            took = _timed(call, case)
            if at >= 0:
                times.extend(took)
    mine, theirs = statistics.median(ours), statistics.median(raw)
    ratio = mine / theirs
    if case.budget is None:
        return Row(backend, case.verb, mine, theirs, ratio, "", "")
    allowed = case.budget * theirs + case.slack_us / 1000
    slack = f" + {case.slack_us:.0f} µs" if case.slack_us else ""
    kept = "yes" if mine <= allowed else "no"
    return Row(backend, case.verb, mine, theirs, ratio, f"≤ {case.budget:.2f} x{slack}", kept)


def _timed(call: Callable[[], object], case: Case) -> list[float]:
    """Return the milliseconds of each call of a round."""
    case.before()
    gc.collect()
    gc.disable()
    took: list[float] = []
    for _ in range(case.calls):
        started_at = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - started_at))
    gc.enable()
    return took


def run(backends: Iterable[str], rounds: int) -> list[Row]:
    """Measure every case of the backends."""
    rows: list[Row] = []
    for backend in backends:
        for case in import_module(f"{PREFIX}{backend}").cases():
            rows.append(measure(backend, case, rounds))
            row = rows[-1]
            Console().print(f"{backend} {row.verb}: {row.ratio:.3f} x", markup=False)
    return rows


HEADS: Final = ("backend", "verb", "polyvec, ms", "by hand, ms", "ratio", "budget", "kept")


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as texts."""
    numbers = (f"{row.ours_ms:.3f}", f"{row.raw_ms:.3f}", f"{row.ratio:.3f} x")
    return (row.backend, row.verb, *numbers, row.budget, row.kept)


INTRODUCTION: Final = """\
# Overhead of the adapters

Made by `make bench-adapters`. Each verb against the best hand-written use of the vendor's client
that stores the same bytes in the same layout with the same replace: one server, one process, in
turn; medians of all calls, and their ratio.
"""


def section(backend: str, rows: list[Row], rounds: int) -> str:
    """Return the part of the page about one backend."""
    where = f"{started().get(backend, backend)}; python {platform.python_version()}"
    lines = [
        f"## {backend}",
        "",
        f"{where}, {rounds} rounds.",
        "",
        f"| {' | '.join(HEADS[1:])} |",
        f"|{'|'.join(['---', '--:', '--:', '--:', '---', '---'])}|",
        *(f"| {' | '.join(cells(row)[1:])} |" for row in rows if row.backend == backend),
        "",
    ]
    return "\n".join(lines)


def renewed(text: str, sections: dict[str, str]) -> str:
    """Return the page with these sections in place of the old ones."""
    parts = {part.split("\n", 1)[0]: f"## {part}" for part in text.split("\n## ")[1:]}
    parts.update(sections)
    return "\n".join([INTRODUCTION, *(parts[name].rstrip() + "\n" for name in sorted(parts))])


def main() -> None:
    """Measure, print a table, and with `--write` the page."""
    known = sorted(path.stem.removeprefix(PREFIX) for path in HERE.glob(f"{PREFIX}*.py"))
    parser = argparse.ArgumentParser(description="overhead of the adapters, as ratios")
    parser.add_argument("backends", nargs="*", help=f"of {', '.join(known)}; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    chosen = parser.parse_args()
    backends = chosen.backends or known
    rows = run(backends, chosen.rounds)
    servers = "; ".join(started().values())
    title = f"{servers}; python {platform.python_version()}, {chosen.rounds} rounds"
    table = Table(title=title, title_justify="left")
    for head in HEADS:
        table.add_column(head)
    for row in rows:
        table.add_row(*cells(row))
    Console(width=140).print(table, markup=False)
    if chosen.write:
        PAGE.parent.mkdir(exist_ok=True)
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        new = {backend: section(backend, rows, chosen.rounds) for backend in backends}
        PAGE.write_text(renewed(before, new), encoding="utf-8")


if __name__ == "__main__":
    main()
