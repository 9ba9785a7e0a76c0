# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of scores: direction, scale, order, thresholds, ties, top_k."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.mutants.registry import add, fault

from polyvec.collection import Collection
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Found, Target
from polyvec.types import Metric


def _found(patch: pytest.MonkeyPatch, change: Any) -> None:
    """Change every answer of the memory store's searches: `change(found, target, query, k)`."""
    right = MemoryAdapter._search

    def search(self: Any, target: Target, queries: Any, native: Any, k: int, *rest: Any) -> Any:
        every = right(self, target, queries, native, k, *rest)
        return [
            change(found, target, query, k) for found, query in zip(every, queries, strict=True)
        ]

    patch.setattr(MemoryAdapter, "_search", search)


def _scores(name: str, peer: str, change: Any, *metrics: Metric) -> None:
    """Register a fault that changes scores, of all metrics or of some."""

    def one(found: Found, target: Target, query: Any, k: int) -> Found:
        if metrics and target.collection.metric not in metrics:
            return found
        return Found(found.batch, np.asarray(change(found.scores), dtype=np.float64))

    add(name, peer, "scores of the adapter", lambda patch: _found(patch, one))


_scores("scores_negated", "3.1 langchain mutant; mem0 #4453", lambda s: -s)
_scores("scores_constant", "3.1 langchain mutant", lambda s: np.full_like(s, 0.5))
_scores("similarity_as_distance", "#20 crossvector Milvus", lambda s: 1 - s, Metric.COSINE)
_scores(
    "cosine_halved_to_unit",
    "langchain on Qdrant, Milvus, Pinecone: (s+1)/2",
    lambda s: (s + 1) / 2,
    Metric.COSINE,
)
_scores(
    "exponential_of_distance", "#32 LlamaIndex Chroma", lambda s: np.exp(-(1 - s)), Metric.COSINE
)
_scores("squared_l2", "#30 squared distance; Pinecone, Chroma", lambda s: -(s**2), Metric.EUCLIDEAN)
_scores("l2_positive", "2.2 #16 the score goes the wrong way", lambda s: -s, Metric.EUCLIDEAN)
_scores(
    "l2_as_one_over_one_plus", "relevance of LlamaIndex", lambda s: 1 / (1 - s), Metric.EUCLIDEAN
)
_scores("dot_negated", "pgvector's <#> is the negative product", lambda s: -s, Metric.DOT)
_scores(
    "not_monotonic_beyond_one",
    "#20 crossvector: 1-d if d<=1 else d",
    lambda s: np.where(1 - s <= 1, s, 1 - s),
    Metric.COSINE,
)
_scores("scores_rounded", "servers that round", lambda s: np.round(s, 2))
_scores(
    "scores_in_single_precision",
    "float32 where float64 is declared",
    lambda s: s.astype(np.float32),
)
_scores(
    "relevance_by_root_two",
    "#30 langchain 1 - d/sqrt(2)",
    lambda s: 1 - np.sqrt(np.maximum(0, 2 - 2 * s)) / np.sqrt(2),
    Metric.COSINE,
)
_scores("scores_clipped_at_zero", "scores in [0, 1]", lambda s: np.maximum(s, 0), Metric.COSINE)


@fault("dot on vectors that the server normalised", "search of the adapter")
def dot_of_normalised_vectors(patch: pytest.MonkeyPatch) -> None:
    def change(found: Found, target: Target, query: Any, k: int) -> Found:
        if target.collection.metric is not Metric.DOT:
            return found
        return Found(found.batch, found.scores / np.linalg.norm(query.astype(np.float64)))

    _found(patch, change)


@fault("3.1 langchain mutant: order after the first reversed", "core, order of hits")
def order_after_the_first_reversed(patch: pytest.MonkeyPatch) -> None:
    _hits(patch, lambda hits: hits[:1] + hits[:0:-1])


@fault("3: answers ascending by distance taken for descending", "core, order of hits")
def order_reversed(patch: pytest.MonkeyPatch) -> None:
    _hits(patch, lambda hits: hits[::-1])


@fault("ties in the order of insertion", "core, order of hits")
def ties_by_insertion(patch: pytest.MonkeyPatch) -> None:
    _hits(patch, lambda hits: sorted(hits, key=lambda hit: (-hit.score, hit.id[::-1])))


def _hits(patch: pytest.MonkeyPatch, change: Any) -> None:
    right = Collection.query
    patch.setattr(Collection, "query", lambda self, *a, **kw: change(right(self, *a, **kw)))


@fault("3.1 langchain mutant: k ignored", "query")
def top_k_ignored(patch: pytest.MonkeyPatch) -> None:
    right = Collection.query

    def query(self: Any, vector: Any, *, top_k: Any = 10, **kw: Any) -> Any:
        right(self, vector, top_k=top_k, **kw)
        return right(self, vector, top_k=1000, **kw)

    patch.setattr(Collection, "query", query)


@fault("off by one of a limit", "query")
def one_hit_short(patch: pytest.MonkeyPatch) -> None:
    _hits(patch, lambda hits: hits[:-1] if len(hits) > 1 else hits)


@fault("2.3 #21 hidden caps: 100 hits", "search of the adapter")
def top_k_capped(patch: pytest.MonkeyPatch) -> None:
    def change(found: Found, target: Target, query: Any, k: int) -> Found:
        return Found(found.batch.slice(0, 100), found.scores[:100])

    _found(patch, change)


def _threshold(name: str, peer: str, keep: Any) -> None:
    """Register a fault of `min_score`."""

    def install(patch: pytest.MonkeyPatch) -> None:
        right = Collection.query

        def query(self: Any, vector: Any, *, min_score: Any = None, **kw: Any) -> Any:
            if min_score is None:
                return right(self, vector, **kw)
            right(self, vector, min_score=min_score, **kw)
            return [hit for hit in right(self, vector, **kw) if keep(hit, min_score)]

        patch.setattr(Collection, "query", query)

    add(name, peer, "min_score", install)


_threshold("min_score_ignored", "2.2 #15 thresholds", lambda hit, least: True)
_threshold("min_score_inverted", "2.2 #15 mem0 #4453", lambda hit, least: hit.score <= least)
_threshold(
    "min_score_excludes_equals", "off by one of a bound", lambda hit, least: hit.score > least
)
_threshold("min_score_on_the_distance", "#20, mem0 #6883", lambda hit, least: hit.distance >= least)


@fault("2.2 float32 cosines above 1", "core, finishing of hits")
def cosine_not_clipped(patch: pytest.MonkeyPatch) -> None:
    def change(found: Found, target: Target, query: Any, k: int) -> Found:
        if target.collection.metric is not Metric.COSINE:
            return found
        # What float32 arithmetic gives for vectors in one direction.
        return Found(found.batch, found.scores * (1 + 1.2e-7))

    _found(patch, change)
    right = np.clip
    patch.setattr(
        "polyvec._ranking.np.clip",
        lambda a, *args, **kw: a if args == (-1.0, 1.0) else right(a, *args, **kw),
    )


@fault("distance and score mixed up", "hits")
def distance_is_the_score(patch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    _hits(patch, lambda hits: [replace(hit, distance=hit.score) for hit in hits])


@fault("one answer for all queries of a batch", "query_many")
def query_many_repeats_the_first(patch: pytest.MonkeyPatch) -> None:
    _many(patch, lambda answers: answers[:1] * len(answers))


@fault("answers of a batch out of order", "query_many")
def query_many_reversed(patch: pytest.MonkeyPatch) -> None:
    _many(patch, lambda answers: answers[::-1])


@fault("2.4 #22 hidden caps on batches: 100 queries", "query_many")
def query_many_capped(patch: pytest.MonkeyPatch) -> None:
    _many(patch, lambda answers: answers[:100])


def _many(patch: pytest.MonkeyPatch, change: Any) -> None:
    right = Collection.query_many
    patch.setattr(Collection, "query_many", lambda self, *a, **kw: change(right(self, *a, **kw)))


@fault("2.5 #28 LlamaIndex #9519: the index misses neighbours", "index search of the adapter")
def index_misses_half(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.search

    def search(self: Any, *args: Any, **kw: Any) -> Any:
        return [
            Found(found.batch.take(range(0, len(found.batch), 2)), found.scores[::2])
            for found in right(self, *args, **kw)
        ]

    patch.setattr(MemoryAdapter, "search", search)


@fault("exact search that asks the index", "core, exact search")
def exact_is_the_index(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.exact_search

    def exact(self: Any, *args: Any, **kw: Any) -> Any:
        return [
            Found(
                found.batch.take([row for row in range(len(found.batch)) if row != 1]),
                np.delete(found.scores, 1) if len(found.scores) > 1 else found.scores,
            )
            for found in right(self, *args, **kw)
        ]

    patch.setattr(MemoryAdapter, "exact_search", exact)


@fault("ties beyond the cut never looked at", "core, exact search")
def ties_at_the_cut_lost(patch: pytest.MonkeyPatch) -> None:
    def change(found: Found, target: Target, query: Any, k: int) -> Found:
        order = sorted(
            range(len(found.batch)),
            key=lambda row: (-found.scores[row], found.batch.ids[row][::-1]),
        )
        return Found(found.batch.take(order), found.scores[order])

    right = MemoryAdapter._search

    def search(self: Any, target: Target, queries: Any, native: Any, k: int, *rest: Any) -> Any:
        every = right(self, target, queries, native, 1_000_000, *rest)
        worst = [change(found, target, None, k) for found in every]
        return [Found(found.batch.slice(0, k), found.scores[:k]) for found in worst]

    patch.setattr(MemoryAdapter, "_search", search)
    patch.setattr("polyvec._search._cut_is_clear", lambda *args: True)
