"""Open a Milvus store from its configuration: a server, or Milvus Lite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from polyvec.capabilities import AsyncKind, Consistency
from polyvec.threaded import threaded
from polyvec_milvus.capabilities import SERVER
from polyvec_milvus.links import AsyncServerLink, LiteLink, ServerLink
from polyvec_milvus.store import MilvusAdapter
from polyvec_milvus.store_async import AsyncMilvusAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec.capabilities import Capabilities
    from polyvec_milvus._config import MilvusConfig

# Milvus Lite builds no graph as asked for and loses rows by it under a filter (measured, 3.2.2), so
# it only compares; its server runs in threads of this process, and worker threads wait for it.
LITE: Final = replace(
    SERVER,
    index_kinds=frozenset({"flat"}),
    consistency=Consistency.STRONG,
    async_kind=AsyncKind.THREAD,
    short_answer_is_complete=True,
)


# AUTOINDEX is a graph, whose recall the server chooses (milvus.io/docs/autoindex-explained.md).
AUTO: Final = replace(SERVER, recall_floor=0.9)


def _of_server(config: MilvusConfig) -> Capabilities:
    return AUTO if config.default_index == "auto" else SERVER


def open_store(config: MilvusConfig) -> Adapter:
    """Return the adapter; no I/O."""
    if config.host is not None:
        return MilvusAdapter(ServerLink(config), _of_server(config))
    return MilvusAdapter(LiteLink(config), LITE)


def open_store_async(config: MilvusConfig) -> AsyncAdapter:
    """Return the asynchronous adapter; no I/O."""
    if config.host is not None:
        return AsyncMilvusAdapter(AsyncServerLink(config), _of_server(config))
    return threaded(MilvusAdapter(LiteLink(config), LITE))
