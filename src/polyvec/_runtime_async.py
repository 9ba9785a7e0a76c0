"""Waiting, bounded concurrency and locks of the async store. Hand-written, as is its twin.

The twin is `_runtime.py`; everything else in the core is generated from its
async source. Both files offer the same names.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from polyvec.errors import ClosedError, DeadlineError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from polyvec.deadline import Deadline

T = TypeVar("T")


async def sleep(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


async def within(deadline: Deadline, call: Callable[..., Awaitable[T]], *args: Any, **kw: Any) -> T:
    """Run a primitive, and stop waiting for it when the deadline has passed."""
    left = deadline.left()
    if left is None:
        return await call(*args, timeout_s=None, **kw)
    scope = asyncio.timeout(left)
    try:
        async with scope:
            return await call(*args, timeout_s=left, **kw)
    except TimeoutError as exc:
        if not scope.expired():  # the adapter's own time-out, which it maps itself
            raise
        raise DeadlineError(f"timeout_s={deadline.timeout_s!r} is over") from exc


async def outcomes(
    calls: Sequence[Callable[[], Awaitable[T]]], limit: int
) -> list[T | Exception | None]:
    """Run calls, at most `limit` at once; after a failure start no more.

    Returns
    -------
    list
        Parallel to `calls`: the result, the exception, or None for a call that
        was never started.
    """
    results: list[T | Exception | None] = [None] * len(calls)
    waiting = iter(range(len(calls)))
    failed = False

    async def work() -> None:
        nonlocal failed
        for at in waiting:
            if failed:
                return
            try:
                results[at] = await calls[at]()
            except Exception as exc:  # noqa: BLE001 - handed to the caller, nothing is swallowed
                results[at] = exc
                failed = True

    if len(calls) == 1 or limit == 1:
        await work()
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(limit, len(calls))):
                group.create_task(work())
    return results


class Lock:
    """Mutual exclusion between the tasks of one loop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Hold the lock."""
        async with self._lock:
            yield


class SharedLock:
    """Many writers of whole records, or one that reads and then writes."""

    def __init__(self) -> None:
        self._condition = asyncio.Condition()
        self._sharing = 0
        self._alone = False

    @asynccontextmanager
    async def shared(self) -> AsyncGenerator[None]:
        """Hold the lock together with others that share it."""
        async with self._condition:
            await self._condition.wait_for(lambda: not self._alone)
            self._sharing += 1
        try:
            yield
        finally:
            async with self._condition:
                self._sharing -= 1
                self._condition.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Hold the lock while nobody else does."""
        async with self._condition:
            await self._condition.wait_for(lambda: not self._alone and not self._sharing)
            self._alone = True
        try:
            yield
        finally:
            async with self._condition:
                self._alone = False
                self._condition.notify_all()


class Home:
    """The process and the event loop a store belongs to, from its first verb on."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None

    def check(self) -> None:
        """Raise `ClosedError` when the store is used from elsewhere."""
        if os.getpid() != self._pid:
            raise ClosedError(
                "this store was opened in another process; connections do not survive a fork: "
                "connect again in the child"
            )
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ClosedError(
                "this store belongs to another event loop; connect again in this loop"
            )
