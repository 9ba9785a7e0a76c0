# Generated from search_async.py by tools/unasync.py. Do not edit.
"""Queries: scores, their order, thresholds, ties, many at once, per-query settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from polyvec.filters import F
from polyvec.schema import HNSW, IVF, Flat
from polyvec.testing.checks import check_distance, check_hits, tolerance_of
from polyvec.testing.oracle import Row, ranking
from polyvec.testing.rows import DIMENSION, sample, vector, vectors
from polyvec.testing.rules import Area
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.testing.lab import Lab
    from polyvec.testing.oracle import Rows

METRICS: Final = pytest.mark.parametrize("metric", list(Metric), ids=str)
ROWS: Final = sample(60, seed=3)


def _known_angles() -> Rows:
    """Rows whose scores against the first axis are known without computing."""
    numbers = {
        "same": [1.0, 0.0, 0.0, 0.0],
        "longer": [2.0, 0.0, 0.0, 0.0],
        "near": [3.0, 4.0, 0.0, 0.0],
        "across": [0.0, 2.0, 0.0, 0.0],
        "behind": [-3.0, 4.0, 0.0, 0.0],
        "opposite": [-1.0, 0.0, 0.0, 0.0],
    }
    return {key: Row(np.array(v, dtype=np.float32), {}) for key, v in numbers.items()}


KNOWN: Final[dict[Metric, dict[str, float]]] = {
    Metric.COSINE: {
        "same": 1.0,
        "longer": 1.0,
        "near": 0.6,
        "across": 0.0,
        "behind": -0.6,
        "opposite": -1.0,
    },
    Metric.DOT: {
        "same": 1.0,
        "longer": 2.0,
        "near": 3.0,
        "across": 0.0,
        "behind": -3.0,
        "opposite": -1.0,
    },
    Metric.EUCLIDEAN: {
        "same": 0.0,
        "longer": -1.0,
        "near": -(20.0**0.5),
        "across": -(5.0**0.5),
        "behind": -(32.0**0.5),
        "opposite": -2.0,
    },
}


def _require(lab: Lab, metric: Metric) -> None:
    if metric not in lab.capabilities.metrics:
        pytest.skip(f"{lab.capabilities.store} has no {metric}")


class Search(Area):
    """Equal to the exact ranking in float64, ties by id."""

    area = "search"

    @METRICS
    def test_known_scores(self, lab: Lab, metric: Metric) -> None:
        _require(lab, metric)
        rows = _known_angles()
        space = lab.filled(rows, metric=metric)
        query = rows["same"].vector
        for exact in (True, False):
            hits = space.query(query, top_k=6, exact=exact)
            assert {hit.id for hit in hits} == set(rows)
            for hit in hits:
                allowed = tolerance_of(metric, query, rows[hit.id].vector, lab.capabilities)
                assert abs(hit.score - KNOWN[metric][hit.id]) <= allowed, hit
                check_distance(hit, metric)
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)
        assert (space.query(query, top_k=6, exact=True))[0].id == (
            {Metric.COSINE: "longer", Metric.DOT: "near", Metric.EUCLIDEAN: "same"}[metric]
        )

    @METRICS
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_exact_ranking(self, lab: Lab, metric: Metric, seed: int) -> None:
        _require(lab, metric)
        space = lab.filled(ROWS, metric=metric)
        query = vector(seed + 100)
        for k in (1, 7, 60, 100):
            hits = space.query(query, top_k=k, exact=True, include=())
            expected = ranking(ROWS, query, metric, k=k)
            check_hits(hits, expected, ROWS, query, metric, lab.capabilities)

    @METRICS
    def test_exact_ranking_with_filter(self, lab: Lab, metric: Metric) -> None:
        _require(lab, metric)
        space = lab.filled(ROWS, metric=metric)
        query = vector(200)
        for where in (F("kind") == "red", F("kind") != "red", F("n") < 3, F("n").is_in([1, 59])):
            for k in (1, 5, 60):
                hits = space.query(query, top_k=k, filter=where, exact=True)
                expected = ranking(ROWS, query, metric, k=k, where=where)
                check_hits(hits, expected, ROWS, query, metric, lab.capabilities)

    @METRICS
    def test_index_answers_are_right(self, lab: Lab, metric: Metric) -> None:
        """What the index finds is rightly scored, ordered and filtered, if not complete."""
        _require(lab, metric)
        space = lab.filled(ROWS, metric=metric)
        query, where = vector(300), F("n") >= 30
        for selected in (None, where):
            hits = space.query(query, top_k=10, filter=selected)
            exact = dict(ranking(ROWS, query, metric, where=selected))
            assert len(hits) == 10
            assert {hit.id for hit in hits} <= set(exact)
            order = [(-hit.score, hit.id) for hit in hits]
            assert order == sorted(order)
            for hit in hits:
                allowed = tolerance_of(metric, query, ROWS[hit.id].vector, lab.capabilities)
                assert abs(hit.score - exact[hit.id]) <= allowed, hit

    def test_top_k_is_kept(self, lab: Lab) -> None:
        space = lab.filled(sample(30))
        for k in (1, 2, 29, 30, 31):
            for exact in (True, False):
                assert len(space.query(vector(), top_k=k, exact=exact)) == min(k, 30)
        assert len(space.query(vector())) == 10

    def test_narrow_filter_fills_top_k(self, lab: Lab) -> None:
        rows = sample(400, seed=4)
        space = lab.filled(rows)
        far = -rows["r007"].vector  # the only matches are the farthest from the query
        where = F("n").is_in([7, 8])
        for exact in (True, False):
            hits = space.query(far, top_k=2, filter=where, exact=exact)
            assert {hit.id for hit in hits} == {"r007", "r008"}

    @METRICS
    def test_min_score(self, lab: Lab, metric: Metric) -> None:
        _require(lab, metric)
        rows = _known_angles()
        space = lab.filled(rows, metric=metric)
        query = rows["same"].vector
        threshold = {Metric.COSINE: 0.5, Metric.DOT: 0.5, Metric.EUCLIDEAN: -3.0}[metric]
        expected = ranking(rows, query, metric, min_score=threshold)
        for exact in (True, False):
            hits = space.query(query, top_k=6, min_score=threshold, exact=exact)
            assert {hit.id for hit in hits} == {key for key, _ in expected}
            assert all(hit.score >= threshold for hit in hits)

    def test_min_score_keeps_equals(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        hits = space.query(vector(5), top_k=20, exact=True)
        threshold = hits[7].score
        kept = space.query(vector(5), top_k=20, min_score=threshold, exact=True)
        assert [hit.id for hit in kept] == [hit.id for hit in hits[:8]]

    def test_min_score_with_filter(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        query, where = vector(6), F("kind") == "red"
        every = ranking(ROWS, query, lab.metric, where=where)
        threshold = (every[3][1] + every[4][1]) / 2
        for exact in (True, False):
            hits = space.query(query, top_k=20, filter=where, min_score=threshold, exact=exact)
            assert {hit.id for hit in hits} == {key for key, _ in every[:4]}

    def test_min_score_above_everything(self, lab: Lab) -> None:
        space = lab.filled(_known_angles(), metric=Metric(lab.metric))
        above = {Metric.COSINE: 1.5, Metric.DOT: 1e6, Metric.EUCLIDEAN: 1.0}[lab.metric]
        assert space.query(vector(1), top_k=6, min_score=above) == []
        assert len(space.query(vector(1), top_k=6, min_score=-1e9)) == 6

    @METRICS
    def test_ties_go_by_id(self, lab: Lab, metric: Metric) -> None:
        _require(lab, metric)
        twin = vector(1)
        ids = ["m", "b", "z", "a", "k", "10", "9", "B"]
        rows = {key: Row(twin, {"n": at}) for at, key in enumerate(ids)}
        rows["far"] = Row(-twin, {"n": 99})
        space = lab.filled(rows, metric=metric)
        for k in (1, 3, 8, 9):
            hits = space.query(twin, top_k=k, exact=True)
            assert [hit.id for hit in hits] == [*sorted(ids), "far"][:k]
        hits = space.query(twin, top_k=3, filter=F("n") > 1, exact=True)
        assert [hit.id for hit in hits] == sorted(
            key for key in ids if rows[key].metadata["n"] > 1
        )[:3]
        every = space.query(twin, top_k=9)
        assert [hit.id for hit in every] == [*sorted(ids), "far"]

    def test_many_equal_scores_at_the_cut(self, lab: Lab) -> None:
        twin = vector(2)
        ids = [f"t{at:03}" for at in range(150)]
        rows = {key: Row(twin, {}) for key in reversed(ids)}
        space = lab.filled(rows)
        hits = space.query(twin, top_k=5, exact=True, include=())
        assert [hit.id for hit in hits] == ids[:5]

    def test_cosine_stays_in_its_range(self, lab: Lab) -> None:
        _require(lab, Metric.COSINE)
        block = vectors(80, seed=11)
        rows = {f"r{at:03}": Row(row, {}) for at, row in enumerate(block)}
        space = lab.filled(rows, metric=Metric.COSINE)
        queries = np.concatenate([block[:40], -block[40:] * 3])
        for many in space.query_many(queries, top_k=80, exact=True, include=()):
            for hit in many:
                assert -1.0 <= hit.score <= 1.0
                assert 0.0 <= hit.distance <= 2.0
        for query in block[:10]:
            (best,) = space.query(query, top_k=1)
            assert abs(best.score - 1.0) <= max(lab.capabilities.score_tolerance, 1e-12)

    @METRICS
    def test_lengths_far_apart(self, lab: Lab, metric: Metric) -> None:
        _require(lab, metric)
        scales = (1e-6, 1e-3, 1.0, 1e3, 1e6)
        rows = {
            f"r{at}": Row((vector(at + 1) * np.float32(scale)), {"at": at})
            for at, scale in enumerate(scales)
        }
        space = lab.filled(rows, metric=metric)
        query = vector(50)
        hits = space.query(query, top_k=5, exact=True)
        expected = ranking(rows, query, metric)
        check_hits(hits, expected, rows, query, metric, lab.capabilities)

    def test_query_many_is_query_of_each(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        queries = vectors(9, seed=21)
        for where in (None, F("kind") == "blue"):
            for exact in (True, False):
                answers = space.query_many(queries, top_k=4, filter=where, exact=exact)
                assert len(answers) == 9
                for query, hits in zip(queries, answers, strict=True):
                    single = space.query(query, top_k=4, filter=where, exact=exact)
                    assert [hit.id for hit in hits] == [hit.id for hit in single]
                    assert np.allclose(
                        [hit.score for hit in hits], [hit.score for hit in single], atol=1e-5
                    )

    def test_query_many_of_none_and_of_many(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        assert space.query_many(np.empty((0, DIMENSION), dtype=np.float32), top_k=3) == []
        queries = vectors(130, seed=22)
        answers = space.query_many(queries, top_k=1, exact=True, include=())
        expected = [ranking(ROWS, query, lab.metric, k=1)[0][0] for query in queries]
        assert [hits[0].id for hits in answers] == expected
        assert len(set(expected)) > 10

    def test_query_many_with_min_score(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        queries = vectors(3, seed=23)
        ranks = ranking(ROWS, queries[0], lab.metric)
        # Between two scores: a vector, and so a score, may come back with a rounding.
        threshold = (ranks[5][1] + ranks[6][1]) / 2
        answers = space.query_many(queries, top_k=60, min_score=threshold, exact=True)
        assert all(hit.score >= threshold for hits in answers for hit in hits)
        assert len(answers[0]) == 6

    def test_query_as_list_or_array(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        query: Any = vector(7)
        wanted = [hit.id for hit in space.query(query, exact=True)]
        for form in (query.tolist(), query.astype(np.float64), tuple(query.tolist())):
            assert [hit.id for hit in space.query(form, exact=True)] == wanted

    def test_dict_filter(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        hits = space.query(
            vector(8), top_k=60, filter={"kind": "red", "n": {"$gte": 30}}, exact=True
        )
        expected = ranking(ROWS, vector(8), lab.metric, where=(F("kind") == "red") & (F("n") >= 30))
        assert [hit.id for hit in hits] == [key for key, _ in expected]

    def test_filter_that_matches_nothing(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        for where in (F("kind") == "nowhere", F("n").is_in([]), (F("n") > 5) & (F("n") < 5)):
            for exact in (True, False):
                assert space.query(vector(9), filter=where, exact=exact) == []

    def test_flat_search_is_exact(self, lab: Lab) -> None:
        if "flat" not in lab.capabilities.index_kinds:
            pytest.skip("the store has no flat index")
        space = lab.filled(ROWS, index=Flat())
        query = vector(10)
        hits = space.query(query, top_k=60)
        expected = ranking(ROWS, query, lab.metric)
        check_hits(hits, expected, ROWS, query, lab.metric, lab.capabilities)

    def test_wished_search_settings_change_no_answer(self, lab: Lab) -> None:
        space = lab.filled(ROWS)
        wanted = {hit.id for hit in space.query(vector(11), top_k=60, exact=True)}
        wishes = (
            HNSW(ef_search=200, best_effort=True),
            IVF(probes=50, best_effort=True),
            Flat(best_effort=True),
        )
        for wish in wishes:
            hits = space.query(vector(11), top_k=60, search=wish)
            assert {hit.id for hit in hits} == wanted
