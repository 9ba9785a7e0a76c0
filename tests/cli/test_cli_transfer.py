"""export, import, demo, conformance."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import polyvec
from polyvec.cli import demo_steps
from polyvec.cli.progress import bars
from polyvec.migrate import copy
from polyvec.migrate.content import Difference

Run = Callable[..., Any]


def test_export_and_import_give_the_same_store(run: Run, url: str, tmp_path: Path) -> None:
    snapshot, back = tmp_path / "snap", f"memory://{tmp_path}/back"
    done = run("export", url, snapshot, "--json")
    assert (done.code, done.err) == (0, "")
    [docs, empty] = done.json()["collections"]
    assert docs == {
        "collection": "docs",
        "to": "docs",
        "count": 5,
        "namespaces": {"": 3, "n": 2},
        "without_vector": 0,
        "verified": True,
        "differences": [],
    }
    assert empty["count"] == 0
    assert run("import", snapshot, back).code == 0
    for command in ("ls", "describe"):
        arguments = () if command == "ls" else ("docs",)
        here, there = (run(command, u, *arguments, "--json").json() for u in (url, back))
        for document in (here, there):
            document.pop("details", None)
        assert here == there
    queries = [run("query", u, "docs", "--vector", "[1, 2]", "--json").json() for u in (url, back)]
    assert queries[0] == queries[1]


def test_a_collection_under_another_name_and_filtered(run: Run, url: str, tmp_path: Path) -> None:
    snapshot = tmp_path / "snap"
    chosen = ("--collection", "docs", "--to", "cheap", "--filter", '{"price": {"$lt": 2}}')
    done = run("export", url, snapshot, *chosen)
    assert done.code == 0
    assert "equal" in done.out
    assert run("count", f"parquet://{snapshot}", "cheap", "-A", "--json").json() == {"count": 1}


def test_records_in_the_way_are_refused_unless_merged(run: Run, url: str, tmp_path: Path) -> None:
    arguments = ("export", url, tmp_path / "snap", "-c", "docs")
    assert run(*arguments).code == 0
    again = run(*arguments)
    assert (again.code, again.out) == (2, "")
    assert "holds 5 records" in again.err
    assert run(*arguments, "--merge", "--no-verify").code == 0
    assert run("count", f"parquet://{tmp_path}/snap", "docs", "-A").out == "5\n"


def test_to_names_one_collection(run: Run, url: str, tmp_path: Path) -> None:
    done = run("export", url, tmp_path / "snap", "--to", "x")
    assert done.code == 2
    assert "--to" in done.err


def test_a_difference_fails_the_export(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse(namespace: str, *_: object) -> list[Difference]:
        return [Difference(namespace, "a", "differs in vector")]

    monkeypatch.setattr(copy, "differences", worse)
    done = run("export", url, tmp_path / "snap", "-c", "docs", "--json")
    assert done.code == 1
    found = done.json()["collections"][0]["differences"]
    assert found[0] == {"namespace": "", "id": "a", "what": "differs in vector"}
    shown = run("export", url, tmp_path / "snap2", "-c", "docs")
    assert (shown.code, "DIFFERS" in shown.out) == (1, True)


def steps_of(text: str) -> str:
    """Return the output of the demo without what may differ between runs and stores."""
    text = re.sub(r"done in [0-9.]+ s", "", text)
    return re.sub(r"[0-9.]+ MB", "MB", text)


def test_the_demo_shows_every_step_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/m"
    done = run("demo", url)
    assert (done.code, done.err) == (0, "")
    for number in range(1, 11):
        assert f"\n{number}. " in done.out
    assert "ice skating: skating on ice" in done.out
    assert "roller-skater: someone who engages in roller skating" in done.out
    assert re.search(r"import\s+│\s+1,862 │\s+yes", done.out)
    assert re.search(r"50 hits of a query │\s+50 │\s+yes", done.out)
    assert run("ls", url, "--json").json()["collections"] == []


def test_the_demo_is_the_same_on_another_store(run: Run, tmp_path: Path) -> None:
    memory = steps_of(run("demo").out)
    parquet = steps_of(run("demo", f"parquet://{tmp_path}/p").out)
    # The first table names the store.
    assert memory.partition("2. ")[2] == parquet.partition("2. ")[2] != ""


def test_the_demo_can_keep_its_collections(run: Run, tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/m"
    for expected in (2, 4):
        assert run("demo", url, "--keep").code == 0
        names = [row["name"] for row in run("ls", url, "--json").json()["collections"]]
        assert len(names) == expected
        assert all(name.startswith("polyvec_demo") for name in names)


def test_a_demo_that_fails_cleans_up(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise polyvec.RejectedError("no")

    monkeypatch.setattr(demo_steps.Demo, "_scan", broken)
    url = f"memory://{tmp_path}/m"
    done = run("demo", url)
    assert (done.code, done.err) == (1, "polyvec: error: no\n")
    assert run("ls", url, "--json").json()["collections"] == []


def test_a_demo_whose_name_somebody_takes_meanwhile_has_another(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = polyvec.VectorStore.list_collections
    somebody = ["polyvec_demo_1"]

    def late(store: polyvec.VectorStore) -> list[str]:
        names = listed(store)
        if somebody:
            store.create_collection(somebody.pop(), dimension=2)
        return names

    monkeypatch.setattr(polyvec.VectorStore, "list_collections", late)
    url = f"memory://{tmp_path}/m"
    done = run("demo", url)
    assert (done.code, done.err) == (0, "")
    assert "polyvec_demo_2" in done.out
    names = [row["name"] for row in run("ls", url, "--json").json()["collections"]]
    assert names == ["polyvec_demo_1"]


def test_conformance_from_the_command_line(tmp_path: Path) -> None:
    junit, report = tmp_path / "junit.xml", tmp_path / "report.json"
    code = "from polyvec.cli import main; main()"
    options = ["--tier", "core", "--select", "test_dimension_beyond_the_limit or test_clear"]
    options += ["--junit", str(junit), "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-c", code, "conformance", "memory://", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "passed" in done.stdout
    assert "[bold" not in done.stdout
    assert ET.parse(junit).getroot().tag == "testsuites"  # noqa: S314 - our own file
    assert json.loads(report.read_text())["backend"] == "memory"


def test_conformance_refuses_an_unknown_tier(run: Run) -> None:
    done = run("conformance", "memory://", "--tier", "nope")
    assert (done.code, done.out) == (2, "")
    assert "nope" in done.err


def test_progress_shows_rate_and_time_left_on_a_terminal_only() -> None:
    shown: list[str] = []
    for terminal in (True, False):
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=100)
        with bars(console) as show:
            show("copy docs", 50, 100)
            show("copy docs", 100, 100)
        shown.append(file.getvalue())
    on_terminal, elsewhere = shown
    assert "copy docs" in on_terminal
    assert "100/100" in on_terminal
    assert re.search(r"[0-9,]+/s", on_terminal)
    assert re.search(r"[0-9]+:[0-9]{2}", on_terminal)
    assert elsewhere == ""
