"""The memory store passes everything: it is the reference."""

from __future__ import annotations

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite


class TestMemory(ConformanceSuite):
    url = "memory://"


class TestMemoryAsync(AsyncConformanceSuite):
    url = "memory://"


class TestMemoryDirectory(ConformanceSuite):
    url = "memory://{tmp}"


class TestMemoryDirectoryAsync(AsyncConformanceSuite):
    url = "memory://{tmp}"


class TestMemoryHnsw(ConformanceSuite):
    """Every search that asks for nothing else goes through the graph, however few records."""

    url = "memory://?hnsw=always"
