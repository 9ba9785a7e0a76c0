"""The memory store: the reference that every other store is held against."""

from __future__ import annotations

from typing import Final

from polyvec.memory._config import MemoryConfig
from polyvec.registry import AdapterPlugin

__all__ = ["PLUGIN"]

PLUGIN: Final = AdapterPlugin(
    backend="memory",
    schemes=("memory",),
    config=MemoryConfig,
    module="polyvec.memory.adapter",
)
