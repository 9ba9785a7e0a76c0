"""What Qdrant can do. "Measured" is with server 1.18.3, REST and gRPC, and qdrant-client 1.20."""

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

SERVER: Final = Capabilities(
    store="qdrant",
    features=frozenset(
        {
            Feature.ALIASES,  # qdrant.tech/documentation/concepts/collections/#collection-aliases
            Feature.DELETE_BY_FILTER,  # delete(points_selector=FilterSelector)
            Feature.SERVER_SIDE_COUNT,  # count(exact=True)
            Feature.SPLIT,  # ours: the hash of an id is evenly spread, `record_uuid`
            Feature.EXACT_SEARCH,  # SearchParams(exact=True)
        }
    ),
    metrics=frozenset(Metric),  # Cosine, Dot, Euclid
    # qdrant.tech/documentation/concepts/indexing/#vector-index: HNSW, or none with m = 0.
    index_kinds=frozenset({"hnsw", "flat"}),
    limits=Limits(
        dimensions=65_536,  # measured: 65,537 are refused
        top_k=10_000,  # ours: Qdrant has no limit; bounds the memory of one answer
        batch_records=1_000,  # measured: 256 to 1,000 are fastest
        # A request over REST has at most 32 MiB of JSON. A vector takes four times its bytes there,
        # a payload some times its own: terms and escapes.
        batch_bytes=2 * 1024 * 1024,
        id_batch=1_000,  # ours; measured: 50,000 work
        query_batch=100,  # measured: 100 searches in one request take a seventh of the time
        scan_batch=1_000,  # ours: bounds the memory of a page
        id_bytes=None,  # only its hash is the point's id
        namespace_bytes=None,
        text_bytes=5_000_000,  # a text of six-byte escapes still fits in a request
        record_bytes=None,
        concurrency=64,  # ours
    ),
    consistency=Consistency.STRONG,  # wait=True; measured: visible at once, one node
    update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,  # set_payload cannot keep the terms right
    scan_stability=ScanStability.STABLE,  # scroll by point id; measured under 139 batches of writes
    async_kind=AsyncKind.NATIVE,  # AsyncQdrantClient
    # Cosine keeps unit vectors, rounded to float32 once and back; measured 1.2e-7, local 2.3e-7.
    vector_tolerance=1e-6,
    score_tolerance=1e-5,  # float32 sums
    recall_floor=0.9,  # measured by the suite's recall tier
    # The graph is left where a filter cuts it; a short answer is counted by the core.
    short_answer_is_complete=False,
)
