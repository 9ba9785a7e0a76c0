"""What Chroma can do. "Measured" is with chromadb 1.5.9, embedded and `chroma run`."""

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
    store="chroma",
    features=frozenset(
        {
            # Chroma has no aliases (docs.trychroma.com/docs/collections/manage-collections).
            Feature.DELETE_BY_FILTER,  # delete(where=)
            Feature.SERVER_SIDE_COUNT,  # count(), and the ids of get(where=)
            Feature.SPLIT,  # ours: the hash of an id is evenly spread, `_keys.py`
        }
    ),
    metrics=frozenset(Metric),  # spaces "cosine", "ip" and "l2"
    # Measured: "spann" silently becomes HNSW outside of Chroma's cloud.
    index_kinds=frozenset({"hnsw"}),
    limits=Limits(
        dimensions=None,  # measured: 100,000 are accepted
        top_k=10_000,  # ours: Chroma has no limit; bounds the memory of one answer
        batch_records=5_000,  # `get_max_batch_size()` is 5,461
        # A request may have 40 MiB (CHROMA_MAX_PAYLOAD_SIZE_BYTES); JSON escapes take up to six
        # times the bytes, and natural fields and tags repeat some of them.
        batch_bytes=4 * 1024 * 1024,
        id_batch=2_000,  # ours: far below the 32,766 variables of an SQLite statement
        query_batch=100,  # ours: Chroma searches them one after the other
        scan_batch=5_000,  # ours: bounds the memory of a page
        id_bytes=None,  # measured: 100,000 characters
        namespace_bytes=None,  # only its hash is in a name, `_schema.py`
        text_bytes=5_000_000,  # measured; the request would take twice that unless it is escaped
        record_bytes=None,
        concurrency=8,  # ours: the server applies writes one after the other
    ),
    consistency=Consistency.STRONG,  # measured: two clients of one server
    # upsert merges, so that a replace reads the old keys first (trap S12).
    update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,
    scan_stability=ScanStability.STABLE,  # keyset over a hash, or over the ids, `_keys.py`
    async_kind=AsyncKind.NATIVE,  # AsyncFastAPI over httpx
    # Space "cosine" keeps unit vectors: one float32 rounding there, one back.
    vector_tolerance=1e-6,
    # Distances are float32 sums; those of "ip" are 1 - x, and are computed again here.
    score_tolerance=2e-6,
    # Measured on the suite's data: 0.98 and more, filters from 100 % to 1 % included; the index
    # loses records as it is rewritten (trap S4, chroma-core/chroma#7758).
    recall_floor=0.9,
    short_answer_is_complete=False,  # trap S4: 8 of 10 matching records came back
)
