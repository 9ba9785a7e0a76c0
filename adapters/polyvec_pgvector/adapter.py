"""Open a pgvector store from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec_pgvector.store import PgvectorAdapter
from polyvec_pgvector.store_async import AsyncPgvectorAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec_pgvector._config import PgvectorConfig


def open_store(config: PgvectorConfig) -> Adapter:
    """Return the adapter; no I/O, the first primitive connects."""
    return PgvectorAdapter(config)


def open_store_async(config: PgvectorConfig) -> AsyncAdapter:
    """Return the asynchronous adapter; no I/O, the first primitive connects."""
    return AsyncPgvectorAdapter(config)
