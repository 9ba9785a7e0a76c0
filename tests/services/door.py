"""A port that speaks HTTP/1.1 as it is told to, and hands HTTP/2 on to another port."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import httpx

Asking = Callable[[str, str, bytes, Mapping[str, str]], httpx.Response]
"""From method, path, body and headers of a request to the answer."""

PREFACE: Final = b"PRI"
"""HTTP/2 begins with it: RFC 9113, 3.4."""

OF_ONE_CONNECTION: Final = frozenset(
    {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}
)
"""Headers that are not handed on."""

CHUNK: Final = 65_536


class Door(socketserver.ThreadingTCPServer):
    """The port, on loopback.

    Parameters
    ----------
    asking
        Answers requests of HTTP/1.1.
    http2_port
        Where HTTP/2 is spoken, if anywhere.
    """

    daemon_threads = True

    def __init__(self, asking: Asking, http2_port: int | None = None) -> None:
        self.asking = asking
        self._http2_port = http2_port
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        if request.recv(len(PREFACE), socket.MSG_PEEK) == PREFACE and self._http2_port is not None:
            with socket.create_connection(("127.0.0.1", self._http2_port)) as behind:
                back = threading.Thread(target=_copy, args=(behind, request), daemon=True)
                back.start()
                _copy(request, behind)
                back.join()
        else:
            _Http(request, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away in the middle of things."""

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any
    disable_nagle_algorithm = True

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        told = self.server.asking(self.command, self.path, body, _handed_on(dict(self.headers)))
        self.send_response(told.status_code)
        for name, value in _handed_on(told.headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(told.content)))
        self.end_headers()
        self.wfile.write(told.content)

    do_GET = do_POST = do_DELETE = do_PATCH = _pass  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _handed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in OF_ONE_CONNECTION}
