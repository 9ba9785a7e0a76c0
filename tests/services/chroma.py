"""A Chroma server, see `tests.services` for the order; from the package: `chroma run`."""

from __future__ import annotations

import importlib.util
import json
import sys
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.services import Absent, Foreign, Server, docker, given_url
from tests.services.process import Process, wait_until

PACKAGE: Final = "chromadb"


def start() -> Server:
    """Return a running server.

    Raises
    ------
    Absent
        No URL is given, no Docker engine answers, and the package is not installed.
    """
    if (url := given_url("chroma")) is not None:
        place = urlsplit(url)
        address = (place.hostname or "localhost", place.port or 8000)
        return Foreign(url, f"Chroma {_version(address)} at POLYVEC_TEST_CHROMA_URL", address)
    if docker.has_engine():
        host, port = docker.up("chroma", 8000)
        wait_until(lambda: bool(_version((host, port))), "Chroma in Docker")
        what = f"Chroma {_version((host, port))} in Docker"
        return Foreign(f"chroma://{host}:{port}", what, (host, port))
    if importlib.util.find_spec(PACKAGE) is None:
        raise Absent("set POLYVEC_TEST_CHROMA_URL, start a Docker engine, or pip install chromadb")
    return Local()


class Local(Process):
    """`chroma run`."""

    def __init__(self) -> None:
        super().__init__("chroma")
        # The server reports its API's version (1.0.0), not its own.
        from importlib.metadata import version

        self.what = f"Chroma {version(PACKAGE)} from {PACKAGE}"

    def through(self, host: str, port: int) -> str:
        return f"chroma://{host}:{port}"

    def command(self) -> list[str]:
        host, port = self.address
        program = Path(sys.executable).with_name("chroma")
        run = [str(program), "run", "--path", str(self.folder / "data")]
        return [*run, "--host", host, "--port", str(port)]

    def ready(self) -> bool:
        return bool(_version(self.address))


def _version(address: tuple[str, int]) -> str:
    host, port = address
    with urllib.request.urlopen(f"http://{host}:{port}/api/v2/version", timeout=2) as answer:
        return str(json.loads(answer.read()))
