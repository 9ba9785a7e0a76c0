"""Qdrant for polyvec; imports no client library."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec_qdrant._config import QdrantConfig

PLUGIN: Final = AdapterPlugin(
    backend="qdrant",
    schemes=("qdrant",),
    config=QdrantConfig,
    module="polyvec_qdrant.adapter",
    extra="qdrant",
    packages=("qdrant_client",),
)

__all__ = ["PLUGIN", "QdrantConfig"]
