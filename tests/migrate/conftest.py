from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import polyvec
from polyvec import VectorStore


@pytest.fixture(autouse=True)
def _journals_go_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def source() -> Iterator[VectorStore]:
    with polyvec.connect("memory://") as store:
        yield store


@pytest.fixture
def target() -> Iterator[VectorStore]:
    with polyvec.connect("memory://") as store:
        yield store
