"""Weaviate: a server, in both colours."""

from __future__ import annotations

import pytest
from tests.services import server

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite


class TestWeaviate(ConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return server("weaviate").url


class TestWeaviateAsync(AsyncConformanceSuite):
    @pytest.fixture
    def store_url(self) -> str:
        return server("weaviate").url
