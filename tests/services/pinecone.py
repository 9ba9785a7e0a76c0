"""Pinecone, see `tests.services` for the order; a container image of it does not exist.

`POLYVEC_TEST_PINECONE_URL` is a polyvec URL (`pinecone://?cloud=aws&region=us-east-1` with
`PINECONE_API_KEY`, or the address of a gateway). Else it is our own gateway over the memory store,
as a process, with its data in a folder, so that it can be killed and started again.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Final
from urllib.parse import urlsplit

import pytest
from tests.services import Absent, Foreign, Server, given_url
from tests.services.process import Process, answers

from polyvec import __version__

NEEDED: Final = ("orjson", "prometheus_client", "starlette", "threadpoolctl", "uvicorn")
PROGRAM: Final = "from polyvec.cli import main; main()"
VISIBILITY_DELAY_S: Final = 0.05
"""Writes are seen that much later, as Pinecone's are."""


def start() -> Server:
    """Return a running server.

    Raises
    ------
    Absent
        No URL is given, and the gateway's packages are not installed.
    """
    if (url := given_url("pinecone")) is not None:
        place = urlsplit(url)
        if place.hostname is None:
            return Service(url, "Pinecone itself", ("api.pinecone.io", 443))
        address = (place.hostname, place.port or 443)
        return Foreign(url, "POLYVEC_TEST_PINECONE_URL", address)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Absent(f"set POLYVEC_TEST_PINECONE_URL, or pip install {' '.join(missing)}")
    return Gateway(visibility_delay_s=VISIBILITY_DELAY_S)


class Service(Foreign):
    """Pinecone itself."""

    def through(self, host: str, port: int) -> str:
        pytest.skip(f"Pinecone's own service cannot be reached by way of {host}:{port}")


class Gateway(Process):
    """Our gateway.

    Parameters
    ----------
    store_url
        What it serves; None for a memory store in a temporary folder.
    visibility_delay_s
        Seconds until a write can be read.
    options
        More options of `polyvec serve`.
    """

    def __init__(
        self,
        store_url: str | None = None,
        *,
        visibility_delay_s: float = 0.0,
        options: tuple[str, ...] = (),
    ) -> None:
        self._store_url = store_url
        self._options = ("--visibility-delay", str(visibility_delay_s), *options)
        super().__init__("gateway")
        shown = "memory" if store_url is None else store_url.partition(":")[0]
        self.what = (
            f"gateway {__version__} over {shown}://, writes seen {visibility_delay_s} s later"
        )

    @property
    def base(self) -> str:
        """Where the control plane answers."""
        return "http://{}:{}".format(*self.address)

    def through(self, host: str, port: int) -> str:
        return f"pinecone://{host}:{port}?tls=false"

    def command(self) -> list[str]:
        host, port = self.address
        store = self._store_url or f"memory://{self.folder}/data"
        serve = [sys.executable, "-c", PROGRAM, "serve", store]
        return [*serve, "--host", host, "--port", str(port), *self._options]

    def ready(self) -> bool:
        return answers(f"{self.base}/readyz")
