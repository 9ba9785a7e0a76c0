"""Copying a collection between stores, and noticing what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyvec
from polyvec import F, VectorRecord
from polyvec.errors import CollectionExistsError, CollectionNotFoundError
from polyvec.migrate import Progress, content_hash, copy_collection, copy_collection_async
from polyvec.migrate.content import differences
from polyvec.migrate.copy import MAX_DIFFERENCES
from polyvec.records import RecordBatch


@pytest.fixture
def source() -> Iterator[polyvec.VectorStore]:
    with polyvec.connect("memory://") as store:
        docs = store.create_collection("docs", dimension=3, metric="euclidean")
        rng = np.random.default_rng(1)
        for namespace, n in (("", 25), ("n/1", 7)):
            docs.namespace(namespace).upsert(
                ids=[f"r{i}" for i in range(n)],
                vectors=rng.standard_normal((n, 3)),
                metadata=[{"i": i, "even": i % 2 == 0} for i in range(n)],
                texts=[None if i % 3 else f"text {i}" for i in range(n)],
            )
        yield store


@pytest.fixture
def target(tmp_path: Path) -> Iterator[polyvec.VectorStore]:
    with polyvec.connect(f"parquet://{tmp_path}/snap") as store:
        yield store


def records(store: polyvec.VectorStore, name: str) -> dict[tuple[str, str], VectorRecord[Any]]:
    collection = store.collection(name)
    return {
        (namespace, record.id): record
        for namespace in collection.namespaces()
        for batch in collection.namespace(namespace).scan(include=("metadata", "text", "vector"))
        for record in batch.records()
    }


def test_all_namespaces_are_copied(
    source: polyvec.VectorStore, target: polyvec.VectorStore
) -> None:
    seen: list[Progress] = []
    report = copy_collection(source, target, "docs", batch_size=10, progress=seen.append)
    assert (report.copied, report.count) == ({"": 25, "n/1": 7}, 32)
    assert (report.verified, report.ok, report.without_vector) == (True, True, 0)
    assert records(target, "docs") == records(source, "docs")
    assert target.collection("docs").metric == "euclidean"
    steps = [(p.phase, p.namespace, p.done, p.total) for p in seen]
    copied = [("", 10), ("", 20), ("", 25), ("n/1", 32)]
    assert steps == [(phase, n, d, 32) for phase in ("copy", "verify") for n, d in copied]


def test_the_async_twin(tmp_path: Path, source: polyvec.VectorStore) -> None:
    url = f"parquet://{tmp_path}/snap"
    with polyvec.connect(url) as snapshot:
        copy_collection(source, snapshot, "docs")

    async def copy() -> int:
        async with polyvec.connect_async(url) as a, polyvec.connect_async("memory://") as b:
            report = await copy_collection_async(a, b, "docs", to="x")
            assert report.ok
            return await (await b.collection("x")).namespace("n/1").count()

    assert asyncio.run(copy()) == 7


def test_a_filter_chooses(source: polyvec.VectorStore, target: polyvec.VectorStore) -> None:
    seen: list[Progress] = []
    where = (F("even") == True) & (F("i") > 6)  # noqa: E712 - a filter, not a comparison
    report = copy_collection(source, target, "docs", where=where, progress=seen.append)
    assert report.copied == {"": 9}
    assert report.ok
    assert {p.total for p in seen} == {None}
    assert set(records(target, "docs")) == {("", f"r{i}") for i in range(8, 25, 2)}


def test_into_the_same_store_under_another_name(source: polyvec.VectorStore) -> None:
    assert copy_collection(source, source, "docs", to="copy").ok
    assert records(source, "copy") == records(source, "docs")


def test_what_is_there_already_is_not_overwritten_unless_merged(
    source: polyvec.VectorStore, target: polyvec.VectorStore
) -> None:
    docs = target.create_collection("docs", dimension=3, metric="euclidean")
    docs.upsert(ids=["r1", "mine"], vectors=[[1, 1, 1]] * 2, metadata=[{"mine": True}] * 2)
    with pytest.raises(CollectionExistsError, match="holds 2 records"):
        copy_collection(source, target, "docs")
    assert docs.get(["r1"])[0].metadata == {"mine": True}
    report = copy_collection(source, target, "docs", merge=True)
    assert report.ok
    assert docs.get(["r1"])[0].metadata == {"i": 1, "even": False}
    assert docs.count() == 26


def test_another_dimension_is_refused(
    source: polyvec.VectorStore, target: polyvec.VectorStore
) -> None:
    target.create_collection("docs", dimension=4, metric="euclidean")
    with pytest.raises(CollectionExistsError, match="dimension 4"):
        copy_collection(source, target, "docs")


def test_an_absent_source_makes_nothing(
    source: polyvec.VectorStore, target: polyvec.VectorStore
) -> None:
    with pytest.raises(CollectionNotFoundError):
        copy_collection(source, target, "nope")
    assert target.list_collections() == []


def test_records_without_a_vector_are_copied_and_counted(
    source: polyvec.VectorStore, target: polyvec.VectorStore
) -> None:
    bare = source.create_collection("bare", dimension=2)
    bare.upsert(
        RecordBatch(
            ids=["a", "b"],
            vectors=np.array([[1, 2], [0, 0]], dtype=np.float32),
            metadata=[{}, {"k": 1}],
            texts=[None, "text"],
            present=np.array([True, False]),
        )
    )
    report = copy_collection(source, target, "bare")
    assert (report.count, report.without_vector, report.ok) == (2, 1, True)
    assert records(target, "bare") == records(source, "bare")


def test_differences_are_found_and_named(
    source: polyvec.VectorStore, target: polyvec.VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target loses one record, changes three, and invents one."""
    adapter = target._adapter  # pyright: ignore[reportPrivateUsage]  # to make it lie
    upsert = adapter.upsert

    def bad(to: Any, batch: RecordBatch, **options: Any) -> None:
        assert batch.vectors is not None
        if to.namespace != "":
            return upsert(to, batch, **options)
        keep = [row for row in range(len(batch)) if batch.ids[row] != "r0"]
        worse = batch.take(keep)
        assert worse.metadata is not None
        assert worse.vectors is not None
        assert worse.texts is not None
        worse.metadata[worse.ids.index("r1")] = {"i": 1.0, "even": False}
        worse.texts[worse.ids.index("r2")] = ""
        worse.vectors[worse.ids.index("r3")] += 1e-6
        return upsert(to, worse, **options)

    monkeypatch.setattr(adapter, "upsert", bad)
    target.create_collection("docs", dimension=3, metric="euclidean")
    report = copy_collection(source, target, "docs", batch_size=100)
    found = {(d.namespace, d.id): d.what for d in report.differences}
    assert found == {
        ("", "r0"): "is missing in the target",
        ("", "r1"): "differs in text or metadata",
        ("", "r2"): "differs in text or metadata",
        ("", "r3"): "differs in vector",
        ("", None): "holds 24 records, 25 were copied",
    }
    assert not report.ok


def test_a_verification_ends_after_many_differences(
    source: polyvec.VectorStore, target: polyvec.VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = source.create_collection("big", dimension=1)
    big.upsert(ids=[str(i) for i in range(500)], vectors=np.ones((500, 1)))

    def lose(*_: object, **__: object) -> None:
        return None

    adapter = target._adapter  # pyright: ignore[reportPrivateUsage]  # to make it lie
    monkeypatch.setattr(adapter, "upsert", lose)
    report = copy_collection(source, target, "big", batch_size=60)
    assert len(report.differences) == MAX_DIFFERENCES


def test_unverified_is_said(source: polyvec.VectorStore, target: polyvec.VectorStore) -> None:
    report = copy_collection(source, target, "docs", verify=False)
    assert (report.verified, report.count) == (False, 32)


def test_equal_content_has_equal_hashes() -> None:
    left = {"a": 1, "b": {"x": -0.0, "y": [0.0, -0.05, "-0.0"]}}
    right = {"b": {"y": [-0.0, -0.05, "-0.0"], "x": 0.0}, "a": 1}
    assert content_hash("n", "i", None, left) == content_hash("n", "i", None, right)


def test_other_content_has_another_hash() -> None:
    at = datetime(2024, 1, 1, 12, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=1)))
    cases: list[tuple[str, str, str | None, dict[str, Any]]] = [
        ("", "a", None, {}),
        ("a", "", None, {}),
        ("", "a", "", {}),
        ("", "a", "None", {}),
        ("", "a", None, {"k": 1}),
        ("", "a", None, {"k": 1.0}),
        ("", "a", None, {"k": True}),
        ("", "a", None, {"k": "1"}),
        ("", "a", None, {"k": None}),
        ("", "a", None, {"k": [1]}),
        ("", "a", None, {"k": at}),
        ("", "a", None, {"k": elsewhere}),
        ("", "a", None, {"k": at.isoformat()}),
    ]
    assert len({content_hash(*case) for case in cases}) == len(cases)


@pytest.mark.parametrize(
    ("error", "tolerance", "same"),
    [(0.0, 0.0, True), (1e-7, 0.0, False), (1e-7, 1e-6, True), (1e-4, 1e-6, False)],
)
def test_vectors_are_compared_within_the_tolerance(
    error: float, tolerance: float, same: bool
) -> None:
    for size in (1.0, 1e30, 1e-30):
        vector = np.array([3, 4], dtype=np.float32) * np.float32(size)
        other = (vector.astype(np.float64) * (1 + error)).astype(np.float32)
        pair = [[VectorRecord[Any](id="a", vector=v, metadata={})] for v in (vector, other)]
        assert (not differences("", pair[0], pair[1], tolerance)) is same
