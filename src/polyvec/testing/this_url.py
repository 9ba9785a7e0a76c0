"""The suite against the store that the environment names; what `polyvec conformance` runs."""

from __future__ import annotations

import os
from typing import Final

from polyvec.testing.suite import ConformanceSuite
from polyvec.testing.suite_async import AsyncConformanceSuite

URL_VARIABLE: Final = "POLYVEC_CONFORMANCE_URL"
"""In the environment and not among the arguments, which other users of a machine can read."""


class TestSync(ConformanceSuite):
    """The synchronous store."""

    url = os.environ.get(URL_VARIABLE)


class TestAsync(AsyncConformanceSuite):
    """The asynchronous store."""

    url = os.environ.get(URL_VARIABLE)
