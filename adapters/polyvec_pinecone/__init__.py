"""Pinecone for polyvec; imports no client library."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec_pinecone._config import PineconeConfig

PLUGIN: Final = AdapterPlugin(
    backend="pinecone",
    schemes=("pinecone",),
    config=PineconeConfig,
    module="polyvec_pinecone.adapter",
    extra="pinecone",
    packages=("pinecone",),
)

__all__ = ["PLUGIN", "PineconeConfig"]
