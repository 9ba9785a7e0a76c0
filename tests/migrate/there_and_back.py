"""Every store to every other and back: `make test-migrate-matrix`, and the part of it in CI.

A backend joins by its line in `tests.services.MODULES`; the memory store and snapshots need no
server. Run as a program, it moves 2,000 records along every ordered pair and writes the table
into docs/reference/migration.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.migrate.records import Sample, adversarial, assert_equal
from tests.services import MODULES, server

import polyvec
from polyvec import Collection, Consistency, VectorStore
from polyvec.migrate import migrate

BACKENDS: Final = ("memory", "parquet", *sorted(MODULES))
RECORDS: Final = 2_000
PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "migration.md"
START, END = "<!-- matrix:start -->", "<!-- matrix:end -->"


def ring() -> list[tuple[str, str]]:
    """Return pairs in which every backend is once the first and once the second."""
    return [(one, BACKENDS[(at + 1) % len(BACKENDS)]) for at, one in enumerate(BACKENDS)]


def every_pair() -> list[tuple[str, str]]:
    """Return all ordered pairs."""
    return [(one, other) for one in BACKENDS for other in BACKENDS if one != other]


@contextmanager
def opened(backend: str, folder: Path) -> Generator[VectorStore]:
    """Give a store of a backend; skips where it has no server."""
    url = {"memory": "memory://", "parquet": f"parquet://{folder}/snapshot"}.get(backend)
    with polyvec.connect(server(backend).url if url is None else url) as store:
        yield store


def wait(collection: Collection[Any], sample: Sample) -> None:
    """Wait until a store that shows writes later shows these."""
    for space, records in sample.spaces.items():
        collection.namespace(space).wait_until_visible([record.id for record in records])


def there_and_back(one: VectorStore, other: VectorStore, sample: Sample, folder: Path) -> float:
    """Move records to another store and back; return the seconds of both migrations.

    Both are verified record by record, and what comes back is compared with what was written
    at the start, which did not pass through any of our reads.
    """
    first, second, third = (f"mx_{uuid4().hex[:10]}" for _ in range(3))
    tolerance = max(one.capabilities.vector_tolerance, other.capabilities.vector_tolerance)
    try:
        origin = sample.load(one, first)
        if one.capabilities.consistency is Consistency.EVENTUAL:
            wait(origin, sample)
        began = time.monotonic()
        there = migrate(one, other, first, to=second, journal=folder / second, queries=0)
        back = migrate(other, one, second, to=third, journal=folder / third, queries=0)
        elapsed_s = time.monotonic() - began
        assert there.ok, there.verification
        assert back.ok, back.verification
        assert there.count == back.count == sample.count
        assert_equal(sample, one.collection(third), tolerance)
    finally:
        for store, name in ((one, first), (other, second), (one, third)):
            store.drop_collection(name, missing_ok=True)
    return elapsed_s


def main() -> int:
    """Run the matrix, or the rows of some sources; return 1 when a pair fails."""
    parser = argparse.ArgumentParser(description="move records along every pair and back")
    parser.add_argument("--sources", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--write", action="store_true", help="renew these rows of the page")
    chosen = parser.parse_args()
    sample = adversarial(RECORDS)
    cells: dict[tuple[str, str], str] = {}
    for one, other in every_pair():
        if one not in chosen.sources:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            try:
                with opened(one, folder / "one") as a, opened(other, folder / "other") as b:
                    seconds = there_and_back(a, b, sample, folder)
            except AssertionError as exc:
                sys.stderr.write(f"{one} -> {other} -> {one}: {str(exc)[:500]}\n")
                cells[one, other] = "DIFFERS"
            else:
                cells[one, other] = f"equal, {seconds:.1f} s"
        sys.stdout.write(f"{one} -> {other} -> {one}: {cells[one, other]}\n")
        sys.stdout.flush()
    if chosen.write:
        _write(cells)
    return int("DIFFERS" in cells.values())


def _write(cells: dict[tuple[str, str], str]) -> None:
    """Renew the rows of the sources that ran; the others stay as they are."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    old, after = rest.split(END)
    rows = {line.split("**")[1]: line for line in old.splitlines() if line.startswith("| **")}
    ran = {one for one, _ in cells}
    for one in BACKENDS:
        row = (cells.get((one, other), "" if one == other else "not run") for other in BACKENDS)
        if one in ran or one not in rows:
            rows[one] = f"| **{one}** | {' | '.join(row)} |"
    head = [f"| from | {' | '.join(BACKENDS)} |", "|---" * (len(BACKENDS) + 1) + "|"]
    table = "\n".join([*head, *(rows[one] for one in BACKENDS)])
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
