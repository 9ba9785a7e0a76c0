"""The float32 search with float64 contenders gives the answer of float64 throughout."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec.memory import exact
from polyvec.memory.columns import View
from polyvec.memory.space import Space
from polyvec.records import RecordBatch
from polyvec.scoring import exact_scores, row_scores
from polyvec.types import Metric

# Ties, cancellation, overflow of squares and of products, underflow, subnormal numbers.
NUMBERS = [0.0, 1.0, -1.0, 2.0, 3.0, 0.1, -0.3, 1e-3, 1e20, -1e20, 3e38, -3e38, 1e-25, 1e-30, 1e-45]


def space_of(vectors: npt.NDArray[Any], ids: list[str] | None = None) -> Space:
    n, dimension = vectors.shape
    names = ids or [f"{number:05d}" for number in range(n)]
    space = Space(dimension)
    vectors = vectors.astype(np.float32)
    space.upsert(RecordBatch(names, vectors, [{} for _ in names], [None] * n), 0)
    return space


def assert_exact(
    view: View, queries: npt.NDArray[Any], metric: Metric, k: int, allowed: Any
) -> None:
    queries = queries.astype(np.float32)
    fast = exact.search(view, queries, metric, k, allowed)
    slow = exact.search(view, queries, metric, k, allowed, check=True)
    rows = np.arange(view.n) if allowed is None else np.flatnonzero(allowed)
    oracle = exact_scores(queries, view.vectors[rows], metric)
    for one, other, scores in zip(fast, slow, oracle, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.scores.tolist() == other.scores.tolist()
        best = np.sort(scores)[::-1][: len(one.scores)]
        assert len(one.scores) == min(k, len(rows))
        np.testing.assert_allclose(one.scores, best, rtol=1e-12, atol=1e-12)
        pairs: list[tuple[float, int]] = list(
            zip(one.scores.tolist(), one.rows.tolist(), strict=True)
        )
        assert pairs == sorted(pairs, key=lambda pair: (-pair[0], view.ids[pair[1]]))


@given(st.data(), st.sampled_from(Metric), st.integers(1, 5))
def test_small_and_hostile_vectors(data: st.DataObject, metric: Metric, dimension: int) -> None:
    number = st.sampled_from(NUMBERS) | st.floats(-4, 4, width=32)
    row = st.lists(number, min_size=dimension, max_size=dimension)
    vectors = np.array(data.draw(st.lists(row, min_size=2, max_size=30)))
    queries = np.array(data.draw(st.lists(row, min_size=1, max_size=3)))
    masks = st.lists(st.booleans(), min_size=len(vectors), max_size=len(vectors))
    allowed = data.draw(st.none() | masks.map(np.array))
    k = data.draw(st.integers(1, len(vectors)))
    assert_exact(space_of(vectors).view(), queries, metric, k, allowed)


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("share", [None, 0.9, 0.05, 0.0])
@pytest.mark.parametrize("scale", [1.0, 1e30, 1e-30])
def test_many_vectors(metric: Metric, share: float | None, scale: float) -> None:
    random = np.random.default_rng(7)
    vectors = random.standard_normal((3000, 48)) * scale
    vectors[100:200] = vectors[:100]  # ties
    vectors[500] *= 1e5
    queries = random.standard_normal((5, 48)) * scale
    queries[0] = vectors[150]
    allowed = None if share is None else random.random(3000) < share
    assert_exact(space_of(vectors).view(), queries, metric, 20, allowed)


@pytest.mark.parametrize("metric", Metric)
def test_nearly_equal_rows_are_told_apart(metric: Metric) -> None:
    """Rows that differ by less than float32 arithmetic can see are ordered by float64."""
    random = np.random.default_rng(3)
    base = random.standard_normal(768).astype(np.float32)
    vectors = np.tile(base, (500, 1))
    for row in range(500):  # one step in the last place of a few components
        at = random.integers(0, 768, 3)
        vectors[row, at] = np.nextafter(vectors[row, at], np.float32(np.inf))
    assert_exact(space_of(vectors).view(), base[None], metric, 10, None)


@pytest.mark.parametrize("metric", Metric)
def test_equal_rows_come_by_id_whatever_their_place(metric: Metric) -> None:
    random = np.random.default_rng(5)
    vectors = np.tile(random.standard_normal(33).astype(np.float32), (101, 1))
    ids = [f"{number:03d}" for number in random.permutation(101)]
    view = space_of(vectors, ids).view()
    (best,) = exact.search(view, random.standard_normal((1, 33)).astype("f4"), metric, 7, None)
    assert [view.ids[row] for row in best.rows] == [f"{number:03d}" for number in range(7)]
    assert len(set(best.scores.tolist())) == 1


def test_blocks_of_queries_and_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(9)
    view = space_of(random.standard_normal((700, 16))).view()
    queries = random.standard_normal((9, 16)).astype(np.float32)
    allowed = random.random(700) < 0.2
    expected = exact.search(view, queries, Metric.COSINE, 5, allowed)
    monkeypatch.setattr(exact, "PRODUCTS", 300)
    monkeypatch.setattr(exact, "GATHERED_FLOATS", 1)
    monkeypatch.setattr(exact, "RESCORED_ROWS", 3)
    found = exact.search(view, queries, Metric.COSINE, 5, allowed)
    assert [one.rows.tolist() for one in found] == [one.rows.tolist() for one in expected]
    assert [one.scores.tolist() for one in found] == [one.scores.tolist() for one in expected]


def test_most_rows_are_scored_in_float32_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is tight enough to be of use: few rows are scored twice."""
    random = np.random.default_rng(11)
    view = space_of(random.standard_normal((5000, 384))).view()
    scored = 0

    def counting(query: Any, rows: Any, metric: Metric) -> Any:
        nonlocal scored
        scored += len(rows)
        return row_scores(query, rows, metric)

    monkeypatch.setattr(exact, "row_scores", counting)
    for metric in Metric:
        exact.search(view, random.standard_normal((10, 384)).astype("f4"), metric, 10, None)
    assert 300 <= scored <= 600  # 30 queries, 10 wanted by each
