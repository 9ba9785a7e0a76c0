"""What the memory store can do. Facts are those of its own code, named on each line."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from polyvec.capabilities import (
    AsyncKind,
    Capabilities,
    Consistency,
    Feature,
    Limits,
    ScanStability,
    UpdateAtomicity,
)
from polyvec.types import Metric

CAPABILITIES: Final = Capabilities(
    store="memory",
    features=frozenset(
        {
            Feature.ALIASES,  # database.Database.aliases
            Feature.DELETE_BY_FILTER,  # a row mask, store.MemoryAdapter.delete_where
            Feature.SERVER_SIDE_COUNT,  # a row mask
            Feature.SERVER_SIDE_UPDATE,  # space.Space.update
            Feature.SPLIT,  # by sequence number
            Feature.EXACT_SEARCH,  # exact.search, also behind `search`
        }
    ),
    metrics=frozenset(Metric),
    # HNSW without numba, and below 20,000 records: exactly, which is better than was asked for.
    index_kinds=frozenset({"hnsw", "flat"}),
    limits=Limits(
        # The error bound of the float32 pass holds below it, exact.LONGEST_VECTOR.
        dimensions=100_000,
        # A search may return every record; a number keeps a mistake from filling the memory.
        top_k=1_000_000,
        # No protocol limits a batch; these bound the memory of one primitive.
        batch_records=100_000,
        batch_bytes=None,
        id_batch=100_000,
        query_batch=1_000,
        scan_batch=100_000,
        id_bytes=None,
        namespace_bytes=None,
        text_bytes=None,
        record_bytes=None,
        # Searches run side by side inside BLAS; more threads only compete for the same cores.
        concurrency=8,
    ),
    # One process owns the data, and a write is visible when it returns.
    consistency=Consistency.STRONG,
    update_atomicity=UpdateAtomicity.RECORD,
    scan_stability=ScanStability.STABLE,  # keyset over a sequence number that a record keeps
    async_kind=AsyncKind.THREAD,
    vector_tolerance=0.0,  # rows are kept as they were written
    # Scores are float64; summing in another order differs by about dimension x 1e-16.
    score_tolerance=1e-12,
    recall_floor=1.0,  # without an index every search is exact
    short_answer_is_complete=True,
)

ALWAYS_HNSW: Final = replace(CAPABILITIES, recall_floor=0.95)
"""The same with a graph as the default index, `hnsw="always"`."""
