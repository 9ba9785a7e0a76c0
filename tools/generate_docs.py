"""Write the generated parts of the documentation; with `--check`, only compare.

    README.md            the support table: capabilities, and the last conformance results
    docs/adapters/*.md   the table of what the adapter declares

The parts stand between `<!-- NAME:start -->` and `<!-- NAME:end -->`. `--run [BACKEND ...]` first
runs the conformance suite, on the servers that the tests use, and keeps the counts in
docs/results/.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from rich.console import Console

from polyvec import connect
from polyvec.capabilities import Capabilities, Feature, Limits
from polyvec.registry import AdapterPlugin, installed
from polyvec.testing.report import Outcome
from polyvec.testing.runner import run
from polyvec.types import Metric

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "docs" / "results"
NO_ADAPTER: Final = "being built"


def url_of(backend: str, folder: str) -> str:
    """Return a URL of a backend; connecting does no I/O, so that no server has to be there."""
    urls = {
        "memory": "memory://",
        "parquet": f"parquet://{folder}",
        "chroma": "chroma://localhost",
        "pgvector": "postgresql://localhost/polyvec",
        "pinecone": "pinecone://localhost",
        "qdrant": "qdrant://localhost",
        "milvus": "milvus://localhost",
        "weaviate": "weaviate://localhost",
    }
    return urls[backend]


def capabilities_of(plugin: AdapterPlugin) -> Capabilities | None:
    """Return what an adapter declares, None where there is none yet."""
    if plugin.module is None:
        return None
    with tempfile.TemporaryDirectory() as folder, connect(url_of(plugin.backend, folder)) as store:
        return store.capabilities


def support_table(plugins: list[AdapterPlugin]) -> str:
    """Return the table of the README."""
    rows = [
        "| store | metrics | indexes | consistency | update | aliases | async | conformance |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for plugin in plugins:
        can = capabilities_of(plugin)
        if can is None:
            rows.append(f"| {plugin.backend} | {NO_ADAPTER} | | | | | | |")
            continue
        cells = (
            plugin.backend,
            ", ".join(metric.value for metric in Metric if metric in can.metrics),
            ", ".join(sorted(can.index_kinds)),
            can.consistency.value,
            can.update_atomicity.value.replace("_", " "),
            "yes" if Feature.ALIASES in can.features else "no",
            can.async_kind.value,
            summary(plugin.backend),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def summary(backend: str) -> str:
    """Return what the last conformance run found, in a few words."""
    path = RESULTS / f"{backend}.json"
    if not path.exists():
        return "not run"
    total = json.loads(path.read_text(encoding="utf-8"))["total"]
    words = [f"{total['passed']:,} passed"]
    words += [f"{total[name]} {word}" for name, word in (("gap", "gaps"), ("failed", "failed"))]
    return ", ".join(words)


def capability_table(can: Capabilities) -> str:
    """Return the table of an adapter's page."""
    rows = ["| capability | value |", "|---|---|"]
    rows += [f"| {name} | {value} |" for name, value in capability_rows(can)]
    return "\n".join(rows)


def capability_rows(can: Capabilities) -> Iterator[tuple[str, str]]:
    """Yield each capability and limit as text."""
    for name in (field.name for field in fields(Capabilities)):
        if name == "limits":
            for limit in fields(Limits):
                number = getattr(can.limits, limit.name)
                yield f"limits.{limit.name}", "none" if number is None else f"{number:,}"
        elif name in ("features", "metrics", "index_kinds"):
            yield name, ", ".join(sorted(getattr(can, name))) or "none"
        else:
            yield name, str(getattr(can, name))


def replaced(text: str, name: str, content: str) -> str:
    """Return a page with the part between the markers of that name renewed."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"no markers {start} … {end}")
    return pattern.sub(lambda _: f"{start}\n{content}\n{end}", text)


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page with generated parts, and what it should be."""
    plugins = [p for p in installed() if p.config.__module__.startswith("polyvec")]
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    yield readme, replaced(text, "support-table", support_table(plugins))
    for plugin in plugins:
        page = ROOT / "docs" / "adapters" / f"{plugin.backend}.md"
        can = capabilities_of(plugin)
        if can is not None:
            text = page.read_text(encoding="utf-8")
            yield page, replaced(text, "capabilities", capability_table(can))


def run_suites(backends: list[str]) -> None:
    """Run the suite on each of the backends, or on all of them, and keep the counts."""
    sys.path.insert(0, str(ROOT))
    from tests.services import MODULES, server, started  # noqa: PLC0415 - needs the line above

    RESULTS.mkdir(exist_ok=True)
    for plugin in installed():
        backend = plugin.backend
        if plugin.module is None or (backends and backend not in backends):
            continue
        with tempfile.TemporaryDirectory() as folder:
            url = server(backend).url if backend in MODULES else url_of(backend, folder)
            report = run(url, console=Console())
        total = report.total()
        kept = {
            "backend": report.backend,
            "polyvec": report.polyvec,
            "server": started().get(backend, "none: it runs in the process"),
            "total": {outcome.value: total[outcome] for outcome in Outcome},
            "counts": report.to_json()["counts"],
        }
        text = json.dumps(kept, indent=1, sort_keys=True)
        (RESULTS / f"{backend}.json").write_text(text + "\n", encoding="utf-8")


def main() -> int:
    """Write or compare; return the exit code."""
    parser = argparse.ArgumentParser(description="generated parts of the documentation")
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument(
        "--run", nargs="*", metavar="BACKEND", help="run the conformance suite first; default: all"
    )
    options = parser.parse_args()
    if options.run is not None:
        run_suites(options.run)
    stale = 0
    for page, wanted in pages():
        if page.read_text(encoding="utf-8") == wanted:
            continue
        name = page.relative_to(ROOT)
        if options.check:
            print(f"stale: {name}; run: python tools/generate_docs.py")
            stale += 1
        else:
            page.write_text(wanted, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
