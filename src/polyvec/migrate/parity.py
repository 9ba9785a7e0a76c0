"""Whether two stores find the same neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.collection import Collection
    from polyvec.filters import Filter
    from polyvec.records import Hit
    from polyvec.types import Vector

TOP_K: Final = 10


@dataclass(frozen=True, slots=True)
class Parity:
    """Answers to the same queries from both stores.

    Parameters
    ----------
    queries, top_k
        How many, and how many hits of each.
    overlap
        Share of the source's exact hits among the target's exact hits, a mean in [0, 1]. Below
        1 where hits with nearly equal scores change places at the cut.
    source_recall, target_recall
        Share of a store's own exact hits that its default search finds.
    largest_score_gap
        Largest difference of the exact scores at the same place.
    """

    queries: int
    top_k: int
    overlap: float
    source_recall: float
    target_recall: float
    largest_score_gap: float


def compare_answers(
    origin: Collection[Any],
    goal: Collection[Any],
    vectors: Mapping[str, tuple[str, list[Vector]]],
    where: Filter | None,
    most: int,
) -> Parity:
    """Ask both collections for the neighbours of the same vectors.

    Parameters
    ----------
    origin, goal
        The two collections.
    vectors
        Target namespace to source namespace and vectors.
    where
        The records of the source that are in the target.
    most
        Queries at most.
    """
    overlaps: list[float] = []
    recalls: dict[str, list[float]] = {"source": [], "target": []}
    gap = 0.0
    left = most
    for name, (old, queries) in vectors.items():
        block = np.stack(queries[:left]) if queries[:left] else None
        if block is None:
            continue
        left -= len(block)
        here, there = origin.namespace(old), goal.namespace(name)
        true_here = here.query_many(block, top_k=TOP_K, filter=where, exact=True, include=())
        true_there = there.query_many(block, top_k=TOP_K, exact=True, include=())
        near_here = here.query_many(block, top_k=TOP_K, filter=where, include=())
        near_there = there.query_many(block, top_k=TOP_K, include=())
        for exact, other in zip(true_here, true_there, strict=True):
            overlaps.append(_share(exact, other))
            scores = zip(exact, other, strict=False)
            gap = max([gap, *(abs(one.score - two.score) for one, two in scores)])
        recalls["source"] += map(_share, true_here, near_here)
        recalls["target"] += map(_share, true_there, near_there)
    return Parity(
        queries=len(overlaps),
        top_k=TOP_K,
        overlap=_mean(overlaps),
        source_recall=_mean(recalls["source"]),
        target_recall=_mean(recalls["target"]),
        largest_score_gap=gap,
    )


def _share(wanted: list[Hit[Any]], found: list[Hit[Any]]) -> float:
    if not wanted:
        return 1.0
    ids = {hit.id for hit in found}
    return sum(hit.id in ids for hit in wanted) / len(wanted)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 1.0
