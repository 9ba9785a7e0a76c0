"""`make bench`: ratios against the shortest code that does the same, in one process, medians.

    python tests/benchmarks/run.py [--data PATH]

`--data` names a Parquet file of real embeddings, see `bench_memory.py`; without it random records
of the same shape are made.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import bench_core
import bench_memory
import numpy as np
from rich.console import Console
from rich.table import Table

import polyvec


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description="speed of polyvec, as ratios")
    parser.add_argument("--data", type=Path, help="Parquet file; random records without it")
    chosen: Path | None = parser.parse_args().data
    data = bench_memory.synthetic() if chosen is None else bench_memory.load(chosen)
    versions = f"polyvec {polyvec.__version__}, numpy {np.__version__}"
    machine = f"python {platform.python_version()}, {platform.machine()}"
    origin = "random records" if chosen is None else chosen.name
    table = Table(title=f"{versions}, {machine}; {len(data.ids):,} {origin}", title_justify="left")
    table.add_column("what")
    for name in ("median", "ratio", "mark"):
        table.add_column(name, justify="right")
    for row in [*bench_core.run(data), *bench_memory.run(data)]:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
        table.add_row(row.what, f"{row.ours:,.3f} {row.unit}", ratio, row.mark)
    Console(width=120).print(table, markup=False)


if __name__ == "__main__":
    main()
