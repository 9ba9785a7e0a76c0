"""An adapter in a distribution of its own is found, and keeps the contract."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "third_party"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the distribution into a folder; without a network, and not into the environment."""
    folder = tmp_path_factory.mktemp("third_party")
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    pip += ["--no-deps", "--no-build-isolation", "--target", str(folder), str(SOURCE)]
    done = subprocess.run(
        [sys.executable, *pip], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(target: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_found_by_its_entry_point(target: Path, tmp_path: Path) -> None:
    code = (
        "import polyvec, polyvec_sqlite; from polyvec.registry import known_names;"
        "print('sqlite' in known_names());"
        "print(polyvec_sqlite.__file__);"
        "store = polyvec.connect('sqlite:///:memory:'); store.ping(); store.close()"
    )
    done = run(target, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    known, file = done.stdout.splitlines()
    assert known == "True"
    assert Path(file).is_relative_to(target), "not the source folder"


def test_this_process_does_not_know_it() -> None:
    from polyvec.registry import known_names

    assert "sqlite" not in known_names()


@pytest.mark.timeout(900)  # four runs of the suite: two stores, synchronous and asynchronous
def test_its_own_tests_pass(
    target: Path, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    report = tmp_path / "report.xml"
    tests = str(SOURCE / "tests")
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    # What takes long and is no different for a store of someone else's.
    options += ["-k", "not test_delete_by", "--conformance-stress", "10"]
    done = run(target, "-m", "pytest", *options, tests, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - our own run wrote it
    assert suite is not None
    counts = {
        name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
    }
    record_testsuite_property("third_party", counts)
    assert counts["failures"] == counts["errors"] == 0
    ran = {case.get("classname", "").rpartition(".")[2] for case in suite.iter("testcase")}
    assert {"TestMemory", "TestMemoryAsync", "TestFile", "TestFileAsync"} <= ran
    assert counts["tests"] - counts["skipped"] > 4_000, "not all of the suite was run"


def test_polyvec_conformance_takes_its_urls(target: Path, tmp_path: Path) -> None:
    code = "from polyvec.cli import main; main()"  # what the command `polyvec` does
    url = f"sqlite://{tmp_path / 'x.db'}"
    done = run(target, "-c", code, "conformance", url, "--select", "alias or scan", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr
    assert "aliases" in done.stdout
