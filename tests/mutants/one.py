"""One fault in a process of its own: the suite until its first failure, then the witness."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.mutants.all_faults import FAULTS
from tests.mutants.witness import Transcript, differences

from polyvec import PolyvecError

ROOT: Final = Path(__file__).resolve().parents[2]
SUITE: Final = ROOT / "tests" / "conformance" / "test_memory.py"
EXAMPLES: Final = 15


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault.

    Parameters
    ----------
    name
        Of the fault.
    killer
        The test that noticed it, None when none did.
    broken
        Why the run did not finish; empty when it did.
    unsound
        What is wrong with the fault as a fault; empty for a sound one.
    seconds
        How long it took.
    """

    name: str
    killer: str | None
    broken: str
    unsound: str
    seconds: float


class FirstFailure:
    """A pytest plugin that remembers the first test that failed, and how."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.error: type[BaseException] = AssertionError

    def pytest_exception_interact(
        self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[object]
    ) -> None:
        """Note a failed test, or one whose fixture failed."""
        if self.name is None and call.excinfo is not None:
            self.name = node.nodeid.partition("::")[2].partition("::")[2] or node.nodeid
            self.error = call.excinfo.type

    @property
    def crashed(self) -> bool:
        """Whether it was a crash; an answer that differs from the oracle is none."""
        return not issubclass(self.error, (AssertionError, pytest.fail.Exception, PolyvecError))


def judge(name: str, clean: Transcript, folder: str) -> Verdict:
    """Install a fault for the rest of this process, and see who notices.

    Parameters
    ----------
    name
        Of the fault.
    clean
        What the witness says without a fault.
    folder
        An empty directory for pytest's temporary files.
    """
    start = time.monotonic()
    fault = FAULTS[name]
    fault.install(pytest.MonkeyPatch())
    first, broken = FirstFailure(), ""
    # Where a fault is about the meaning of filters, their corpus is the place to look first.
    for part in ("::test_filter", "") if fault.where.endswith("of filters") else ("",):
        if first.name is None:
            broken = _run(part, first, f"{folder}/{name}")
    # A wrong answer that a test saw is witness enough.
    unsound = differences(clean) if first.name is None or first.crashed else ""
    return Verdict(name, first.name, broken, unsound, time.monotonic() - start)


def _run(part: str, first: FirstFailure, folder: str) -> str:
    """Run a part of the suite; return what went wrong with the run itself."""
    arguments = [
        *(f"{SUITE}::TestMemory{part}", "-x", "-q", "--tb=no", "--no-header"),
        *("--rootdir", str(ROOT), f"--basetemp={folder}", f"--conformance-stress={EXAMPLES}"),
        # Everything is imported already, too late for pytest to rewrite its assertions.
        *("--assert=plain", "-p", "no:randomly", "-p", "no:cacheprovider"),
    ]
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = pytest.main(arguments, plugins=[first])
    finished = code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return "" if finished else said.getvalue()[-600:]
