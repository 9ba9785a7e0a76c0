"""Hypothesis profiles, and the plug-ins: conformance suites, and the servers that ran.

`dev` is the default; `ci` is chosen by `POLYVEC_HYPOTHESIS=ci` or by `CI`, and gives tests marked
`laws` 5,000 examples. A test that sets its own number keeps it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.errors import InvalidArgument

pytest_plugins = ["polyvec.testing.plugin", "tests.services.summary"]

LAWS_IN_CI: Final = 5_000
EXAMPLES: Final = 200

# CI draws the same examples in every run, so that a red build is about its own change.
# How fast examples are drawn says how busy the machine is: servers run beside the tests.
UNHURRIED: Final = [HealthCheck.too_slow]
settings.register_profile(
    "dev",
    deadline=None,
    print_blob=True,
    max_examples=EXAMPLES,
    suppress_health_check=UNHURRIED,
)
settings.register_profile(
    "ci",
    deadline=None,
    print_blob=True,
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=UNHURRIED,
)


def _profile() -> str:
    if chosen := os.environ.get("POLYVEC_HYPOTHESIS"):
        return chosen
    return "ci" if os.environ.get("CI", "").lower() in ("1", "true") else "dev"


settings.load_profile(_profile())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests marked `laws` more examples in CI; bring Milvus's to the end.

    Its server takes a quarter of a core while nobody asks it anything, in each worker, and starts
    with the first test that needs it. The sort is stable: the rest of a random order stays.
    """
    items.sort(key=lambda item: "milvus" in item.nodeid.lower())
    if _profile() == "ci":
        _more_examples(items)


def _more_examples(items: list[pytest.Item]) -> None:
    found = [item for item in items if item.get_closest_marker("laws")]
    laws = {getattr(item, "function", None) for item in found}
    for law in laws:
        if hasattr(law, "hypothesis"):
            with suppress(InvalidArgument):  # it has settings of its own
                settings(max_examples=LAWS_IN_CI)(law)
