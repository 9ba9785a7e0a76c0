"""The command: what it prints, writes and returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Outcome, run
from tests.migrate.records import DIMENSION, adversarial, assert_equal

import polyvec
from polyvec.migrate import DualWriteStore

Run = Callable[..., Outcome]
SAMPLE = adversarial(200)

__all__ = ["run"]


@pytest.fixture
def ends(tmp_path: Path) -> tuple[str, str]:
    """Two stores in folders, the first one filled."""
    urls = f"parquet://{tmp_path}/a", f"memory://{tmp_path}/b"
    with polyvec.connect(urls[0]) as store:
        SAMPLE.load(store, "docs")
    return urls


def test_a_migration(run: Run, ends: tuple[str, str]) -> None:
    done = run("migrate", *ends, "--collection", "docs")
    assert done.code == 0, done.err
    assert "equal" in done.out
    assert "full: 200 records compared; 0 missing, 0 extra, 0 differing" in done.out
    assert done.err == ""
    with polyvec.connect(ends[1]) as store:
        assert_equal(SAMPLE, store.collection("docs"), 0.0)


def test_json_and_log(run: Run, ends: tuple[str, str]) -> None:
    done = run("migrate", *ends, "-c", "docs", "--to", "b", "--json", "--log", "json")
    report = done.json()
    assert (report["ok"], report["count"], report["to"]) == (True, 200, "b")
    events = [json.loads(line) for line in done.err.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "start"
    assert names[-1] == "done"
    assert {"range", "verified"} <= set(names)


def test_what_is_logged_meanwhile_is_an_event(
    run: Run, ends: tuple[str, str], tmp_path: Path
) -> None:
    """The target's process was killed in the middle of a write; that is told when it opens."""
    place = tmp_path / "killed"
    with polyvec.connect(f"memory://{place}") as store:
        store.create_collection("docs", dimension=DIMENSION)
    (log,) = place.glob("log-*")
    with log.open("ab") as file:
        file.write(b"\x00" * 3)
    done = run("migrate", ends[0], f"memory://{place}", "-c", "docs", "--to", "b", "--log", "json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.err.splitlines()]
    (told,) = [event for event in events if event["event"] == "log"]
    assert (told["level"], told["logger"].partition(".")[0]) == ("warning", "polyvec")
    assert "cut off 3 bytes" in told["message"]


def test_a_plan_is_written_and_run(run: Run, ends: tuple[str, str]) -> None:
    planned = run("migrate", *ends, "-c", "docs", "--plan", "plan.json", "--drop", "half")
    assert planned.code == 0, planned.err
    assert "will be created" in planned.out
    assert "every record was read; 0 cannot be stored in the target" in planned.out
    assert "rights on the source" in planned.out
    assert "write records" in planned.out
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert plan["estimate"]["records"] == 200
    assert plan["estimate"]["bytes"] > 200 * 4 * DIMENSION
    assert plan["estimate"]["read_s"] > 0
    assert plan["rights"].keys() == {"source", "target"}
    with polyvec.connect(ends[1]) as store:
        assert store.list_collections() == []
    assert run("migrate", *ends, "--from-plan", "plan.json").code == 0
    with polyvec.connect(ends[1]) as store:
        assert_equal(SAMPLE, store.collection("docs"), 0.0, drop="half")


def test_verify_only(run: Run, ends: tuple[str, str]) -> None:
    assert run("migrate", *ends, "-c", "docs", "--verify", "none").code == 0
    assert run("migrate", *ends, "-c", "docs", "--verify-only").code == 0
    with polyvec.connect(ends[1]) as store:
        store.collection("docs").delete([SAMPLE.spaces[""][0].id])
    done = run("migrate", *ends, "-c", "docs", "--verify-only")
    assert done.code == 1
    assert "DIFFERS" in done.out
    assert "is missing in the target" in done.out
    found = run("migrate", *ends, "-c", "docs", "--verify-only", "--json")
    assert (found.code, found.json()["counts"]["missing"]) == (1, 1)


def test_what_the_target_cannot_hold(run: Run, ends: tuple[str, str]) -> None:
    target = f"{ends[1]}?max_metadata_bytes=100"
    planned = run("migrate", ends[0], target, "-c", "docs", "--plan", "plan.json")
    assert planned.code == 1
    assert "metadata has N bytes of JSON" in planned.out
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    refused = sum(finding["count"] for finding in plan["fidelity"]["refused"])
    done = run("migrate", ends[0], target, "-c", "docs")
    assert done.code == 1
    assert "may be left out" in done.err
    assert not any(Path("polyvec-migrations").glob("*")), "nothing was begun"
    done = run("migrate", ends[0], target, "-c", "docs", "--max-errors", refused)
    assert done.code == 1, "records were left out"
    assert "left out: " in done.out
    with polyvec.connect(ends[1]) as store:
        held = sum(store.collection("docs").namespaces().values())
    assert 0 < held == 200 - refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--collection is missing"),
        (["-c", "docs", "--rename", "a"], "expected OLD=NEW"),
        (["-c", "docs", "--rename", "a=b", "--rename", "a=c"], "names 'a' twice"),
        (["-c", "docs", "--where", "[1]"], "expected a JSON object"),
        (["-c", "docs", "--log", "xml"], "expected json"),
        (["-c", "docs", "--plan", "p", "--resume"], "exclude another"),
        (["-c", "docs", "--verify", "all"], "expected one of"),
        (["-c", "docs", "--engine", "spark"], "expected one of ('local', 'ray')"),
        (["-c", "docs", "--reembed", "nope"], "expected 'package.module:function'"),
        (["-c", "nope"], "no collection 'nope'"),
    ],
)
def test_wrong_usage(run: Run, ends: tuple[str, str], arguments: list[str], message: str) -> None:
    done = run("migrate", *ends, *arguments)
    assert done.code == 2
    assert message in done.err


def test_resume_says_what_is_wrong(run: Run, ends: tuple[str, str]) -> None:
    done = run("migrate", *ends, "-c", "docs", "--resume")
    assert done.code == 1
    assert "holds no journal of a migration; start one without resume" in done.err


def test_writers_that_are_active(run: Run, ends: tuple[str, str], tmp_path: Path) -> None:
    log = tmp_path / "touched.sqlite"
    with DualWriteStore(ends[0], "memory://", log=log, collections=["docs"]) as dual:
        dual.collection("docs").update([SAMPLE.spaces[""][0].id], set={"late": True})
    done = run("migrate", *ends, "-c", "docs", "--touched-log", log, "--log", "json", "--json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.err.splitlines()]
    assert [event["events"] for event in events if event["event"] == "caught_up"] == [1]


def test_namespaces_and_filter(run: Run, ends: tuple[str, str]) -> None:
    options: list[Any] = ["--where", '{"n": {"$lt": 100}}', "--namespace-map", "=main"]
    done = run("migrate", *ends, "-c", "docs", *options, "--json")
    assert done.code == 0, done.err
    assert done.json()["copied"].keys() == {"main", "n/1 ü'", 'tenant_"; --'}
    assert done.json()["count"] == 100
