"""A verification finds every kind of difference, and names it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.migrate.faulty import faulty
from tests.migrate.records import DIMENSION, NAMESPACES, adversarial

from polyvec import F, InvalidRequestError, VectorStore
from polyvec.capabilities import Consistency
from polyvec.migrate import migrate, verify
from polyvec.primitives import ScanPage

SAMPLE = adversarial(300)
# `polyvec.migrate.verify` is the function; the module of that name has the constant.
verification = sys.modules["polyvec.migrate.verify"]
ONE = [[1.0] * DIMENSION]


@pytest.fixture
def pair(source: VectorStore, target: VectorStore) -> tuple[VectorStore, VectorStore]:
    SAMPLE.load(source, "docs")
    assert migrate(source, target, "docs").ok
    return source, target


def test_a_lost_record(pair: tuple[VectorStore, VectorStore]) -> None:
    record = SAMPLE.spaces[NAMESPACES[1]][5]
    pair[1].collection("docs").namespace(NAMESPACES[1]).delete([record.id])
    found = verify(*pair, "docs")
    assert not found.ok
    assert found.counts == {"missing": 1, "extra": 0, "differing": 0}
    assert [(one.namespace, one.id) for one in found.missing] == [(NAMESPACES[1], record.id)]


def test_a_lost_record_with_an_extra_one_in_its_place(
    pair: tuple[VectorStore, VectorStore],
) -> None:
    docs = pair[1].collection("docs").namespace(NAMESPACES[1])
    docs.delete([SAMPLE.spaces[NAMESPACES[1]][5].id])
    docs.upsert(ids=["extra"], vectors=ONE)
    assert verify(*pair, "docs").counts["missing"] == 1


def test_extra_records_and_namespaces(pair: tuple[VectorStore, VectorStore]) -> None:
    docs = pair[1].collection("docs")
    docs.upsert(ids=["more"], vectors=ONE)
    docs.namespace("new").upsert(ids=["x", "y"], vectors=ONE * 2)
    found = verify(*pair, "docs")
    assert found.counts == {"missing": 0, "extra": 3, "differing": 0}
    assert {(one.namespace, one.id) for one in found.extra} == {
        ("", "more"),
        ("new", "x"),
        ("new", "y"),
    }


@pytest.mark.parametrize("what", ["text", "metadata", "vector", "class"])
def test_a_differing_record(pair: tuple[VectorStore, VectorStore], what: str) -> None:
    docs = pair[1].collection("docs")
    record = SAMPLE.spaces[""][0]
    if what == "text":
        docs.update([record.id], texts=["other"])
    elif what == "metadata":
        docs.update([record.id], unset=["n"])
    elif what == "class":
        docs.update([record.id], set={"n": float(record.metadata["n"])})
    else:
        moved = record.vector.copy()
        moved[0] = np.nextafter(moved[0], np.float32(np.inf))
        docs.update([record.id], vectors=moved[None, :])
    found = verify(*pair, "docs")
    assert found.counts == {"missing": 0, "extra": 0, "differing": 1}
    assert found.differing[0].id == record.id
    assert ("vector" if what == "vector" else "text or metadata") in found.differing[0].what


def test_a_record_that_came_to_the_source_later(pair: tuple[VectorStore, VectorStore]) -> None:
    pair[0].collection("docs").upsert(ids=["late"], vectors=ONE)
    pair[0].collection("docs").namespace("late").upsert(ids=["x"], vectors=ONE)
    found = verify(*pair, "docs")
    assert {(one.namespace, one.id) for one in found.missing} == {("", "late"), ("late", None)}


def test_a_sample_sees_the_counts(pair: tuple[VectorStore, VectorStore]) -> None:
    assert verify(*pair, "docs", mode="sample").ok
    pair[1].collection("docs").upsert(ids=["more"], vectors=ONE)
    found = verify(*pair, "docs", mode="sample")
    assert found.counts["extra"] == 1
    with pytest.raises(InvalidRequestError):
        verify(*pair, "docs", mode="none")


@pytest.mark.parametrize("at", [0, 100, 199])
def test_a_sample_finds_one_difference_as_often_as_it_says(
    source: VectorStore, target: VectorStore, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Wherever in its range the record is: first, in the middle or last."""
    monkeypatch.setattr(verification, "SAMPLE", 50)
    ids = [f"r{n:03}" for n in range(200)]
    source.create_collection("docs", dimension=2).upsert(ids=ids, vectors=np.ones((200, 2)))
    assert migrate(source, target, "docs", verify="none").ok
    target.collection("docs").update([ids[at]], set={"other": True})
    reports = [
        verify(source, target, "docs", mode="sample", seed=seed, queries=0) for seed in range(100)
    ]
    assert {(one.compared, one.population, one.chance()) for one in reports} == {(50, 200, 0.25)}
    assert reports[0].as_json()["chance_of_one"] == 0.25
    assert [one.seed for one in reports] == list(range(100))
    found = sum(not one.ok for one in reports)
    assert 13 <= found <= 38, "a fair sample has it 25 times, give or take three deviations"
    again = verify(source, target, "docs", mode="sample", seed=3, queries=0)
    assert again == reports[3]


def test_a_sample_is_of_all_namespaces_and_ranges(
    source: VectorStore, target: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "SAMPLE", 400)
    docs = source.create_collection("docs", dimension=2)
    for space, count in (("large", 4_000), ("small", 1_000)):
        names = [f"{space}{n}" for n in range(count)]
        docs.namespace(space).upsert(ids=names, vectors=np.ones((count, 2)))
    assert migrate(source, target, "docs", workers=4, verify="none").ranges > 4
    target.collection("docs").namespace("large").upsert(
        ids=[f"large{n}" for n in range(0, 4_000, 2)], vectors=np.zeros((2_000, 2)) + 2
    )
    found = verify(source, target, "docs", mode="sample", seed=1, queries=0)
    assert (found.compared, found.population) == (400, 5_000)
    # Two of five records differ, so 160 of the sample do, give or take three deviations.
    assert 130 <= found.counts["differing"] <= 190
    places = [int((one.id or "")[5:]) for one in found.differing]
    assert min(places) < 400
    assert max(places) > 3_600
    assert found.chance(differing=10) == pytest.approx(1 - 0.92**10, abs=0.001)


def test_a_sample_reads_ids_alone(target: VectorStore) -> None:
    source, adapter = faulty()
    SAMPLE.load(source, "docs")
    assert migrate(source, target, "docs", verify="none").ok
    asked: list[object] = []
    scan = adapter.scan

    def noting(*args: object, **kw: object) -> ScanPage:
        asked.append(args[5])
        return scan(*args, **kw)  # type: ignore[arg-type]  # passed on

    adapter.scan = noting  # type: ignore[method-assign]  # notes the columns
    found = verify(source, target, "docs", mode="sample", queries=0)
    assert (found.ok, found.compared, found.chance()) == (True, SAMPLE.count, 1.0)
    assert set(asked) == {frozenset()}


def test_a_filtered_migration(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    assert migrate(source, target, "docs", where=F("n") < 100).ok
    for mode in ("full", "sample"):
        assert verify(source, target, "docs", mode=mode).ok
    other = SAMPLE.spaces[""][-1]
    assert other.metadata["n"] >= 100
    target.collection("docs").upsert([other])
    for mode in ("full", "sample"):
        found = verify(source, target, "docs", mode=mode)
        assert [one.id for one in found.extra] == [other.id]


def test_the_report_is_a_file(pair: tuple[VectorStore, VectorStore]) -> None:
    pair[1].collection("docs").delete([SAMPLE.spaces[""][0].id])
    found = verify(*pair, "docs")
    [path] = Path("polyvec-migrations").glob("*/verify.json")
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(found.as_json()))


def test_answers_are_compared(pair: tuple[VectorStore, VectorStore]) -> None:
    found = verify(*pair, "docs", queries=7).queries
    assert found is not None
    assert (found.queries, found.overlap, found.target_recall) == (7, 1.0, 1.0)
    assert verify(*pair, "docs", queries=0).queries is None


def test_a_target_that_shows_writes_later(source: VectorStore) -> None:
    target, adapter = faulty()
    adapter.changed["consistency"] = Consistency.EVENTUAL
    SAMPLE.load(source, "docs")
    lag = [4]
    counted = adapter.namespaces

    def late(*args: object, **kw: object) -> dict[str, int]:
        found = counted(*args, **kw)  # type: ignore[arg-type]  # passed on
        if found and lag[0]:
            lag[0] -= 1
            return {}
        return found

    adapter.namespaces = late  # type: ignore[method-assign]  # counts that lag
    assert migrate(source, target, "docs").ok
    assert not lag[0]


def test_records_without_a_vector(source: VectorStore, target: VectorStore) -> None:
    from polyvec import RecordBatch

    docs = source.create_collection("docs", dimension=2)
    docs.upsert(
        RecordBatch(
            ids=["a", "bare"],
            vectors=np.array([[1, 0], [0, 0]], dtype=np.float32),
            metadata=[{}, {"x": 1}],
            texts=[None, "t"],
            present=np.array([True, False]),
        )
    )
    report = migrate(source, target, "docs")
    assert (report.ok, report.without_vector) == (True, 1)
    assert report.verification is not None
    assert report.verification.without_vector == 1
    target.collection("docs").upsert(
        ids=["bare"], vectors=[[1, 1]], metadata=[{"x": 1}], texts=["t"]
    )
    assert [one.what for one in verify(source, target, "docs").differing] == ["differs in vector"]
