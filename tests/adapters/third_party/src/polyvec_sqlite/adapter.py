"""Where polyvec begins: a configuration becomes an adapter, without I/O."""

from __future__ import annotations

from polyvec_sqlite._config import SqliteConfig
from polyvec_sqlite.store import SqliteAdapter


def open_store(config: SqliteConfig) -> SqliteAdapter:
    """Return the adapter for a database."""
    return SqliteAdapter(config.database)
