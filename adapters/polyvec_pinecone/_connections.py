"""Connections to one server: of the standard library, and kept open between requests."""

from __future__ import annotations

import select
import sys
import threading
import time
from collections import deque
from functools import cache
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    import socket
    import ssl

KEPT_S: Final = 5.0
"""How long a connection that nobody uses stays open: as long as one of httpx's."""


class Connections:
    """Those that no request uses. Safe to use from several threads.

    Parameters
    ----------
    server
        Where they lead to.
    """

    def __init__(self, server: httpx.URL) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._unused: deque[tuple[float, HTTPConnection]] = deque()
        self._closed = False

    def take(self, connect_s: float) -> HTTPConnection:
        """Return an open connection, the last one that was given back or a new one.

        Raises
        ------
        OSError
            There was none, and the server is not to be reached within `connect_s` seconds.
        """
        while True:
            with self._lock:
                if not self._unused:
                    break
                since, connection = self._unused.pop()
            if time.monotonic() - since < KEPT_S and not _has_input(connection.sock):
                return connection
            connection.close()  # the server has closed it, or may do so at any moment
        return _connected(self._server, connect_s)

    def give_back(self, connection: HTTPConnection) -> None:
        """Keep a connection, and close those that were not needed for long."""
        now = time.monotonic()
        with self._lock:
            self._unused.append((now, connection))
            late = now if self._closed else now - KEPT_S
            old: list[HTTPConnection] = []
            while self._unused and self._unused[0][0] <= late:
                old.append(self._unused.popleft()[1])
        for one in old:
            one.close()

    def close(self) -> None:
        """Close them; those in use follow when they are given back."""
        with self._lock:
            self._closed = True
            unused, self._unused = self._unused, deque()
        for _, connection in unused:
            connection.close()


def _connected(server: httpx.URL, connect_s: float) -> HTTPConnection:
    host = server.raw_host.decode("ascii")  # names beyond ASCII are spelt as DNS has them
    if server.scheme == "https":
        port, context = server.port or 443, trusted()
        made: HTTPConnection = HTTPSConnection(host, port, timeout=connect_s, context=context)
    else:
        made = HTTPConnection(host, server.port or 80, timeout=connect_s)
    try:
        made.connect()
    except BaseException:
        made.close()
        raise
    return made


@cache
def trusted() -> ssl.SSLContext:
    """Return whose certificates are believed: those that httpx believes, and no others."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_input(sock: socket.socket) -> bool:
    """Tell whether something came that nobody asked for: the end of the connection, as a rule."""
    if sys.platform == "win32":
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()  # `select` takes no descriptor above 1,023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
