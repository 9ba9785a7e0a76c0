"""Milvus: the standalone server in both colours, and Milvus Lite.

The asynchronous store of Milvus Lite is the same adapter in worker threads, which the suites of
Chroma and the memory store cover; so it runs the areas where that could show. One area runs on a
server with the ticks that a user's has.
"""

from __future__ import annotations

import pytest
from tests.services import server
from tests.services.milvus import with_defaults

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite, Sharing
from polyvec.testing.areas.lifecycle_async import AsyncClosing, AsyncConcurrency
from polyvec.testing.areas.records_async import AsyncRecords
from polyvec.testing.areas.visibility import Visibility
from polyvec.testing.areas.writes import Deletes, Upserts


class TestMilvus(ConformanceSuite):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self) -> str:
        return server("milvus").url


class TestMilvusAsync(AsyncConformanceSuite):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self) -> str:
        return server("milvus").url


class TestMilvusDefaults(Upserts, Deletes, Visibility):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self) -> str:
        running = with_defaults()
        if running is None:
            pytest.skip("the server was given; its ticks are whatever they are")
        return running.url


class TestMilvusLite(ConformanceSuite):
    url = "milvus://{tmp}/lite.db"


class TestMilvusLiteAsync(AsyncRecords, AsyncClosing, AsyncConcurrency):
    url = "milvus://{tmp}/lite.db"
