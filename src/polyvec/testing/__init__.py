"""The conformance suite: pytest classes that a store's maintainer subclasses.

A test module of ten lines runs everything against one store:

    from polyvec.testing import AsyncConformanceSuite, ConformanceSuite

    pytest_plugins = ["polyvec.testing.plugin"]

    class TestMyStore(ConformanceSuite):
        url = "sqlite:///tmp/conformance.db"

    class TestMyStoreAsync(AsyncConformanceSuite):
        url = "sqlite:///tmp/conformance_async.db"

`polyvec conformance URL` runs the same without a test module. Needs the extra
`polyvec[testing]`; nothing is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from polyvec.testing.gaps import Gap, GapKind
    from polyvec.testing.report import Report
    from polyvec.testing.rules import Sharing, Tier
    from polyvec.testing.runner import run
    from polyvec.testing.suite import ConformanceSuite
    from polyvec.testing.suite_async import AsyncConformanceSuite

__all__ = [
    "AsyncConformanceSuite",
    "ConformanceSuite",
    "Gap",
    "GapKind",
    "Report",
    "Sharing",
    "Tier",
    "run",
]

_HOME: Final = {
    "AsyncConformanceSuite": "suite_async",
    "ConformanceSuite": "suite",
    "Gap": "gaps",
    "GapKind": "gaps",
    "Report": "report",
    "Sharing": "rules",
    "Tier": "rules",
    "run": "runner",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
