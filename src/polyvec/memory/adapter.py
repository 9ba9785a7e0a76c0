"""Open a memory store from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec.memory.hnsw_kernel import wanted
from polyvec.memory.store import MemoryAdapter

if TYPE_CHECKING:
    from polyvec.adapter import Adapter
    from polyvec.memory._config import MemoryConfig


def open_store(config: MemoryConfig) -> Adapter:
    """Return the adapter; no I/O, the first primitive opens the directory.

    Raises
    ------
    ConfigError
        The environment asks for a kernel of the graph index that there is none of.
    """
    wanted()  # refuses a wrong one here; else it would be a line in the log of a thread
    always = config.hnsw == "always"
    if config.dir is None:
        return MemoryAdapter(always=always)
    from polyvec.memory.directory import Directory

    return MemoryAdapter(Directory(config.dir), always=always)
