"""A run takes every case of the corpus on every backend, and a quarter where they are repeated."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.conformance.sampling import ONE_OF, REPEATING, is_left_out

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite
from polyvec.testing.areas.filters import Filters
from polyvec.testing.cases import CASES

WHOLE = (ConformanceSuite, AsyncConformanceSuite)


def modules() -> list[ModuleType]:
    found = sorted(Path(__file__).parent.glob("test_*.py"))
    return [import_module(f"tests.conformance.{path.stem}") for path in found]


def suites(module: ModuleType) -> dict[str, type]:
    classes = {name: each for name, each in vars(module).items() if isinstance(each, type)}
    return {
        name: each
        for name, each in classes.items()
        if issubclass(each, WHOLE) and each.__module__ == module.__name__
    }


def test_every_backend_runs_the_whole_corpus_once() -> None:
    by_module = {module.__name__: suites(module) for module in modules()}
    by_module = {name: found for name, found in by_module.items() if found}
    assert len(by_module) > 7
    for name, found in by_module.items():
        whole = [each for key, each in found.items() if key not in REPEATING]
        assert any(issubclass(each, Filters) for each in whole), name
    assert {key for found in by_module.values() for key in found} >= REPEATING


@pytest.mark.parametrize("name", sorted(REPEATING))
def test_a_quarter_is_taken(name: str, request: pytest.FixtureRequest) -> None:
    place = type(name, (), {"__module__": "tests.conformance.test_x"})

    def item(**indices: int) -> Any:
        return SimpleNamespace(cls=place, callspec=SimpleNamespace(indices=indices))

    taken = sum(not is_left_out(item(case=at)) for at in range(len(CASES)))
    assert abs(taken - len(CASES) / ONE_OF) < 1
    assert not is_left_out(item(other=1))
    assert not is_left_out(request.node)
