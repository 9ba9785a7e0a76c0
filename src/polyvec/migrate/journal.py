"""The journal of one migration: a directory with its plan and how far every range has come.

SQLite in WAL mode, one transaction per acknowledged batch, so that a process that is killed at
any moment loses at most what the target had not acknowledged, and repeats at most one batch per
worker. Only the process that runs the migration writes to it: a lock keeps a second one out.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from polyvec._dirlock import DirectoryLock
from polyvec.errors import MigrationError, UnavailableError
from polyvec.migrate.plan import Plan, parse_plan
from polyvec.primitives import KeyRange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyvec.migrate.dead_letters import DeadLetter

FILE_NAME: Final = "journal.sqlite"
PLAN_NAME: Final = "plan.json"
DEAD_LETTERS_NAME: Final = "dead-letters.parquet"
VERIFY_NAME: Final = "verify.json"

AFTER_THE_COPY: Final = -1
"""In place of a range: dead letters of the catch-up."""

SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE ranges (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    first TEXT,
    stop TEXT,
    cursor TEXT,
    done INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0,
    written INTEGER NOT NULL DEFAULT 0,
    bare INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE dead (
    range INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    reason TEXT NOT NULL,
    text TEXT,
    metadata TEXT NOT NULL,
    vector BLOB,
    PRIMARY KEY (namespace, id)
);
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One range and how far it has come.

    Parameters
    ----------
    number
        Of the range.
    source, target
        Namespaces.
    span
        Its keys.
    cursor
        Of the last batch that the target acknowledged, None at the start.
    """

    number: int
    source: str
    target: str
    span: KeyRange
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What has happened so far, over all ranges.

    Parameters
    ----------
    read, written
        Records that the source gave, and that the target acknowledged.
    bare
        Of those written, how many have no vector.
    dead
        Records left out as dead letters.
    """

    read: int
    written: int
    bare: int
    dead: int


class Journal:
    """An open journal; made by `create` or `resume`, and closed with `close`."""

    def __init__(self, directory: Path, lock: DirectoryLock) -> None:
        self.directory = directory
        self._file_lock = lock
        self._guard = Lock()
        self._base = sqlite3.connect(
            directory / FILE_NAME, check_same_thread=False, isolation_level=None
        )
        self._base.execute("PRAGMA journal_mode = WAL")
        # A crash of the machine may lose the last transactions, which are then done again.
        self._base.execute("PRAGMA synchronous = NORMAL")

    @classmethod
    def create(cls, directory: Path, plan: Plan) -> Journal:
        """Make a journal for a plan.

        Raises
        ------
        MigrationError
            The directory has one already, or another process is about to make one.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lock = _locked(directory)
        try:
            if (directory / FILE_NAME).exists() and _has_plan(directory):
                raise MigrationError(
                    f"{str(directory)!r} holds the journal of a migration; go on with it by "
                    "resume (--resume), or give another directory (--journal)"
                )
            for suffix in ("", "-wal", "-shm"):
                (directory / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)
            journal = cls(directory, lock)
            journal._fill(plan)
            plan.save(directory / PLAN_NAME)
        except BaseException:
            lock.release()
            raise
        return journal

    @classmethod
    def resume(cls, directory: Path) -> Journal:
        """Open the journal of a migration that was begun.

        Raises
        ------
        MigrationError
            There is none, or another process is using it.
        """
        if not (directory / FILE_NAME).is_file() or not _has_plan(directory):
            raise MigrationError(
                f"{str(directory)!r} holds no journal of a migration; start one without resume"
            )
        return cls(directory, _locked(directory))

    def _fill(self, plan: Plan) -> None:
        # In autocommit mode `executescript` would commit each statement: a kill between two
        # would leave half a journal, which `_has_plan` takes for none.
        statements = [part for part in SCHEMA.split(";") if part.strip()]
        self._base.execute("BEGIN IMMEDIATE")
        for statement in statements:
            self._base.execute(statement)
        number = 0
        for namespace in plan.namespaces:
            for span in namespace.ranges:
                number += 1
                self._base.execute(
                    "INSERT INTO ranges (number, source, target, first, stop) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (number, namespace.source, namespace.target, span.start, span.stop),
                )
        self._set("plan", plan.model_dump_json())
        self._set("digest", plan.digest)
        self._base.execute("COMMIT")

    def close(self) -> None:
        """Give the journal back."""
        with self._guard:
            self._base.close()
        self._file_lock.release()

    @property
    def plan(self) -> Plan:
        """The plan that this journal is bound to."""
        return parse_plan(self.fact("plan") or "", f"the plan in {str(self.directory)!r}")

    def fact(self, name: str) -> str | None:
        """Return a fact that `remember` stored."""
        with self._guard:
            row = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: Any) -> None:
        """Store a fact, as JSON unless it is text."""
        with self._guard:
            self._set(name, value if isinstance(value, str) else json.dumps(value))

    def _set(self, name: str, value: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def open_tasks(self) -> list[Task]:
        """Return the ranges that are not finished."""
        return self._tasks(below=1)

    def tasks(self) -> list[Task]:
        """Return all ranges, to read them again from the start."""
        return [
            Task(task.number, task.source, task.target, task.span, None)
            for task in self._tasks(below=2)
        ]

    def _tasks(self, *, below: int) -> list[Task]:
        with self._guard:
            rows = self._base.execute(
                "SELECT number, source, target, first, stop, cursor FROM ranges "
                "WHERE done < ? ORDER BY number",
                (below,),
            ).fetchall()
        return [
            Task(number, source, target, KeyRange(first, stop), cursor)
            for number, source, target, first, stop, cursor in rows
        ]

    def checkpoint(
        self,
        task: Task,
        cursor: str | None,
        *,
        read: int,
        written: int,
        bare: int,
        dead: Sequence[DeadLetter],
    ) -> None:
        """Record one batch that the target has acknowledged, with what was left out of it."""
        with self._guard:
            self._base.execute("BEGIN IMMEDIATE")
            self._insert_dead(task.number, dead)
            self._base.execute(
                "UPDATE ranges SET cursor = ?, read = read + ?, written = written + ?, "
                "bare = bare + ? WHERE number = ?",
                (cursor, read, written, bare, task.number),
            )
            self._base.execute("COMMIT")

    def brought_over(
        self, namespace: str, ids: Sequence[str], dead: Sequence[DeadLetter], most: int
    ) -> int:
        """Record what became of records after the copy; return how many dead letters there are.

        Where that is more than `most`, nothing is recorded.
        """
        with self._guard:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany(
                "DELETE FROM dead WHERE namespace = ? AND id = ?", [(namespace, one) for one in ids]
            )
            self._insert_dead(AFTER_THE_COPY, dead)
            (count,) = self._base.execute("SELECT COUNT(*) FROM dead").fetchone()
            self._base.execute("COMMIT" if count <= most else "ROLLBACK")
        return int(count)

    def _insert_dead(self, number: int, dead: Sequence[DeadLetter]) -> None:
        self._base.executemany(
            "INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (number, one.namespace, one.id, one.reason, one.text, one.metadata, one.vector)
                for one in dead
            ],
        )

    def finish(self, task: Task) -> None:
        """Record that a range is done; it will not be read again."""
        with self._guard:
            self._base.execute("UPDATE ranges SET done = 1 WHERE number = ?", (task.number,))

    def totals(self) -> Totals:
        """Return the sums over all ranges."""
        with self._guard:
            read, written, bare = self._base.execute(
                "SELECT COALESCE(SUM(read), 0), COALESCE(SUM(written), 0), COALESCE(SUM(bare), 0) "
                "FROM ranges"
            ).fetchone()
            (dead,) = self._base.execute("SELECT COUNT(*) FROM dead").fetchone()
        return Totals(read, written, bare, dead)

    def written(self) -> dict[str, int]:
        """Return target namespace to the records that it acknowledged."""
        with self._guard:
            rows = self._base.execute(
                "SELECT target, SUM(written) FROM ranges GROUP BY target"
            ).fetchall()
        return {namespace: count for namespace, count in rows if count}

    def range_counts(self) -> tuple[int, int]:
        """Return how many ranges there are, and how many are done."""
        with self._guard:
            every, done = self._base.execute(
                "SELECT COUNT(*), COALESCE(SUM(done), 0) FROM ranges"
            ).fetchone()
        return every, done

    def dead_letters(self) -> list[DeadLetter]:
        """Return the records that were left out."""
        from polyvec.migrate.dead_letters import DeadLetter

        with self._guard:
            rows = self._base.execute(
                "SELECT namespace, id, reason, text, metadata, vector FROM dead "
                "ORDER BY namespace, id"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]


def _locked(directory: Path) -> DirectoryLock:
    lock = DirectoryLock(directory, "journal")
    try:
        lock.acquire()
    except UnavailableError as exc:
        raise MigrationError(f"a run is under way with this journal: {exc}") from None
    return lock


def _has_plan(directory: Path) -> bool:
    """Whether the journal was made to the end; nothing was copied before that."""
    try:
        base = sqlite3.connect(f"file:{directory / FILE_NAME}?mode=ro", uri=True)
    except sqlite3.Error:
        return False
    try:
        found = base.execute("SELECT 1 FROM facts WHERE name = 'digest'").fetchone()
    except sqlite3.Error:
        return False
    finally:
        base.close()
    return found is not None
