"""One run of every test here per backend that has a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import pytest
from tests.services import MODULES, Server, server

import polyvec
from polyvec import Collection, VectorStore

DIMENSION: Final = 4


@pytest.fixture(params=sorted(MODULES))
def backend(request: pytest.FixtureRequest) -> str:
    """Return the name of a backend."""
    name: str = request.param
    return name


@pytest.fixture
def running(backend: str) -> Server:
    """Return the backend's server."""
    return server(backend)


@pytest.fixture
def networked(running: Server) -> Server:
    """Return the backend's server; skip where a library in this process stands in for one."""
    if not running.networked:
        pytest.skip(f"needs a server, not {running.what}")
    return running


@pytest.fixture
def store(running: Server) -> Iterator[VectorStore]:
    """Yield a store on the server."""
    with polyvec.connect(running.url) as opened:
        yield opened


@pytest.fixture
def fresh_name(running: Server) -> Iterator[Callable[[], str]]:
    """Yield a maker of names for collections, which are dropped afterwards."""
    names: list[str] = []

    def make() -> str:
        names.append(f"live_{uuid4().hex[:12]}")
        return names[-1]

    yield make
    with polyvec.connect(running.url) as opened:
        for name in names:
            opened.drop_collection(name, missing_ok=True)


@pytest.fixture
def collection(store: VectorStore, fresh_name: Callable[[], str]) -> Collection[dict[str, Any]]:
    """Return an empty collection of four dimensions."""
    return store.create_collection(fresh_name(), dimension=DIMENSION, metric="euclidean")


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    """Yield an event loop of the test's own."""
    with asyncio.Runner() as runner:
        yield runner
        with suppress(asyncio.CancelledError):
            runner.run(asyncio.sleep(0))
