"""What Milvus can do. "Measured" is with server 2.3.5 and Milvus Lite 3.2.2, by pymilvus 3.0.2."""

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
    store="milvus",
    features=frozenset(
        {
            Feature.ALIASES,  # milvus.io/docs/manage-aliases.md: alter_alias switches at once
            Feature.DELETE_BY_FILTER,  # delete(filter=...), by any expression; measured
            Feature.SERVER_SIDE_COUNT,  # query(output_fields=["count(*)"]); measured, exact
            Feature.EXACT_SEARCH,  # FLAT, which is the default; else ours, by a scan
            Feature.SPLIT,  # ours: evenly spaced keys of all
        }
    ),
    metrics=frozenset(Metric),  # COSINE, IP, L2
    index_kinds=frozenset({"hnsw", "ivf", "flat"}),  # milvus.io/docs/index.md
    limits=Limits(
        dimensions=32_768,  # proxy.maxDimension
        top_k=16_384,  # quotaAndLimits.limits.topK; measured
        batch_records=2_500,  # measured: 1,000 to 5,000 are fastest
        batch_bytes=16 * 1024 * 1024,  # a message has at most 64 MiB; tags may double metadata
        id_batch=1_000,  # ours: bounds the memory of one answer
        query_batch=16,  # ours; measured: 20 searches in one request take 5 times one
        scan_batch=1_000,  # ours: bounds the memory of a page
        id_bytes=2_048,  # 512 code points; with the namespace in a key of 4,096 bytes
        namespace_bytes=1_024,  # 256 code points
        text_bytes=65_535,  # VARCHAR, in bytes; measured
        record_bytes=None,  # each field has a limit of its own, see `_checks`
        concurrency=16,  # ours; measured: 4 requests are as fast as more
    ),
    # The client's session guarantee, and a strong read after deletes; see the adapter's page.
    consistency=Consistency.SESSION,
    update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,  # partial updates are newer than 2.3
    scan_stability=ScanStability.STABLE,  # keyset over the primary key, in its order
    async_kind=AsyncKind.NATIVE,  # AsyncMilvusClient
    vector_tolerance=0.0,  # measured: equal bits
    score_tolerance=1e-5,  # float32 sums
    recall_floor=1.0,  # the default index is FLAT
    short_answer_is_complete=False,  # HNSW and IVF may find fewer under a filter
)
