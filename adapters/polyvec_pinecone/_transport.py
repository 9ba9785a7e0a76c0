"""What sends the requests of Pinecone's client, in both colours: each once, within its deadline.

The client repeats failed calls by itself, three times, with waits that no deadline ends; and one
budget of repeats per host is shared by all clients of a process, so that one store's bad minute is
another's. The core repeats calls too: with the deadline of the verb, the server's `Retry-After`,
and the user's `max_attempts`. So the client's repeating transport is taken out, and one of these
is put in its place.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final

import httpx

from polyvec._time_left import left, limit
from polyvec_pinecone._connections import Connections
from polyvec_pinecone._marks import note

LONGEST_S: Final = 600.0
"""For a call without a deadline."""

_NOTHING: Final = httpx.SyncByteStream()
"""What is left to read of an answer that is here."""


def seconds_left() -> float:
    """Return what is left for the running primitive."""
    seconds = left()
    return LONGEST_S if seconds is None else max(0.001, seconds)


class Once(httpx.BaseTransport):
    """Sends each request once, within the deadline of the running primitive.

    By the HTTP client of the standard library: for a small answer it runs half the Python that
    httpx's own transport does (decision 12).

    Parameters
    ----------
    server
        The one server that all requests go to. Their bodies are bytes.
    """

    def __init__(self, server: httpx.URL) -> None:
        self._connections = Connections(server)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        limit(request, LONGEST_S)
        timeouts: dict[str, float] = request.extensions["timeout"]
        try:
            connection = self._connections.take(timeouts["connect"])
        except OSError as exc:
            kind = httpx.ConnectTimeout if isinstance(exc, TimeoutError) else httpx.ConnectError
            raise kind(str(exc), request=request) from exc
        try:
            answer, body = _exchange(connection, request, timeouts["read"])
        except BaseException as exc:
            connection.close()
            if isinstance(exc, ValueError):  # its text has the header, which may be the key
                raise httpx.LocalProtocolError("Illegal header value", request=request) from None
            if isinstance(exc, OSError | HTTPException):
                raise _kind_of(exc)(str(exc), request=request) from exc
            raise
        if answer.will_close:
            connection.close()
        else:
            self._connections.give_back(connection)
        return note(_response(answer, body))

    def close(self) -> None:
        self._connections.close()


def _exchange(
    connection: HTTPConnection, request: httpx.Request, seconds: float
) -> tuple[HTTPResponse, bytes]:
    """Send a request, and read the answer and all of its body."""
    connection.sock.settimeout(seconds)
    path = request.url.raw_path.decode("ascii")
    connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name, value)
    connection.endheaders(request.content)
    answer = connection.getresponse()
    return answer, answer.read()


def _response(answer: HTTPResponse, body: bytes) -> httpx.Response:
    # Read as Latin-1; as text, httpx would take them for ASCII.
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.getheaders()]
    if answer.getheader("content-encoding") is not None:
        return httpx.Response(answer.status, headers=headers, content=body)
    return _Whole(answer.status, headers, body)


class _Whole(httpx.Response):
    """A response whose body is here: httpx's own way to it is 45 calls of functions."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        super().__init__(status, headers=headers, stream=_NOTHING)
        self._body = body

    def read(self) -> bytes:
        return self._body

    @property
    def content(self) -> bytes:
        return self._body


def _kind_of(exc: OSError | HTTPException) -> type[httpx.TransportError]:
    match exc:
        case HTTPException():  # also where it is a ConnectionResetError as well
            return httpx.RemoteProtocolError
        case TimeoutError():
            return httpx.ReadTimeout
        case _:
            return httpx.ReadError


class AsyncOnce(httpx.AsyncBaseTransport):
    """Sends each request once, within the deadline of the running primitive.

    Parameters
    ----------
    inner
        What sends it.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limit(request, LONGEST_S)
        return note(await self._inner.handle_async_request(request))

    async def aclose(self) -> None:
        await self._inner.aclose()
