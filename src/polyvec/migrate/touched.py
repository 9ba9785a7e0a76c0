"""The log of what writers touch while a migration runs: SQLite, shared by their processes.

Every write is an event: begun before the primary is written, ready after it, applied when the
secondary has what the primary has. What is not applied is the outbox. While a migration copies,
applied events stay until its catch-up, because the copier may write an older state over theirs.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Final

from polyvec.errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

BEGUN, READY, APPLIED = 0, 1, 2
BUSY_S: Final = 60.0
CHUNK: Final = 500

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    state INTEGER NOT NULL,
    process INTEGER NOT NULL
)
"""
COPYING: Final = "CREATE TABLE IF NOT EXISTS copying (now INTEGER NOT NULL)"
INDEX: Final = (
    "CREATE INDEX IF NOT EXISTS by_record ON events (collection, namespace, id, state, seq)"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One record that was touched."""

    seq: int
    collection: str
    namespace: str
    id: str
    state: int
    process: int


class TouchedLog:
    """The log in one file; any number of processes of one machine may open it.

    Parameters
    ----------
    path
        The file, made when it is absent.
    """

    def __init__(self, path: Path | str) -> None:
        if sys.platform == "win32":
            raise NotSupportedError("a touched-log needs flock, which Windows lacks")
        self.path = Path(path).absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._guard = Lock()
        self._applying = RLock()
        self._base = sqlite3.connect(
            self.path, timeout=BUSY_S, check_same_thread=False, isolation_level=None
        )
        self._base.execute("PRAGMA journal_mode = WAL")
        # What is not in the log is lost for the secondary: it outlives a crash of the machine.
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.execute(SCHEMA)
        self._base.execute(INDEX)
        self._base.execute(COPYING)
        self._lock_file = self.path.with_name(f"{self.path.name}.lock").open("a+b")

    def close(self) -> None:
        """Close the file; what is in it stays."""
        with self._guard:
            self._base.close()
            self._lock_file.close()

    @contextmanager
    def applying(self) -> Generator[None]:
        """Hold the lock of whoever brings the secondary up to the primary: one at a time.

        Two that read a record from the primary and then write it to the secondary could
        otherwise do so crosswise, and leave the older state.
        """
        import fcntl

        with self._applying:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def begin(self, collection: str, namespace: str, ids: Sequence[str]) -> range:
        """Record that these are about to be written; return the numbers of the events."""
        process = os.getpid()
        with self._guard:
            self._base.execute("BEGIN IMMEDIATE")
            row = self._base.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
            ).fetchone()
            first = 1 if row is None else int(row[0]) + 1
            self._base.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (first + at, collection, namespace, name, BEGUN, process)
                    for at, name in enumerate(ids)
                ],
            )
            self._base.execute("COMMIT")
        return range(first, first + len(ids))

    def ready(self, seqs: range) -> None:
        """Record that the primary was written, or may have been."""
        with self._guard:
            self._base.execute(
                "UPDATE events SET state = ? WHERE seq >= ? AND seq < ? AND state = ?",
                (READY, seqs.start, seqs.stop, BEGUN),
            )

    def applied(self, events: Iterable[Event]) -> None:
        """Record that the secondary has these; while nothing is copied, they go."""
        rows = [(e.collection, e.namespace, e.id, APPLIED, e.seq) for e in events]
        with self._guard:
            self._base.execute("BEGIN IMMEDIATE")
            # In one transaction with the answer: what goes was in the primary before a copier
            # that starts later reads it.
            if self._base.execute("SELECT 1 FROM copying").fetchone() is None:
                self._base.executemany(
                    "DELETE FROM events WHERE seq = ?", [(row[4],) for row in rows]
                )
                self._base.execute("COMMIT")
                return
            self._base.executemany(
                "DELETE FROM events WHERE collection = ? AND namespace = ? AND id = ? "
                "AND state = ? AND seq < ?",
                rows,
            )
            self._base.executemany(
                "UPDATE events SET state = ? WHERE seq = ?", [(APPLIED, row[4]) for row in rows]
            )
            self._base.execute("COMMIT")

    def copying(self, *, now: bool) -> None:
        """Record whether a migration copies: from before its first read to its catch-up."""
        with self._guard:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute("DELETE FROM copying")
            if now:
                self._base.execute("INSERT INTO copying VALUES (1)")
            self._base.execute("COMMIT")

    def forget(self, events: Iterable[Event]) -> None:
        """Remove events that are dealt with for good."""
        with self._guard:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany(
                "DELETE FROM events WHERE seq = ?", [(event.seq,) for event in events]
            )
            self._base.execute("COMMIT")

    def outbox(
        self, limit: int = CHUNK, *, after: int = 0, below: int | None = None
    ) -> list[Event]:
        """Return the oldest events that the secondary does not have, in order."""
        where = "WHERE state = 1 AND seq > ? AND (? IS NULL OR seq < ?) ORDER BY seq LIMIT ?"
        return self._events(where, (after, below, below, limit))

    def of_records(self, seqs: range) -> list[Event]:
        """Return the events with these numbers."""
        return self._events("WHERE seq >= ? AND seq < ? ORDER BY seq", (seqs.start, seqs.stop))

    def touched(self, collection: str, below: int, limit: int = CHUNK) -> list[Event]:
        """Return the oldest events of a collection with a number below `below`."""
        where = "WHERE collection = ? AND seq < ? AND state > 0 ORDER BY seq LIMIT ?"
        return self._events(where, (collection, below, limit))

    def begun(self, collection: str, below: int) -> list[Event]:
        """Return events of writers that are in the middle of it."""
        where = "WHERE collection = ? AND seq < ? AND state = 0 ORDER BY seq"
        return self._events(where, (collection, below))

    def busy(self, collection: str, namespace: str, record_id: str) -> bool:
        """Whether a record has an event that the secondary does not have yet."""
        where = "WHERE collection = ? AND namespace = ? AND id = ? AND state < 2 LIMIT 1"
        return bool(self._events(where, (collection, namespace, record_id)))

    def end(self) -> int:
        """Return a number above all events so far."""
        with self._guard:
            row = self._base.execute("SELECT COALESCE(MAX(seq), 0) + 1 FROM events").fetchone()
        return int(row[0])

    def free_the_dead(self) -> None:
        """Make ready what processes had begun that are no more: the primary decides."""
        with self._guard:
            rows = self._base.execute(
                "SELECT DISTINCT process FROM events WHERE state = 0"
            ).fetchall()
            dead = [process for (process,) in rows if not _alive(process)]
            self._base.executemany(
                "UPDATE events SET state = 1 WHERE state = 0 AND process = ?",
                [(process,) for process in dead],
            )

    def _events(self, where: str, values: tuple[object, ...]) -> list[Event]:
        query = f"SELECT seq, collection, namespace, id, state, process FROM events {where}"  # noqa: S608 - constants of this class
        with self._guard:
            return [Event(*row) for row in self._base.execute(query, values).fetchall()]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
