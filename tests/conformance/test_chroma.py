"""Chroma: a database in memory, a directory, and a server.

The whole suite runs in memory and, in both colours, on the server. A directory differs from memory
in opening, closing and keeping, and the embedded asynchronous store is the same adapter in worker
threads; so they run the areas where that could show.
"""

from __future__ import annotations

import pytest
from tests.services import server

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite
from polyvec.testing.areas.capabilities import Capabilities
from polyvec.testing.areas.capabilities_async import AsyncCapabilities
from polyvec.testing.areas.collections import Collections
from polyvec.testing.areas.collections_async import AsyncCollections
from polyvec.testing.areas.describe import Descriptions
from polyvec.testing.areas.describe_async import AsyncDescriptions
from polyvec.testing.areas.event_loop import EventLoop
from polyvec.testing.areas.lifecycle import Closing, Concurrency
from polyvec.testing.areas.lifecycle_async import AsyncClosing, AsyncConcurrency
from polyvec.testing.areas.namespaces import Namespaces
from polyvec.testing.areas.namespaces_async import AsyncNamespaces
from polyvec.testing.areas.records import Records
from polyvec.testing.areas.records_async import AsyncRecords
from polyvec.testing.areas.scan import Scans
from polyvec.testing.areas.scan_async import AsyncScans
from polyvec.testing.areas.search import Search
from polyvec.testing.areas.search_async import AsyncSearch
from polyvec.testing.areas.visibility import Visibility
from polyvec.testing.areas.visibility_async import AsyncVisibility
from polyvec.testing.areas.writes import Deletes, Updates, Upserts
from polyvec.testing.areas.writes_async import AsyncDeletes, AsyncUpdates, AsyncUpserts


class TestChromaMemory(ConformanceSuite):
    url = "chroma:///:memory:"


class TestChromaDirectory(
    Collections,
    Records,
    Upserts,
    Updates,
    Deletes,
    Namespaces,
    Search,
    Scans,
    Descriptions,
    Visibility,
    Closing,
    Concurrency,
    Capabilities,
    EventLoop,
):
    url = "chroma://{tmp}"


class _EmbeddedAsync(
    AsyncCollections,
    AsyncRecords,
    AsyncUpserts,
    AsyncUpdates,
    AsyncDeletes,
    AsyncNamespaces,
    AsyncSearch,
    AsyncScans,
    AsyncDescriptions,
    AsyncVisibility,
    AsyncClosing,
    AsyncConcurrency,
    AsyncCapabilities,
):
    """What worker threads could change."""


class TestChromaMemoryAsync(_EmbeddedAsync):
    url = "chroma:///:memory:"


class TestChromaDirectoryAsync(_EmbeddedAsync):
    url = "chroma://{tmp}"


class TestChromaServer(ConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return server("chroma").url


class TestChromaServerAsync(AsyncConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return server("chroma").url
