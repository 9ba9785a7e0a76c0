"""One port for REST and gRPC."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class OnePort:
    """One port for REST and gRPC: so a service may have it, and so one proxy stands before both.

    Parameters
    ----------
    rest, grpc
        Where they are.
    """

    def __init__(self, rest: tuple[str, int], grpc: tuple[str, int]) -> None:
        self._rest, self._grpc = rest, grpc
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that are open go on."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes who waits for one
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            # HTTP/2, which is gRPC's, begins with "PRI * HTTP/2.0".
            place = self._grpc if client.recv(4, socket.MSG_PEEK) == b"PRI " else self._rest
            with socket.create_connection(place) as server:
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
