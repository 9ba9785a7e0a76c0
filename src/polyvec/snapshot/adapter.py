"""Open a snapshot directory from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec.snapshot.store import SnapshotAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.snapshot._config import ParquetConfig


def open_store(config: ParquetConfig) -> Adapter:
    """Return the adapter; no I/O, the first primitive looks at the directory."""
    return SnapshotAdapter(config.dir)
