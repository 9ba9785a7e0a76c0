"""A directory that keeps a database: a checkpoint and a log of one generation.

    .polyvec.lock            held by the store that has the directory open
    checkpoint-00000007      everything up to some moment; generation 0 has none
    log-00000007             every write since
    graph-0f3a…              the graph of a namespace, which can be made anew: see `graph_file`

A checkpoint of the next generation is written under another name and flushed,
then its empty log is made, then the checkpoint gets its name: that is the one
step that counts. What older generations left is removed afterwards, or by the
next opening.
"""

from __future__ import annotations

import gc
import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from polyvec._dirlock import DirectoryLock
from polyvec.errors import ClosedError, StoreError
from polyvec.memory import checkpoint, frames
from polyvec.memory.database import Database
from polyvec.memory.log import Log

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from polyvec.memory.operations import Operation

logger = logging.getLogger("polyvec")

CHECKPOINT_BYTES: Final = 64 * 1024 * 1024
"""A log below this size is never worth a checkpoint."""

_NAME: Final = re.compile(r"(checkpoint|log)-(\d{8})(\.new)?")


@dataclass(frozen=True, slots=True)
class Written:
    """A write in the log that may not be on the disk yet."""

    directory: Directory
    log: Log
    end: int

    def wait(self) -> None:
        """Return when the write is durable."""
        with self.directory.failing("flushing the log to the disk"):
            self.log.flush(self.end)


class Directory:
    """Where a database is kept. Constructing one does no I/O.

    Parameters
    ----------
    path
        Made when absent.
    checkpoint_bytes
        A checkpoint is due when the log has at least this size, and at least
        that of the last checkpoint: so all data is written about twice more.
    """

    def __init__(self, path: Path, *, checkpoint_bytes: int = CHECKPOINT_BYTES) -> None:
        self.path = path
        self._least = checkpoint_bytes
        self._due = checkpoint_bytes
        self._generation = 0
        self._process = 0
        self._lock: DirectoryLock | None = None
        self._log: Log | None = None
        self._broken: str | None = None

    def open(self) -> Database:
        """Lock the directory and read what it keeps.

        Raises
        ------
        UnavailableError
            Another store has it open.
        StoreError
            A file is damaged, or of a newer version.
        OSError
            The directory cannot be made, read or written.
        """
        if not self.path.is_dir():
            self.path.mkdir(parents=True)
            _flush_directory(self.path.parent)
        self._lock = DirectoryLock(self.path, "memory")
        try:
            self._lock.acquire()
            self._process = os.getpid()
            with _collector_paused():
                return self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> Database:
        files = self._files()
        generations = {kind: {g for k, g in files if k == kind} for kind in ("checkpoint", "log")}
        self._generation = max(generations["checkpoint"], default=0)
        database = Database()
        log_path = self._file("log")
        if self._generation:
            size = checkpoint.read(self._file("checkpoint"), database)
            self._due = max(self._least, size)
        if self._generation in generations["log"]:
            self._refuse_later(files)
            self._log = Log.replay(log_path, database.apply)
        elif self._generation or generations["log"]:
            there = ", ".join(sorted(path.name for path in files.values()))
            raise frames.damaged(log_path, 0, f"it is not there, and there are {there}")
        else:
            self._log = Log.create(log_path)
            _flush_directory(self.path)
        self._remove_others()
        return database

    def _refuse_later(self, files: dict[tuple[str, int], Path]) -> None:
        """Refuse writes of a later generation, whose checkpoint is gone; never remove them."""
        for (kind, generation), path in files.items():
            later = kind == "log" and generation > self._generation
            if later and path.stat().st_size > frames.HEADER_BYTES:
                raise frames.damaged(path, 0, "the checkpoint before it is not there")

    def append(self, operation: Operation) -> Written:
        """Write an operation to the log; `wait` on the result makes it durable."""
        self.check_usable()
        log = self._open_log()
        end = log.append(operation)
        return Written(self, log, end)

    def checkpoint_if_due(self, database: Database) -> bool:
        """Write a checkpoint when the log has grown enough; nobody may write meanwhile.

        Returns whether one was written.

        A checkpoint that fails is tried again when the log has doubled: the log
        has everything.
        """
        if self._open_log().size < self._due:
            return False
        try:
            self.checkpoint(database)
        except OSError as exc:
            self._due = 2 * self._open_log().size
            logger.warning("%s: no checkpoint could be written: %s", self.path, exc)
            return False
        return True

    def checkpoint(self, database: Database) -> None:
        """Write a checkpoint now; nobody may write meanwhile.

        Raises
        ------
        OSError
            It could not be written; the log still has everything.
        """
        self.check_usable()
        old, generation = self._open_log(), self._generation + 1
        named = self._file("checkpoint", generation)
        unnamed = named.with_suffix(".new")
        try:
            size = checkpoint.write(unnamed, database)
            log = Log.create(self._file("log", generation))
        except BaseException:
            unnamed.unlink(missing_ok=True)  # a full disk needs the space
            raise
        with self.failing("putting a checkpoint in its place"):
            _flush_directory(self.path)
            unnamed.rename(named)
            _flush_directory(self.path)
        self._log, self._generation = log, generation
        self._due = max(self._least, size)
        old.retire()
        self._remove_others()

    def close(self) -> None:
        """Release the directory; again is fine."""
        log, lock = self._log, self._lock
        self._log = self._lock = None
        try:
            if log is not None:
                log.close()
        finally:
            if lock is not None:
                lock.release()

    @property
    def usable(self) -> bool:
        """Whether the directory is open, this process has it, and nothing went wrong in it."""
        return self._log is not None and self._process == os.getpid() and self._broken is None

    def check_usable(self) -> None:
        """Raise when the directory cannot be trusted with a write, nor memory with a read."""
        if self._process not in (0, os.getpid()):
            raise ClosedError(
                f"this memory store belongs to process {self._process}, "
                f"and this is {os.getpid()}, a fork of it; connect after forking"
            )
        if self._broken is not None:
            raise StoreError(
                f"{str(self.path)!r} cannot be used any more since {self._broken}; close this "
                "store and connect again: every write that returned is there",
                store="memory",
                operation="open",
            )

    @contextmanager
    def failing(self, step: str) -> Generator[None]:
        """Stop all use of the directory when the step fails: memory and disk may differ then."""
        try:
            yield
        except BaseException as exc:
            self._broken = f"{step} failed with {type(exc).__name__}: {exc}"
            raise

    def _open_log(self) -> Log:
        if self._log is None:
            raise ClosedError("this memory store was closed; connect again")
        return self._log

    def _file(self, kind: str, generation: int | None = None) -> Path:
        number = self._generation if generation is None else generation
        return self.path / f"{kind}-{number:08d}"

    def _files(self) -> dict[tuple[str, int], Path]:
        """Return the files with a final name, by kind and generation."""
        found: dict[tuple[str, int], Path] = {}
        for path in self.path.iterdir():
            if (match := _NAME.fullmatch(path.name)) and not match[3]:
                found[match[1], int(match[2])] = path
        return found

    def _remove_others(self) -> None:
        """Remove what other generations and unfinished checkpoints left."""
        keep = {self._file("checkpoint"), self._file("log")}
        for path in self.path.iterdir():
            if _NAME.fullmatch(path.name) and path not in keep:
                path.unlink()


@contextmanager
def _collector_paused() -> Generator[None]:
    """Keep the cycle collector from going through millions of new dicts that hold no cycle.

    Measured: it takes half of the time of opening 100,000 records.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _flush_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
