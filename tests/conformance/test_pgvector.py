"""PostgreSQL with pgvector; also as behind a transaction pooler, in a schema of its own."""

from __future__ import annotations

import pytest
from tests.services import pgbouncer, server

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite, Sharing


class TestPgvector(ConformanceSuite):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self) -> str:
        return server("pgvector").url


class TestPgvectorAsync(AsyncConformanceSuite):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self) -> str:
        return server("pgvector").url


class TestPgvectorTransactionPooling(ConformanceSuite):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self) -> str:
        # Without PgBouncer: the same mode on a direct server.
        place = pgbouncer.url() or server("pgvector").url
        return f"{place}?transaction_pooling=true&schema=pooled"
