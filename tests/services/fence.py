"""Run a server in a network of its own, and let chosen ports of loopback lead into it. Linux only.

    python fence.py FD:PORT[,FD:PORT...] COMMAND...

For a server that listens on every interface and cannot be told not to. In its own network there is
no interface but loopback, so nobody else reaches it. Each FD is a socket that listens already: it
stays in the network in which it was made, and what comes to it is forwarded to the server's PORT.
The server ends when this process does, and this one when its standard input closes.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWNET: Final = 0x4000_0000
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 1
PR_SET_PDEATHSIG: Final = 1
CHUNK: Final = 1 << 18

_libc: Final = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Move this process to a network of its own, in which loopback is up.

    Raises
    ------
    OSError
        The machine does not let this user do that.
    """
    if _libc.unshare(CLONE_NEWNET) != 0:  # not the superuser: as the superuser of a world of ours
        user, group = os.getuid(), os.getgid()
        if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def is_possible() -> bool:
    """Tell whether this user may make a network; tried in a process of its own."""
    if sys.platform != "linux":
        return False
    command = [sys.executable, __file__, "", "true"]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return ran.returncode == 0


def forward(listener: socket.socket, port: int) -> None:
    """Lead every connection to a port of the server, for ever."""
    while True:
        outside, _ = listener.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            outside.close()
            continue
        for source, sink in ((outside, inside), (inside, outside)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    room = memoryview(bytearray(CHUNK))
    with suppress(OSError):
        while size := source.recv_into(room):
            sink.sendall(room[:size])
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with(stream: int, server: subprocess.Popen[bytes]) -> None:
    while os.read(stream, 1):
        pass
    server.kill()


def main() -> int:
    """Run the command inside; return its status."""
    ways = [way.split(":") for way in sys.argv[1].split(",") if way]
    listeners = [(socket.socket(fileno=int(fd)), int(port)) for fd, port in ways]
    enter()
    server = subprocess.Popen(
        sys.argv[2:],
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs yet
    )
    for listener, port in listeners:
        threading.Thread(target=forward, args=(listener, port), daemon=True).start()
    if listeners:
        threading.Thread(target=_end_with, args=(0, server), daemon=True).start()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
