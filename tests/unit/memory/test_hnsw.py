"""The graph: recall against the oracle, what always holds of it, and what a caller sees."""

# The invariants of a graph are those of its arrays, which are nobody else's business.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.memory.graph_data import clustered, forced

from polyvec.errors import InvalidRequestError
from polyvec.memory.hnsw import Graph, jit
from polyvec.schema import HNSW
from polyvec.scoring import exact_scores
from polyvec.types import Metric

ROOT = Path(__file__).resolve().parents[3]
Floats = npt.NDArray[np.float32]


def stretched(rows: Floats, seed: int = 5) -> Floats:
    """Lengths over three orders of magnitude."""
    factor = np.exp(np.random.default_rng(seed).normal(0, 1.2, (len(rows), 1)))
    return (rows * factor).astype(np.float32)


def heavy(rows: Floats) -> Floats:
    """Two dimensions a thousand times as great as the others."""
    rows = rows.copy()
    rows[:, :2] *= 1000
    return rows


@pytest.fixture(autouse=True)
def walking() -> Generator[None]:
    """Graphs as small as these would be scanned, were it not for this."""
    with forced("walk"):
        yield


def recall(graph: Graph, rows: Floats, queries: Floats, k: int, ef: int, mask: Any = None) -> float:
    """Share of the true k best scores reached; equal scores count whichever row has them."""
    scores = exact_scores(queries, rows, graph.metric)
    if mask is not None:
        scores[:, ~mask] = -np.inf
    worst = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
    found, _ = graph.search(queries, k, ef, mask)
    assert (found >= 0).all()
    assert all(len(set(row)) == k for row in found.tolist())
    reached = np.take_along_axis(scores, found, axis=1)
    return float((reached >= worst[:, None] - 1e-5 * np.abs(worst[:, None])).mean())


def reachable(graph: Graph) -> int:
    seen = {graph._entry}
    todo = list(seen)
    while todo:
        for other in graph._bottom[todo.pop()].tolist():
            if other >= 0 and other not in seen:
                seen.add(other)
                todo.append(other)
    return len(seen)


def check(graph: Graph) -> None:
    """No dangling, double or own links, no link to a lower layer, nothing cut off."""
    n = graph.nodes
    assert reachable(graph) == n
    assert graph._bottom.shape[1] == 2 * graph.m
    assert graph._levels[graph._entry] == graph._levels[:n].max()
    for node in range(n):
        for layer in range(int(graph._levels[node]) + 1):
            first = int(graph._first[node])
            row = graph._bottom[node] if layer == 0 else graph._upper[first + layer - 1]
            links = [link for link in row.tolist() if link >= 0]
            assert links == row.tolist()[: len(links)]
            assert len(set(links)) == len(links)
            assert all(link < n and link != node for link in links)
            assert all(graph._levels[link] >= layer for link in links)


@pytest.mark.parametrize("k", [10, 100])
@pytest.mark.parametrize(
    ("shape", "metric", "kernel"),
    [
        ("plain", Metric.COSINE, "int8"),
        ("plain", Metric.DOT, "int8"),
        ("plain", Metric.EUCLIDEAN, "int8"),
        ("stretched", Metric.COSINE, "int8"),
        ("stretched", Metric.DOT, None),
        ("stretched", Metric.EUCLIDEAN, "float32"),
        ("heavy", Metric.COSINE, None),
        ("heavy", Metric.DOT, None),
        ("heavy", Metric.EUCLIDEAN, None),
    ],
)
def test_recall(shape: str, metric: Metric, kernel: str | None, k: int) -> None:
    rows, queries = clustered(5000), clustered(50, seed=1)
    if shape == "stretched":
        rows, queries = stretched(rows), stretched(queries)
    elif shape == "heavy":
        rows, queries = heavy(rows), heavy(queries)
    graph = Graph.build(rows, metric, HNSW())
    assert kernel is None or graph.kernel == kernel
    assert recall(graph, rows, queries, k, 200) >= 0.99
    with forced("scan"):
        assert recall(graph, rows, queries, k, 200) >= 0.999


@pytest.mark.parametrize("metric", list(Metric))
def test_scores_are_those_of_the_oracle(metric: Metric) -> None:
    rows, queries = clustered(1000), clustered(20, seed=1)
    graph = Graph.build(rows, metric, HNSW())
    found, scores = graph.search(queries, 5, 50)
    true = np.take_along_axis(exact_scores(queries, rows, metric), found, axis=1)
    assert np.allclose(scores, true, rtol=1e-4, atol=1e-4)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_same_input_same_graph_and_another_seed_another() -> None:
    rows = clustered(600)
    one, two, other = (Graph.build(rows, Metric.COSINE, HNSW(m=8), seed) for seed in (1, 1, 2))
    assert one._bottom.tobytes() == two._bottom.tobytes()
    assert one._upper.tobytes() == two._upper.tobytes()
    assert one._levels.tobytes() != other._levels.tobytes()


def test_without_compiler_the_same_graph_and_answers() -> None:
    script = """
import hashlib, numpy as np
from polyvec.memory import hnsw_costs
from polyvec.memory.hnsw import Graph, jit
from polyvec.schema import HNSW
from polyvec.types import Metric
rows = np.random.default_rng(3).standard_normal((120, 8)).astype(np.float32)
graph = Graph.build(rows, Metric.COSINE, HNSW(m=4, ef_construction=16))
assert graph.kernel == "int8"
print(hashlib.sha256(graph._bottom.tobytes() + graph._upper.tobytes()).hexdigest())
for hnsw_costs.SIFT_NS in ((1e9, 0.0), (0.0, 0.0)):
    for mask in (None, rows[:, 0] > 0, rows[:, 0] > 1.5):
        found, _ = graph.search(rows[:5] + np.float32(0.01), 3, 8, mask)
        print(found.tolist())
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "NUMBA_DISABLE_JIT": switch},
            capture_output=True,
            text=True,
            check=True,
            timeout=200,
        ).stdout
        for switch in ("0", "1")
    ]
    assert outputs[0] == outputs[1] != ""


@pytest.mark.parametrize("metric", list(Metric))
def test_many_equal_rows_stay_reachable(metric: Metric) -> None:
    twins = np.repeat(clustered(4), 200, axis=0)
    rows = np.vstack([twins, clustered(200, seed=2)])
    graph = Graph.build(rows, metric, HNSW(m=4))
    check(graph)
    assert recall(graph, rows, clustered(4), 100, 400) >= 0.99


@pytest.mark.parametrize("m", [1, 2, 16])
def test_m_is_honoured(m: int) -> None:
    graph = Graph.build(stretched(clustered(400)), Metric.DOT, HNSW(m=m))
    check(graph)
    assert graph.m == m


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(list(Metric)),
    st.lists(st.tuples(st.sampled_from("iid"), st.integers(1, 40)), min_size=1, max_size=12),
    st.integers(0, 1000),
)
def test_invariants_hold_after_any_operations(
    metric: Metric, operations: list[tuple[str, int]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = random.integers(-2, 3, (20, 3)).astype(np.float32)  # many of them equal
    graph = Graph.build(rows, metric, HNSW(m=3, ef_construction=10), seed)
    alive = np.ones(20, np.bool_)
    for kind, size in operations:
        if kind == "i":
            more = random.integers(-9, 10, (size, 3)).astype(np.float32)
            assert graph.insert(more).tolist() == list(range(len(rows), len(rows) + size))
            rows, alive = np.vstack([rows, more]), np.append(alive, np.ones(size, np.bool_))
        else:
            gone = random.integers(0, len(rows), size)
            graph.delete(gone)
            alive[gone] = False
    check(graph)
    assert len(graph) == alive.sum()
    found, scores = graph.search(rows[:2], len(rows), len(rows))
    assert all(set(row) - {-1} == set(np.flatnonzero(alive).tolist()) for row in found.tolist())
    assert (np.isneginf(scores) == (found < 0)).all()


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("correlated", [False, True])
def test_recall_under_a_mask(share: float, correlated: bool) -> None:
    rows, queries = clustered(6000), clustered(40, seed=1)
    lot = rows[:, 0] if correlated else np.random.default_rng(4).random(6000)
    mask = lot <= np.quantile(lot, share)
    graph = Graph.build(rows, Metric.COSINE, HNSW())
    k = min(10, int(mask.sum()))
    assert recall(graph, rows, queries, k, 64, mask) >= 0.99
    with forced("scan"):
        assert recall(graph, rows, queries, k, 64, mask) >= 0.999


def test_a_walk_that_finds_no_end_is_followed_by_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, queries = clustered(6000), clustered(40, seed=1)
    mask = rows[:, 0] <= np.quantile(rows[:, 0], 0.1)
    far = queries[queries[:, 0] > np.quantile(rows[:, 0], 0.7)]
    graph = Graph.build(rows, Metric.COSINE, HNSW())
    monkeypatch.setattr("polyvec.memory.hnsw_costs.SIFT_NS", (4.0, 0.0))
    monkeypatch.setattr("polyvec.memory.hnsw_costs.WALK_SHARE", 1e9)
    assert len(far) >= 5
    assert recall(graph, rows, far, 10, 64, mask) >= 0.999


def test_recall_after_half_was_replaced_is_that_of_a_fresh_graph() -> None:
    rows, queries = clustered(4000), clustered(200, seed=1)
    graph = Graph.build(rows[:2000], Metric.COSINE, HNSW())
    graph.insert(rows[2000:3000])
    graph.delete(np.arange(1000))
    assert graph.worn
    fresh = Graph.build(rows[1000:3000], Metric.COSINE, HNSW())
    assert not fresh.worn
    mask = np.arange(3000) >= 1000
    churned = recall(graph, rows[:3000], queries, 10, 64, mask)
    assert churned >= recall(fresh, rows[1000:3000], queries, 10, 64) - 0.005


def test_threads_give_the_answers_of_one() -> None:
    rows, queries = clustered(3000), clustered(101, seed=1)
    graph = Graph.build(rows, Metric.EUCLIDEAN, HNSW())
    for one, many in zip(
        graph.search(queries, 10, 50), graph.search(queries, 10, 50, threads=4), strict=True
    ):
        assert np.array_equal(one, many)


def test_queries_far_outside_are_answered_exactly() -> None:
    rows, queries = clustered(3000), 1000 * clustered(20, seed=1)
    graph = Graph.build(rows, Metric.EUCLIDEAN, HNSW())
    assert graph.kernel == "int8"
    assert recall(graph, rows, queries, 10, 20) >= 0.99


def test_a_row_longer_than_all_before_is_found_by_dot() -> None:
    rows, queries = clustered(3000), clustered(20, seed=1)
    graph = Graph.build(rows, Metric.DOT, HNSW())
    longer = 5 * clustered(50, seed=3)
    graph.insert(longer)
    assert recall(graph, np.vstack([rows, longer]), queries, 20, 50) == 1


def test_an_empty_graph_finds_nothing_and_grows() -> None:
    graph = Graph.build(np.empty((0, 3), np.float32), Metric.DOT, HNSW())
    found, scores = graph.search(np.ones((2, 3), np.float32), 4, 10)
    assert (found == -1).all()
    assert np.isneginf(scores).all()
    assert graph.insert(np.ones((1, 3), np.float32)).tolist() == [0]
    assert graph.search(np.ones((1, 3), np.float32), 1, 10)[0].tolist() == [[0]]


def test_impossible_arguments_are_refused() -> None:
    graph = Graph.build(clustered(10), Metric.COSINE, HNSW())
    with pytest.raises(InvalidRequestError, match="rows are 0 to 9"):
        graph.delete(np.array([10]))
    with pytest.raises(InvalidRequestError, match="at least 1"):
        graph.search(clustered(1), 0, 10)
    masks: list[Any] = [np.ones(9, np.bool_), np.ones(11, np.bool_), np.ones(10, np.int64)]
    for mask in masks:
        with pytest.raises(InvalidRequestError, match=r"expected bool of shape \(10,\)"):
            graph.search(clustered(1), 1, 10, mask)


def test_the_cache_needs_no_writable_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    script = "from polyvec.memory.hnsw import jit; print(jit._cache_folder())"
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")}
    result = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert "polyvec-numba-" in result.stdout
    assert not Path(result.stdout.strip()).exists()  # nothing is left behind


RACE = """
import os, sys
import numpy as np
from racing import twice

dtypes = [np.dtype(name) for name in "i1 i2 i4 i8 u1 u2 f4 f8".split()]
if sys.argv[1] == "race":
    ready, go = os.pipe(), os.pipe()
    children = []
    for dtype in dtypes:
        if not (child := os.fork()):
            os.close(go[1])
            save = twice._cache.save_overload

            def meet(*args):
                os.write(ready[1], b"x")
                os.read(go[0], 1)  # ends when the parent closes its end: all save at once
                save(*args)

            twice._cache.save_overload = meet
            twice(np.ones(3, dtype))
            os._exit(0)
        children.append(child)
    for _ in children:
        os.read(ready[0], 1)
    os.close(go[1])
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
else:
    for dtype in dtypes:
        assert (twice(np.arange(3, dtype=dtype)) == 2 * np.arange(3)).all()
    print(sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()))
"""

TWICE = """
from polyvec.memory.hnsw.jit import jit

@jit
def twice(row):
    return row + row
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_processes_that_compile_at_once_do_not_mix_their_code(tmp_path: Path) -> None:
    (tmp_path / "racing.py").write_text(TWICE)
    env = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }
    for step, expected in (("race", ""), ("look", "8 0")):
        command = [sys.executable, "-c", RACE, step]
        result = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=200
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == expected


def test_the_cache_is_one_of_this_code(tmp_path: Path) -> None:
    (tmp_path / "racing.py").write_text(TWICE)
    script = """
import numpy as np
from racing import twice
twice(np.ones(2))
print(twice._cache.cache_path)
"""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    place = Path(result.stdout.strip())
    assert place.is_relative_to(tmp_path / "cache" / jit._fingerprint())
    assert list(place.glob("*.nbc"))
