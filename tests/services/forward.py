"""A server of HTTP/1.1 that asks another one, in its own way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx

Asking = Callable[[str, str, bytes, Mapping[str, str]], httpx.Response]
"""From method, path, body and headers of a request to the answer."""

OF_ONE_CONNECTION: Final = frozenset(
    {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}
)
"""Headers that are not handed on."""


class Forward(ThreadingHTTPServer):
    """The server, on a free port of loopback.

    Parameters
    ----------
    asking
        Answers requests.
    """

    daemon_threads = True

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        super().__init__(("127.0.0.1", 0), _Handler)
        self.place = ("127.0.0.1", self.server_port)
        """Host and port."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away in the middle of things."""

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Any

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
