"""Qdrant: the client's local mode in memory and in a directory, and a server where there is one.

In local mode the whole suite runs in memory; a directory differs from that in opening, closing and
keeping, and the asynchronous store in its worker threads, so they run the areas where that could
show. On a server everything runs, in both colours, over REST and over gRPC.
"""

from __future__ import annotations

import pytest
from tests.services.qdrant import grpc_url, networked

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite
from polyvec.testing.areas.collections import Aliases, Collections
from polyvec.testing.areas.collections_async import AsyncAliases, AsyncCollections
from polyvec.testing.areas.lifecycle import Closing, Concurrency
from polyvec.testing.areas.lifecycle_async import AsyncClosing, AsyncConcurrency
from polyvec.testing.areas.namespaces import Namespaces
from polyvec.testing.areas.records import Records
from polyvec.testing.areas.records_async import AsyncRecords
from polyvec.testing.areas.scan import Scans
from polyvec.testing.areas.scan_async import AsyncScans
from polyvec.testing.areas.visibility import Visibility
from polyvec.testing.areas.visibility_async import AsyncVisibility
from polyvec.testing.areas.writes import Deletes, Updates, Upserts
from polyvec.testing.areas.writes_async import AsyncDeletes, AsyncUpdates, AsyncUpserts


class TestQdrantMemory(ConformanceSuite):
    url = "qdrant:///:memory:"


class TestQdrantDirectory(
    Collections,
    Aliases,
    Records,
    Upserts,
    Updates,
    Deletes,
    Namespaces,
    Scans,
    Visibility,
    Closing,
    Concurrency,
):
    url = "qdrant://{tmp}"


class TestQdrantMemoryAsync(
    AsyncCollections,
    AsyncAliases,
    AsyncRecords,
    AsyncUpserts,
    AsyncUpdates,
    AsyncDeletes,
    AsyncScans,
    AsyncVisibility,
    AsyncClosing,
    AsyncConcurrency,
):
    url = "qdrant:///:memory:"


class TestQdrantServer(ConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return networked().url


class TestQdrantServerAsync(AsyncConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return networked().url


class TestQdrantServerGrpc(ConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return grpc_url()
