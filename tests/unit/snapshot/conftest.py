from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import polyvec

Opener = Callable[[], polyvec.VectorStore]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snap"


@pytest.fixture
def connect(folder: Path) -> Iterator[Opener]:
    """Open the same directory again and again; every call closes the store before."""
    with ExitStack() as stack:

        def again() -> polyvec.VectorStore:
            stack.close()
            return stack.enter_context(polyvec.connect(f"parquet://{folder}"))

        yield again
