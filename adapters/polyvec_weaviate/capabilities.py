"""What Weaviate can do. "Measured" is with server 1.38.11, one node, and weaviate-client 4.23.1."""

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

ALIASES_SINCE: Final = (1, 32, 0)
"""docs.weaviate.io/weaviate/manage-collections/collection-aliases"""

SERVER: Final = Capabilities(
    store="weaviate",
    features=frozenset(
        {
            Feature.ALIASES,  # since 1.32; taken away when an older server answers
            Feature.DELETE_BY_FILTER,  # delete_many, in rounds of 10,000
            Feature.SERVER_SIDE_COUNT,  # aggregate; exact beside a term that every record has
            Feature.SPLIT,  # ours: the hash of an id is evenly spread, `record_uuid`
            Feature.EXACT_SEARCH,  # measured: below flatSearchCutoff a filtered search is exact
        }
    ),
    metrics=frozenset(Metric),  # cosine, dot, l2-squared
    index_kinds=frozenset(
        {"hnsw", "flat"}
    ),  # docs.weaviate.io/weaviate/config-refs/indexing/vector-index
    limits=Limits(
        dimensions=65_535,  # measured: one more is "max length exceeded (65536/65535)"
        top_k=10_000,  # QUERY_MAXIMUM_RESULTS; measured: limit + offset
        batch_records=5_000,  # measured: 1,000 and 10,000 from one thread are equally fast
        # Measured: a message has at most 104,858,000 bytes. Terms take some times the metadata.
        batch_bytes=16 * 1024 * 1024,
        id_batch=1_000,  # measured: 1,000 ids in one filter take 115 ms, for reads and deletes
        query_batch=1,  # a gRPC search has one query
        scan_batch=1_000,  # ours: bounds the memory of a page
        id_bytes=None,  # only its hash is the object's id
        namespace_bytes=None,
        text_bytes=10_000_000,  # with its copies in one message
        record_bytes=None,
        concurrency=64,  # ours
    ),
    consistency=Consistency.STRONG,  # measured: visible at once, one node, ASYNC_INDEXING off
    update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,  # a merge cannot keep the terms right
    scan_stability=ScanStability.STABLE,  # ids above the last one, sorted; measured
    async_kind=AsyncKind.NATIVE,  # WeaviateAsyncClient
    vector_tolerance=0.0,  # measured: equal bits, all metrics
    score_tolerance=1e-5,  # float32 sums; measured 7e-8 for cosine
    recall_floor=0.9,  # measured by the suite's recall tier
    # A graph search finds fewer than there are; only below flatSearchCutoff it is exact.
    short_answer_is_complete=False,
)
