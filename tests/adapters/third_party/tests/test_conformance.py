"""Everything that polyvec promises, on a file and in memory, with both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite, Sharing


class TestMemory(ConformanceSuite):
    url = "sqlite:///:memory:"


class TestMemoryAsync(AsyncConformanceSuite):
    url = "sqlite:///:memory:"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sqlite")


class TestFile(ConformanceSuite):
    sharing = Sharing.SHARED  # other connections and processes may use the file at the same time

    @pytest.fixture
    def store_url(self, folder: Path) -> str:
        return f"sqlite://{folder / 'sync.db'}"


class TestFileAsync(AsyncConformanceSuite):
    sharing = Sharing.SHARED

    @pytest.fixture
    def store_url(self, folder: Path) -> str:
        return f"sqlite://{folder / 'async.db'}"
