"""A server as a process: on a free port of loopback, with its data in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.services import Server

READY_WITHIN_S: Final = 60.0
END_WITHIN_S: Final = 10.0

# Servers wait for the disk at every write. In memory the data outlives a killed process all the
# same, which is what the tests of crashes are about.
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder in it is made by mkdtemp


class Process(Server):
    """A server that is started by a command.

    Parameters
    ----------
    name
        For its folder, and for errors.
    """

    def __init__(self, name: str) -> None:
        place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
        self._name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"polyvec-{name}-", dir=place))
        self.log = self.folder / "log"
        """What it wrote to standard output and standard error."""
        self.address = ("127.0.0.1", free_port())
        self.url = self.through(*self.address)
        self.process = self._started()

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that serves at `address` and keeps its data below `folder`."""

    @abstractmethod
    def ready(self) -> bool:
        """Tell whether it answers; may raise what a closed port raises."""

    def environment(self) -> dict[str, str]:
        """Return its environment."""
        return {k: v for k, v in os.environ.items() if not k.startswith("POLYVEC_")}

    @property
    def mortal(self) -> bool:
        return True

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        self.process = self._started()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, env=self.environment()
            )
        try:
            wait_until(self.ready, self._name, process, self.log)
        except BaseException:
            process.kill()
            raise
        return process


def wait_until(
    ready: Callable[[], bool],
    name: str,
    process: subprocess.Popen[bytes] | None = None,
    log: Path | None = None,
) -> None:
    """Return once a server answers.

    Raises
    ------
    RuntimeError
        Its process ended, or it takes too long; with the end of its log.
    """
    end = time.monotonic() + READY_WITHIN_S
    while not _is(ready):
        if (process is not None and process.poll() is not None) or time.monotonic() > end:
            text = "" if log is None else log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{name} does not start: {text}")
        time.sleep(0.05)


def _is(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except OSError:  # what a closed port and an early answer raise
        return False


def answers(url: str) -> bool:
    """Tell whether a GET of a URL succeeds."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a server under test
        return bool(answer.status == 200)


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
