"""What a migration tells while it runs: progress for people, events for programs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from polyvec.migrate.report import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

LogLine: TypeAlias = dict[str, Any]
"""An event: `event` and `time`, and what belongs to it."""

PROGRESS_EVERY_S: Final = 1.0


class Stopped(Exception):  # noqa: N818 - a signal inside the engine
    """Another worker has failed, or the user interrupts."""


class Watch:
    """Takes what happens from all workers and passes it on, one at a time.

    Parameters
    ----------
    progress
        Called after every batch.
    log
        Called for every event; progress at most once a second.
    """

    def __init__(
        self,
        progress: Callable[[Progress], None] | None = None,
        log: Callable[[LogLine], None] | None = None,
    ) -> None:
        self._progress = progress
        self._log = log
        self._guard = Lock()
        self._phase = ""
        self._done = self._before = 0
        self._total: int | None = None
        self._began = self._last = 0.0
        self.stop = Event()

    def start(self, phase: str, total: int | None, done: int = 0) -> None:
        """Begin a phase; `done` records of it were done by an earlier run."""
        with self._guard:
            self._phase, self._total, self._done, self._before = phase, total, done, done
            self._began = self._last = time.monotonic()
        self.event("start", phase=phase, done=done, total=total)

    def add(self, namespace: str, count: int) -> None:
        """Tell of one more batch; raises `Stopped` when the migration is to end."""
        with self._guard:
            self._done += count
            if self._progress is not None:
                self._progress(Progress(self._phase, namespace, self._done, self._total))
            now = time.monotonic()
            if self._log is not None and now - self._last >= PROGRESS_EVERY_S:
                self._last = now
                rate = (self._done - self._before) / max(now - self._began, 1e-9)
                left = None if self._total is None else max(0, self._total - self._done)
                self._tell(
                    "progress",
                    phase=self._phase,
                    done=self._done,
                    total=self._total,
                    per_s=round(rate, 1),
                    left_s=None if left is None or not rate else round(left / rate, 1),
                )
        self.check()

    def event(self, name: str, **fields: Any) -> None:
        """Tell of an event."""
        with self._guard:
            self._tell(name, **fields)

    def check(self) -> None:
        """Raise `Stopped` when the migration is to end."""
        if self.stop.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait, unless the migration is to end."""
        if self.stop.wait(seconds):
            raise Stopped

    def _tell(self, name: str, **fields: Any) -> None:
        if self._log is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._log({"time": now, "event": name, **fields})
