"""Waiting, bounded concurrency and locks of the async store. Hand-written, as is its twin.

The twin is `_runtime.py`; everything else in the core is generated from its
async source. Both files offer the same names.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
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


async def within(
    slots: Slots, deadline: Deadline, call: Callable[..., Awaitable[T]], *args: Any, **kw: Any
) -> T:
    """Run a primitive when its turn comes; stop waiting for it when the deadline has passed."""
    left = deadline.left()
    if left is None:
        return await _in_turn(slots, deadline, call, *args, **kw)
    scope = asyncio.timeout(left)
    try:
        async with scope:
            return await _in_turn(slots, deadline, call, *args, **kw)
    except TimeoutError as exc:
        # One of the adapter's own is mapped by it; a DeadlineError is finished already.
        if not scope.expired() or isinstance(exc, DeadlineError):
            raise
        raise deadline.over() from exc


async def _in_turn(
    slots: Slots, deadline: Deadline, call: Callable[..., Awaitable[T]], *args: Any, **kw: Any
) -> T:
    await slots.take()
    try:
        return await call(*args, timeout_s=deadline.left(), **kw)
    finally:
        slots.give()


@asynccontextmanager
async def _until(deadline: Deadline) -> AsyncGenerator[None]:
    """Stop waiting when the deadline has passed."""
    left = deadline.left()
    if left is None:
        yield
        return
    try:
        async with asyncio.timeout(left):
            yield
    except TimeoutError as exc:
        raise deadline.over() from exc


async def outcomes(
    calls: Sequence[Callable[[], Awaitable[T]]], limit: int
) -> list[T | Exception | None]:
    """Run calls, at most `limit` at once; after a failure start no more.

    Returns
    -------
    list
        Parallel to `calls`: the result, the exception, or None for a call that
        was never started. What is no `Exception` (a cancellation) is raised.
    """
    results: list[T | Exception | None] = [None] * len(calls)
    waiting = iter(range(len(calls)))
    failed = False
    leaving: BaseException | None = None

    async def work() -> None:
        nonlocal failed, leaving
        for at in waiting:
            if failed:
                return
            try:
                results[at] = await calls[at]()
            except Exception as exc:  # noqa: BLE001 - handed to the caller, nothing is swallowed
                results[at] = exc
                failed = True
            except BaseException as exc:
                # A group takes a cancelled task for one that it cancelled itself.
                leaving, failed = exc, True
                raise

    if len(calls) == 1 or limit == 1:
        await work()
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(limit, len(calls))):
                group.create_task(work())
    if leaving is not None:
        raise leaving
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
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a turn; first come, first served."""
        if not self._taken or self._taken < self._limit():
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it came when nobody wanted it any more
                self.give()
            raise

    def give(self) -> None:
        """Hand a turn to who waits longest, else give it back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1


class SharedLock:
    """Many writers of whole records, or one that reads and then writes.

    Who waits to be alone holds the turnstile, so that writers who come later cannot
    keep it waiting for ever. Leaving never waits: a cancellation there would leave
    the lock held.
    """

    def __init__(self) -> None:
        self._turnstile = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._sharing = 0

    @asynccontextmanager
    async def shared(self, deadline: Deadline) -> AsyncGenerator[None]:
        """Hold the lock together with others that share it; `DeadlineError` when it is late."""
        async with _until(deadline), self._turnstile:
            self._sharing += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._sharing -= 1
            if not self._sharing:
                self._idle.set()

    @asynccontextmanager
    async def alone(self, deadline: Deadline) -> AsyncGenerator[None]:
        """Hold the lock while nobody else does; `DeadlineError` when it is late."""
        async with _until(deadline):
            await self._turnstile.acquire()
            try:
                await self._idle.wait()
            except BaseException:
                self._turnstile.release()
                raise
        try:
            yield
        finally:
            self._turnstile.release()


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
