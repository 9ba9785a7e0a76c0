"""Exact searches: ranges of ids that are small enough, and the best of their answers. Pure."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.primitives import Found, KeyRange
from polyvec.records import concat
from polyvec.scoring import best_rows, exact_scores
from polyvec_weaviate._answers import EVERYTHING
from polyvec_weaviate._pages import keys_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.records import RecordBatch
    from polyvec.types import Metric, Vector

_END: Final = 2**128


def inside(span: KeyRange) -> list[Any]:
    """Return the conditions for a range; never none: without a filter the graph is searched."""
    return keys_in(span, None) or [EVERYTHING]


def halves(span: KeyRange) -> list[KeyRange]:
    """Return a range in two halves."""
    start = 0 if span.start is None else uuid.UUID(span.start).int
    stop = _END if span.stop is None else uuid.UUID(span.stop).int
    middle = str(uuid.UUID(int=(start + stop) // 2))
    return [KeyRange(span.start, middle), KeyRange(middle, span.stop)]


def cuts(parts: int) -> list[str]:
    """Return the UUIDs that cut those of hashes into equal parts: their first bits are even."""
    return [str(uuid.UUID(int=(_END * at) // parts)) for at in range(1, parts)]


def ranked(batch: RecordBatch, query: Vector, metric: Metric, k: int) -> Found:
    """Return the best of a batch; records without a vector are none of them."""
    if batch.present is not None:
        batch = batch.take(np.flatnonzero(batch.present))
    rows = batch.vectors
    assert rows is not None
    scores = exact_scores(query[None], rows, metric)[0]
    order = best_rows(scores, batch.ids, k)
    return Found(batch.take(order), scores[order])


def best(parts: Sequence[Found], k: int) -> Found:
    """Return the best hits of several answers."""
    if len(parts) == 1:
        return parts[0]
    batch = concat([part.batch for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    rows = best_rows(scores, batch.ids, k)
    return Found(batch.take(rows), scores[rows])
