"""A Qdrant server, see `tests.services` for the order; at last the client's own local mode."""

from __future__ import annotations

import importlib.util
import json
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from tests.services import Absent, Foreign, Server, docker, given_url

PACKAGE: Final = "qdrant_client"


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
        return Foreign(url, f"Qdrant {_version(address)} at POLYVEC_TEST_QDRANT_URL", address)
    if docker.has_engine():
        host, port = docker.up("qdrant", 6333)
        what = f"Qdrant {_version((host, port))} in Docker"
        return Foreign(f"qdrant://{host}:{port}", what, (host, port))
    if importlib.util.find_spec(PACKAGE) is None:
        raise Absent(
            "set POLYVEC_TEST_QDRANT_URL, start a Docker engine, or pip install qdrant-client"
        )
    return Local()


class Local(Server):
    """Local mode: nothing runs, nothing can be killed, and there is no network to break."""

    address = ("127.0.0.1", 0)

    def __init__(self) -> None:
        from importlib.metadata import version

        self.url = "qdrant:///:memory:"
        self.what = f"local mode of qdrant-client {version('qdrant-client')}, no server"

    @property
    def networked(self) -> bool:
        return False

    def through(self, host: str, port: int) -> str:
        raise AssertionError(f"local mode is at no address, and not at {host}:{port}")


def _version(address: tuple[str, int]) -> str:
    host, port = address
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as answer:
        return str(json.loads(answer.read())["version"])
