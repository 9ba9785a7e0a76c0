"""Exact search beside an index that is not: all vectors are compared here (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.primitives import Found
from polyvec.records import concat
from polyvec.scoring import best_rows, exact_scores
from polyvec.types import VECTOR
from polyvec_milvus import _requests

if TYPE_CHECKING:
    from polyvec.primitives import Columns, Target
    from polyvec.types import Vector
    from polyvec_milvus._schema import Layout
    from polyvec_milvus.calls_async import AsyncCalls

EXACT_PAGE: Final = 1_000
"""Rows of one page: bounds the memory."""


async def compared(
    calls: AsyncCalls,
    target: Target,
    queries: Vector,
    native: str | None,
    k: int,
    columns: Columns,
) -> list[Found]:
    """Compare with every record that a filter selects; the best `k` of each query."""
    layout: Layout = target.collection.layout
    needed = columns | VECTOR
    fields = _requests.output_fields(target, needed)
    best: list[Found | None] = [None] * len(queries)
    after: str | None = None
    while True:
        expression = _requests.page(target, native, None, after)
        rows, done = await calls.page(layout, expression, fields, EXACT_PAGE)
        batch = _requests.batch_of(rows, needed, target)
        assert batch.vectors is not None
        scores = exact_scores(queries, batch.vectors, target.collection.metric)
        for at, old in enumerate(best):
            both = batch if old is None else concat([old.batch, batch])
            merged = scores[at] if old is None else np.concatenate([old.scores, scores[at]])
            chosen = best_rows(merged, both.ids, k)
            best[at] = Found(both.take(chosen), merged[chosen])
        if done:
            return [Found(one.batch.only(columns), one.scores) for one in best if one]
        after = batch.ids[-1]
