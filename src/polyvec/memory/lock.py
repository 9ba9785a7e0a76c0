"""The exclusive lock on a directory: one store at a time, released by close and by death."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from polyvec.errors import NotSupportedError, UnavailableError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path


class DirectoryLock:
    """Holds a directory until `release`.

    Parameters
    ----------
    directory
        It must exist.

    Raises
    ------
    UnavailableError
        Another store holds it; the message names its process.
    """

    def __init__(self, directory: Path) -> None:
        if sys.platform == "win32":
            raise NotSupportedError(
                "memory: a store kept in a directory needs flock, which Windows lacks; "
                "use memory:// or another backend"
            )
        import fcntl

        self._file: FileIO = (directory / "lock").open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.truncate(0)
            self._file.write(b"%d\n" % os.getpid())
        except BlockingIOError:
            holder = self._holder()
            self._file.close()
            raise UnavailableError(
                f"{str(directory)!r} is in use by {holder}; close that store, or choose "
                "another directory",
                store="memory",
                operation="open",
            ) from None
        except BaseException:
            self._file.close()
            raise

    def _holder(self) -> str:
        self._file.seek(0)
        text = self._file.read(32).strip()
        if not text.isdigit():
            return "a process that is opening it"
        pid = int(text)
        return "another store of this process" if pid == os.getpid() else f"process {pid}"

    def release(self) -> None:
        """Let go of the directory."""
        if sys.platform != "win32":
            import fcntl

            # Explicitly, because a forked child may hold the same open file.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()

    def forget(self) -> None:
        """Close the file of a forked child, and leave the lock to the parent."""
        self._file.close()
