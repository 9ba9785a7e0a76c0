from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.migrate.faulty import faulty
from tests.migrate.test_journal import Crash, crash_after

from polyvec import InvalidRequestError, MigrationError, VectorStore
from polyvec.migrate import migrate, verify

DIMENSION = 6


class Model:
    """Texts to vectors; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        self.asked.update(texts)
        seeds = [sum(map(ord, text)) for text in texts]
        return np.stack([np.random.default_rng(s).normal(size=DIMENSION) for s in seeds])


def fill(store: VectorStore, count: int = 60) -> None:
    docs = store.create_collection("docs", dimension=2)
    docs.upsert(
        ids=[f"r{at}" for at in range(count)],
        vectors=np.ones((count, 2)),
        texts=[f"text {at % 40}" for at in range(count)],
        metadata=[{"at": at} for at in range(count)],
    )


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    made = ModuleType("some_models")
    made.embed = Model()  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "some_models", made)
    found: Model = made.embed
    return found


def test_each_text_once_also_after_a_crash(source: VectorStore, model: Model) -> None:
    target, writing = faulty()
    fill(source)
    writing.before_upsert = crash_after(3)
    options = {"reembed": "some_models:embed", "workers": 1, "batch_size": 5, "journal": "j"}
    with pytest.raises(Crash):
        migrate(source, target, "docs", **options)  # type: ignore[arg-type]  # as in a call
    writing.before_upsert = lambda _: None
    report = migrate(source, target, "docs", resume=True, **options)  # type: ignore[arg-type]  # as in a call
    assert (report.ok, report.count) == (True, 60)
    del model.asked["dimension"]  # asked twice, for the length of the vectors
    assert set(model.asked) == {f"text {at}" for at in range(40)}
    assert set(model.asked.values()) == {1}
    moved = target.collection("docs")
    assert moved.dimension == DIMENSION
    record = moved.get(["r43"])[0]
    assert np.array_equal(record.vector, model(["text 3"])[0].astype(np.float32))
    assert (record.text, record.metadata) == ("text 3", {"at": 43})


def test_a_wrong_vector_is_found(source: VectorStore, target: VectorStore, model: Model) -> None:
    fill(source)
    migrate(source, target, "docs", reembed="some_models:embed", journal="j")
    target.collection("docs").update(["r1"], vectors=[[1.0] * DIMENSION])
    asked = model.asked.total()
    found = verify(source, target, journal="j")
    assert [one.id for one in found.differing] == ["r1"]
    assert model.asked.total() == asked, "the verification embedded again"


def test_a_record_without_a_text(source: VectorStore, target: VectorStore, model: Model) -> None:
    fill(source)
    source.collection("docs").upsert(ids=["bare"], vectors=[[1, 1]])
    with pytest.raises(MigrationError, match="no text to embed"):
        migrate(source, target, "docs", reembed=model)
    report = migrate(source, target, "docs", reembed=model, max_errors=1)
    assert (report.count, report.left_out) == (60, 1)


@pytest.mark.parametrize("name", ["some_models", "nope:embed", "some_models:nope", ":", "sys:path"])
def test_a_function_that_is_not_there(
    source: VectorStore, target: VectorStore, model: Model, name: str
) -> None:
    fill(source)
    with pytest.raises(InvalidRequestError, match="reembed="):
        migrate(source, target, "docs", reembed=name)
    assert not model.asked


def test_an_embedder_that_returns_nonsense(source: VectorStore, target: VectorStore) -> None:
    fill(source)
    calls = [0]

    def later(texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        calls[0] += 1
        return np.ones((1 if calls[0] == 1 else len(texts) + 1, 3))

    with pytest.raises(MigrationError, match="returned shape"):
        migrate(source, target, "docs", reembed=later)
    with pytest.raises(MigrationError, match="not finite"):
        migrate(
            source,
            target,
            "docs",
            to="b",
            reembed=lambda texts: np.full((len(texts), 3), np.nan),
        )
    assert not list(Path("polyvec-migrations").glob("b*"))
