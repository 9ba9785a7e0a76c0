"""Both colours of the store behind one blocking form, so that a test is written once."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self, TypeAlias, cast

from tests.unit.core.fake import FakeAdapter, FakeConfig

from polyvec.adapter import Adapter
from polyvec.adapter_async import AsyncAdapter
from polyvec.collection import Collection
from polyvec.collection_async import AsyncCollection
from polyvec.store import VectorStore
from polyvec.store_async import AsyncVectorStore
from polyvec.threaded import threaded

Verb: TypeAlias = Callable[[Any], Any]
"""A verb with its arguments, still without its store or collection."""


class _Inline:
    """An async adapter that answers in the loop, after giving other tasks a turn."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._adapter, "close" if name == "aclose" else name)
        if not inspect.iscoroutinefunction(getattr(AsyncAdapter, name, None)):
            return attribute

        async def call(*args: Any, **kw: Any) -> Any:
            await asyncio.sleep(0)
            return attribute(*args, **kw)

        return call


class _Blocking:
    """An async store or collection whose verbs return when they are done."""

    def __init__(self, inner: Any, driver: Driver) -> None:
        self.inner = inner
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, "aclose" if name == "close" else name)
        if not callable(value):
            return value

        def verb(*args: Any, **kw: Any) -> Any:
            return self._driver.settle(lambda: value(*args, **kw))

        return verb

    def __repr__(self) -> str:
        return repr(self.inner)

    def __enter__(self) -> Self:
        entered = self._driver.settle(self.inner.__aenter__)
        assert entered.inner is self.inner
        return self

    def __exit__(self, *exc: object) -> None:
        self._driver.settle(lambda: self.inner.__aexit__(*exc))


class Driver:
    """One colour. Every verb of what `store` returns blocks.

    Parameters
    ----------
    colour
        `"sync"` or `"async"`.
    """

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self._runner: asyncio.Runner | None = None

    @property
    def is_async(self) -> bool:
        return self.colour == "async"

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine function on the driver's loop."""
        if self._runner is None:
            self._runner = asyncio.Runner()

        async def main() -> Any:
            return await work()

        return self._runner.run(main())

    def store(
        self, adapter: FakeAdapter, config: FakeConfig | None = None, *, in_threads: bool = False
    ) -> VectorStore:
        """Return a store over the fake; `in_threads` runs async primitives in worker threads."""
        config = FakeConfig() if config is None else config
        if not self.is_async:
            return VectorStore(adapter, config)
        inline = cast("AsyncAdapter", _Inline(adapter))
        inner = AsyncVectorStore(threaded(adapter) if in_threads else inline, config)
        return cast("VectorStore", _Blocking(inner, self))

    def collection(
        self,
        adapter: FakeAdapter,
        config: FakeConfig | None = None,
        *,
        in_threads: bool = False,
        metric: str = "dot",
        metadata: Any = None,
    ) -> Collection[Any]:
        """Return collection `"c"` of three dimensions, created if need be; the log is empty."""
        store = self.store(adapter, config, in_threads=in_threads)
        made = store.create_collection(
            "c", dimension=3, metric=metric, exist_ok=True, metadata=metadata
        )
        adapter.forget()
        return made

    def settle(self, call: Callable[[], Any]) -> Any:
        """Call something asynchronous inside the loop, and wait for what it returned."""

        async def work() -> Any:
            value = call()
            return await value if inspect.isawaitable(value) else value

        value = self.run(work)
        if inspect.isasyncgen(value):
            return self._drained(value)
        if isinstance(value, (AsyncVectorStore, AsyncCollection)):
            return _Blocking(value, self)
        return value

    def _drained(self, batches: Any) -> Iterator[Any]:
        end = object()
        while (batch := self.run(lambda: anext(batches, end))) is not end:
            yield batch

    def together(self, verbs: Sequence[Callable[[Any], Any]], collection: Any) -> list[Any]:
        """Run verbs on one collection at the same time; return results or exceptions."""
        if not self.is_async:
            return _in_threads([partial(verb, collection) for verb in verbs])

        async def work() -> Any:
            return await asyncio.gather(
                *(verb(collection.inner) for verb in verbs), return_exceptions=True
            )

        return cast("list[Any]", self.run(work))


def _in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    results: list[Any] = [None] * len(calls)

    def work(at: int) -> None:
        try:
            results[at] = calls[at]()
        except Exception as exc:  # noqa: BLE001 - handed to the test
            results[at] = exc

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a verb hangs"
    return results
