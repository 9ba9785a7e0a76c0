"""What the store can do. Sources: sqlite.org for SQLite, the named modules for what is ours."""

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
    store="sqlite",
    features=frozenset(
        {
            Feature.ALIASES,  # a table; the switch is one transaction
            Feature.DELETE_BY_FILTER,
            Feature.SERVER_SIDE_COUNT,
            Feature.SERVER_SIDE_UPDATE,
            Feature.SPLIT,
            Feature.EXACT_SEARCH,  # every search is
        }
    ),
    metrics=frozenset(Metric),
    index_kinds=frozenset({"flat"}),
    limits=Limits(
        # sqlite.org/limits.html: a row has at most 10**9 bytes. What is longer is a RejectedError.
        dimensions=None,
        top_k=10_000,  # ours: bounds the memory of a search
        batch_records=1_000,  # ours: bounds how long a transaction keeps other writers out
        batch_bytes=None,
        id_batch=1_000,  # ours: far below the 32,766 parameters of a statement (limits.html)
        query_batch=64,  # ours: one pass over the records serves them all
        scan_batch=1_000,  # ours: bounds the memory of a page
        id_bytes=None,
        namespace_bytes=None,
        text_bytes=None,
        record_bytes=None,
        concurrency=8,  # threads wait for one connection, see _database.py
    ),
    consistency=Consistency.STRONG,  # sqlite.org/isolation.html: a reader sees the last commit
    update_atomicity=UpdateAtomicity.RECORD,  # read and write under BEGIN IMMEDIATE
    scan_stability=ScanStability.STABLE,  # sqlite.org/autoinc.html: a key is never used twice
    async_kind=AsyncKind.THREAD,  # sqlite3 has no asynchronous form
    vector_tolerance=0.0,  # blobs of float32
    score_tolerance=1e-12,  # computed in float64
    recall_floor=1.0,
    short_answer_is_complete=True,
)
