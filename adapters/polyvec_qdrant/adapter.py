"""Open a Qdrant store from its configuration: a server, or the client's local mode."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from polyvec.capabilities import AsyncKind
from polyvec.threaded import threaded
from polyvec_qdrant.capabilities import SERVER
from polyvec_qdrant.links import AsyncServerLink, LocalLink, ServerLink
from polyvec_qdrant.store import QdrantAdapter
from polyvec_qdrant.store_async import AsyncQdrantAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec_qdrant._config import QdrantConfig

# Local mode compares with every vector, in this process; the client's asynchronous form of it
# blocks the event loop, so worker threads wait instead.
LOCAL: Final = replace(
    SERVER,
    index_kinds=frozenset({"flat"}),
    async_kind=AsyncKind.THREAD,
    recall_floor=1.0,
    short_answer_is_complete=True,
)


def open_store(config: QdrantConfig) -> Adapter:
    """Return the adapter; no I/O."""
    if config.host is not None:
        return QdrantAdapter(ServerLink(config), config, SERVER)
    return QdrantAdapter(LocalLink(config), config, LOCAL)


def open_store_async(config: QdrantConfig) -> AsyncAdapter:
    """Return the asynchronous adapter; no I/O."""
    if config.host is not None:
        return AsyncQdrantAdapter(AsyncServerLink(config), config, SERVER)
    return threaded(QdrantAdapter(LocalLink(config), config, LOCAL))
