"""Random filters over random records, against the oracle: 500 in CI, 10,000 before a release.

POLYVEC_RANDOM_FILTERS=10000 pytest tests/adapters/live/test_random_filters.py -k chroma
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.adapters.live.waiting import settle

from polyvec import Collection, VectorStore
from polyvec.evaluate import matches
from polyvec.filters import Filter
from polyvec.rewrite import is_all
from polyvec.testing.strategies import filters, metadata

RECORDS: Final = 150
FILTERS: Final = int(os.environ.get("POLYVEC_RANDOM_FILTERS", "250"))


def drawn(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    """Return the same values of a strategy in every run."""
    found: list[Any] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


@pytest.mark.timeout(3600)
def test_every_filter_selects_what_the_oracle_selects(
    store: VectorStore,
    collection: Collection[dict[str, Any]],
) -> None:
    items: list[dict[str, Any]] = drawn(metadata(), RECORDS)
    ids = [f"r{at:04}" for at in range(len(items))]
    vectors = np.random.default_rng(1).normal(size=(len(items), 4)).astype(np.float32)
    collection.upsert(ids=ids, vectors=vectors, metadata=items)
    settle(store, collection, ids)
    some = 0
    for where in drawn(filters(), FILTERS):
        node: Filter = where
        expected = {key for key, item in zip(ids, items, strict=True) if matches(node, item)}
        found = [key for batch in collection.scan(filter=node, include=()) for key in batch.ids]
        assert sorted(found) == sorted(expected), f"{node!r}: scan"
        assert collection.count(node) == len(expected), f"{node!r}: count"
        if not is_all(node):
            hits = collection.query(vectors[0], top_k=len(ids), filter=node, exact=True, include=())
            assert {hit.id for hit in hits} == expected, f"{node!r}: query"
        some += 0 < len(expected) < len(ids)
    assert some > FILTERS / 10, "nearly all filters selected everything or nothing"
