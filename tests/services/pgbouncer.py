"""PgBouncer in transaction mode before the tests' PostgreSQL, where the program is installed.

Debian and others have it as the package `pgbouncer`; no Python package brings it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.services import at_end, server
from tests.services.process import free_port

READY_WITHIN_S: Final = 20.0
SETTINGS: Final = """\
[databases]
* = host={host} port={port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
"""


@cache
def url() -> str | None:
    """Return the URL of the server by way of the pooler, None without the program."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    target = urlsplit(server("pgvector").url)
    if program is None or target.hostname != "127.0.0.1" or target.password is not None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="polyvec-pgbouncer-"))
    folder.chmod(0o755)
    own_port = free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(host=target.hostname, port=target.port, own_port=own_port),
        encoding="utf-8",
    )
    command = [program, "--quiet", str(settings)]
    # It refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    process = subprocess.Popen(command, user=user, stderr=subprocess.PIPE)
    at_end(partial(_stop, process, folder))
    _wait_until_it_listens(process, own_port)
    return f"postgresql://postgres@127.0.0.1:{own_port}{target.path}"


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                told = process.communicate()[1].decode(errors="replace")
                raise RuntimeError(f"PgBouncer does not start: {told[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.kill()
    process.communicate()
    shutil.rmtree(folder, ignore_errors=True)
