"""`make bench-hnsw`: the graph index against the best of its kind.

    PYTHONPATH=. python tests/benchmarks/bench_hnsw.py [--data FILE] [--quick] [--only STAGE,...]
                                                       [--peers NAME,...] [--write]

One thread, CPU time, interleaved passes, medians. Results are kept in `reports/bench-hnsw`; a
stage that has a result is left out the next time unless `--only` names it, so that a run can be
made in parts. `--write` renews docs/benchmarks/hnsw.md from what is there, and its plots.
"""

from __future__ import annotations

import os

# Before numpy, faiss and the others are loaded: all figures are of one thread.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import hnsw_plots
import hnsw_report
from hnsw_bench import QUICK, Bench, Sizes
from hnsw_churn import churn
from hnsw_filter import filtered
from hnsw_rebuild import rebuild
from hnsw_stages import build, latency, search, tune, wide

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "benchmarks" / "hnsw.md"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"

STAGES: Final[dict[str, Callable[[Bench], None]]] = {
    "tune": tune,
    "search": search,
    "latency": latency,
    "wide": wide,
    "build": build,
    "filter": filtered,
    "churn": churn,
    "rebuild": rebuild,
}


def run(bench: Bench, chosen: list[str] | None) -> None:
    """Measure what was chosen, or what has no result yet."""
    for name, stage in STAGES.items():
        done = name in bench.work.get("stages", {})
        if done if chosen is None else name not in chosen:
            bench.say(f"{name}: kept" if done else f"{name}: left out")
            continue
        bench.peers()
        began, load = time.perf_counter(), os.getloadavg()[0]
        bench.say(f"{name}: begins, load {load:.1f}")
        stage(bench)
        took = time.perf_counter() - began
        said = {"seconds": took, "load_before": load, "load_after": os.getloadavg()[0]}
        bench.work.setdefault("stages", {})[name] = said
        bench.keep()
        bench.say(f"{name}: {took:.0f} s")


def write(text: str, work: dict[str, object]) -> None:
    """Put the result between the markers of the page, and the plots beside it."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    after = rest.split(END)[1]
    hnsw_plots.draw(work, PAGE.parent)
    PAGE.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, print the report, and with `--write` renew the page."""
    parser = argparse.ArgumentParser(description="the graph index against its peers")
    parser.add_argument("--data", type=Path, help="Parquet with a column vector_int8")
    parser.add_argument("--quick", action="store_true", help="small sets, under two minutes")
    parser.add_argument("--only", help=f"stages to measure anew: {','.join(STAGES)}, or none")
    parser.add_argument("--peers", help="names of peers, beside polyvec; default: all")
    parser.add_argument("--write", action="store_true", help=f"renew docs/benchmarks/{PAGE.name}")
    asked = parser.parse_args()
    stages = asked.only.split(",") if asked.only else None
    if stages and (unknown := set(stages) - {*STAGES, "none"}):
        parser.error(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    folder = ROOT / "reports" / ("bench-hnsw-quick" if asked.quick else "bench-hnsw")
    chosen = set(asked.peers.split(",")) if asked.peers else None
    bench = Bench(folder, asked.data, QUICK if asked.quick else Sizes(), chosen)
    run(bench, stages)
    given = [f"DATA={asked.data.name}"] if asked.data else []
    text = hnsw_report.page(bench.work, " ".join(["make bench-hnsw", *given]))
    sys.stdout.write(f"{text}\n")
    if asked.write:
        write(text, bench.work)


if __name__ == "__main__":
    main()
