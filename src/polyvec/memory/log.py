"""The write-ahead log: what was done since the last checkpoint, one frame per write."""

from __future__ import annotations

import logging
import os
import struct
from threading import Lock
from typing import TYPE_CHECKING

from polyvec.memory import frames
from polyvec.memory.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

    from polyvec.memory.operations import Operation

logger = logging.getLogger("polyvec")


class Log:
    """An open log. One thread at a time appends; any number wait for the disk.

    Parameters
    ----------
    path
        Its file.
    file
        Open for reading and writing, unbuffered, positioned at the end.
    salt
        From the file's header.
    """

    def __init__(self, path: Path, file: FileIO, salt: bytes) -> None:
        self.path = path
        self.size = file.tell()
        self._file = file
        self._salt = salt
        self._flushing = Lock()
        self._durable = 0

    @classmethod
    def create(cls, path: Path) -> Log:
        """Make an empty log that is wholly there or not at all; the directory is not flushed."""
        header, salt = frames.new_header(frames.LOG)
        unnamed = path.with_suffix(".new")
        file = unnamed.open("w+b", buffering=0)
        try:
            frames.write_all(file, [header])
            os.fsync(file.fileno())
            unnamed.rename(path)
        except BaseException:
            file.close()
            raise
        return cls(path, file, salt)

    @classmethod
    def replay(cls, path: Path, apply: Callable[[Operation], None]) -> Log:
        """Open a log and apply what is in it.

        A last frame that is not whole was never acknowledged: it is cut off.

        Raises
        ------
        StoreError
            Something before the last frame is damaged.
        """
        file = path.open("r+b", buffering=0)
        try:
            salt = frames.read_header(file, path, frames.LOG)
            try:
                for offset, payload in frames.read_frames(file, salt):
                    apply_payload(path, offset, payload, apply)
            except frames.BadFrame as bad:
                _cut(file, path, bad.offset, salt)
        except BaseException:
            file.close()
            raise
        return cls(path, file, salt)

    def append(self, operation: Operation) -> int:
        """Write one operation and return where it ends; wholly, or nothing of it.

        Raises
        ------
        OSError
            For example a full disk. The log is as it was.
        """
        pieces = frames.frame(encode(operation), self._salt)
        try:
            self.size += frames.write_all(self._file, pieces)
        except BaseException:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        return self.size

    def flush(self, end: int) -> None:
        """Return when everything before `end` is on the disk; one flush serves all who wait."""
        with self._flushing:
            if self._durable >= end:
                return
            size = self.size
            os.fsync(self._file.fileno())
            self._durable = size

    def retire(self) -> None:
        """Close a log whose content is on the disk elsewhere, in a checkpoint."""
        with self._flushing:
            self._durable = self.size
            self._file.close()

    def close(self) -> None:
        """Flush what somebody still waits for, and close the file; again is fine."""
        try:
            if not self._file.closed:
                self.flush(self.size)
        finally:
            self._file.close()


def apply_payload(
    path: Path, offset: int, payload: bytes, apply: Callable[[Operation], None]
) -> None:
    """Apply the operation in a frame, whose checksum is right.

    Raises
    ------
    StoreError
        It cannot be applied: the files do not belong together.
    """
    try:
        apply(decode(payload))
    except (ValueError, LookupError, TypeError, struct.error) as exc:
        what = f"a frame that cannot be applied ({type(exc).__name__}: {exc})"
        raise frames.damaged(path, offset, what) from exc


def _cut(file: FileIO, path: Path, offset: int, salt: bytes) -> None:
    if frames.frame_follows(file, offset, salt):
        raise frames.damaged(path, offset, "a frame is broken, and others follow it")
    size = file.seek(0, os.SEEK_END)
    logger.warning(
        "%s: cut off %d bytes of a write that was under way when its process ended",
        path,
        size - offset,
    )
    file.truncate(offset)
    file.seek(offset)
    os.fsync(file.fileno())
