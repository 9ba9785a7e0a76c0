"""A Milvus server, see `tests.services` for the order; from the package: standalone 2.3.5.

The package's server listens on every interface: its `ip` settings change only what it advertises
(2.3.5, internal/distributed/*/service.go). So it runs behind `fence`, in a network of its own, and
one port of loopback leads to it. Its ticks come every 20 ms in place of
200, so that a strong read waits for no longer, and to 2 channels in place of 16: with eight
collections loaded that halves what a read after a write takes (36 to 16 ms) and saves a third of
what the server takes while it idles (0.32 to 0.22 of a core). `DEFAULTS` leaves both.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit

from tests.services import Absent, Foreign, Server, at_end, docker, fence, given_url, server
from tests.services.process import IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE: Final = "milvus"
READY_WITHIN_S: Final = 120.0
OPEN: Final = "POLYVEC_TEST_MILVUS_OPEN"
DEFAULTS: Final[Mapping[str, int]] = {}
QUICK: Final = {"proxy.timeTickInterval": 20, "rootCoord.dmlChannelNum": 2}


def start() -> Server:
    """Return a running server.

    Raises
    ------
    Absent
        No URL is given, no Docker engine answers, and the package is not installed.
    """
    if (url := given_url("milvus")) is not None:
        place = urlsplit(url)
        address = (place.hostname or "localhost", place.port or 19530)
        return Foreign(url, f"Milvus {_version(address)} at POLYVEC_TEST_MILVUS_URL", address)
    if docker.has_engine():
        host, port = docker.up("milvus", 19530)
        what = f"Milvus {_version((host, port))} in Docker"
        return Foreign(f"milvus://{host}:{port}", what, (host, port))
    if importlib.util.find_spec(PACKAGE) is None:
        raise Absent("set POLYVEC_TEST_MILVUS_URL, start a Docker engine, or pip install milvus")
    if not (fence.is_possible() or _is_open()):
        raise Absent(
            "the server of the package listens on all interfaces, and this user may make no "
            f"network namespace to keep it in; start a Docker engine, or set {OPEN}=1 to let it"
        )
    return Local(QUICK)


def _is_open() -> bool:
    """Tell whether the server may listen on all interfaces: asked for, or those of a container."""
    return os.environ.get(OPEN) == "1" or Path("/.dockerenv").exists()


@cache
def with_defaults() -> Server | None:
    """Return a second server, with the ticks that a user's has; None where it is not ours."""
    if not isinstance(server("milvus"), Local):
        return None
    running = Local(DEFAULTS)
    at_end(running.stop)
    return running


class Local(Server):
    """The standalone server of the package, in a temporary folder, on free ports.

    Parameters
    ----------
    settings
        Dotted names of its configuration, to what they are set to.
    """

    def __init__(self, settings: Mapping[str, int]) -> None:
        place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="polyvec-milvus-", dir=place))
        self._fenced = fence.is_possible()
        self._ports = _free_ports(13)
        self._configure(settings)
        self.address = ("127.0.0.1", self._ports[11 if self._fenced else 0])
        self.url = self.through(*self.address)
        self._process = self._started()
        self.what = f"Milvus {_version(self.address)} from {PACKAGE}"
        if not self._fenced:
            self.what += ", open to the container's network"

    def through(self, host: str, port: int) -> str:
        return f"milvus://{host}:{port}"

    @property
    def mortal(self) -> bool:
        return True

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def restart(self) -> None:
        self._process = self._started()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configure(self, settings: Mapping[str, int]) -> None:
        from milvus import MilvusServerConfig

        etcd, peers = self._ports[9], self._ports[10]
        (self._folder / "etcd.yaml").write_text(_ETCD.format(etcd=etcd, peers=peers))
        names = [
            *("proxy", "proxy_internal", "root_coord", "query_coord", "query_node"),
            *("index_coord", "index_node", "data_coord", "data_node"),
        ]
        ports = {f"{name}_port": port for name, port in zip(names, self._ports, strict=False)}
        config: Any = MilvusServerConfig(data_dir=str(self._folder), etcd_port=etcd, **ports)
        # The embedded etcd takes its own ports from a file only.
        file = f"etcd:\n  config:\n    path: {self._folder / 'etcd.yaml'}\n"
        config.template_text = config.template_text.replace("\netcd:\n", f"\n{file}", 1)
        config.set("etcd_log_level", "error")
        config.set("log.level", "error")
        for component in _COMPONENTS:
            config.set(f"{component}.ip", "127.0.0.1")
        for name, value in settings.items():
            config.set(name, value)
        config.resolve()

    def _started(self) -> subprocess.Popen[bytes]:
        programs = _programs()
        metrics = self._ports[12]
        environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(metrics),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "MILVUSCONF": str(self._folder / "configs"),
            "LD_LIBRARY_PATH": str(programs),
        }
        command = [str(programs / "milvus"), "run", "standalone"]
        with contextlib.ExitStack() as stack:
            log = stack.enter_context((self._folder / "log").open("wb"))
            ways = {self.address[1]: self._ports[0], metrics: metrics} if self._fenced else {}
            listeners = {
                stack.enter_context(_listening(outer)).fileno(): inner
                for outer, inner in ways.items()
            }
            if self._fenced:
                leading = ",".join(f"{fd}:{port}" for fd, port in listeners.items())
                command = [sys.executable, fence.__file__, leading, *command]
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # never written: it closes when this process ends
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=environment,
                pass_fds=listeners,
                start_new_session=True,
            )
        _wait_until_ready(metrics, process, self._folder / "log")
        return process


_COMPONENTS: Final = (
    *("proxy", "rootCoord", "queryCoord", "queryNode"),
    *("indexNode", "dataCoord", "dataNode"),
)


def _programs() -> Path:
    """Return the folder of the unpacked server: 500 MB, once for each user and version."""
    from importlib.metadata import version

    from milvus import (
        _initialize_data_files as unpack,  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType] - else it unpacks to the user's home
    )

    base = Path(tempfile.gettempdir()) / f"polyvec-milvus-{version(PACKAGE)}-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest-xdist come at the same time
        unpack(str(base))
    return base / "bin"


def _wait_until_ready(metrics: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(URLError, OSError):
            place = f"http://127.0.0.1:{metrics}/healthz"
            with urllib.request.urlopen(place, timeout=2) as answer:
                if b"OK" in answer.read():
                    return
        if process.poll() is not None or time.monotonic() > end:
            text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"Milvus does not start: {text}")
        time.sleep(0.05)


def _version(address: tuple[str, int]) -> str:
    from pymilvus import MilvusClient

    client: Any = MilvusClient(uri="http://{}:{}".format(*address), timeout=10, dedicated=True)
    try:
        return str(client.get_server_version(timeout=10)).removeprefix("v").removesuffix("-lite")
    finally:
        client.close()


def _listening(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port))
    found.listen(64)
    return found


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


_ETCD: Final = """\
name: polyvec
listen-client-urls: http://127.0.0.1:{etcd}
advertise-client-urls: http://127.0.0.1:{etcd}
listen-peer-urls: http://127.0.0.1:{peers}
initial-advertise-peer-urls: http://127.0.0.1:{peers}
initial-cluster: polyvec=http://127.0.0.1:{peers}
"""
