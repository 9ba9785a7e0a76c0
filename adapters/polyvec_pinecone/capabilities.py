"""What Pinecone can do. "Limits" is docs.pinecone.io/reference/api/database-limits."""

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

SERVERLESS: Final = Capabilities(
    store="pinecone",
    features=frozenset(
        {
            Feature.DELETE_BY_FILTER,  # delete(filter=), delete(delete_all=True)
            # update(filter=, dry_run=True): OpenAPI of 2025-10, `dryRun` and `matchedRecords`.
            Feature.SERVER_SIDE_COUNT,
        }
    ),
    metrics=frozenset(Metric),  # cosine, dotproduct, euclidean
    index_kinds=frozenset(),  # it has one of its own, and nothing to set
    limits=Limits(
        dimensions=20_000,  # limits
        top_k=10_000,  # limits; the records of large answers are fetched by id
        batch_records=1_000,  # limits
        batch_bytes=2_000_000,  # limits: 2 MB, as decoded
        id_batch=1_000,  # limits; a fetch is cut further, by the length of its URL
        query_batch=1,  # one query a request
        scan_batch=1_000,  # ours: fetch_by_metadata takes 10,000
        id_bytes=None,  # what Pinecone does not allow is encoded, what is too long is hashed
        namespace_bytes=None,  # likewise
        text_bytes=40_960,  # part of the metadata
        record_bytes=40_960,  # limits: 40 KB of metadata
        concurrency=64,  # ours; 100 requests a second and namespace are allowed
    ),
    # docs.pinecone.io/guides/index-data/check-data-freshness
    consistency=Consistency.EVENTUAL,
    # update() merges metadata, and can take nothing away.
    update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,
    # guides/manage-data/list-record-ids: ids come sorted, and a token says behind which one the
    # next page starts. Of the pages of fetch_by_metadata nothing is promised under writes.
    scan_stability=ScanStability.IDS,
    async_kind=AsyncKind.NATIVE,  # AsyncPinecone
    # "cosine" normalises nothing: read in the integration tests of client 10.2.
    vector_tolerance=0.0,
    # Float32 sums; euclidean scores are squares, whose rounding weighs more near zero.
    score_tolerance=1e-4,
    recall_floor=0.9,  # Pinecone promises none; held by the suite's recall tier
    short_answer_is_complete=False,  # ours: a short answer is counted
)
