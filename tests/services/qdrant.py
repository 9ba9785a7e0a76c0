"""A Qdrant server, see `tests.services` for the order.

Where none can run: Qdrant's engine from a package; at last the client's own local mode.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from tests.services import Absent, Foreign, Server, docker, given_url, server
from tests.services.process import Process, free_port

PACKAGE: Final = "qdrant_client"
ENGINE: Final = ("qdrant_edge", "starlette", "uvicorn")
ENGINE_PACKAGE: Final = "qdrant-edge-py"


def start() -> Server:
    """Return a running server, or the local mode of the client.

    Raises
    ------
    Absent
        No URL is given, no Docker engine answers, and the package is not installed.
    """
    if (url := given_url("qdrant")) is not None:
        place = urlsplit(url)
        address = (place.hostname or "localhost", place.port or 6333)
        return Foreign(url, f"Qdrant {version(address)} at POLYVEC_TEST_QDRANT_URL", address)
    if docker.has_engine():
        host, port = docker.up("qdrant", 6333)
        what = f"Qdrant {version((host, port))} in Docker"
        return Foreign(f"qdrant://{host}:{port}", what, (host, port))
    if all(importlib.util.find_spec(name) for name in (PACKAGE, *ENGINE)):
        return Engine()
    if importlib.util.find_spec(PACKAGE) is None:
        raise Absent(
            "set POLYVEC_TEST_QDRANT_URL, start a Docker engine, or pip install qdrant-client"
        )
    return Local()


def networked() -> Server:
    """Return the server; skip the test where there is only local mode."""
    running = server("qdrant")
    if not running.networked:
        pytest.skip("no server for qdrant; set POLYVEC_TEST_QDRANT_URL or start a Docker engine")
    return running


def grpc_url() -> str:
    """Return the URL of the server that speaks gRPC; skip the test where none is known."""
    running = networked()
    port: object = os.environ.get("POLYVEC_TEST_QDRANT_GRPC_PORT")
    if isinstance(running, Engine):
        port = running.grpc_port
    elif given_url("qdrant") is None:
        _, port = docker.up("qdrant", 6334)
    if port is None:
        pytest.skip("set POLYVEC_TEST_QDRANT_GRPC_PORT beside POLYVEC_TEST_QDRANT_URL")
    return f"{running.url}?grpc_port={port}"


class Engine(Process):
    """Qdrant's own engine, from a package, behind a REST layer of ours; see `qdrant_engine`."""

    def __init__(self) -> None:
        self.grpc_port = free_port()
        super().__init__("qdrant")
        package = metadata.version(ENGINE_PACKAGE)
        self.what = f"engine of Qdrant, qdrant-edge-py {package}, behind our REST"

    def through(self, host: str, port: int) -> str:
        return f"qdrant://{host}:{port}"

    def command(self) -> list[str]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        module = "tests.services.qdrant_engine"
        return [sys.executable, "-m", module, str(data), str(self.address[1]), str(self.grpc_port)]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(Path(__file__).parents[2])}

    def ready(self) -> bool:
        return bool(version(self.address))


class Local(Server):
    """Local mode: nothing runs, nothing can be killed, and there is no network to break."""

    address = ("127.0.0.1", 0)

    def __init__(self) -> None:
        self.url = "qdrant:///:memory:"
        self.what = f"local mode of qdrant-client {metadata.version('qdrant-client')}, no server"

    @property
    def networked(self) -> bool:
        return False

    def through(self, host: str, port: int) -> str:
        raise AssertionError(f"local mode is at no address, and not at {host}:{port}")


def version(address: tuple[str, int]) -> str:
    """Return what a server tells of itself."""
    host, port = address
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as answer:
        return str(json.loads(answer.read())["version"])
