"""Writing batches to a target that slows down, refuses sizes or refuses single records."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.errors import (
    InvalidRecordError,
    NotSupportedError,
    PartialWriteError,
    PolyvecError,
    RateLimitedError,
    RejectedError,
    StoreError,
)
from polyvec.migrate.fidelity import faults

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.migrate.watch import Watch
    from polyvec.records import RecordBatch

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
GROW_AFTER: Final = 8
"""Writes without trouble before the size grows again."""


class BatchSize:
    """How many records one write takes, shared by all workers.

    Halved when the target asks for less or refuses a payload, doubled again after a while
    without trouble, never above where it started.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.records = most
        self._good = 0
        self._guard = Lock()

    def shrink(self, below: int) -> None:
        """Ask for fewer records than a write of `below` had."""
        with self._guard:
            self.records = max(1, min(self.records, below // 2))
            self._good = 0

    def good(self) -> None:
        """Count a write that went well."""
        with self._guard:
            self._good += 1
            if self._good >= GROW_AFTER and self.records < self.most:
                self.records, self._good = min(self.most, self.records * 2), 0


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one batch: records written, and row to reason for those that were not."""

    count: int
    refused: dict[int, str]


class Patience:
    """How long something may go on failing before that is final.

    Parameters
    ----------
    seconds
        Since the last success.
    watch
        Told of every wait.
    """

    def __init__(self, seconds: float, watch: Watch) -> None:
        self._seconds = seconds
        self._watch = watch
        self._since: float | None = None
        self._pause_s = FIRST_PAUSE_S

    def success(self) -> None:
        """Start again with full patience."""
        self._since, self._pause_s = None, FIRST_PAUSE_S

    def wait(self, error: PolyvecError, doing: str) -> None:
        """Wait before another attempt, or raise `error` again: it is final, or it is time.

        The store has tried several times already; this outlasts a restart of its server.
        """
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if not error.retryable or now - self._since >= self._seconds:
            raise error
        asked = error.retry_after_s if isinstance(error, StoreError) else None
        pause_s = self._pause_s if asked is None else max(asked, 0.0)
        self._watch.event("retry", doing=doing, pause_s=round(pause_s, 3), error=str(error))
        self._watch.pause(pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


class Writer:
    """Writes batches of one worker.

    Parameters
    ----------
    size
        Records per write, shared by the workers.
    watch
        Told of retries.
    patience_s
        Seconds without a success after which a failure is final.
    """

    def __init__(self, size: BatchSize, watch: Watch, patience_s: float) -> None:
        self._size = size
        self._watch = watch
        self._patience = Patience(patience_s, watch)

    def write(self, goal: Collection[Any], batch: RecordBatch) -> Written:
        """Write a batch; return what the target did not take.

        Raises
        ------
        PolyvecError
            The target cannot be reached, or does not let us in.
        """
        refused: dict[int, str] = {}
        todo = deque(self._pieces(np.arange(len(batch))))
        while todo:
            rows = todo.popleft()
            if len(rows) > self._size.records:
                todo.extendleft(reversed(self._pieces(rows)))
                continue
            try:
                goal.upsert(batch if len(rows) == len(batch) else batch.take(rows))
            except (InvalidRecordError, NotSupportedError) as exc:
                # A check before any I/O: nothing of these rows was written.
                bad = faults(goal.check, batch.take(rows)) or {0: str(exc)}
                refused.update((int(rows[at]), reason) for at, reason in bad.items())
                rest = np.delete(rows, list(bad))
                if len(rest):
                    todo.appendleft(rest)
            except PolyvecError as exc:
                again, dropped = self._after(exc, batch, rows)
                todo.extendleft(reversed(again))
                refused.update(dropped)
            else:
                self._size.good()
                self._patience.success()
            self._watch.check()
        return Written(len(batch) - len(refused), refused)

    def _pieces(self, rows: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        size = self._size.records
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _after(
        self, error: PolyvecError, batch: RecordBatch, rows: np.ndarray[Any, Any]
    ) -> tuple[list[np.ndarray[Any, Any]], dict[int, str]]:
        """Return the rows to write again, in pieces, and the row that is refused for good."""
        cause: PolyvecError = error
        if isinstance(error, PartialWriteError):
            self._patience.success()  # some of it was written
            rows = np.array([row for row in rows if batch.ids[row] in error.failed])
            causes = [c for c in error.failed.values() if isinstance(c, PolyvecError)]
            final = [c for c in causes if not c.retryable]
            cause = (final or causes or [error])[0]
        if isinstance(cause, (RejectedError, PartialWriteError)):
            if len(rows) == 1:
                return [], {int(rows[0]): str(cause)}
            # Too large, or one of them is bad: halves tell which.
            self._shrink(len(rows), cause)
            middle = len(rows) // 2
            return [rows[:middle], rows[middle:]], {}
        if isinstance(cause, RateLimitedError):
            self._shrink(len(rows), cause)
        self._patience.wait(cause, "write")
        return [rows], {}

    def _shrink(self, below: int, cause: PolyvecError) -> None:
        self._size.shrink(below)
        self._watch.event("smaller", records=self._size.records, error=str(cause))
