"""Fixtures of the core's tests: a driver per colour, and a clock instead of sleeping."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.core.drivers import Driver

from polyvec import _runtime, _runtime_async


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Yield the sync and the async store in turn, behind one blocking form."""
    made = Driver(request.param)
    yield made
    made.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list that collects every wait; nothing waits for real."""
    waits: list[float] = []

    async def sleep_async(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(_runtime, "sleep", waits.append)
    monkeypatch.setattr(_runtime_async, "sleep", sleep_async)
    return waits
