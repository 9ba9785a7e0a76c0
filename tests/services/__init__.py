"""Real servers for tests, one per process, in a fixed order of preference.

1. `POLYVEC_TEST_<BACKEND>_URL`: a server of yours. Tests that stop a server skip.
2. Docker, when an engine answers: the service of `compose/compose.yaml`.
3. What the package registries give, started here and ended with the process.

    from tests.services import server
    server("pgvector").url

Each worker of pytest-xdist starts its own: they share no data and need no locks. A backend adds a
module with `start() -> Server` and its line in `MODULES`.
"""

from __future__ import annotations

import atexit
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

import pytest

MODULES: Final = {
    "chroma": "tests.services.chroma",
    "milvus": "tests.services.milvus",
    "pgvector": "tests.services.pgvector",
    "pinecone": "tests.services.pinecone",
    "qdrant": "tests.services.qdrant",
    "weaviate": "tests.services.weaviate",
}
"""Backend to the module that starts it."""


class Absent(Exception):  # noqa: N818 - a finding, no failure
    """None of the ways to a server is open; the text says what was missing."""


class Server(ABC):
    """A server under test."""

    url: str
    """Where `polyvec.connect` finds it."""
    what: str
    """Server, version and where it came from, for the end of the run."""
    address: tuple[str, int]
    """Host and port, for a proxy in front of it."""

    @abstractmethod
    def through(self, host: str, port: int) -> str:
        """Return the URL that leads to this server by way of a proxy."""

    @property
    def networked(self) -> bool:
        """Whether it is a server that several clients reach, and not a library in this process."""
        return True

    @property
    def mortal(self) -> bool:
        """Whether `kill` and `restart` may be called."""
        return False

    def kill(self) -> None:
        """End the server at once, as a crash does."""
        pytest.skip("this server is not ours to kill")

    def restart(self) -> None:
        """Start it again with the same data at the same address; return when it answers."""
        pytest.skip("this server is not ours to restart")

    def stop(self) -> None:
        """End the server and remove its data."""


@dataclass
class Foreign(Server):
    """A server that was running before."""

    url: str
    what: str
    address: tuple[str, int]

    def through(self, host: str, port: int) -> str:
        here = "{}:{}".format(*self.address)
        return self.url.replace(here, f"{host}:{port}", 1)


_started: dict[str, str] = {}
_ends: list[Callable[[], object]] = []


def at_end(end: Callable[[], object]) -> None:
    """Have something called when the tests are over, or else the process; what came last first."""
    _ends.append(end)


@atexit.register
def end_all() -> None:
    """End what this process started.

    A worker of pytest-xdist has ten seconds to leave when its tests are over, and is killed then,
    which leaves its servers running: so this is called before it says that they are.
    """
    while _ends:
        with suppress(OSError):
            _ends.pop()()


@cache
def _running(backend: str) -> Server | str:
    try:
        server: Server = import_module(MODULES[backend]).start()
    except Absent as absent:
        _started[backend] = f"did not run: {absent}"
        return str(absent)
    at_end(server.stop)
    _started[backend] = server.what
    return server


def server(backend: str) -> Server:
    """Return the running server of a backend; skip the test where there is none."""
    found = _running(backend)
    if isinstance(found, str):
        pytest.skip(f"no server for {backend}: {found}")
    return found


def started() -> dict[str, str]:
    """Return what ran in this process: backend to server and version."""
    return dict(_started)


def given_url(backend: str) -> str | None:
    """Return the server that the environment names, if any."""
    return os.environ.get(f"POLYVEC_TEST_{backend.upper()}_URL")
