"""A Chroma server, see `tests.services` for the order; from the package: `chroma run`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urlsplit

from tests.services import Absent, Foreign, Server, docker, given_url

PACKAGE: Final = "chromadb"
READY_WITHIN_S: Final = 60.0

# Chroma waits for the disk at every write. In memory the data outlives a killed process all the
# same, which is what the tests of crashes are about.
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder in it is made by mkdtemp


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
        _wait_until_ready((host, port), None)
        what = f"Chroma {_version((host, port))} in Docker"
        return Foreign(f"chroma://{host}:{port}", what, (host, port))
    if importlib.util.find_spec(PACKAGE) is None:
        raise Absent("set POLYVEC_TEST_CHROMA_URL, start a Docker engine, or pip install chromadb")
    return Local()


class Local(Server):
    """`chroma run` in a temporary folder, on a free port of loopback."""

    def __init__(self) -> None:
        place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="polyvec-chroma-", dir=place))
        self.address = ("127.0.0.1", _free_port())
        self.url = self.through(*self.address)
        self._process = self._started()
        # The server reports its API's version (1.0.0), not its own.
        from importlib.metadata import version

        self.what = f"Chroma {version(PACKAGE)} from {PACKAGE}"

    def through(self, host: str, port: int) -> str:
        return f"chroma://{host}:{port}"

    @property
    def mortal(self) -> bool:
        return True

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        self._process = self._started()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        host, port = self.address
        program = Path(sys.executable).with_name("chroma")
        command = [str(program), "run", "--path", str(self._folder / "data")]
        command += ["--host", host, "--port", str(port)]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        _wait_until_ready(self.address, process, self._folder / "log")
        return process


def _wait_until_ready(
    address: tuple[str, int], process: subprocess.Popen[bytes] | None, log: Path | None = None
) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            _version(address)
        except (URLError, OSError):
            dead = process is not None and process.poll() is not None
            if dead or time.monotonic() > end:
                text = "" if log is None else log.read_text(encoding="utf-8")[-2000:]
                raise RuntimeError(f"Chroma does not start: {text}") from None
            time.sleep(0.05)
        else:
            return


def _version(address: tuple[str, int]) -> str:
    host, port = address
    with urllib.request.urlopen(f"http://{host}:{port}/api/v2/version", timeout=2) as answer:
        return str(json.loads(answer.read()))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
