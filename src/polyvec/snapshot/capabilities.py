"""What a Parquet snapshot can do. Facts are those of its own code, named on each line."""

from __future__ import annotations

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
    store="parquet",
    features=frozenset(
        {
            Feature.DELETE_BY_FILTER,  # one part of deletion marks, store.delete_where
            Feature.SERVER_SIDE_COUNT,  # reads the metadata column alone
            Feature.SPLIT,  # by key
            Feature.EXACT_SEARCH,  # every search is, search.py
        }
    ),
    metrics=frozenset(Metric),
    index_kinds=frozenset({"flat"}),
    limits=Limits(
        dimensions=100_000,  # a row group then holds parts.MIN_GROUP_ROWS vectors
        top_k=100_000,  # the hits of one query are held in memory
        # One upsert primitive is one part; these bound the memory that writing it takes.
        batch_records=10_000,
        batch_bytes=64 * 1024 * 1024,
        id_batch=10_000,
        query_batch=100,
        scan_batch=10_000,
        id_bytes=None,
        namespace_bytes=None,
        # As many as a part: Arrow addresses the text of one by 32-bit offsets.
        text_bytes=64 * 1024 * 1024,
        record_bytes=None,
        concurrency=4,  # primitives of one collection take turns
    ),
    # The directory is locked: there is no other process to be behind.
    consistency=Consistency.STRONG,
    update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,  # the core's get and upsert
    scan_stability=ScanStability.STABLE,  # by a key that a replaced record keeps
    async_kind=AsyncKind.THREAD,
    vector_tolerance=0.0,  # float32 in, float32 out
    # Scores are float64; summing in another order differs by about dimension x 1e-16.
    score_tolerance=1e-12,
    recall_floor=1.0,
    short_answer_is_complete=True,
)
