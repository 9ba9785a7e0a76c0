"""Milvus for polyvec; imports no client library."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec_milvus._config import MilvusConfig

PLUGIN: Final = AdapterPlugin(
    backend="milvus",
    schemes=("milvus",),
    config=MilvusConfig,
    module="polyvec_milvus.adapter",
    extra="milvus",
    packages=("pymilvus",),
)

__all__ = ["PLUGIN", "MilvusConfig"]
