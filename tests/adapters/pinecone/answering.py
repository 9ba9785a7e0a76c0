"""A server of HTTP that says, byte by byte, what a test tells it to."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

Playing = Callable[[bytes, bytes, socket.socket], bytes | None]
"""From head and body of a request to the answer; None closes the connection."""

HEAD_END: Final = b"\r\n\r\n"


def always(told: bytes | None) -> Playing:
    """Return what says the same to everybody."""

    def playing(head: bytes, body: bytes, connection: socket.socket) -> bytes | None:
        return told

    return playing


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK", length: bool = True) -> bytes:
    """Return an answer as it is sent."""
    lines = [b"HTTP/1.1 " + status, *headers]
    if length:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + HEAD_END + body


class Answering(socketserver.ThreadingTCPServer):
    """The server, on a free port of loopback.

    Parameters
    ----------
    playing
        What it does.
    context
        For TLS.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, playing: Playing, context: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.playing = playing
        self.context = context
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is what some tests are about."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        with suppress(OSError), self._secured(request) as connection:
            while asked := _read(connection):
                head, body = asked
                self.heads.append(head)
                told = self.playing(head, body, connection)
                if told is None:
                    return
                connection.sendall(told)

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self.context is None:
            return connection
        return self.context.wrap_socket(connection, server_side=True)


def _read(connection: socket.socket) -> tuple[bytes, bytes] | None:
    """Return head and body of a request; None where the client has gone."""
    found = b""
    while HEAD_END not in found:
        if not (more := connection.recv(65_536)):
            return None
        found += more
    head, _, body = found.partition(HEAD_END)
    lengths = [line for line in head.lower().split(b"\r\n") if b"content-length:" in line]
    while lengths and len(body) < int(lengths[0].partition(b":")[2]):
        body += connection.recv(65_536)
    return head, body


@contextmanager
def answering(playing: Playing, context: ssl.SSLContext | None = None) -> Generator[Answering]:
    """Yield a running server."""
    with Answering(playing, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
