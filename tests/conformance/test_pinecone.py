"""Pinecone: our gateway over the memory store, or the service where the tests are given a URL.

The gateway shows a write 50 ms after it has answered, as Pinecone shows it a moment later; the
whole suite runs in both colours. The random part of it runs over pgvector once more.
"""

from __future__ import annotations

from functools import cache

import pytest
from tests.services import at_end, server
from tests.services.pinecone import VISIBILITY_DELAY_S, Gateway

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite
from polyvec.testing.areas.stress import Stress


class TestPinecone(ConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return server("pinecone").url


class TestPineconeAsync(AsyncConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return server("pinecone").url


@cache
def over_pgvector() -> str:
    """Return the URL of a gateway that lasts as long as the process, as the pools of stores do."""
    gateway = Gateway(server("pgvector").url, visibility_delay_s=VISIBILITY_DELAY_S)
    at_end(gateway.stop)
    return gateway.url


class TestPineconeOverPgvector(Stress):
    """Another store behind the gateway: random records, filters and sequences of verbs."""

    @pytest.fixture
    def store_url(self) -> str:
        return over_pgvector()
