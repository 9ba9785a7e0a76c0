"""One process, one store per directory: an exclusive lock that ends with the process."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from polyvec.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME = ".polyvec.lock"


class DirectoryLock:
    """An exclusive lock of a directory, held from `acquire` to `release` or the process's end.

    The lock belongs to the open file, so a second store in the same process is
    kept out as well. The lock file stays behind: removing it would let two
    processes lock two different files of one name.

    Parameters
    ----------
    path
        The directory; it exists when `acquire` is called.
    """

    def __init__(self, path: Path) -> None:
        self._directory = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once; taking it twice is fine.

        Raises
        ------
        UnavailableError
            Another store holds it; the message names its process.
        OSError
            The lock file cannot be made.
        """
        if self._descriptor is not None:
            return
        path = self._directory / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            if exc.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise UnavailableError(
                f"directory {str(self._directory)!r} is in use by process {holder or 'unknown'}; "
                "close that store, or use another directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; doing so twice, or without having it, is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)  # closing the file ends its lock
            self._descriptor = None
