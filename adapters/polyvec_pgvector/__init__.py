"""PostgreSQL with pgvector for polyvec; imports no client library."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec_pgvector._config import PgvectorConfig

PLUGIN: Final = AdapterPlugin(
    backend="pgvector",
    schemes=("postgresql", "postgres", "pgvector"),
    config=PgvectorConfig,
    module="polyvec_pgvector.adapter",
    extra="pgvector",
    packages=("psycopg", "psycopg_pool"),
)

__all__ = ["PLUGIN", "PgvectorConfig"]
