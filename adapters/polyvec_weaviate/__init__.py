"""Weaviate for polyvec; imports no client library."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec_weaviate._config import WeaviateConfig

PLUGIN: Final = AdapterPlugin(
    backend="weaviate",
    schemes=("weaviate",),
    config=WeaviateConfig,
    module="polyvec_weaviate.adapter",
    extra="weaviate",
    packages=("weaviate",),
)

__all__ = ["PLUGIN", "WeaviateConfig"]
