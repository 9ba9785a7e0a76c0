"""Pinecone: our gateway over the memory store, or the service where the tests are given a URL.

The gateway shows a write 50 ms after it has answered, as Pinecone shows it a moment later; the
whole suite runs in both colours. The random part of it runs over pgvector once more.
"""

from __future__ import annotations

from functools import cache

import pytest
from tests.services import at_end, given_url, server
from tests.services.pinecone import VISIBILITY_DELAY_S, Gateway
from tests.services.pinecone_grpc import GrpcGateway

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


@cache
def by_grpc() -> str:
    """Return the URL of a server whose data goes over gRPC."""
    if (url := given_url("pinecone")) is not None:
        return f"{url}{'&' if '?' in url else '?'}grpc=true"
    made = GrpcGateway(Gateway(visibility_delay_s=VISIBILITY_DELAY_S))
    at_end(made.stop)
    return made.url


class TestPineconeGrpc(ConformanceSuite):
    """The other data plane; the client has it for the synchronous colour alone."""

    @pytest.fixture
    def store_url(self) -> str:
        return by_grpc()


class TestPineconeOverPgvector(Stress):
    """Another store behind the gateway: random records, filters and sequences of verbs."""

    @pytest.fixture
    def store_url(self) -> str:
        return over_pgvector()
