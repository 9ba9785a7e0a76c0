"""What PostgreSQL with pgvector can do. Every line names where it was read or measured.

Measured with PostgreSQL 18.4, pgvector 0.8.5 and psycopg 3.3.9; the README names the pages.
"""

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

MAX_DIMENSIONS: Final = 16_000
"""github.com/pgvector/pgvector#reference: `vector` has up to 16,000 dimensions."""

MAX_INDEXED: Final = 2_000
"""github.com/pgvector/pgvector#hnsw: dimensions of an index over `vector`."""

MAX_INDEXED_HALF: Final = 4_000
"""github.com/pgvector/pgvector#hnsw: dimensions of an index over `halfvec`."""

CAPABILITIES: Final = Capabilities(
    store="pgvector",
    features=frozenset(
        {
            Feature.ALIASES,  # a row of _polyvec_aliases, switched by one INSERT … ON CONFLICT
            Feature.DELETE_BY_FILTER,  # DELETE … WHERE
            Feature.SERVER_SIDE_COUNT,  # SELECT count(*), exact under MVCC
            Feature.SERVER_SIDE_UPDATE,  # UPDATE … FROM unnest(…), one statement
            Feature.SPLIT,  # percentile_disc over the key
            Feature.EXACT_SEARCH,  # ORDER BY (distance + 0), which no vector index can serve
        }
    ),
    metrics=frozenset(Metric),  # <=> <#> <->: github.com/pgvector/pgvector#querying
    # USING hnsw, USING ivfflat, or no index: github.com/pgvector/pgvector#indexing
    index_kinds=frozenset({"hnsw", "ivf", "flat"}),
    limits=Limits(
        dimensions=MAX_DIMENSIONS,
        top_k=10_000,  # ours: SQL has no limit; bounds the memory of one answer
        batch_records=10_000,  # ours: one transaction; larger ones are no faster
        # A message or a field has at most 1 GB (libpq; postgresql.org/docs/18/limits.html); the
        # adapter cuts what is longer, inside one transaction.
        batch_bytes=None,
        id_batch=10_000,  # one array parameter; postgresql.org/docs/18/limits.html allows 1 GB
        query_batch=1,  # one statement per query; several run side by side on the pool
        scan_batch=10_000,  # ours: bounds the memory of a page
        # An index row has at most 2,704 bytes (measured: 54000 program_limit_exceeded); an id has
        # at most 2,048, and a namespace over 512 is stored as its digest, see _codec.
        id_bytes=None,
        namespace_bytes=None,
        text_bytes=2**28,  # a field holds 1 GB, its escaped form may be larger than the text
        record_bytes=None,
        concurrency=64,  # connections; the pool has max_concurrency of them
    ),
    # A statement sees what was committed before it began, and an UPDATE that waited sees the
    # newest row, says postgresql.org/docs/18/transaction-iso.html on READ COMMITTED.
    consistency=Consistency.STRONG,
    update_atomicity=UpdateAtomicity.RECORD,
    scan_stability=ScanStability.STABLE,  # keyset over a bigint that a record keeps when replaced
    async_kind=AsyncKind.NATIVE,  # psycopg.org/psycopg3/docs/advanced/async.html
    vector_tolerance=0.0,  # float4 is sent in binary; measured: equal bits, denormals included
    score_tolerance=1e-5,  # summed in float32: pgvector src/vector.c, VectorL2SquaredDistance
    recall_floor=0.9,  # measured by the suite's recall tier, HNSW(16, 64) with ef_search 100
    short_answer_is_complete=True,  # a short answer of an index is repeated exactly, see _search
)
