"""Every bad call of the suite is refused before the adapter hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import polyvec
from polyvec.errors import NotSupportedError, PolyvecError
from polyvec.memory.store import MemoryAdapter
from polyvec.testing.bad_requests import BAD_CALLS, BAD_COLLECTIONS, BAD_SCANS
from polyvec.testing.oracle import Row, records
from polyvec.testing.rows import DIMENSION, vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyvec.testing.bad_calls import BadCall

PURE = {"leaf", "all_of", "any_of", "render", "map_error", "record_sizes", "close"}
PRIMITIVES = [
    name
    for name, value in vars(MemoryAdapter).items()
    if callable(value) and not name.startswith("_") and name not in PURE
]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the primitives that were called, in order; clear it before a call."""
    calls: list[str] = []

    def listening(name: str, right: Any) -> Any:
        def primitive(self: Any, *args: Any, **kw: Any) -> Any:
            calls.append(name)
            return right(self, *args, **kw)

        return primitive

    for name in PRIMITIVES:
        monkeypatch.setattr(MemoryAdapter, name, listening(name, getattr(MemoryAdapter, name)))
    return calls


@pytest.fixture
def store(heard: list[str]) -> Iterator[polyvec.VectorStore]:
    with polyvec.connect("memory://") as store:
        yield store


@pytest.fixture
def space(store: polyvec.VectorStore, heard: list[str]) -> polyvec.Collection[Any]:
    made = store.create_collection("a", dimension=DIMENSION)
    made.upsert(records({"kept_1": Row(vector(1), {"n": 1}), "kept_2": Row(vector(2), {"n": 2})}))
    assert heard, "the spy hears nothing"
    heard.clear()
    return made


@pytest.mark.parametrize("bad", BAD_CALLS, ids=str)
def test_bad_call(bad: BadCall, space: polyvec.Collection[Any], heard: list[str]) -> None:
    with pytest.raises(PolyvecError):
        bad.call(space)
    assert heard == []


@pytest.mark.parametrize(
    ("name", "wrong", "error"), BAD_SCANS, ids=[name for name, _, _ in BAD_SCANS]
)
def test_bad_scan(
    name: str,
    wrong: dict[str, Any],
    error: type[PolyvecError],
    space: polyvec.Collection[Any],
    heard: list[str],
) -> None:
    with pytest.raises(error):
        list(space.scan(**wrong))
    assert heard == []


@pytest.mark.parametrize(
    ("name", "wrong"), BAD_COLLECTIONS, ids=[name for name, _ in BAD_COLLECTIONS]
)
def test_bad_collection(
    name: str, wrong: dict[str, Any], store: polyvec.VectorStore, heard: list[str]
) -> None:
    settings: dict[str, Any] = {"name": "fine", "dimension": 4, **wrong}
    with pytest.raises(PolyvecError):
        store.create_collection(settings.pop("name"), **settings)
    assert heard == []


def test_undeclared_index(store: polyvec.VectorStore, heard: list[str]) -> None:
    with pytest.raises(NotSupportedError):
        store.create_collection("a", dimension=4, index=polyvec.IVF())
    assert heard == []
