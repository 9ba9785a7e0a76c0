"""The transport below Pinecone's client: what it sends, reads, keeps open, believes and raises."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from tests.adapters.pinecone.answering import Playing, always, answer, answering

import polyvec
from polyvec._time_left import within
from polyvec.errors import UnavailableError
from polyvec_pinecone import _connections
from polyvec_pinecone._transport import Once

SOON_S = 0.2
OK = answer(b'{"ok": true}')


def client_of(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, transport=Once(httpx.URL(url)))


def test_a_request_is_sent_as_it_is() -> None:
    said: list[tuple[bytes, bytes]] = []

    def playing(head: bytes, body: bytes, connection: socket.socket) -> bytes:
        said.append((head, body))
        return answer(body)

    body = json.dumps({"id": "żółw “quoted” 'n' \\ /", "values": [0.1] * 50_000}).encode()
    with answering(playing) as server, client_of(server.url) as client:
        found = client.post(
            "/i/docs/query?ids=%C5%BC&ids=b", content=body, headers={"Api-Key": "k"}
        )
    assert found.content == body
    assert found.json() == json.loads(body)
    [(head, sent)] = said
    lines = head.split(b"\r\n")
    assert sent == body
    assert lines[0] == b"POST /i/docs/query?ids=%C5%BC&ids=b HTTP/1.1"
    names = [line.partition(b":")[0].lower() for line in lines[1:]]
    assert sorted(set(names)) == sorted(names)  # none twice: not the host, not the length
    assert {b"host", b"content-length", b"api-key"} <= set(names)


@pytest.mark.parametrize(
    ("told", "content"),
    [
        (answer(b"plain"), b"plain"),
        (answer(b""), b""),
        (answer(b"", status=b"204 No Content", length=False), b""),
        (
            answer(
                b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"transfer-encoding: chunked", length=False
            ),
            b"abcde",
        ),
        (answer(gzip.compress(b"packed"), b"content-encoding: gzip"), b"packed"),
        (answer("zażółć".encode(), b"content-type: application/json"), "zażółć".encode()),
    ],
    ids=["plain", "empty", "no content", "chunked", "gzip", "unicode"],
)
def test_answers_of_every_form(told: bytes, content: bytes) -> None:
    with answering(always(told)) as server, client_of(server.url) as client:
        for _ in range(3):
            found = client.get("/")
            assert found.content == content
            assert found.text == content.decode()
            assert found.is_success
        assert server.connections == 1


def test_status_and_headers_are_the_servers() -> None:
    told = answer(b"{}", b"Retry-After: 7", b"x-name: caf\xe9", status=b"429 Too Many Requests")
    with answering(always(told)) as server, client_of(server.url) as client:
        found = client.get("/")
    assert found.status_code == 429
    assert found.headers["retry-after"] == "7"
    assert found.headers["x-name"] == "café"


def test_an_answer_to_the_end_of_its_connection() -> None:
    def playing(head: bytes, body: bytes, connection: socket.socket) -> None:
        connection.sendall(answer(b"all of it", b"connection: close", length=False))

    with answering(playing) as server, client_of(server.url) as client:
        assert [client.get("/").content for _ in range(2)] == [b"all of it"] * 2
        assert server.connections == 2


def test_a_connection_that_the_server_closed_is_not_used() -> None:
    asked = 0

    def playing(head: bytes, body: bytes, connection: socket.socket) -> bytes | None:
        nonlocal asked
        asked += 1
        connection.sendall(OK)
        return None

    with answering(playing) as server, client_of(server.url) as client:
        for _ in range(20):
            assert client.get("/").json() == {"ok": True}
            connection = _unused(client)[-1]
            assert connection.sock.recv(1, socket.MSG_PEEK) == b""  # until its end is here
        assert asked == server.connections == 20


class Clock:
    """Time as a test has it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


def test_connections_that_nobody_needs_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(_connections, "time", clock)
    together = threading.Barrier(4)

    def playing(head: bytes, body: bytes, connection: socket.socket) -> bytes:
        if b"/together" in head:
            together.wait(timeout=30)
        return answer(b"{}")

    with answering(playing) as server, client_of(server.url) as client:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(client.get, ["/together"] * 4))
        opened = _unused(client)
        assert len(opened) == server.connections == 4
        clock.now += 0.9 * _connections.KEPT_S
        client.get("/")
        assert server.connections == 4
        assert _unused(client) == opened
        clock.now += 0.2 * _connections.KEPT_S
        client.get("/")  # on the last one; the others have waited for too long
        assert server.connections == 4
        assert _unused(client) == opened[-1:]
        assert [one.sock is None for one in opened] == [True, True, True, False]
        clock.now += 1.1 * _connections.KEPT_S
        client.get("/")
        assert server.connections == 5
        assert opened[-1].sock is None


def test_what_is_closed_keeps_nothing() -> None:
    with answering(always(OK)) as server:
        transport = Once(httpx.URL(server.url))
        client = httpx.Client(base_url=server.url, transport=transport)
        client.get("/")
        [connection] = _unused(client)
        transport.close()
        assert connection.sock is None
        client.get("/")  # one that was under way
        assert not _unused(client)


def test_threads_do_not_get_each_others_answers() -> None:
    def playing(head: bytes, body: bytes, connection: socket.socket) -> bytes:
        return answer(body)

    with answering(playing) as server, client_of(server.url) as client:

        def ask(at: int) -> bool:
            body = f"{at} ".encode() * (at % 700 + 1)
            return client.post("/", content=body).content == body

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(2_000)))
        assert server.connections <= 16


def reset(head: bytes, body: bytes, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half(head: bytes, body: bytes, connection: socket.socket) -> None:
    connection.sendall(answer(b"x" * 1_000)[:-500])


FAILURES: list[tuple[str, Playing, type[httpx.TransportError]]] = [
    ("closed", always(None), httpx.RemoteProtocolError),
    ("half an answer", half, httpx.RemoteProtocolError),
    ("no http", always(b"SSH-2.0-OpenSSH\r\n\r\n"), httpx.RemoteProtocolError),
    ("a line without end", always(b"HTTP/1.1 200 " + b"x" * 70_000), httpx.RemoteProtocolError),
    ("reset", reset, httpx.ReadError),
]


@pytest.mark.parametrize(
    ("playing", "kind"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES]
)
def test_failures_have_the_names_that_httpx_gives_them(
    playing: Playing, kind: type[httpx.TransportError]
) -> None:
    with answering(playing) as server, client_of(server.url) as client:
        with pytest.raises(httpx.TransportError) as caught:
            client.get("/")
        assert type(caught.value) is kind
        assert caught.value.request.url == f"{server.url}/"
        assert not _unused(client)


def test_nobody_listens() -> None:
    with answering(always(OK)) as server:
        pass
    with client_of(server.url) as client, pytest.raises(httpx.ConnectError):
        client.get("/")


def test_a_server_that_says_nothing_has_until_the_deadline() -> None:
    waiting = threading.Event()

    def playing(head: bytes, body: bytes, connection: socket.socket) -> bytes:
        if b"/never" in head:
            waiting.wait(timeout=60)
        return answer(b"{}")

    with answering(playing) as server, client_of(server.url) as client:
        with within(30):
            client.get("/")
        started = time.monotonic()
        with within(SOON_S), pytest.raises(httpx.ReadTimeout):  # not the one before it
            client.get("/never")
        assert time.monotonic() - started < 25 * SOON_S
        with within(-1.0), pytest.raises(httpx.PoolTimeout):
            client.get("/")
        assert server.heads[-1].startswith(b"GET /never")
        waiting.set()


def test_a_key_that_is_no_header_is_not_told() -> None:
    request = httpx.Request("GET", "http://127.0.0.1:1", headers={"api-key": "secret\nb"})
    with answering(always(OK)) as server:
        transport = Once(httpx.URL(server.url))
        with pytest.raises(httpx.LocalProtocolError, match="Illegal header value") as caught:
            transport.handle_request(request)
        assert "secret" not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert not server.heads
        transport.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def believe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[trustme.CA], None]:
    """Return what makes this process believe an authority's certificates alone."""

    def believing(authority: trustme.CA) -> None:
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(file))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

    monkeypatch.setattr(_connections, "trusted", _connections.trusted.__wrapped__)
    return believing


def served_as(name: str, authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made: Any = authority.issue_cert(name)  # its types are not complete
    made.configure_cert(context)
    return context


def test_certificates_of_those_who_are_believed(
    authority: trustme.CA, believe: Callable[[trustme.CA], None]
) -> None:
    believe(authority)
    context = served_as("127.0.0.1", authority)
    with answering(always(OK), context) as server, client_of(server.url) as client:
        assert [client.get("/").json() for _ in range(3)] == [{"ok": True}] * 3
        assert server.connections == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "elsewhere.example"])
def test_certificates_of_others(
    name: str, authority: trustme.CA, believe: Callable[[trustme.CA], None]
) -> None:
    if name != "127.0.0.1":
        believe(authority)  # and it is another server's
    with answering(always(OK), served_as(name, authority)) as server:
        with (
            client_of(server.url) as client,
            pytest.raises(httpx.ConnectError, match="certificate verify failed"),
        ):
            client.get("/")
        store = polyvec.connect(
            f"pinecone://127.0.0.1:{server.url.rpartition(':')[2]}?max_attempts=1"
        )
        with store, pytest.raises(UnavailableError, match="ConnectError"):
            store.ping()
        assert not server.heads  # no key was told


def _unused(client: Any) -> list[HTTPConnection]:
    return [connection for _, connection in client._transport._connections._unused]
