"""A pytest plugin that writes each case as a line of JSON while the run goes on.

Loaded with `-p` by the runner, in a process of its own.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import pytest

from polyvec.testing.plugin import suite_class
from polyvec.testing.report import CaseResult, Outcome
from polyvec.testing.rules import Colour, Tier, defining_class

if TYPE_CHECKING:
    from collections.abc import Generator

RESULTS_VARIABLE: Final = "POLYVEC_CONFORMANCE_RESULTS"
LONGEST_ERROR: Final = 4000

_file: Final = pytest.StashKey[TextIO]()
_seen: Final = pytest.StashKey[dict[str, CaseResult]]()


def pytest_configure(config: pytest.Config) -> None:
    """Open the file that the environment names."""
    path = Path(os.environ[RESULTS_VARIABLE])
    config.stash[_file] = path.open("a", encoding="utf-8")
    config.stash[_seen] = {}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the file."""
    config.stash[_file].close()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell how many cases there will be."""
    _write(session.config, {"total": len(session.items)})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record the outcome of the call, or of a fixture that failed or skipped."""
    report = yield
    seen = item.config.stash[_seen]
    if report.when == "call" or not report.passed:
        seen[item.nodeid] = _worse(seen.get(item.nodeid), _case(item, report))
    if report.when == "teardown" and (case := seen.pop(item.nodeid, None)) is not None:
        _write(item.config, asdict(case))
    return report


def _worse(before: CaseResult | None, now: CaseResult) -> CaseResult:
    """Return the case to record: a failing teardown turns a passed case into a failed one."""
    return now if before is None or now.outcome is Outcome.FAILED else before


def _case(item: pytest.Item, report: pytest.TestReport) -> CaseResult:
    cls = suite_class(item)
    function = getattr(item, "originalname", None) or item.name
    owner = None if cls is None else defining_class(cls, function)
    reason = ""
    outcome = Outcome.PASSED if report.passed else Outcome.FAILED
    if report.skipped:
        gap = getattr(report, "wasxfail", None)
        outcome = Outcome.SKIPPED if gap is None else Outcome.GAP
        reason = _skip_reason(report) if gap is None else gap.removeprefix("reason: ")
    elif report.failed:
        reason = report.longreprtext[-LONGEST_ERROR:]
    return CaseResult(
        area="suite" if owner is None else owner.area or "suite",
        tier=(Tier.CORE if owner is None else owner.tier).value,
        colour=(Colour.SYNC if cls is None else cls.colour).value,
        test=item.name,
        outcome=outcome,
        reason=reason,
        seconds=round(report.duration, 4),
    )


def _skip_reason(report: pytest.TestReport) -> str:
    place = report.longrepr
    text = place[2] if isinstance(place, tuple) else str(place)  # file, line, reason
    return text.removeprefix("Skipped: ")


def _write(config: pytest.Config, fields: dict[str, Any]) -> None:
    config.stash[_file].write(json.dumps(fields, ensure_ascii=True) + "\n")
    config.stash[_file].flush()
