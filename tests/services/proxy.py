"""A TCP proxy that breaks: it refuses, resets and stalls on demand."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Final, Self

CHUNK: Final = 65_536
ACCEPT_POLL_S: Final = 0.05


class Mode(Enum):
    """What the proxy does with connections, new ones and old ones."""

    PASS = "pass"  # noqa: S105 - no password
    """Forward."""
    REFUSE = "refuse"
    """Nobody listens any more; connections that are open stay."""
    RESET = "reset"
    """Break every connection, and each new one as soon as it comes."""
    STALL = "stall"
    """Accept everything and forward nothing, as a network that loses packets does."""


class Proxy:
    """Stands between a client and one server, on a free port of loopback.

    Parameters
    ----------
    target
        Host and port of the server.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._mode = Mode.PASS
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._reset_after: int | None = None
        self._listener: socket.socket | None = self._listen(0)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    def become(self, mode: Mode) -> None:
        """Change what happens from now on."""
        self._mode = mode
        if mode is Mode.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode is Mode.RESET:
            self._break_all()
        if mode is Mode.REFUSE:
            self._stop_listening()
            self._break_all()
        elif self._listener is None:
            self._listener = self._listen(self.address[1])
            self._thread = threading.Thread(target=self._accept, daemon=True)
            self._thread.start()

    def reset_after(self, count: int) -> None:
        """Break every connection once so many bytes went to the server, then pass again."""
        with self._lock:
            self._reset_after = count

    def close(self) -> None:
        """Break what is open and stop."""
        self._closing.set()
        self._flowing.set()
        self._stop_listening()
        self._break_all()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        listener.settimeout(ACCEPT_POLL_S)
        return listener

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._thread.join()
            listener.close()

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and self._listener is listener and not self._closing.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            if self._mode is Mode.RESET:
                _reset(client)
                continue
            client.settimeout(None)
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self._pairs.append((client, server))
            for source, sink, outward in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pump, args=(source, sink, outward), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                self._flowing.wait()
                if outward and self._is_due(len(data)):
                    self._break_all()
                    return
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_due(self, count: int) -> bool:
        with self._lock:
            if self._reset_after is None:
                return False
            self._reset_after -= count
            if self._reset_after > 0:
                return False
            self._reset_after = None
            return True

    def _break_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)


def _reset(end: socket.socket) -> None:
    """Close with RST in place of FIN."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        end.close()
