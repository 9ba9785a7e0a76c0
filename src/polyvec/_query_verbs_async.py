"""The verbs that search (asynchronous source): arguments checked, then carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from polyvec import _checks, _search_async
from polyvec._arguments import check_query
from polyvec._bound_async import AsyncBound
from polyvec._ranking import Plan, to_hits
from polyvec.records import M
from polyvec.types import USUAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from polyvec._arguments import Asked
    from polyvec._scope_async import AsyncScope
    from polyvec.filters import Filter
    from polyvec.primitives import Found
    from polyvec.records import Hit
    from polyvec.schema import Index
    from polyvec.types import Include, Vector


class AsyncQueryVerbs(AsyncBound[M]):
    """Query, by one vector or by many."""

    async def query(
        self,
        vector: npt.ArrayLike,
        *,
        top_k: int = 10,
        filter: Filter | Mapping[str, Any] | None = None,
        min_score: float | None = None,
        include: Sequence[Include] = USUAL,
        search: Index | None = None,
        exact: bool = False,
        max_candidates: int | None = None,
        consistency: str | None = None,
        timeout_s: float | None = None,
    ) -> list[Hit[M]]:
        """Return the nearest records, best first, ties by id.

        Parameters
        ----------
        vector
            `(dimension,)` finite numbers; not all zero for cosine.
        top_k
            Hits wanted, 1 to the capability's limit.
        filter
            Which records count: a filter, a Mongo-style dict, or None for all.
        min_score
            Keep hits with `score >= min_score`.
        include
            Columns of the records: any of `"metadata"`, `"text"`, `"vector"`.
        search
            Settings for this search, for example `HNSW(ef_search=400)`.
        exact
            Compare with every vector, whatever the index; exempt from the budget.
        max_candidates
            Most candidates to look at where hits are checked here, at least
            `top_k`; by default 100 times `top_k`, at least 10,000.
        consistency
            `"strong"`, or None for the backend's default.
        timeout_s
            Seconds until `DeadlineError`, None for the store's default.

        Raises
        ------
        SearchBudgetError
            The candidates ran out before `top_k` right hits were found.
        """
        queries = _checks.check_queries(vector, self.dimension, self.metric, many=False)
        scope = self._scope(timeout_s, consistency)
        asked = check_query(
            self._can,
            self._where(filter),
            top_k=top_k,
            min_score=min_score,
            include=include,
            search=search,
            exact=exact,
            max_candidates=max_candidates,
        )
        return (await self._hits(scope, queries, asked))[0]

    async def query_many(
        self,
        vectors: npt.ArrayLike,
        *,
        top_k: int = 10,
        filter: Filter | Mapping[str, Any] | None = None,
        min_score: float | None = None,
        include: Sequence[Include] = USUAL,
        search: Index | None = None,
        exact: bool = False,
        max_candidates: int | None = None,
        consistency: str | None = None,
        timeout_s: float | None = None,
    ) -> list[list[Hit[M]]]:
        """Answer many queries: `(queries, dimension)` numbers in, a list of hits for each out.

        The settings are those of `query`; the budget counts for each query.
        """
        queries = _checks.check_queries(vectors, self.dimension, self.metric, many=True)
        scope = self._scope(timeout_s, consistency)
        asked = check_query(
            self._can,
            self._where(filter),
            top_k=top_k,
            min_score=min_score,
            include=include,
            search=search,
            exact=exact,
            max_candidates=max_candidates,
        )
        return await self._hits(scope, queries, asked) if len(queries) else []

    async def _hits(self, scope: AsyncScope, queries: Vector, asked: Asked) -> list[list[Hit[M]]]:
        found = await self._attempt(scope, lambda: self._found(scope, queries, asked))
        metric, model = self.metric, self._model
        return [cast("list[Hit[M]]", to_hits(one, metric, model)) for one in found]

    async def _found(self, scope: AsyncScope, queries: Vector, asked: Asked) -> list[Found]:
        plan = Plan.of(asked, await scope.compile(asked.where))
        if asked.exact:
            return await _search_async.search_exact(scope, queries, plan)
        return await _search_async.search(scope, queries, plan)
