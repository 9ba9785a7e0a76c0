"""Queries: over-fetch, budget, short answers, order, ties: right answers or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, able
from tests.unit.core.fake_filters import Quality
from tests.unit.core.samples import QUERY, fill, ids_of, names, vectors

from polyvec import HNSW, IVF, F, Flat, SearchBudgetError
from polyvec.capabilities import Feature
from polyvec.primitives import Found
from polyvec.types import Metric

COUNTS = Feature.SERVER_SIDE_COUNT
EXACT = Feature.EXACT_SEARCH


def asked(fake: FakeAdapter, operation: str = "search") -> list[int]:
    """Return the `k` of every search."""
    return [call.args[2] for call in fake.of(operation)]


def made(driver: Driver, count: int, **changes: Any) -> tuple[FakeAdapter, Any]:
    """Return a fake of records `r00…`, in the order of their score, and its collection."""
    options = {name: changes.pop(name) for name in ("quality", "finds") if name in changes}
    fake = FakeAdapter(able(**changes), **options)
    collection = driver.collection(fake)
    fill(collection, count)
    fake.forget()
    return fake, collection


def test_an_exact_filter_costs_one_search_for_top_k(driver: Driver) -> None:
    fake, collection = made(driver, 30)
    hits = collection.query(QUERY, top_k=3, filter=F("n") >= 10)
    assert ids_of(hits) == ["r10", "r11", "r12"]
    assert [hit.score for hit in hits] == [20.0, 19.0, 18.0]
    assert [hit.distance for hit in hits] == [-20.0, -19.0, -18.0]
    assert [hit.record.metadata for hit in hits] == [{"n": 10}, {"n": 11}, {"n": 12}]
    assert fake.operations() == ["search"]
    assert asked(fake) == [3]


def test_no_filter_and_all_are_the_same_to_the_server(driver: Driver) -> None:
    fake, collection = made(driver, 5)
    filters: list[Any] = [None, {}, ~F("n").is_in([])]
    for everything in filters:
        assert ids_of(collection.query(QUERY, top_k=2, filter=everything)) == ["r00", "r01"]
    assert [call.args[1] for call in fake.of("search")] == [None, None, None]


def test_what_folds_to_false_asks_nothing(driver: Driver) -> None:
    fake, collection = made(driver, 5)
    never = (F("n") == 1) & (F("n") != 1)
    assert collection.query(QUERY, filter=never) == []
    assert collection.query(QUERY, filter=never, exact=True) == []
    assert collection.query_many(vectors(3), filter=never) == [[], [], []]
    assert collection.count(never) == 0
    assert list(collection.scan(never)) == []
    collection.delete(filter=never)
    collection.update(filter=never, set={"a": 1})
    assert fake.calls == []


def test_what_is_checked_here_is_fetched_four_times_over_and_more(driver: Driver) -> None:
    fake, collection = made(driver, 60, quality=Quality.UNKNOWN, top_k=1000)
    hits = collection.query(QUERY, top_k=2, filter=F("n") >= 40, include=())
    assert ids_of(hits) == ["r40", "r41"]
    assert asked(fake) == [8, 32, 128]
    assert all(call.args[3] == {"metadata"} for call in fake.of("search"))
    assert "metadata" not in hits[0].record.__dict__, "it was fetched for the check, not asked for"


def test_the_budget_ends_in_an_error_never_in_a_short_answer(driver: Driver) -> None:
    fake, collection = made(driver, 60, quality=Quality.UNKNOWN, top_k=1000)
    where = F("n") >= 40
    with pytest.raises(
        SearchBudgetError, match=r"30 candidates.*top_k=2.*max_candidates"
    ) as caught:
        collection.query(QUERY, top_k=2, filter=where, max_candidates=30)
    assert repr(where) in str(caught.value)
    assert asked(fake) == [8, 30]
    assert ids_of(collection.query(QUERY, top_k=2, filter=where, max_candidates=42)) == [
        "r40",
        "r41",
    ]


def test_the_default_budget_is_a_hundred_per_hit_and_at_least_ten_thousand(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyvec import _arguments

    monkeypatch.setattr(_arguments, "LEAST_BUDGET", 250)
    fake, collection = made(driver, 3, quality=Quality.UNKNOWN, top_k=10_000)

    # The index claims to find as many as were asked for, all of them wrong.
    def wrong(answer: list[Found]) -> list[Found]:
        k = asked(fake)[-1]
        (one,) = answer
        return [Found(one.batch.take([0] * k), np.full(k, 1.0))]

    fake.always("search", wrong)
    for top_k, budget in ((1, 250), (2, 250), (3, 300)):
        with pytest.raises(SearchBudgetError, match=f"^{budget} candidates"):
            collection.query(QUERY, top_k=top_k, filter=F("n") == 99)


def test_at_the_cap_of_the_server_the_core_ranks_a_scan(driver: Driver) -> None:
    fake, collection = made(driver, 60, quality=Quality.UNKNOWN, top_k=20)
    hits = collection.query(QUERY, top_k=3, filter=F("n") >= 40)
    assert ids_of(hits) == ["r40", "r41", "r42"]
    assert asked(fake) == [12, 20]
    assert len(fake.of("scan")) == 12
    assert [hit.record.text for hit in hits] == ["text 40", "text 41", "text 42"]


def test_the_ranked_scan_keeps_to_the_budget(driver: Driver) -> None:
    fake, collection = made(driver, 60, quality=Quality.UNKNOWN, top_k=20)
    with pytest.raises(SearchBudgetError, match="50 candidates"):
        collection.query(QUERY, top_k=3, filter=F("n") >= 40, max_candidates=50)
    assert len(fake.of("scan")) == 7  # 20 of the 50 were searched, 5 on a page


def test_a_short_answer_is_final_where_the_server_says_so(driver: Driver) -> None:
    fake, collection = made(driver, 30, quality=Quality.UNKNOWN, finds=7, top_k=1000)
    hits = collection.query(QUERY, top_k=5, filter=F("n") >= 5)
    assert ids_of(hits) == ["r05", "r06"]
    assert fake.operations() == ["search"]


def test_a_short_answer_is_counted_where_the_server_can(driver: Driver) -> None:
    fake, collection = made(driver, 30, short_answer_is_complete=False)
    assert ids_of(collection.query(QUERY, top_k=10, filter=F("n") >= 25)) == names(30)[25:]
    assert fake.operations() == ["search", "count"]
    fake.forget()
    fake.finds = 2
    assert ids_of(collection.query(QUERY, top_k=10, filter=F("n") >= 25)) == names(30)[25:]
    assert fake.operations() == ["search", "count", "scan"]


def test_a_short_answer_is_scanned_where_nothing_counts(driver: Driver) -> None:
    fake, collection = made(driver, 30, short_answer_is_complete=False, without=[COUNTS], finds=2)
    assert ids_of(collection.query(QUERY, top_k=4)) == names(4)
    assert fake.operations() == ["search"] + ["scan"] * 6


def test_a_truncated_answer_is_noticed(driver: Driver) -> None:
    fake, collection = made(driver, 30, short_answer_is_complete=False)

    def halved(answer: list[Found]) -> list[Found]:
        return [Found(one.batch.slice(0, 2), one.scores[:2]) for one in answer]

    fake.script("search", halved)
    assert ids_of(collection.query(QUERY, top_k=4)) == names(4)


def test_min_score_stops_early_and_is_inclusive(driver: Driver) -> None:
    fake, collection = made(driver, 60, quality=Quality.UNKNOWN, top_k=1000)
    # Scores go from 60 down; the filter leaves only what is below the threshold.
    assert collection.query(QUERY, top_k=2, filter=F("n") >= 40, min_score=50) == []
    assert asked(fake) == [8, 32]
    hits = collection.query(QUERY, top_k=50, min_score=57)
    assert [hit.score for hit in hits] == [60.0, 59.0, 58.0, 57.0]
    assert collection.query(QUERY, top_k=50, min_score=57, exact=True) == hits
    assert collection.query(QUERY, min_score=float("inf")) == []


def test_hits_are_sorted_whatever_the_order_of_the_server(driver: Driver) -> None:
    fake, collection = made(driver, 12)

    def shuffled(answer: list[Found]) -> list[Found]:
        order = [2, 0, 3, 1]
        return [Found(one.batch.take(order), one.scores[order]) for one in answer]

    fake.always("search", shuffled)
    hits = collection.query(QUERY, top_k=4)
    assert ids_of(hits) == names(4)
    assert [hit.score for hit in hits] == [12.0, 11.0, 10.0, 9.0]
    assert [hit.record.text for hit in hits] == [f"text {n}" for n in range(4)]


def test_ties_go_by_id_and_cosine_is_clipped(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, metric="cosine")
    collection.upsert(ids=["b", "c", "a"], vectors=np.ones((3, 3)))

    def noisy(answer: list[Found]) -> list[Found]:
        return [Found(one.batch, one.scores + 1e-7) for one in answer]

    fake.always("search", noisy)
    hits = collection.query([1, 1, 1])
    assert [(hit.id, hit.score, hit.distance) for hit in hits] == [
        ("a", 1.0, 0.0),
        ("b", 1.0, 0.0),
        ("c", 1.0, 0.0),
    ]
    assert all(type(hit.score) is float for hit in hits)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("quality", [Quality.EXACT, Quality.UNKNOWN])
def test_exact_gives_the_first_ids_of_equal_scores_at_the_cut(
    driver: Driver, native: bool, quality: Quality
) -> None:
    fake = FakeAdapter(able(without=[] if native else [EXACT]), quality=quality)
    collection = driver.collection(fake)
    block = np.zeros((60, 3), np.float32)
    block[:, 0] = 1.0
    block[59, 0] = 2.0
    order = [*range(58, -1, -1), 59]  # the server prefers the latest: the lowest id among equals
    collection.upsert(
        ids=[names(60)[at] for at in order],
        vectors=block[order],
        metadata=[{"n": at} for at in order],
    )
    fake.forget()
    expected = ["r59", "r03", "r04", "r05"]
    hits = collection.query(QUERY, top_k=4, filter=F("n") >= 3, exact=True)
    assert ids_of(hits) == expected
    many = collection.query_many([QUERY, QUERY], top_k=4, filter=F("n") >= 3, exact=True)
    assert [ids_of(hits) for hits in many] == [expected, expected]
    assert bool(fake.of("exact_search")) is native
    assert fake.of("search") == []


def test_exact_trusts_no_order_of_the_server(driver: Driver) -> None:
    fake, collection = made(driver, 30)

    def reversed_(answer: list[Found]) -> list[Found]:
        return [
            Found(one.batch.take(range(len(one.batch) - 1, -1, -1)), one.scores[::-1])
            for one in answer
        ]

    fake.always("exact_search", reversed_)
    assert ids_of(collection.query(QUERY, top_k=3, exact=True)) == names(3)
    assert ids_of(collection.query(QUERY, top_k=20, exact=True)) == names(20)


def test_exact_is_exempt_from_the_budget(driver: Driver) -> None:
    for without in ([], [EXACT]):
        fake, collection = made(driver, 60, quality=Quality.UNKNOWN, without=without)
        hits = collection.query(QUERY, top_k=1, filter=F("n") >= 59, max_candidates=1, exact=True)
        assert ids_of(hits) == ["r59"]
        assert fake.of("search") == []


def test_query_many_goes_in_chunks_and_answers_in_order(driver: Driver) -> None:
    fake, collection = made(driver, 12, concurrency=1)
    queries = np.stack([QUERY, -QUERY, QUERY, -QUERY, QUERY])
    answers = collection.query_many(queries, top_k=2)
    assert [ids_of(hits) for hits in answers] == [
        ["r00", "r01"],
        ["r11", "r10"],
        ["r00", "r01"],
        ["r11", "r10"],
        ["r00", "r01"],
    ]
    assert [len(call.args[0]) for call in fake.of("search")] == [2, 2, 1]
    fake.forget()
    assert collection.query_many(queries, top_k=2, exact=True) == answers
    assert [len(call.args[0]) for call in fake.of("exact_search")] == [2, 2, 1]
    assert collection.query_many([]) == []
    assert collection.query_many(np.empty((0, 3))) == []


def test_only_the_queries_that_need_it_are_asked_again(driver: Driver) -> None:
    fake, collection = made(driver, 60, quality=Quality.UNKNOWN, top_k=1000, concurrency=1)
    answers = collection.query_many(np.stack([QUERY, -QUERY]), top_k=2, filter=F("n") >= 40)
    assert [ids_of(hits) for hits in answers] == [["r40", "r41"], ["r59", "r58"]]
    assert [len(call.args[0]) for call in fake.of("search")] == [2, 1, 1]


def test_records_without_a_vector_are_never_found(driver: Driver) -> None:
    for native in (True, False):
        without = [] if native else [EXACT]
        fake, collection = made(driver, 8, without=without, short_answer_is_complete=False)
        fake.rows()["r00"].present = False
        assert ids_of(collection.query(QUERY, top_k=10)) == names(8)[1:]
        assert ids_of(collection.query(QUERY, top_k=10, exact=True)) == names(8)[1:]
        assert collection.count() == 8


def test_search_settings_reach_the_adapter_or_are_refused(driver: Driver) -> None:
    from polyvec import NotSupportedError

    fake, collection = made(driver, 3)
    settings = HNSW(ef_search=400)
    collection.query(QUERY, search=settings)
    collection.query(QUERY, search=Flat())
    collection.query(QUERY, search=IVF(probes=3, best_effort=True))
    assert [call.args[4] for call in fake.of("search")] == [settings, Flat(), None]
    with pytest.raises(NotSupportedError, match=r"fake has no ivf index \(it has: flat, hnsw\)"):
        collection.query(QUERY, search=IVF(probes=3))


def test_columns_are_those_that_include_names(driver: Driver) -> None:
    fake, collection = made(driver, 3)
    (hit,) = collection.query(QUERY, top_k=1, include=("vector",))
    assert set(hit.record.__dict__) == {"id", "vector"}
    (hit,) = collection.query(QUERY, top_k=1)
    assert set(hit.record.__dict__) == {"id", "metadata", "text"}
    (hit,) = collection.query(QUERY, top_k=1, include=[])
    assert set(hit.record.__dict__) == {"id"}
    assert [call.args[3] for call in fake.calls] == [{"vector"}, {"metadata", "text"}, set()]


def test_strong_reads_are_asked_for_and_refused_where_there_are_none(driver: Driver) -> None:
    from polyvec import InvalidRequestError, NotSupportedError
    from polyvec.capabilities import Consistency

    fake, collection = made(driver, 3)
    collection.query(QUERY, consistency="strong")
    collection.query(QUERY)
    assert [call.kw["consistency"] for call in fake.calls] == ["strong", None]
    with pytest.raises(InvalidRequestError, match="consistency='weak'"):
        collection.query(QUERY, consistency="weak")
    fake.can = replace(fake.can, consistency=Consistency.EVENTUAL)
    with pytest.raises(NotSupportedError, match="wait_until_visible"):
        collection.get(["r00"], consistency="strong")


@pytest.mark.parametrize("metric", list(Metric))
def test_scores_and_distances_per_metric(driver: Driver, metric: Metric) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, metric=metric.value)
    collection.upsert(ids=["a"], vectors=[[3.0, 4.0, 0.0]])
    (hit,) = collection.query([1.0, 0.0, 0.0])
    score, distance = {
        Metric.COSINE: (0.6, 0.4),
        Metric.DOT: (3.0, -3.0),
        Metric.EUCLIDEAN: (-np.sqrt(20.0), np.sqrt(20.0)),
    }[metric]
    assert hit.score == pytest.approx(score)
    assert hit.distance == pytest.approx(distance)
    (exact,) = collection.query([1.0, 0.0, 0.0], exact=True)
    assert exact.score == pytest.approx(score)
