"""Graphs in `memory:///dir`: taken as they were saved, or made anew, never a wrong answer."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.memory.graph_data import clustered, even, ids_of, names, recall, wait_for_threads

import polyvec
from polyvec import HNSW, Collection
from polyvec.memory import graph_builder, graph_policy
from polyvec.memory.directory import Directory
from polyvec.memory.graph_policy import Policy
from polyvec.memory.hnsw import file
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Target
from polyvec.records import RecordBatch
from polyvec.schema import CollectionSpec

COUNT = 1200


@pytest.fixture(autouse=True)
def _graphs_of_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_policy, "LARGE", Policy(least=1000, enough=100))


def finish(made: Collection[Any]) -> dict[str, Any]:
    made.query(clustered(1, seed=1)[0], top_k=1)
    wait_for_threads()
    return made.describe().details


def saved(path: Path, metric: str = "cosine") -> None:
    with polyvec.connect(f"memory://{path}") as store:
        made = store.create_collection("a", dimension=32, metric=metric, index=HNSW())
        tenant = made.namespace("t/ü")
        tenant.upsert(ids=names(COUNT), vectors=even(clustered(COUNT)))
        assert finish(tenant)["nodes"] == COUNT


def graph_files(path: Path) -> list[Path]:
    return sorted(path.glob("graph-*"))


def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the file should have been taken")

    monkeypatch.setattr(graph_builder, "build", refuse)


def check(tenant: Collection[Any]) -> None:
    """Every record is found, and near ones as by a scan."""
    queries = clustered(30, seed=1)
    true = tenant.query_many(queries, top_k=10, exact=True)
    assert recall(tenant.query_many(queries, top_k=10), true) >= 0.99
    held = {record.id for record in tenant.get([f"r{at}" for at in range(2 * COUNT)])}
    for at in (0, 7, COUNT - 1):
        if f"r{at}" in held:
            assert tenant.query(clustered(COUNT)[at], top_k=1)[0].id == f"r{at}"


def test_a_saved_graph_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path)
    (kept,) = graph_files(tmp_path)
    before = kept.read_bytes()
    no_build(monkeypatch)
    with polyvec.connect(f"memory://{tmp_path}") as store:
        tenant = store.collection("a").namespace("t/ü")
        details = finish(tenant)
        assert (details["search"], details["nodes"], details["tombstones"]) == ("graph", COUNT, 0)
        check(tenant)
    assert kept.read_bytes() == before, "nothing changed, nothing is written"


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_a_saved_graph_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    """Records that were replaced, deleted or added after it was saved: dead nodes, new rows."""
    saved(tmp_path, metric=metric)
    (kept,) = graph_files(tmp_path)
    old = kept.read_bytes()
    rows = even(clustered(2 * COUNT))
    with polyvec.connect(f"memory://{tmp_path}") as store:
        tenant = store.collection("a").namespace("t/ü")
        tenant.upsert(ids=names(50), vectors=rows[COUNT : COUNT + 50])
        tenant.delete(names(50, 50))
        tenant.upsert(ids=names(200, COUNT), vectors=rows[COUNT + 50 : COUNT + 250])
    kept.write_bytes(old)
    no_build(monkeypatch)
    with polyvec.connect(f"memory://{tmp_path}") as store:
        tenant = store.collection("a").namespace("t/ü")
        details = finish(tenant)
        assert details["nodes"] == COUNT + 250
        assert details["tombstones"] == 100
        queries = np.vstack([clustered(30, seed=1), rows[COUNT : COUNT + 20]])
        true = tenant.query_many(queries, top_k=10, exact=True)
        assert recall(tenant.query_many(queries, top_k=10), true) >= 0.99


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def overwrite(path: Path) -> None:
    path.write_bytes(b"something else")


def of_another_place(path: Path) -> None:
    header, arrays = file.read(path)
    file.write(path, {**header, "place": ["b", ""]}, arrays)


def of_other_settings(path: Path) -> None:
    header, arrays = file.read(path)
    file.write(path, {**header, "ef_construction": 7}, arrays)


def dangling(path: Path) -> None:
    header, arrays = file.read(path)
    file.write(path, header, {**arrays, "bottom": arrays["bottom"] + np.int32(COUNT)})


def without_an_array(path: Path) -> None:
    header, arrays = file.read(path)
    del arrays["upper"]
    file.write(path, header, arrays)


def without_numbers(path: Path) -> None:
    header, arrays = file.read(path)
    file.write(path, header, {**arrays, "sequence": arrays["sequence"][:-1]})


@pytest.mark.parametrize(
    "harm",
    [
        cut,
        flip,
        overwrite,
        of_another_place,
        of_other_settings,
        dangling,
        without_an_array,
        without_numbers,
    ],
)
def test_a_bad_file_is_passed_over(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path)
    (kept,) = graph_files(tmp_path)
    harm(kept)
    with (
        caplog.at_level(logging.WARNING, "polyvec"),
        polyvec.connect(f"memory://{tmp_path}") as store,
    ):
        tenant = store.collection("a").namespace("t/ü")
        assert finish(tenant)["nodes"] == COUNT
        check(tenant)
    (warning,) = caplog.messages
    assert str(kept) in warning
    assert "built anew" in warning


def test_a_graph_of_other_vectors_is_not_believed(tmp_path: Path) -> None:
    """Same ids, same numbers, other vectors: the file of a collection that is gone."""
    saved(tmp_path)
    (kept,) = graph_files(tmp_path)
    old = kept.read_bytes()
    other = -clustered(COUNT, seed=7)
    with polyvec.connect(f"memory://{tmp_path}") as store:
        store.drop_collection("a")
        made = store.create_collection("a", dimension=32, index=HNSW())
        made.namespace("t/ü").upsert(ids=names(COUNT), vectors=other)
    kept.write_bytes(old)
    with polyvec.connect(f"memory://{tmp_path}") as store:
        tenant = store.collection("a").namespace("t/ü")
        details = finish(tenant)
        assert (details["nodes"], details["tombstones"]) == (COUNT, 0)
        queries = clustered(30, seed=1)
        true = ids_of(tenant.query_many(queries, top_k=10, exact=True))
        assert ids_of(tenant.query_many(queries, top_k=10)) == true


def test_graphs_of_nobody_are_removed(tmp_path: Path) -> None:
    saved(tmp_path)
    (kept,) = graph_files(tmp_path)
    (tmp_path / f"{kept.name}.x7f3").write_bytes(b"an interrupted write")
    (tmp_path / "graph-of-sales.png").write_bytes(b"not ours")
    with polyvec.connect(f"memory://{tmp_path}") as store:
        store.collection("a").namespace("t/ü").clear()
    assert [path.name for path in graph_files(tmp_path)] == ["graph-of-sales.png"]


def test_a_graph_that_cannot_be_written_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(file, "write", refuse)
    saved(tmp_path)
    (warning,) = caplog.messages
    assert "no graph could be written: [Errno 28]" in warning
    monkeypatch.undo()
    with polyvec.connect(f"memory://{tmp_path}") as store:
        assert store.collection("a").namespace("t/ü").count() == COUNT


def test_a_checkpoint_writes_the_graphs(tmp_path: Path) -> None:
    adapter = MemoryAdapter(Directory(tmp_path, checkpoint_bytes=2**40))
    adapter.create_collection(CollectionSpec("a", 32, index=HNSW()), timeout_s=None)
    at = Target(adapter.open_collection("a", None, timeout_s=None), "")
    rows = clustered(COUNT)
    nothing: list[dict[str, Any]] = [{} for _ in rows]
    batch = RecordBatch(names(COUNT), rows, nothing, [None for _ in rows])
    adapter.upsert(at, batch, timeout_s=None)
    none: frozenset[Any] = frozenset()
    adapter.search(at, rows[:1], None, 1, none, None, timeout_s=None, consistency=None)
    wait_for_threads()
    adapter.checkpoint()
    assert len(graph_files(tmp_path)) == 1
    adapter.close()
