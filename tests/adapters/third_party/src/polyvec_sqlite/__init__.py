"""A polyvec adapter over SQLite: brute-force search, filters in SQL."""

from __future__ import annotations

from polyvec.registry import AdapterPlugin
from polyvec_sqlite._config import SqliteConfig

__all__ = ["PLUGIN", "SqliteConfig"]

PLUGIN = AdapterPlugin(
    backend="sqlite",
    schemes=("sqlite",),
    config=SqliteConfig,
    module="polyvec_sqlite.adapter",
    extra=None,
    packages=("sqlite3", "_sqlite3"),  # Python can be built without it
)
