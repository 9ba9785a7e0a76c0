"""Open indexes: the collection behind each, and the numbering of its writes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

from polyvec.errors import CollectionNotFoundError, InvalidRequestError, PolyvecError
from polyvec.gateway.catalog import COLLECTION
from polyvec.gateway.errors import Code, Refusal
from polyvec.gateway.mapping import collection_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from polyvec.collection_async import AsyncCollection
    from polyvec.store_async import AsyncVectorStore

    Write: TypeAlias = Callable[[], Awaitable[None]]

PREFIX: Final = "/i/"
"""Below it is the data plane of each index: both official clients keep the path of a host."""

_log: Final = logging.getLogger("polyvec.gateway")


class Writes:
    """The writes of one index in their order, each with a log sequence number (LSN).

    Numbers start at the time, in microseconds, so that they rise across restarts too.

    Parameters
    ----------
    delay_s
        For tests: a write is checked and answered at once and carried out that much later, so
        that readers see what a reader of Pinecone sees.
    """

    def __init__(self, delay_s: float) -> None:
        self.committed = time.time_ns() // 1_000
        self._under_way: set[int] = set()
        self._delay_s = delay_s
        self._waiting: deque[tuple[float, int, Write]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._hurry = False

    @property
    def applied(self) -> int:
        """The LSN up to which every write can be read."""
        return min(self._under_way) - 1 if self._under_way else self.committed

    async def run(self, write: Write) -> int:
        """Carry out a write and return its LSN."""
        self.committed += 1
        lsn = self.committed
        self._under_way.add(lsn)
        if self._delay_s > 0:
            due = asyncio.get_running_loop().time() + self._delay_s
            self._waiting.append((due, lsn, write))
            if self._worker is None or self._worker.done():
                self._worker = asyncio.create_task(self._work())
            return lsn
        try:
            await write()
        finally:
            self._under_way.discard(lsn)
        return lsn

    async def _work(self) -> None:
        while self._waiting:
            due, lsn, write = self._waiting[0]
            rest = due - asyncio.get_running_loop().time()
            if rest > 0 and not self._hurry:
                await asyncio.sleep(rest)
            try:
                await write()
            except PolyvecError:
                _log.exception("a delayed write failed")
            self._under_way.discard(lsn)
            self._waiting.popleft()

    async def drain(self) -> None:
        """Carry out what waits, without waiting."""
        self._hurry = True
        if self._worker is not None and not self._worker.done():
            self._worker.cancel()
            await asyncio.wait([self._worker])
        await self._work()
        self._hurry = False

    def discard(self) -> None:
        """Forget what waits: its index is gone."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()


class Index:
    """One open index.

    Parameters
    ----------
    name
        As clients know it.
    collection
        Where its records are.
    delay_s
        See `Writes`.
    """

    def __init__(self, name: str, collection: AsyncCollection[Any], delay_s: float) -> None:
        self.name = name
        self.collection = collection
        self.dimension = collection.dimension
        self.metric = collection.metric
        self.writes = Writes(delay_s)


class Indexes:
    """The indexes of a store, opened once.

    Parameters
    ----------
    store
        The store.
    delay_s
        See `Writes`.
    """

    def __init__(self, store: AsyncVectorStore, delay_s: float) -> None:
        self._store = store
        self._delay_s = delay_s
        self._open: dict[str, Index] = {}
        self.creating = asyncio.Lock()

    async def get(self, name: str) -> Index:
        """Return an index.

        Raises
        ------
        Refusal
            404: there is none of that name.
        """
        found = self._open.get(name)
        return found if found is not None else await self.reopen(name)

    async def reopen(self, name: str) -> Index:
        """Return an index as the store has it now."""
        if name == COLLECTION:
            raise not_found(name)
        try:
            collection = await self._store.collection(collection_name(name))
        except (CollectionNotFoundError, InvalidRequestError):
            self.forget(name)
            raise not_found(name) from None
        old = self._open.get(name)
        shape = (collection.dimension, collection.metric)
        if old is not None and (old.dimension, old.metric) == shape:
            return old
        index = Index(name, collection, self._delay_s)
        self._open[name] = index
        return index

    def forget(self, name: str) -> None:
        """Open an index anew the next time, and drop the writes that wait for the old one."""
        old = self._open.pop(name, None)
        if old is not None:
            old.writes.discard()

    async def drain(self) -> None:
        """Carry out every write that waits."""
        for index in list(self._open.values()):
            await index.writes.drain()


def not_found(name: str) -> Refusal:
    """Return the refusal of an index that does not exist."""
    return Refusal(Code.NOT_FOUND, f"Resource {name} not found")


def host_of(base: str, name: str) -> str:
    """Return the host of an index, below the address of the gateway."""
    return f"{base.rstrip('/')}{PREFIX}{quote(name, safe='')}"
