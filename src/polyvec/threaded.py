"""An asynchronous adapter over a synchronous one: a worker thread waits, the loop stays free.

For clients that have no async form (embedded Chroma, SQLite, the memory store).
A call under way cannot be cancelled: a cancelled task returns at once, and the
thread finishes its call in the background, as a server would.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from polyvec.adapter_async import AsyncAdapter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from polyvec.adapter import Adapter


class _Threaded:
    """Forward every attribute; run what the async protocol awaits in a thread."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._adapter, "close" if name == "aclose" else name)
        if not inspect.iscoroutinefunction(getattr(AsyncAdapter, name, None)):
            return attribute
        method = _in_thread(attribute)
        setattr(self, name, method)  # the next call skips this lookup
        return method


def _in_thread(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        return await asyncio.to_thread(function, *args, **kwargs)

    return call


def threaded(adapter: Adapter) -> AsyncAdapter:
    """Return an async adapter that runs `adapter` in worker threads.

    The adapter's capabilities must say `AsyncKind.THREAD`, and its methods must
    be safe to call from several threads.
    """
    return cast("AsyncAdapter", _Threaded(adapter))
