"""A server that plays back answers in Pinecone's form, and keeps what it was asked.

It is no Pinecone and knows nothing of vectors; the suite over the gateway is what proves the
adapter. Here are the things that a gateway does not do: slow indexes, limits, half an answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "key-nobody-may-see"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: dict[str, str]
    url_bytes: int


@dataclass
class Told:
    """One answer."""

    body: Any = field(default_factory=dict[str, Any])
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


Answering = Callable[[Asked], "Told | Any"]


class Stub:
    """The server; `on` says what is answered, the last rule first."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.index = index_model
        self._rules: dict[str, Answering] = {}
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("content-length", 0))
                raw = self.rfile.read(length)
                place = urlsplit(self.path)
                asked = Asked(
                    self.command,
                    place.path,
                    parse_qs(place.query),
                    json.loads(raw) if raw else None,
                    {name.lower(): value for name, value in self.headers.items()},
                    len(self.path),
                )
                stub.asked.append(asked)
                told = stub.answer(asked)
                content = json.dumps(told.body).encode()
                self.send_response(told.status)
                for name, value in {**told.headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815 - names of the base class

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"pinecone://127.0.0.1:{self.port}?tls=false&api_key={KEY}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def on(self, what: str, answering: Answering | Any) -> None:
        """Answer requests of a method and path, `"POST /query"`."""
        self._rules[what] = answering if callable(answering) else lambda _: answering

    def answer(self, asked: Asked) -> Told:
        """Return what is answered."""
        rule = self._rules.get(f"{asked.method} {asked.path}")
        if rule is not None:
            told = rule(asked)
        elif asked.method == "GET" and asked.path == "/indexes/docs":
            told = self.index(self.port)
        elif asked.method == "GET" and asked.path.startswith("/indexes/"):
            told = Told({"error": {"code": "NOT_FOUND", "message": "Resource not found"}}, 404)
        else:
            told = {}
        return told if isinstance(told, Told) else Told(told)

    def of(self, what: str) -> list[Asked]:
        """Return the requests of a method and path."""
        return [one for one in self.asked if f"{one.method} {one.path}" == what]

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def index_model(port: int, *, state: str = "Ready", **more: Any) -> dict[str, Any]:
    """Return what Pinecone says of an index of ours, of three dimensions."""
    dense = {"type": "dense_vector", "dimension": 3, "metric": "dotproduct"}
    return {
        "name": "docs",
        "host": f"http://127.0.0.1:{port}",
        "status": {"ready": state == "Ready", "state": state},
        "deletion_protection": "disabled",
        "tags": {"polyvec": "1", "polyvec-number": "7"},
        "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
        "schema": {"fields": {"_values": dense}},
        "read_capacity": {"mode": "OnDemand", "status": {"state": "Ready"}},
        **more,
    }


@contextmanager
def stubbed() -> Generator[Stub]:
    """Yield a stub."""
    stub = Stub()
    try:
        yield stub
    finally:
        stub.stop()
