"""Open a Weaviate store from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec_weaviate.links import AsyncLink, Link
from polyvec_weaviate.store import WeaviateAdapter
from polyvec_weaviate.store_async import AsyncWeaviateAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec_weaviate._config import WeaviateConfig


def open_store(config: WeaviateConfig) -> Adapter:
    """Return the adapter; no I/O."""
    return WeaviateAdapter(Link(config))


def open_store_async(config: WeaviateConfig) -> AsyncAdapter:
    """Return the asynchronous adapter; no I/O."""
    return AsyncWeaviateAdapter(AsyncLink(config))
