"""`polyvec conformance URL`: the suite without a checkout or a test module.

pytest runs in processes of its own, one per colour: the suite's settings do
not meet those of the caller, and an embedded directory is open once at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polyvec
from polyvec._version import __version__
from polyvec.errors import InvalidRequestError, MissingDependencyError, PolyvecError
from polyvec.testing.report import CaseResult, Report, case_from_json
from polyvec.testing.rules import Colour, Tier

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_TIERS: Final = (Tier.CORE, Tier.EXTENDED, Tier.STRESS, Tier.RECALL)
DEFAULT_STRESS: Final = 40
PROGRESS_EVERY_S: Final = 0.1
CLASS_OF: Final = {Colour.SYNC: "TestSync", Colour.ASYNC: "TestAsync"}

Progress = Callable[[int, int], None]
"""Called with the cases done and the cases in all."""


class ConformanceRunError(PolyvecError):
    """The suite itself could not run, which says nothing about the store."""


def run(
    url: str,
    *,
    tiers: Sequence[str] = DEFAULT_TIERS,
    colours: Sequence[str] = tuple(Colour),
    select: str | None = None,
    stress: int = DEFAULT_STRESS,
    junit: Path | str | None = None,
    json: Path | str | None = None,
    console: Console | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run the suite against a store; print one table when a console is given.

    Parameters
    ----------
    url
        The store, or the name of a profile.
    tiers
        Any of `"core"`, `"extended"`, `"stress"`, `"recall"`.
    colours
        Any of `"sync"`, `"async"`.
    select
        Part of the tests, as pytest's `-k` takes it: `"filters and not deep"`.
    stress
        Random cases for each test of the stress tier, at least 1.
    junit, json
        Files to write.
    console
        A rich console for the table and the failures.
    progress
        Called while the run goes on.

    Returns
    -------
    Report
        `report.ok` tells whether everything passed or is a declared gap.

    Raises
    ------
    InvalidRequestError
        An unknown tier or colour, or `stress` below 1.
    MissingDependencyError
        pytest or Hypothesis is not installed.
    UnavailableError
        The store cannot be reached.
    ConformanceRunError
        pytest could not run; the message ends with what it said.
    """
    wanted = [_member(Tier, tier, "tiers") for tier in tiers]
    chosen = [_member(Colour, colour, "colours") for colour in colours]
    if stress < 1:
        raise InvalidRequestError(f"stress={stress!r}: expected at least 1")
    _require_packages()
    report = _described(url)
    parts: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        for colour in chosen:
            part = Path(folder) / f"{colour}.xml"
            options = [
                f"--conformance-tiers={','.join(wanted)}",
                f"--conformance-stress={stress}",
                f"--junitxml={part}",
                *(["-k", select] if select else []),
            ]
            report.cases.extend(_pytest(url, colour, options, Path(folder), progress))
            parts.append(part)
        if junit is not None:
            _write_junit(parts, Path(junit))
    if json is not None:
        report.write_json(Path(json))
    if console is not None:
        show(report, console)
    return report


def show(report: Report, console: Console) -> None:
    """Print the table and, below it, what failed."""
    console.print(report.table())
    for case in report.failures:
        console.rule(f"{case.test} ({case.colour})", style="red", align="left")
        console.print(case.reason, markup=False, highlight=False)


def _member(kind: Any, value: str, what: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(str(member)) for member in kind)
        raise InvalidRequestError(f"{what} has {value!r}; expected any of {known}") from None


def _require_packages() -> None:
    for package in ("pytest", "hypothesis"):
        try:
            __import__(package)
        except ModuleNotFoundError as exc:
            raise MissingDependencyError(
                f"the conformance suite needs {package}: pip install 'polyvec[testing]'"
            ) from exc


def _described(url: str) -> Report:
    """Reach the store once, before a thousand tests fail to, and note what it is."""
    with polyvec.connect(url) as store:
        store.ping()
        told = store.capabilities
        details = {
            "features": sorted(told.features),
            "metrics": sorted(told.metrics),
            "index_kinds": sorted(told.index_kinds),
            "consistency": told.consistency,
        }
    return Report(_masked(url), told.store, __version__, details)


def _masked(url: str) -> str:
    from polyvec.url import mask_url

    return mask_url(url)


def _pytest(
    url: str, colour: Colour, options: Sequence[str], folder: Path, progress: Progress | None
) -> list[CaseResult]:
    from polyvec.testing.recorder import RESULTS_VARIABLE
    from polyvec.testing.this_url import URL_VARIABLE

    results, said = folder / f"{colour}.jsonl", folder / f"{colour}.log"
    results.touch()
    module = Path(__file__).with_name("this_url.py")
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\nfilterwarnings = error\nxfail_strict = true\n")
    command = [
        *(sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir", str(folder)),
        *("-p", "polyvec.testing.plugin", "-p", "polyvec.testing.recorder"),
        *("-p", "no:cacheprovider", "-q", "--tb=short", "--import-mode=importlib"),
        *(*options, f"{module}::{CLASS_OF[colour]}"),
    ]
    environment = {
        **os.environ,
        URL_VARIABLE: url,
        RESULTS_VARIABLE: str(results),
        # Plugins of other projects that happen to be installed have no say here.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    with said.open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=environment)  # noqa: S603 - our own interpreter
        try:
            code = _watched(child, results, progress)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    cases = _cases(results)
    if code not in (0, 1) or not cases:
        tail = said.read_text(encoding="utf-8", errors="replace").strip()[-3000:]
        raise ConformanceRunError(f"pytest ended with exit code {code}: {tail}")
    return cases


def _watched(child: subprocess.Popen[bytes], results: Path, progress: Progress | None) -> int:
    while True:
        try:
            code = child.wait(timeout=None if progress is None else PROGRESS_EVERY_S)
        except subprocess.TimeoutExpired:
            code = None
        if progress is not None:
            lines = results.read_text(encoding="utf-8").splitlines()
            if lines:
                progress(len(lines) - 1, int(json.loads(lines[0])["total"]))
        if code is not None:
            return code


def _cases(results: Path) -> list[CaseResult]:
    lines = results.read_text(encoding="utf-8").splitlines()
    return [case_from_json(json.loads(line)) for line in lines[1:]]


def _write_junit(parts: Sequence[Path], target: Path) -> None:
    """Join the files of the colours into one, as tools that read JUnit expect."""
    # Written by our own pytest a moment ago: nothing hostile to parse.
    from xml.etree import ElementTree as tree  # noqa: N813

    root = tree.Element("testsuites")
    for part in parts:
        root.extend(tree.parse(part).getroot())  # noqa: S314
    target.parent.mkdir(parents=True, exist_ok=True)
    tree.ElementTree(root).write(target, encoding="utf-8", xml_declaration=True)
