"""Each request: an id, a line in the access log, and its share of the metrics.

A line is JSON and holds no vector, metadata, record id, query string or key.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson
from starlette.datastructures import Headers, MutableHeaders

from polyvec.gateway.paths import is_open

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from polyvec.gateway.metrics import Metrics

access: Final = logging.getLogger("polyvec.gateway.access")

REQUEST_ID: Final = "x-request-id"
PINECONE_REQUEST_ID: Final = "x-pinecone-request-id"

# What a client sends comes back in headers and goes into the log.
_GOOD_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Observed:
    """Numbers, times, counts and logs the requests.

    Parameters
    ----------
    app
        What comes behind.
    metrics
        Where they are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["polyvec.request_id"] = request_id
        start = time.perf_counter()
        status, sent_bytes = 0, 0

        async def sending(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = headers[PINECONE_REQUEST_ID] = request_id
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        with self._metrics.under_way.track_inprogress():
            try:
                await self._app(scope, receive, sending)
            finally:
                seconds = time.perf_counter() - start
                operation = scope.get("polyvec.operation", "none")
                self._metrics.requests.labels(operation, str(status)).inc()
                self._metrics.seconds.labels(operation).observe(seconds)
                _write(scope, request_id, operation, status, sent_bytes, seconds)


def _request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get(REQUEST_ID, "")
    return sent if _GOOD_ID.fullmatch(sent) else uuid4().hex


def _write(
    scope: Scope, request_id: str, operation: str, status: int, sent: int, seconds: float
) -> None:
    if not access.isEnabledFor(logging.INFO):
        return
    received = Headers(scope=scope).get("content-length", "")
    client = scope.get("client")
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request_id": request_id,
        "client": client[0] if client else None,
        "method": scope["method"],
        "operation": operation,
        "index": scope.get("path_params", {}).get("index"),
        "status": status,
        "ms": round(seconds * 1000, 3),
        "bytes_in": int(received) if received.isdigit() and len(received) < 19 else None,
        "bytes_out": sent,
    }
    access.info(orjson.dumps(line).decode())


def to_stderr(*, access_log: bool) -> None:
    """Write the gateway's own messages, and the access log, to standard error."""
    own = logging.StreamHandler(sys.stderr)
    own.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("polyvec").addHandler(own)
    access.propagate = False
    if access_log:
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(logging.Formatter("%(message)s"))
        access.addHandler(lines)
        access.setLevel(logging.INFO)
