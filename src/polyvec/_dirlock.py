"""One store at a time per directory: an exclusive lock that ends with the store or its process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from polyvec.errors import NotSupportedError, UnavailableError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

LOCK_NAME: Final = ".polyvec.lock"
"""No collection can have that name, so that a folder per collection fits beside it."""


class DirectoryLock:
    """An exclusive lock of a directory, held from `acquire` to `release`.

    The lock belongs to the open file, so that a second store in the same process
    is kept out as well. The file stays behind: removing it would let two
    processes lock two different files of one name.

    Parameters
    ----------
    directory
        It exists when `acquire` is called.
    store
        Name of the backend, for messages.
    """

    def __init__(self, directory: Path, store: str) -> None:
        self._directory = directory
        self._store = store
        self._file: FileIO | None = None
        self._process = 0

    def acquire(self) -> None:
        """Take the lock at once; taking it twice is fine.

        Raises
        ------
        UnavailableError
            Another store holds it; the message names its process.
        NotSupportedError
            This system has no such locks.
        OSError
            The lock file cannot be made.
        """
        if self._file is not None:
            return
        if sys.platform == "win32":
            raise NotSupportedError(
                f"{self._store}: a store kept in a directory needs flock, which Windows lacks; "
                "use another backend"
            )
        import fcntl

        file = (self._directory / LOCK_NAME).open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(b"%d\n" % os.getpid())
        except BlockingIOError:
            holder = _holder(file)
            file.close()
            raise UnavailableError(
                f"{str(self._directory)!r} is in use by {holder}; close that store, or choose "
                "another directory",
                store=self._store,
                operation="open",
            ) from None
        except BaseException:
            file.close()
            raise
        self._file = file
        self._process = os.getpid()

    def release(self) -> None:
        """Give the lock back; doing so twice, or without having it, is fine.

        In a forked child it only closes the child's copy of the file: the lock is the parent's.
        """
        if self._file is None:
            return
        if sys.platform != "win32" and self._process == os.getpid():
            import fcntl

            # Explicitly, because a forked child may hold the same open file.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()
        self._file = None


def _holder(file: FileIO) -> str:
    file.seek(0)
    text = file.read(32).strip()
    if not text.isdigit():
        return "a process that is opening it"
    pid = int(text)
    return "another store of this process" if pid == os.getpid() else f"process {pid}"
