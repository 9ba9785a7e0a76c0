"""Scores against plain loops, their order, and the heap of a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from polyvec._ranking import TopK
from polyvec.records import RecordBatch
from polyvec.scoring import best_rows, exact_scores
from polyvec.types import Metric, Vector, distance_of

WIDTH = 5
NUMBERS = st.floats(-1e6, 1e6, width=32)
BLOCKS = st.integers(1, 6).flatmap(lambda n: hnp.arrays(np.float32, (n, WIDTH), elements=NUMBERS))


def naive(left: Sequence[float], right: Sequence[float], metric: Metric) -> float:
    inner = math.fsum(a * b for a, b in zip(left, right, strict=True))
    match metric:
        case Metric.DOT:
            return inner
        case Metric.EUCLIDEAN:
            return -math.dist(left, right)
        case Metric.COSINE:
            norms = math.hypot(*left) * math.hypot(*right)
            return min(1.0, max(-1.0, inner / norms)) if norms else 0.0


@pytest.mark.parametrize("metric", list(Metric))
@given(queries=BLOCKS, rows=BLOCKS)
def test_scores_are_those_of_a_plain_loop(queries: Vector, rows: Vector, metric: Metric) -> None:
    scores = exact_scores(queries, rows, metric)
    assert scores.dtype == np.float64
    assert scores.shape == (len(queries), len(rows))
    for i, query in enumerate(queries.tolist()):
        for j, row in enumerate(rows.tolist()):
            size = math.hypot(*query) * math.hypot(*row)
            slack = 1e-12 * (1.0 if metric is Metric.COSINE else 1.0 + size)
            assert scores[i, j] == pytest.approx(naive(query, row, metric), abs=slack, rel=1e-12)


@pytest.mark.parametrize("metric", list(Metric))
def test_no_queries_and_no_rows(metric: Metric) -> None:
    none, some = np.empty((0, 3), np.float32), np.ones((2, 3), np.float32)
    assert exact_scores(none, some, metric).shape == (0, 2)
    assert exact_scores(some, none, metric).shape == (2, 0)
    assert exact_scores(none, none, metric).shape == (0, 0)


@pytest.mark.parametrize("metric", list(Metric))
def test_the_extremes_of_float32(metric: Metric) -> None:
    big, tiny = np.finfo(np.float32).max, np.float32(1e-45)
    rows = np.array([[big, 0], [-big, 0], [tiny, 0], [-tiny, 0]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        scores = exact_scores(rows, rows, metric)
    assert np.isfinite(scores).all()
    if metric is Metric.COSINE:
        assert scores[0].tolist() == [1, -1, 1, -1]
        assert scores[2].tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("width", [3, 384])
def test_equal_vectors_score_equally_wherever_they_stand(metric: Metric, width: int) -> None:
    # Ties go by id only if the same vector never differs in its last bit.
    rng = np.random.default_rng(5)
    twin = rng.normal(size=width).astype(np.float32)
    query = rng.normal(size=(1, width)).astype(np.float32)
    alone = exact_scores(query, twin[None], metric)[0, 0]
    for count in (2, 3, 4, 5, 7, 8, 9, 16, 33, 100):
        rows = rng.normal(size=(count, width)).astype(np.float32)
        places = {0, count // 2, count - 1}
        rows[list(places)] = twin
        for queries in (query, np.repeat(query, 3, axis=0), np.repeat(query, 4, axis=0)):
            scores = exact_scores(queries, rows, metric)
            assert {scores[q, p] for q in range(len(queries)) for p in places} == {alone}


def test_the_cosine_of_a_zero_vector_is_zero() -> None:
    rows = np.array([[0, 0], [1, 0]], np.float32)
    assert exact_scores(rows, rows, Metric.COSINE).tolist() == [[0, 0], [0, 1]]


@given(
    scores=st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.0, -3.5]), max_size=12),
    k=st.integers(1, 14),
    rng=st.randoms(),
)
def test_the_best_rows_are_the_sorted_ones(scores: list[float], k: int, rng: object) -> None:
    ids = [f"{number:02d}" for number in range(len(scores))]
    getattr(rng, "shuffle")(ids)  # noqa: B009 - hypothesis gives a Random without saying so
    rows = best_rows(np.array(scores), ids, k)
    expected = sorted(range(len(ids)), key=lambda row: (-scores[row], ids[row]))[:k]
    assert rows.tolist() == expected


@given(
    parts=st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=5), max_size=6),
    k=st.integers(1, 8),
)
def test_a_stream_in_parts_gives_the_same_as_all_at_once(parts: list[list[float]], k: int) -> None:
    top = TopK(k)
    everything: list[tuple[float, str]] = []
    for number, part in enumerate(parts):
        ids = [f"{(7 * (number * 5 + at)) % 31:02d}" for at in range(len(part))]
        everything += zip(part, ids, strict=True)
        if part:
            top.offer(RecordBatch(ids), np.array(part))
    expected = sorted(everything, key=lambda pair: (-pair[0], pair[1]))[:k]
    found = top.found()
    assert list(zip(found.scores.tolist(), found.batch.ids, strict=True)) == expected


def test_distances() -> None:
    assert distance_of(0.75, Metric.COSINE) == 0.25
    assert distance_of(-2.0, Metric.EUCLIDEAN) == 2.0
    assert distance_of(3.0, Metric.DOT) == -3.0
