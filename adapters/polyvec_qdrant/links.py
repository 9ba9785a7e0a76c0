"""Connections to Qdrant: a server in both colours, and the client's local mode. By hand.

Neither colour of the client has a time-out for a single call that is finer than a second, so a
request hook hands the deadline of the running primitive to httpx. Local mode is not safe under
threads (concurrent writes damage it for good, measured with 1.20), so a lock stands before it.
"""

from __future__ import annotations

import math
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
from qdrant_client import AsyncQdrantClient, QdrantClient, models

from polyvec._dirlock import DirectoryLock
from polyvec._time_left import left, limit
from polyvec.errors import ClosedError, CollectionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from polyvec_qdrant._config import QdrantConfig

LONGEST_S: Final = 3600
"""For a call without a deadline; the client's own default is five seconds."""

KEEP_ALIVE: Final = 20
"""Idle connections. The client keeps none to this machine, which costs a third of a query."""


class Link(Protocol):
    """What the synchronous adapter needs of a connection."""

    is_server: bool
    client: Any

    def open(self) -> QdrantClient:
        """Return the client; made when nobody has yet."""
        ...

    def search(self, collection: str, requests: Sequence[models.QueryRequest]) -> Sequence[Any]:
        """Return the client's answer to each request, in order."""
        ...

    def close(self) -> None:
        """Release everything; the link cannot be opened again."""
        ...


class AsyncLink(Protocol):
    """What the asynchronous adapter needs of a connection."""

    is_server: bool
    client: Any

    async def open(self) -> AsyncQdrantClient:
        """Return the client; made when nobody has yet."""
        ...

    async def search(
        self, collection: str, requests: Sequence[models.QueryRequest]
    ) -> Sequence[Any]:
        """Return the client's answer to each request, in order."""
        ...

    async def aclose(self) -> None:
        """Release everything; the link cannot be opened again."""
        ...


def seconds_left() -> int | None:
    """Return what is left for the running primitive, in whole seconds: gRPC takes no others."""
    seconds = left()
    return None if seconds is None else max(1, math.ceil(seconds))


def _limit(request: httpx.Request) -> None:
    limit(request, LONGEST_S)


async def _limit_async(request: httpx.Request) -> None:
    _limit(request)


def arguments_of(config: QdrantConfig) -> dict[str, Any]:
    """Return the arguments of a client for a server."""
    arguments: dict[str, Any] = {
        "host": config.host,
        "port": config.port,
        "https": config.tls,
        "api_key": None if config.api_key is None else config.api_key.get_secret_value(),
        "prefix": config.prefix,
        "timeout": LONGEST_S,
        "check_compatibility": False,  # it warns from a thread of its own
        "limits": httpx.Limits(
            max_connections=max(KEEP_ALIVE, config.max_concurrency),
            max_keepalive_connections=KEEP_ALIVE,
        ),
    }
    if config.grpc_port is not None:
        arguments |= {"grpc_port": config.grpc_port, "prefer_grpc": True}
    return arguments


def _batch(requests: Sequence[models.QueryRequest]) -> models.QueryRequestBatch:
    """Return requests in one, for the client's own REST layer (decision 11)."""
    return models.QueryRequestBatch(searches=list(requests))


def _answers_of(reply: Any) -> Sequence[Any]:
    """Return what a reply of that layer has."""
    answers: Sequence[Any] | None = reply.result
    assert answers is not None, "an answer without a result is an error, and was raised"
    return answers


class ServerLink:
    """A server, for the synchronous adapter.

    Parameters
    ----------
    config
        With a host.
    """

    is_server = True

    def __init__(self, config: QdrantConfig) -> None:
        self._config = config
        self._closed = False
        self._lock = threading.Lock()
        self.client: QdrantClient | None = None

    def open(self) -> QdrantClient:
        if (client := self.client) is not None:
            return client
        with self._lock:
            if self._closed:
                raise ClosedError("this qdrant store was closed; connect again")
            if self.client is None:
                with quiet():
                    made = QdrantClient(**arguments_of(self._config))
                _httpx_of(made, "_client").event_hooks = {"request": [_limit]}
                self.client = made
            return self.client

    def search(self, collection: str, requests: Sequence[models.QueryRequest]) -> Sequence[Any]:
        client = self.open()
        timeout: Any = seconds_left()  # the REST layer takes None, and does not say so
        if self._config.grpc_port is not None:
            return client.query_batch_points(collection, requests, timeout=timeout)
        return _answers_of(
            client.http.search_api.query_batch_points(
                collection, timeout=timeout, query_request_batch=_batch(requests)
            )
        )

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self.client = self.client, None
        if client is not None:
            client.close()


class AsyncServerLink:
    """A server, for the asynchronous adapter, which stays on one event loop.

    Parameters
    ----------
    config
        With a host.
    """

    is_server = True

    def __init__(self, config: QdrantConfig) -> None:
        self._config = config
        self._closed = False
        self.client: AsyncQdrantClient | None = None

    async def open(self) -> AsyncQdrantClient:
        if self.client is not None:
            return self.client
        if self._closed:
            raise ClosedError("this qdrant store was closed; connect again")
        # Nothing is awaited below, so two tasks cannot both be here.
        with quiet():
            made = AsyncQdrantClient(**arguments_of(self._config))
        _httpx_of(made, "_async_client").event_hooks = {"request": [_limit_async]}
        self.client = made
        return made

    async def search(
        self, collection: str, requests: Sequence[models.QueryRequest]
    ) -> Sequence[Any]:
        client = await self.open()
        timeout: Any = seconds_left()  # the REST layer takes None, and does not say so
        if self._config.grpc_port is not None:
            return await client.query_batch_points(collection, requests, timeout=timeout)
        return _answers_of(
            await client.http.search_api.query_batch_points(
                collection, timeout=timeout, query_request_batch=_batch(requests)
            )
        )

    async def aclose(self) -> None:
        self._closed = True
        client, self.client = self.client, None
        if client is not None:
            await client.close()


def _httpx_of(client: Any, attribute: str) -> Any:
    """Return the HTTP client inside of Qdrant's; there is no other way to its hooks."""
    return getattr(client._client.openapi_client.client, attribute)  # noqa: SLF001 - see above


@contextmanager
def quiet() -> Generator[None]:
    """Keep the client's advice to itself: keys over plain HTTP, many points in local mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class LocalLink:
    """Local mode: a directory that is ours alone, or a database that ends with us.

    Parameters
    ----------
    config
        With a directory, or in memory.
    """

    is_server = False

    def __init__(self, config: QdrantConfig) -> None:
        self._directory = config.dir
        self._held: DirectoryLock | None = None
        self._opened: Any = None
        self._closed = False
        self._lock = threading.Lock()
        self.client: QdrantClient | None = None

    def open(self) -> QdrantClient:
        if self._opened is not None:
            return self._opened  # type: ignore[no-any-return]  # it answers as the client does
        with self._lock:
            if self._closed:
                raise ClosedError("this qdrant store was closed; connect again")
            if self._opened is None:
                self.client = self._made()
                self._opened = OneAtATime(self.client)
            return self._opened  # type: ignore[no-any-return]  # see above

    def search(self, collection: str, requests: Sequence[models.QueryRequest]) -> Sequence[Any]:
        return self.open().query_batch_points(collection_name=collection, requests=requests)

    def _made(self) -> QdrantClient:
        if self._directory is None:
            return QdrantClient(":memory:")
        self._directory.mkdir(parents=True, exist_ok=True)
        self._held = DirectoryLock(self._directory, "qdrant")
        self._held.acquire()
        try:
            with quiet():
                # Our lock lets one thread in at a time, whichever it is.
                return QdrantClient(path=str(self._directory), force_disable_check_same_thread=True)
        except BaseException:
            self._held.release()
            raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self.client, self._opened = self.client, None, None
            if client is not None:
                client.close()
            if self._held is not None:
                self._held.release()


class OneAtATime:
    """A client in local mode, for many threads.

    Every error of local mode is a ValueError; that a collection is not there is told by looking.
    """

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._silence()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kw: Any) -> Any:
            with self._lock:
                where = kw.get("collection_name")
                making = name in ("create_collection", "delete_collection", "collection_exists")
                if where is not None and not making and not self._client.collection_exists(where):
                    raise CollectionNotFoundError(
                        f"no collection is named {where!r}", store="qdrant", operation=name
                    )
                answer = method(*args, **kw)
                if name == "create_collection":
                    self._silence()
                return answer

        setattr(self, name, call)  # the next call skips this lookup
        return call

    def _silence(self) -> None:
        """Let collections grow beyond 20,000 points without a warning at every search."""
        local: Any = self._client._client  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the threshold is nowhere else
        for collection in local.collections.values():
            collection.LARGE_DATA_THRESHOLD = sys.maxsize
