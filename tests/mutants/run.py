"""The mutation score of the conformance suite: `make mutants`.

Each fault is injected into a process of its own, where the suite runs against
the memory store until its first failure. A fault that no test notices survives.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from tests.mutants.all_faults import FAULTS
from tests.mutants.one import ROOT, Verdict, judge
from tests.mutants.witness import transcript

SURVEY_ROW: Final = re.compile(r"^(?:\d\.\d+|\d:|#\d+|[,:\s]|\d\b)+(?=\S)")
"""Numbers of our own survey before a peer's name: of no use to a reader of the page."""
PAGE: Final = ROOT / "docs" / "conformance-mutants.md"
FLOOR: Final = 0.95
LEAST: Final = 60


def table(verdicts: list[Verdict]) -> Table:
    """Return the verdicts, survivors first."""
    shown = Table(title="seeded faults", title_justify="left")
    for name in ("fault", "seen at", "killed by", "s"):
        shown.add_column(name, overflow="fold")
    for verdict in sorted(verdicts, key=lambda verdict: verdict.killer is not None):
        killer = escape(verdict.killer or "") or f"[bold red]{verdict.broken or 'survived'}"
        peer = FAULTS[verdict.name].peer
        shown.add_row(verdict.name, peer, killer, f"{verdict.seconds:.1f}")
    return shown


def page(verdicts: list[Verdict]) -> str:
    """Return the published page."""
    killed = sum(verdict.killer is not None for verdict in verdicts)
    lines = [
        "# Seeded faults",
        "",
        "Written by `make mutants`. Each fault is a class of bug that was seen in a published",
        "library or is a near neighbour of one; it is injected alone into a memory store, and the",
        "suite runs until its first failure.",
        "",
        f"**{killed} of {len(verdicts)} killed ({killed / len(verdicts):.1%}).**",
        "",
        "| Fault | Seen at | Where | Killed by |",
        "|---|---|---|---|",
    ]
    for verdict in sorted(verdicts, key=lambda verdict: verdict.name):
        fault = FAULTS[verdict.name]
        killer = f"`{verdict.killer}`" if verdict.killer else "**survived**"
        seen = SURVEY_ROW.sub("", fault.peer)
        cells = (f"`{verdict.name}`", seen, fault.where, killer)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def judged(names: list[str], jobs: int, console: Console) -> list[Verdict]:
    """Judge faults, each in a fresh process that starts with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.mutants.one", "polyvec.testing.suite"])
    clean = transcript()
    verdicts: list[Verdict] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as pool,
        Progress(console=console, transient=True) as bar,
    ):
        task = bar.add_task("faults", total=len(names))
        for done in as_completed(pool.submit(judge, name, clean, folder) for name in names):
            verdict = done.result()
            verdicts.append(verdict)
            bar.advance(task)
            if len(verdicts) % 20 == 0 and not console.is_terminal:
                console.print(f"{len(verdicts)} of {len(names)}")
            if verdict.killer is None or verdict.unsound:
                told = verdict.unsound or verdict.broken or "survived"
                bar.console.print(f"{verdict.name}: {told}", highlight=False, markup=False)
    return verdicts


def main() -> int:
    """Judge every fault, or those named; return 1 below the floor."""
    parser = argparse.ArgumentParser(description="Measure the conformance suite by seeded faults.")
    parser.add_argument("names", nargs="*", help="faults; default: all")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    console = Console()
    verdicts = judged(options.names or list(FAULTS), options.jobs, console)
    console.print(table(verdicts))
    killed = sum(verdict.killer is not None for verdict in verdicts)
    console.print(f"killed {killed} of {len(verdicts)} ({killed / len(verdicts):.1%})")
    if options.names:
        return int(killed < len(verdicts))
    PAGE.write_text(page(verdicts), encoding="utf-8")
    enough = len(verdicts) >= LEAST and killed >= FLOOR * len(verdicts)
    return int(not enough or any(verdict.unsound for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
