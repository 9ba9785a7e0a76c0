"""Waiting, bounded concurrency and locks of the sync store. Hand-written, as is its twin.

The twin is `_runtime_async.py`, and both files offer the same names.
"""

from __future__ import annotations

import os
import threading
import time
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


def within(deadline: Deadline, call: Callable[..., T], *args: Any, **kw: Any) -> T:
    """Run a primitive with what is left of the deadline; a thread cannot be interrupted."""
    return call(*args, timeout_s=deadline.left(), **kw)


def outcomes(calls: Sequence[Callable[[], T]], limit: int) -> list[T | Exception | None]:
    """Run calls, at most `limit` at once; after a failure start no more.

    Returns
    -------
    list
        Parallel to `calls`: the result, the exception, or None for a call that
        was never started.
    """
    results: list[T | Exception | None] = [None] * len(calls)
    lock = threading.Lock()
    waiting = iter(range(len(calls)))
    failed = threading.Event()

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

    threads = [
        threading.Thread(target=work, name="polyvec", daemon=True)
        for _ in range(min(limit, len(calls)) - 1)
    ]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    return results


class Lock:
    """Mutual exclusion between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold the lock."""
        with self._lock:
            yield


class SharedLock:
    """Many writers of whole records, or one that reads and then writes."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Generator[None]:
        """Hold the lock together with others that share it."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._sharing += 1
        try:
            yield
        finally:
            with self._condition:
                self._sharing -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Generator[None]:
        """Hold the lock while nobody else does."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone and not self._sharing)
            self._alone = True
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()


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
