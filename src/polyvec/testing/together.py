"""Several calls at once: tasks for the asynchronous suite, threads for the synchronous one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


async def at_once_async(calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Run all calls as tasks of one loop; return their results in order, or raise the first."""
    import asyncio

    return list(await asyncio.gather(*(call() for call in calls)))


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each call in a thread of its own; return their results in order, or raise the first."""
    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.result() for future in futures]
