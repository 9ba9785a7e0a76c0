"""Open a Chroma store from its configuration: a server, or a database in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from polyvec.capabilities import AsyncKind
from polyvec.threaded import threaded
from polyvec_chroma.capabilities import SERVER
from polyvec_chroma.embedded import EmbeddedLink
from polyvec_chroma.links import AsyncHttpLink, HttpLink
from polyvec_chroma.store import ChromaAdapter
from polyvec_chroma.store_async import AsyncChromaAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec_chroma._config import ChromaConfig

# The embedded client has no asynchronous form. One process owns the directory, and a write is
# visible when it returns.
EMBEDDED: Final = replace(SERVER, async_kind=AsyncKind.THREAD)

# Chroma holds the interpreter's lock during a call (trap S14), so an event loop stands still
# for as long as one takes. Measured, 384 dimensions: 100 records take 0.1 s, 1,000 take 1 s; the
# shorter calls cost a fifth more time in all.
EMBEDDED_ASYNC: Final = replace(
    EMBEDDED, limits=replace(EMBEDDED.limits, batch_records=100, scan_batch=500)
)


def open_store(config: ChromaConfig) -> Adapter:
    """Return the adapter; no I/O."""
    if config.host is not None:
        return ChromaAdapter(HttpLink(config), SERVER)
    return ChromaAdapter(EmbeddedLink(config), EMBEDDED)


def open_store_async(config: ChromaConfig) -> AsyncAdapter:
    """Return the asynchronous adapter; no I/O. Worker threads wait for an embedded database."""
    if config.host is not None:
        return AsyncChromaAdapter(AsyncHttpLink(config), SERVER)
    return threaded(ChromaAdapter(EmbeddedLink(config), EMBEDDED_ASYNC))
