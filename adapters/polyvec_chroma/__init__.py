"""Chroma for polyvec; imports no client library."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec_chroma._config import ChromaConfig

PLUGIN: Final = AdapterPlugin(
    backend="chroma",
    schemes=("chroma",),
    config=ChromaConfig,
    module="polyvec_chroma.adapter",
    extra="chroma",
    packages=("chromadb",),
)

__all__ = ["PLUGIN", "ChromaConfig"]
