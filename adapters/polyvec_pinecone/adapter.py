"""Open a Pinecone store from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec.errors import ConfigError
from polyvec_pinecone.capabilities import SERVERLESS
from polyvec_pinecone.links import AsyncLink, Link
from polyvec_pinecone.store import PineconeAdapter
from polyvec_pinecone.store_async import AsyncPineconeAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec_pinecone._config import PineconeConfig


def open_store(config: PineconeConfig) -> Adapter:
    """Return the adapter; no I/O."""
    return PineconeAdapter(Link(config), config, SERVERLESS)


def open_store_async(config: PineconeConfig) -> AsyncAdapter:
    """Return the asynchronous adapter; no I/O.

    Raises
    ------
    ConfigError
        gRPC was asked for: the client has it for the synchronous colour only.
    """
    if config.grpc:
        raise ConfigError(
            "grpc=true: pinecone's client speaks gRPC in its synchronous form only; "
            "leave the option out, or use polyvec.connect"
        )
    return AsyncPineconeAdapter(AsyncLink(config), config, SERVERLESS)
