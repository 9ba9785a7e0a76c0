"""At the end of a run: which backend ran against what, and how it did.

In CI a backend of `MODULES` without a server fails the run: its tests skip one by one, and a run
of skipped tests would look like a run that passed.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console
from rich.table import Table
from tests.services import MODULES, end_all, started

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

KEY: Final = "polyvec_services"
"""Under which a worker of pytest-xdist sends home what it started."""
WIDTH: Final = 100
OUTCOMES: Final = {"passed": "passed", "xfailed": "gaps", "skipped": "skipped", "failed": "failed"}
NODE: Final = re.compile(r"tests/(?:conformance/test_|adapters/)(?P<backend>[a-z]+)(?:\.py|/)")
LIVE: Final = re.compile(r"tests/adapters/live/.*\[(?P<backend>[a-z]+)[-\]]")
NOT_RUN: Final = "did not run"

_found: Final[dict[str, str]] = {}


def backend_of(node: str) -> str | None:
    """Return the backend that a test is about, by its node id; None for a test of none."""
    match = LIVE.match(node) or NODE.match(node)
    name = match["backend"] if match else None
    return name if name in MODULES else None


def missing(found: dict[str, str], counted: dict[str, Counter[str]]) -> list[str]:
    """Return the backends whose tests were to run and had no server."""
    return sorted(name for name in counted if found.get(name, "").startswith(NOT_RUN))


class Workers:
    """Collects what the workers of pytest-xdist started; without xdist it is never called."""

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what a worker sent when it ended."""
        for backend, what in getattr(node, "workeroutput", {}).get(KEY, {}).items():
            if _found.get(backend, NOT_RUN).startswith(NOT_RUN):
                _found[backend] = what


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the workers, where there are any."""
    if config.pluginmanager.hasplugin("xdist") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Workers())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what this process started and send home what it was; in CI, fail where one is missing."""
    end_all()
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[KEY] = started()
        return
    _found.update(started())
    reporter: TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("CI", "").lower() not in ("1", "true"):
        return
    if missing(_found, _counted(reporter)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _counted(reporter: TerminalReporter) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = {}
    for outcome in OUTCOMES:
        for report in reporter.stats.get(outcome, []):
            backend = backend_of(report.nodeid)
            if backend is not None:
                counted.setdefault(backend, Counter())[outcome] += 1
    return counted


def _seconds(reporter: TerminalReporter) -> dict[str, float]:
    """Return how long the tests of each backend took, with what was set up for them."""
    taken: dict[str, float] = defaultdict(float)
    for reports in reporter.stats.values():
        for report in reports:
            backend = backend_of(getattr(report, "nodeid", ""))
            if backend is not None:
                taken[backend] += getattr(report, "duration", 0.0)
    return taken


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table, and in plain words what did not run."""
    counted = _counted(terminalreporter)
    if not counted:
        return
    table = Table(title="servers under test", title_justify="left")
    table.add_column("backend")
    table.add_column("server, version", overflow="fold")
    for word in (*OUTCOMES.values(), "seconds"):
        table.add_column(word, justify="right")
    taken = _seconds(terminalreporter)
    for backend in sorted(counted):
        numbers = [f"{counted[backend][outcome]:,}" for outcome in OUTCOMES]
        numbers.append(f"{taken[backend]:.0f}")
        table.add_row(backend, _found.get(backend, "none was needed"), *numbers)
    console = Console(width=WIDTH, no_color=True)
    with console.capture() as captured:
        console.print(table)
    terminalreporter.write_line("")
    terminalreporter.write(captured.get())
    for backend in missing(_found, counted):
        terminalreporter.write_line(
            f"no server for {backend}: nothing was proven about it", red=True
        )
