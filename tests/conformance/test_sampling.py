"""A run takes every case of the corpus on every backend, and a part where they are repeated."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.conformance.sampling import IN_PROCESS, OF_WRITES, ONE_OF, REPEATING, WRITES, is_left_out

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


def taken(class_name: str, test: str) -> int:
    place = type(class_name, (), {"__module__": "tests.conformance.test_x"})

    def item(at: int) -> Any:
        call = SimpleNamespace(indices={"case": at})
        return SimpleNamespace(cls=place, callspec=call, name=f"{test}[{at}]")

    return sum(not is_left_out(item(at)) for at in range(len(CASES)))


@pytest.mark.parametrize("name", sorted(REPEATING))
@pytest.mark.parametrize("test", ["test_filter", *sorted(WRITES)])
def test_a_part_is_taken_where_cases_are_repeated(name: str, test: str) -> None:
    assert abs(taken(name, test) - len(CASES) / ONE_OF) < 1


def test_every_case_is_selected_by_and_a_part_of_them_written_by() -> None:
    assert taken("TestBackend", "test_filter") == len(CASES)
    for test in WRITES:
        assert abs(taken("TestBackend", test) - len(CASES) / OF_WRITES) < 1
        for name in IN_PROCESS:
            assert taken(name, test) == len(CASES)


@pytest.mark.parametrize("case", [0, 1, 2])
def test_only_conformance_classes_are_thinned(case: int, request: pytest.FixtureRequest) -> None:
    assert case < len(CASES)
    assert not is_left_out(request.node)
