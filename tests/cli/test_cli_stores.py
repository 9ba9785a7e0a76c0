"""ping, ls, describe, capabilities, and what every command has in common."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import polyvec

Run = Callable[..., Any]


def polyvec_command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    code = "from polyvec.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


def test_ping(run: Run) -> None:
    done = run("ping", "memory://")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("memory: ok, ")
    document = run("ping", "memory://", "--json").json()
    assert (document["store"], document["ok"]) == ("memory", True)
    assert document["seconds"] >= 0


def test_ls(run: Run, url: str) -> None:
    assert run("ls", url, "--json").json() == {
        "collections": [
            {
                "name": "docs",
                "dimension": 2,
                "metric": "dot",
                "records": 5,
                "namespaces": 2,
                "layout": "polyvec",
            },
            {
                "name": "empty",
                "dimension": 3,
                "metric": "cosine",
                "records": 0,
                "namespaces": 0,
                "layout": "polyvec",
            },
        ],
        "aliases": {},
    }
    out = run("ls", url).out
    assert "docs" in out
    assert "empty" in out


def test_ls_shows_aliases(run: Run, tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/m"
    with polyvec.connect(url) as store:
        store.create_collection("docs", dimension=2)
        store.set_alias("live", "docs")
    assert run("ls", url, "--json").json()["aliases"] == {"live": "docs"}
    assert "live" in run("ls", url).out


def test_ls_shows_the_others_when_one_collection_is_damaged(
    run: Run, url: str, tmp_path: Path
) -> None:
    (tmp_path / "store" / "empty" / "manifest.json").write_text("{")
    done = run("ls", url, "--json")
    assert done.code == 0
    found = {row["name"]: row for row in done.json()["collections"]}
    assert found["docs"]["records"] == 5
    assert "damaged" in found["empty"]["error"]
    assert "damaged" in run("ls", url).out


def test_describe(run: Run, url: str) -> None:
    document = run("describe", url, "docs", "--json").json()
    assert document["count"] == 5
    assert document["namespaces"] == {"": 3, "n": 2}
    assert document["index"] == {"kind": "flat"}
    out = run("describe", url, "docs").out
    assert "kind=flat" in out
    assert "'n'" in out


def test_capabilities(run: Run, url: str) -> None:
    document = run("capabilities", url, "--json").json()
    assert document["store"] == "parquet"
    assert document["limits"]["id_bytes"] is None
    assert "exact_search" in document["features"]
    assert "no limit" in run("capabilities", url).out


def test_offline_capabilities_touch_nothing(run: Run, tmp_path: Path) -> None:
    url = f"parquet://{tmp_path}/new"
    assert run("capabilities", url, "--offline").code == 0
    assert not (tmp_path / "new").exists()


def test_a_profile_is_a_store(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "polyvec.toml").write_text(f"[stores.mine]\nurl = {json.dumps(url)}\n")
    monkeypatch.chdir(tmp_path)
    assert run("count", "mine", "docs", "--json").json() == {"count": 3}


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ((), 2, "Missing command"),
        (("nope",), 2, "nope"),
        (("ping",), 2, "STORE"),
        (("ping", "memory://", "--nope"), 2, "--nope"),
        (("ping", "memory://?nope=1"), 2, "nope"),
        (("ping", "no_such_profile"), 2, "no_such_profile"),
        (("ping", "nope://x"), 2, "nope"),
        (("describe", "memory://", "nope"), 2, "no collection"),
        (("import", "/no/such/dir", "memory://"), 2, "does not exist"),
        (("export", "memory://", "never-made"), 2, "no collections"),
    ],
)
def test_usage_errors_are_one_line(
    run: Run, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    done = run(*arguments)
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("polyvec: error: ")
    assert done.err.count("\n") == 1
    assert expected in done.err


def test_a_store_in_use_is_unreachable(run: Run, url: str) -> None:
    with polyvec.connect(url) as store:
        store.ping()
        done = run("ls", f"{url}?max_attempts=1")
    assert (done.code, done.out) == (3, "")
    assert "in use by another store of this process" in done.err


def test_damage_is_a_failed_check(run: Run, url: str, tmp_path: Path) -> None:
    part = next((tmp_path / "store" / "docs").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    done = run("query", url, "docs", "--vector", "[1, 2]")
    assert done.code == 1
    assert part.name in done.err


def test_secrets_are_not_shown(run: Run) -> None:
    for bad in ("qdrant://h:1?api_key=s3cret&nope=1", "postgresql://u:s3cret@h:bad/db"):
        done = run("ping", bad)
        assert done.code == 2
        assert "s3cret" not in done.out + done.err


def test_as_a_process(url: str) -> None:
    done = polyvec_command("ls", url, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["collections"]) == 2
    version = polyvec_command("--version")
    assert (version.returncode, version.stdout) == (0, f"polyvec {polyvec.__version__}\n")
    usage = polyvec_command("query", url, "docs")
    assert (usage.returncode, usage.stdout) == (2, "")
    assert usage.stderr.count("\n") == 1
    assert "Traceback" not in usage.stderr
    with polyvec.connect(url) as store:
        store.ping()
        assert polyvec_command("ping", f"{url}?max_attempts=1").returncode == 3


def test_a_reader_that_leaves_early_causes_no_traceback(url: str) -> None:
    code = "from polyvec.cli import main; main()"
    command = [sys.executable, "-c", code, "describe", url, "docs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert b"Traceback" not in child.stderr.read()


def test_without_typer_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom polyvec.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == (
        "polyvec: error: the command line needs typer, which is not installed; "
        "run: pip install 'polyvec[cli]'\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "ping",
        "ls",
        "describe",
        "capabilities",
        "count",
        "query",
        "export",
        "import",
        "conformance",
    ],
)
def test_every_command_has_help(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert command in done.out
    assert command in run("--help").out
