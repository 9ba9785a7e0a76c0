"""Waiting, bounded concurrency and locks of the sync store. Hand-written, as is its twin.

The twin is `_runtime_async.py`, and both files offer the same names.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from polyvec.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from polyvec.deadline import Deadline

T = TypeVar("T")


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def within(slots: Slots, deadline: Deadline, call: Callable[..., T], *args: Any, **kw: Any) -> T:
    """Run a primitive when its turn comes, with what is left of the deadline.

    A thread that runs cannot be interrupted.
    """
    slots.take(deadline)
    try:
        return call(*args, timeout_s=deadline.left(), **kw)
    finally:
        slots.give()


def _patience_s(deadline: Deadline) -> float:
    """Return how long a thread may wait."""
    left = deadline.left()
    return threading.TIMEOUT_MAX if left is None else min(left, threading.TIMEOUT_MAX)


def outcomes(calls: Sequence[Callable[[], T]], limit: int) -> list[T | Exception | None]:
    """Run calls, at most `limit` at once; after a failure start no more.

    Returns
    -------
    list
        Parallel to `calls`: the result, the exception, or None for a call that
        was never started. What is no `Exception` (an exit, an interrupt) is raised.
    """
    results: list[T | Exception | None] = [None] * len(calls)
    lock = threading.Lock()
    waiting = iter(range(len(calls)))
    failed = threading.Event()
    leaving: list[BaseException] = []

    def work() -> None:
        while not failed.is_set():
            with lock:
                at = next(waiting, None)
            if at is None:
                return
            try:
                results[at] = calls[at]()
            except Exception as exc:  # noqa: BLE001 - handed to the caller, nothing is swallowed
                results[at] = exc
                failed.set()
            except BaseException as exc:  # noqa: BLE001 - raised below, in the caller's thread
                leaving.append(exc)
                failed.set()

    threads = [
        threading.Thread(target=work, name="polyvec", daemon=True)
        for _ in range(min(limit, len(calls)) - 1)
    ]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if leaving:
        raise leaving[0]
    return results


class Slots:
    """The turns of one store: how many of its primitives may be under way at once.

    Parameters
    ----------
    limit
        Returns that number, at least 1; a server may lower it when it is first asked.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def take(self, deadline: Deadline) -> None:
        """Wait for a turn; first come, first served.

        Raises
        ------
        DeadlineError
            None came in time.
        """
        with self._lock:
            if not self._taken or self._taken < self._limit():
                self._taken += 1
                return
            turn = threading.Lock()
            turn.acquire()  # released by who hands it on
            self._waiting.append(turn)
        came = False
        try:
            came = turn.acquire(timeout=_patience_s(deadline))
        finally:
            if not came:
                self._leave(turn)
        if not came:
            raise deadline.over()

    def _leave(self, turn: threading.Lock) -> None:
        """Wait no more; a turn that came meanwhile is handed on."""
        with self._lock:
            waited = turn in self._waiting
            if waited:
                self._waiting.remove(turn)
        if not waited:
            self.give()

    def give(self) -> None:
        """Hand a turn to who waits longest, else give it back."""
        with self._lock:
            if self._waiting and self._taken <= self._limit():
                self._waiting.popleft().release()
            else:
                self._taken -= 1


class SharedLock:
    """Many writers of whole records, or one that reads and then writes.

    Who waits to be alone holds the turnstile, so that writers who come later cannot
    keep it waiting for ever.
    """

    def __init__(self) -> None:
        self._turnstile = threading.Lock()
        self._idle = threading.Condition()
        self._sharing = 0

    @contextmanager
    def shared(self, deadline: Deadline) -> Generator[None]:
        """Hold the lock together with others that share it; `DeadlineError` when it is late."""
        self._enter(deadline)
        with self._idle:
            self._sharing += 1
        self._turnstile.release()
        try:
            yield
        finally:
            with self._idle:
                self._sharing -= 1
                self._idle.notify()

    @contextmanager
    def alone(self, deadline: Deadline) -> Generator[None]:
        """Hold the lock while nobody else does; `DeadlineError` when it is late."""
        self._enter(deadline)
        try:
            with self._idle:
                if not self._idle.wait_for(lambda: not self._sharing, _patience_s(deadline)):
                    raise deadline.over()
            yield
        finally:
            self._turnstile.release()

    def _enter(self, deadline: Deadline) -> None:
        if not self._turnstile.acquire(timeout=_patience_s(deadline)):
            raise deadline.over()


class Home:
    """The process a store belongs to, from its construction on."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def check(self) -> None:
        """Raise `ClosedError` when the store is used from elsewhere."""
        if os.getpid() != self._pid:
            raise ClosedError(
                "this store was opened in another process; connections do not survive a fork: "
                "connect again in the child"
            )
