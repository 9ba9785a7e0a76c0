"""The gateway as a process: uvicorn on one address, until it is told to stop."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final

import uvicorn
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from polyvec.errors import ConfigError
from polyvec.gateway import log
from polyvec.gateway.app import build

if TYPE_CHECKING:
    from polyvec.gateway.settings import Settings
    from polyvec.store_async import AsyncVectorStore

BACKLOG: Final = 2048
KEEP_ALIVE_S: Final = 120
"""Clients keep connections; one that the server closes first costs them a failed request."""

LONGEST_HEAD: Final = 1024 * 1024
"""A fetch names its ids in the URL: 1,000 of 512 characters."""


def run(store: AsyncVectorStore, settings: Settings, *, access_log: bool = True) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests under way.

    Parameters
    ----------
    store
        What is served; closed at the end.
    settings
        Where and how.
    access_log
        Whether each request writes a JSON line to standard error.

    Raises
    ------
    ConfigError
        The address would let everybody in, or is taken.
    """
    settings.check_exposure()
    listener = listen(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    log.to_stderr(access_log=access_log)
    # Searches of stores in this process run side by side; each of them on all cores is slower by
    # far: 8 at once over 5,000 x 384 on 2 cores, 23/s with OpenBLAS's own threads, 660/s without.
    threadpool_limits(limits=1, user_api="blas")
    config = uvicorn.Config(
        build(store, settings),
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=max(1, round(settings.graceful_s)),
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    shown = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"polyvec: {store.capabilities.store} at http://{shown}:{port}\n")
    sys.stderr.flush()
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise ConfigError(f"cannot listen at {host!r}, port {port}: {reason}") from None
