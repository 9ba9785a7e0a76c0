"""HNSW collections of the memory store, as a user sees them: recall, filters, churn, threads."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from tests.unit.memory.graph_data import (
    ALWAYS,
    Floats,
    clustered,
    even,
    ids_of,
    names,
    recall,
    wait_for_threads,
)

import polyvec
from polyvec import HNSW, Collection, F, Flat, NotSupportedError
from polyvec.memory import exact, graph_builder, graph_policy
from polyvec.memory import space as space_module
from polyvec.memory.columns import View
from polyvec.memory.graph_policy import Policy
from polyvec.scoring import exact_scores
from polyvec.types import Metric

COUNT = 3000
EAGER = Policy(least=1000, enough=100)
"""Makes a graph of less."""


@pytest.fixture
def store() -> Generator[polyvec.VectorStore]:
    with polyvec.connect(ALWAYS) as opened:
        yield opened


def filled(
    store: polyvec.VectorStore, rows: Floats, metric: str = "cosine", **shape: Any
) -> Collection[Any]:
    made = store.create_collection("a", dimension=rows.shape[1], metric=metric, **shape)
    share = np.random.default_rng(3).permutation(len(rows)) * 1000 // len(rows)
    order = np.argsort(np.argsort(rows[:, 0])) * 1000 // len(rows)
    metadata = [
        {"share": int(a), "side": int(b)} for a, b in zip(share, order, strict=True)
    ]  # per mille
    made.upsert(ids=names(len(rows)), vectors=rows, metadata=metadata)
    return made


def no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("this search is for the graph")

    monkeypatch.setattr(exact, "search", refuse)


def _only_of_nothing(view: View, queries: Floats, *_: Any, **__: Any) -> list[exact.Best]:
    assert view.findable == 0, "this search is for the graph"
    return [exact.Best(np.empty(0, np.intp), np.empty(0)) for _ in queries]


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("top_k", [10, 100])
def test_recall_at_ef_200(
    store: polyvec.VectorStore, metric: str, top_k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, queries = clustered(COUNT), clustered(50, seed=1)
    if metric == "dot":
        rows = even(rows)
    made = filled(store, rows, metric, index=HNSW(ef_construction=100))
    true = made.query_many(queries, top_k=top_k, exact=True)
    no_scan(monkeypatch)
    found = made.query_many(queries, top_k=top_k, search=HNSW(ef_search=200))
    assert recall(found, true) >= 0.99
    exactly = exact_scores(queries, rows, Metric(metric))
    for row, hits in zip(exactly, found, strict=True):
        assert [hit.score for hit in hits] == pytest.approx(
            [row[int(hit.id[1:])] for hit in hits], abs=1e-9
        )
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_larger_ef_finds_more(store: polyvec.VectorStore) -> None:
    made = filled(store, clustered(COUNT), index=HNSW(m=4, ef_construction=20, ef_search=300))
    queries = clustered(50, seed=1)
    true = made.query_many(queries, top_k=10, exact=True)
    narrow = recall(made.query_many(queries, top_k=10, search=HNSW(ef_search=10)), true)
    wide = recall(made.query_many(queries, top_k=10, search=HNSW(ef_search=400)), true)
    of_the_collection = recall(made.query_many(queries, top_k=10), true)
    assert narrow < 0.97 < wide
    assert of_the_collection > narrow + 0.02


@pytest.mark.parametrize("field", ["share", "side"])
@pytest.mark.parametrize("per_mille", [500, 100, 10, 1])
@pytest.mark.parametrize("url", [ALWAYS, "memory://"])
def test_filters(url: str, per_mille: int, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random masks, and those of one side of the space, where half of the queries are not."""
    monkeypatch.setattr(graph_policy, "LARGE", EAGER)
    rows, queries = clustered(COUNT), clustered(40, seed=1)
    with polyvec.connect(url) as store:
        made = filled(store, rows, index=HNSW(ef_search=200))
        _finish(made)
        where = F(field) < per_mille
        matching = made.count(where)
        assert matching == COUNT * per_mille // 1000
        true = made.query_many(queries, top_k=10, filter=where, exact=True)
        found = made.query_many(queries, top_k=10, filter=where)
        assert {len(hits) for hits in found} == {min(10, matching)}
        assert recall(found, true) >= 0.99
        one = [made.query(query, top_k=10, filter=where) for query in queries]
        assert recall(one, true) >= 0.99
        assert all(hit.record.metadata[field] < per_mille for hits in one for hit in hits)


def _finish(made: Collection[Any]) -> None:
    """Let a search want the graph, and wait until it is there."""
    made.query(np.ones(made.describe().dimension, np.float32), top_k=1)
    wait_for_threads()


def test_every_match_comes_whatever_the_graph_finds(store: polyvec.VectorStore) -> None:
    made = filled(store, clustered(COUNT), index=HNSW(m=2, ef_construction=2))
    query = clustered(1, seed=1)[0]
    for top_k in (1, 37, COUNT, COUNT + 5):
        hits = made.query(query, top_k=top_k, search=HNSW(ef_search=1))
        assert len({hit.id for hit in hits}) == min(top_k, COUNT)
    where = F("side") > 989
    far = -clustered(COUNT)[int(made.query(query, top_k=1, filter=where)[0].id[1:])]
    assert len(made.query(far, top_k=25, filter=where, search=HNSW(ef_search=1))) == 25


def test_a_query_may_ask_for_a_scan(store: polyvec.VectorStore) -> None:
    made = filled(store, clustered(COUNT), index=HNSW(m=2, ef_construction=2, ef_search=1))
    queries = clustered(30, seed=1)
    true = ids_of(made.query_many(queries, top_k=10, exact=True))
    assert ids_of(made.query_many(queries, top_k=10, search=Flat())) == true
    assert ids_of(made.query_many(queries, top_k=10)) != true


@pytest.mark.parametrize("settings", [HNSW(m=8), HNSW(ef_construction=50, ef_search=50)])
def test_settings_of_the_making_are_refused_in_a_query(
    store: polyvec.VectorStore, settings: HNSW
) -> None:
    made = filled(store, clustered(10), index=HNSW())
    with pytest.raises(NotSupportedError, match="m and ef_construction are settings of a coll"):
        made.query(clustered(1)[0], search=settings)


def test_collections_without_hnsw_have_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_policy, "LARGE", EAGER)
    with polyvec.connect("memory://") as store:
        for name, index in (("none", None), ("flat", Flat())):
            made = store.create_collection(name, dimension=32, index=index)
            made.upsert(ids=names(COUNT), vectors=clustered(COUNT))
            _finish(made)
            assert made.describe().details == {"search": "exact", "directory": None}
            assert made.describe().index == Flat()


def test_a_graph_is_made_by_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact until it is there, then by graph, and again after many more records came."""
    monkeypatch.setattr(graph_policy, "LARGE", EAGER)
    rows, queries = clustered(2 * COUNT), clustered(20, seed=1)
    with polyvec.connect("memory://") as store:
        made = filled(store, rows[:999], index=HNSW(m=8))
        _finish(made)
        assert made.describe().details["search"] == "exact"
        made.upsert(ids=names(COUNT - 999, 999), vectors=rows[999:COUNT])
        _finish(made)
        told = made.describe()
        assert told.index == HNSW(m=8)
        assert told.details["search"] == "graph"
        assert told.details["nodes"] == COUNT
        assert told.details["tombstones"] == 0
        assert told.details["levels"] >= 1
        assert told.details["kernel"] in {"int8, vnni", "int8, portable"}
        # int8 codes, 16 links of four bytes on the bottom layer, and what a row has besides
        assert 32 + 64 <= told.details["graph_bytes"] / COUNT <= 1.6 * 32 + 200
        made.upsert(ids=names(50, COUNT), vectors=rows[COUNT : COUNT + 50])
        _finish(made)
        assert made.describe().details["nodes"] == COUNT, "few are scanned beside it"
        near = made.query(rows[COUNT + 7], top_k=1)
        assert near[0].id == f"r{COUNT + 7}"
        made.upsert(ids=names(COUNT - 50, COUNT + 50), vectors=rows[COUNT + 50 :])
        _finish(made)
        assert made.describe().details["nodes"] == 2 * COUNT
        true = made.query_many(queries, top_k=10, exact=True)
        assert recall(made.query_many(queries, top_k=10), true) >= 0.99


def test_churn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the records replaced, deleted and added: as good as a graph made afresh."""
    monkeypatch.setattr(graph_policy, "LARGE", EAGER)
    rows, queries = clustered(2 * COUNT), clustered(100, seed=1)
    draw = np.random.default_rng(8)
    with polyvec.connect("memory://") as store:
        made = filled(store, rows[:COUNT], index=HNSW(ef_search=40))
        _finish(made)
        for step in range(10):
            part = slice(COUNT + step * 150, COUNT + (step + 1) * 150)
            replaced = [f"r{at}" for at in draw.choice(COUNT, 75, replace=False)]
            made.upsert(ids=[*replaced, *names(75, part.start)], vectors=rows[part])
            made.delete([f"r{at}" for at in draw.choice(COUNT, 75, replace=False)])
            _finish(made)
            told = made.describe()
            assert told.details["tombstones"] <= 0.2 * told.details["nodes"] + 150
        batch = made.get([hit.id for hit in made.query(queries[0], top_k=10_000)])
        assert len(batch) == made.count()
        fresh = store.create_collection("b", dimension=32, index=HNSW(ef_search=40))
        fresh.upsert(batch)
        _finish(fresh)
        assert fresh.describe().details["nodes"] == len(batch)
        true = made.query_many(queries, top_k=10, exact=True)
        here = recall(made.query_many(queries, top_k=10), true)
        there = recall(fresh.query_many(queries, top_k=10), true)
        assert here >= there - 0.005


@pytest.mark.parametrize("compacted_above", [8, 10**9])
def test_few_records_are_all_found_after_any_writes(
    store: polyvec.VectorStore, compacted_above: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool holds every node, so the graph must give the answer of a scan, ties too."""
    monkeypatch.setattr(space_module, "COMPACTED_ABOVE", compacted_above)
    monkeypatch.setattr(exact, "search", _only_of_nothing)
    draw = np.random.default_rng(4)
    made = store.create_collection("a", dimension=4, metric="euclidean")
    model: dict[str, Floats] = {}
    for step in range(150):
        ids = [str(at) for at in draw.choice(20, draw.integers(1, 5), replace=False)]
        if step % 3 < 2 or not model:
            vectors = draw.integers(-2, 3, (len(ids), 4)).astype(np.float32)
            made.upsert(ids=ids, vectors=vectors, metadata=[{"step": step}] * len(ids))
            model |= dict(zip(ids, vectors, strict=True))
        elif step == 80:
            made.clear()
            model.clear()
        else:
            made.delete(ids)
            model = {key: row for key, row in model.items() if key not in ids}
        query = draw.integers(-2, 3, 4).astype(np.float32)
        hits = made.query(query, top_k=5)
        best = sorted((float(np.linalg.norm(row - query)), key) for key, row in model.items())[:5]
        assert [hit.id for hit in hits] == [key for _, key in best]
        assert [hit.distance for hit in hits] == pytest.approx([far for far, _ in best])


def _history() -> tuple[list[dict[str, int]], list[tuple[list[str], slice, list[str]]]]:
    """Return the states that a namespace goes through, id to row, and the writes between them."""
    states: list[dict[str, int]] = [{f"r{at}": at for at in range(COUNT)}]
    draw = np.random.default_rng(6)
    writes: list[tuple[list[str], slice, list[str]]] = []
    for step in range(80):  # 50 rows each: new ones, replaced ones, and some go
        part = slice(COUNT + step * 50, COUNT + (step + 1) * 50)
        ids = [*names(25, part.start), *(f"r{at}" for at in draw.choice(COUNT, 25, replace=False))]
        gone = [f"r{at}" for at in draw.choice(COUNT, 10, replace=False)]
        after = states[-1] | dict(zip(ids, range(part.start, part.stop), strict=True))
        states.append(after)
        states.append({key: row for key, row in after.items() if key not in set(gone)})
        writes.append((ids, part, gone))
    return states, writes


def test_eight_threads_search_while_one_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is that of one of the states between its beginning and its end."""
    monkeypatch.setattr(graph_policy, "LARGE", EAGER)
    rows, queries = clustered(COUNT + 4000, 16), clustered(40, 16, seed=1)
    begun = ended = 0
    states, writes = _history()
    seen: list[tuple[int, int, int, list[tuple[str, float]]]] = []
    finished = threading.Event()
    failures: list[BaseException] = []
    searched = threading.Semaphore(0)
    nodes: set[int] = set()

    def search(number: int) -> None:
        try:
            at = number
            while not finished.is_set():
                at = (at + 1) % len(queries)
                first = ended
                hits = made.query(queries[at], top_k=10, include=())
                seen.append((at, first, begun, [(hit.id, hit.score) for hit in hits]))
                searched.release()
        except BaseException as exc:  # noqa: BLE001 - raised in the thread of the test
            failures.append(exc)
            searched.release(10**6)

    with polyvec.connect("memory://") as store:
        made = filled(store, rows[:COUNT], "euclidean", index=HNSW())
        _finish(made)
        threads = [threading.Thread(target=search, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for step, (ids, part, gone) in enumerate(writes):
            if step % 8 == 0:
                _finish(made)
                nodes.add(made.describe().details["nodes"])
            begun += 1
            made.upsert(ids=ids, vectors=rows[part])
            ended += 1
            begun += 1
            made.delete(gone)
            ended += 1
            for _ in range(4):
                searched.acquire()
        finished.set()
        for thread in threads:
            thread.join()
        assert not failures
    assert len(nodes) > 4, "graphs took the place of others meanwhile"
    assert len(seen) >= 4 * len(writes)
    scores = exact_scores(queries, rows, Metric.EUCLIDEAN)
    for at, first, last, hits in seen:
        assert len({key for key, _ in hits}) == 10
        assert any(
            all(
                key in state and scores[at][state[key]] == pytest.approx(score, abs=1e-6)
                for key, score in hits
            )
            for state in states[first : last + 1]
        )


def test_without_numba_a_warning_and_a_scan(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with caplog.at_level(logging.WARNING, "polyvec"), polyvec.connect(ALWAYS) as store:
        made = filled(store, clustered(200), index=HNSW())
        query = clustered(1, seed=1)[0]
        for _ in range(3):
            found = made.query(query, top_k=10, search=HNSW(ef_search=10))
            assert ids_of([found]) == ids_of([made.query(query, top_k=10, exact=True)])
        assert made.describe().index == HNSW()
        assert made.describe().details["search"] == "exact"
    (warning,) = caplog.messages
    assert "pip install 'polyvec[hnsw]'" in warning


def test_a_graph_that_cannot_be_made_is_an_error_in_the_log_alone(
    store: polyvec.VectorStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(graph_builder, "build", fail)
    made = filled(store, clustered(200), index=HNSW())
    for _ in range(2):
        assert len(made.query(clustered(1)[0], top_k=10)) == 10
    (error,) = caplog.messages
    assert "searched exactly" in error


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_vectors_of_all_lengths(store: polyvec.VectorStore, metric: str) -> None:
    """Over- and underflowing ones, and lengths over three orders of magnitude."""
    rows = clustered(500)
    rows *= np.exp(np.random.default_rng(1).normal(0, 1.5, (500, 1))).astype(np.float32)
    rows[:5] *= np.float32(1e-30)
    rows[5:10] *= np.float32(1e30)
    made = filled(store, rows, metric)
    queries = np.vstack([clustered(5, seed=1), rows[0:10]])
    true = made.query_many(queries, top_k=10, exact=True)
    assert recall(made.query_many(queries, top_k=10), true) >= 0.99


def test_longer_and_longer_vectors_by_inner_product(store: polyvec.VectorStore) -> None:
    rows = even(clustered(600))
    made = filled(store, rows[:300], "dot")
    queries = clustered(20, seed=1)
    made.query(queries[0], top_k=1)
    made.upsert(ids=names(300, 300), vectors=rows[300:] * np.float32(3))
    true = made.query_many(queries, top_k=10, exact=True)
    assert recall(made.query_many(queries, top_k=10), true) >= 0.99
    assert made.query(queries[0], top_k=600)[0].id == true[0][0].id
