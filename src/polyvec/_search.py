# Generated from _search_async.py by tools/unasync.py. Do not edit.
"""Queries: the residual loop, its budget, and the scan that ranks (synchronous source).

The server's answer is trusted for nothing but what the filter's bounds promise.
Where hits must be checked, the core asks for more than `top_k` until enough are
right; where the server stops early, it ranks a scan. What cannot be finished
inside the budget ends in `SearchBudgetError`, never in a short or wrong answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec._ranking import TopK, checked, empty_found, finish, rows_that_match
from polyvec.bounds import ALL, NONE
from polyvec.capabilities import Feature
from polyvec.errors import SearchBudgetError
from polyvec.scoring import exact_scores
from polyvec.types import VECTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec._ranking import Plan
    from polyvec._scope import Scope
    from polyvec.primitives import Found
    from polyvec.types import Vector

OVERFETCH: Final = 4
"""Factor by which the residual loop asks for more; each round costs one search."""

EXACT_MARGIN: Final = 8
"""Hits asked beyond `top_k` in an exact search, to see equal scores at the cut."""


def search(scope: Scope, queries: Vector, plan: Plan) -> list[Found]:
    """Search the index: one finished answer per query."""
    if plan.compiled.bounds.upper is NONE:
        return [empty_found() for _ in queries]
    most = scope.capabilities.limits.top_k
    k = plan.top_k
    if plan.predicate is not None:
        k = min(k * OVERFETCH, most, plan.budget)
    firsts = _searches(scope, queries, plan, k)
    metric = scope.source.opened.metric
    if len(firsts) == 1:
        return [finish(_settle(scope, queries, plan, k, firsts[0]), plan, metric)]

    def settling(at: int) -> Callable[[], Found]:
        return lambda: _settle(scope, queries[at : at + 1], plan, k, firsts[at])

    settled = scope.together([settling(at) for at in range(len(firsts))])
    return [finish(found, plan, metric) for found in settled]


def _searches(scope: Scope, queries: Vector, plan: Plan, k: int) -> Sequence[Found]:
    upper = plan.compiled.bounds.upper
    native = None if upper is ALL else upper
    size = scope.capabilities.limits.query_batch
    if len(queries) <= size:
        return scope.read(
            "search", scope.adapter.search, queries, native, k, plan.fetched, plan.params
        )

    def searching(start: int) -> Callable[[], Sequence[Found]]:
        part = queries[start : start + size]
        return lambda: scope.read(
            "search", scope.adapter.search, part, native, k, plan.fetched, plan.params
        )

    parts = scope.together([searching(at) for at in range(0, len(queries), size)])
    return [found for part in parts for found in part]


def _settle(scope: Scope, query: Vector, plan: Plan, k: int, found: Found) -> Found:
    """Ask for more candidates until the answer cannot change any more."""
    most = scope.capabilities.limits.top_k
    while True:
        kept = checked(found, plan.predicate)
        if plan.enough(found, kept):
            return kept
        if len(found.batch) < k:
            if scope.capabilities.short_answer_is_complete:
                return kept
            if _nothing_more(scope, plan, len(found.batch)):
                return kept
            left = plan.budget - len(found.batch)
            return (ranked_scan(scope, query, plan, left))[0]
        if k >= plan.budget:
            raise _over_budget(plan, k)
        if k >= most:
            return (ranked_scan(scope, query, plan, plan.budget - k))[0]
        k = min(k * OVERFETCH, most, plan.budget)
        found = (_searches(scope, query, plan, k))[0]


def _nothing_more(scope: Scope, plan: Plan, seen: int) -> bool:
    """Ask the server whether a short answer was all there is, where it can count."""
    if Feature.SERVER_SIDE_COUNT not in scope.capabilities.features:
        return False
    upper = plan.compiled.bounds.upper
    native = None if upper is ALL else upper
    return scope.read("count", scope.adapter.count, native) <= seen


def search_exact(scope: Scope, queries: Vector, plan: Plan) -> list[Found]:
    """Compare with every vector; ties at the cut go by id. Exempt from the budget."""
    upper = plan.compiled.bounds.upper
    metric = scope.source.opened.metric
    if upper is NONE:
        return [empty_found() for _ in queries]
    if Feature.EXACT_SEARCH not in scope.capabilities.features:
        found = ranked_scan(scope, queries, plan, None)
        return [finish(one, plan, metric) for one in found]

    def searching(at: int) -> Callable[[], Found]:
        return lambda: _exact_one(scope, queries[at : at + 1], plan)

    if plan.predicate is None:
        found = _exact_many(scope, queries, plan)
    else:
        found = scope.together([searching(at) for at in range(len(queries))])
    return [finish(one, plan, metric) for one in found]


def _exact_many(scope: Scope, queries: Vector, plan: Plan) -> list[Found]:
    """One call for all queries; those with equal scores at the cut are asked again."""
    k = min(plan.top_k + EXACT_MARGIN, scope.capabilities.limits.top_k)
    size = scope.capabilities.limits.query_batch
    found: list[Found] = []
    for start in range(0, len(queries), size):
        found += _exact_call(scope, queries[start : start + size], plan, k)
    return [
        one if _cut_is_clear(one, one, plan, k) else _exact_one(scope, queries[at : at + 1], plan)
        for at, one in enumerate(found)
    ]


def _exact_one(scope: Scope, query: Vector, plan: Plan) -> Found:
    most = scope.capabilities.limits.top_k
    k = min(plan.top_k + EXACT_MARGIN, most)
    while True:
        found = (_exact_call(scope, query, plan, k))[0]
        kept = checked(found, plan.predicate)
        if _cut_is_clear(found, kept, plan, k):
            return kept
        if k >= most:
            return (ranked_scan(scope, query, plan, None))[0]
        k = min(k * OVERFETCH, most)


def _exact_call(scope: Scope, queries: Vector, plan: Plan, k: int) -> list[Found]:
    upper = plan.compiled.bounds.upper
    native = None if upper is ALL else upper
    return scope.read("exact_search", scope.adapter.exact_search, queries, native, k, plan.fetched)


def _cut_is_clear(found: Found, kept: Found, plan: Plan, k: int) -> bool:
    """Whether every record with a score as good as the k-th one has been seen."""
    if len(found.batch) < k:
        return True
    if len(kept.batch) < plan.top_k:
        return False
    return bool(found.scores.min() < np.sort(kept.scores)[-plan.top_k])


def ranked_scan(scope: Scope, queries: Vector, plan: Plan, budget: int | None) -> list[Found]:
    """Stream every candidate through a top-k heap; exact, whatever the index finds.

    Raises
    ------
    SearchBudgetError
        More than `budget` candidates.
    """
    metric = scope.source.opened.metric
    best = [TopK(plan.top_k) for _ in queries]
    seen = 0
    for page in scope.pages(plan.compiled.bounds.upper, plan.fetched | VECTOR):
        batch = page.batch
        seen += len(batch)
        if budget is not None and seen > budget:
            raise _over_budget(plan, plan.budget)
        if batch.present is not None:
            batch = batch.take(batch.present.nonzero()[0])
        if plan.predicate is not None:
            batch = batch.take(rows_that_match(batch, plan.predicate))
        if not len(batch):
            continue
        assert batch.vectors is not None
        scores = exact_scores(queries, batch.vectors, metric)
        batch = batch.only(plan.columns)
        for top, row in zip(best, scores, strict=True):
            top.offer(batch, row)
    return [top.found() for top in best]


def _over_budget(plan: Plan, looked_at: int) -> SearchBudgetError:
    residual = plan.compiled.residual
    what = "of the query" if residual is None else f"of the filter {residual!r}"
    return SearchBudgetError(
        f"{looked_at} candidates were looked at and fewer than top_k={plan.top_k} right hits "
        f"{what} were found; raise max_candidates, lower top_k, "
        "or narrow the filter with clauses the server decides (see explain)"
    )
