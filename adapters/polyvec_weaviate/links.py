"""Connections to Weaviate, in both colours. By hand.

The client has time-outs for the whole connection only, repeats what cannot be reached for a
minute, and keeps of a gRPC error nothing but its text. A request hook hands the deadline of the
running primitive to httpx, and a stub in front of gRPC's sets it, and tells code and text.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import httpx
import weaviate
from weaviate.classes.init import AdditionalConfig, Auth, GrpcConfig, Timeout
from weaviate.classes.query import MetadataQuery
from weaviate.connect import ConnectionParams

from polyvec._time_left import left, limit
from polyvec.errors import ClosedError
from polyvec_weaviate._errors import CallFailed

if TYPE_CHECKING:
    from polyvec_weaviate._config import WeaviateConfig

DISTANCE: Final = MetadataQuery(distance=True)

LONGEST_S: Final = 3600.0
"""For a call without a deadline."""

_CALLS: Final = frozenset({"Search", "BatchObjects", "BatchDelete", "TenantsGet", "Aggregate"})
"""The calls of gRPC that this adapter makes."""

_RECONNECT: Final[list[tuple[str, Any]]] = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]
"""gRPC waits up to two minutes between tries to reach a server that was gone for a while."""


def _left() -> float:
    """Return the seconds that are left for the running primitive."""
    seconds = left()
    return LONGEST_S if seconds is None else seconds


def _limit(request: httpx.Request) -> None:
    limit(request, LONGEST_S)


async def _limit_async(request: httpx.Request) -> None:
    _limit(request)


def _failed(error: Any) -> CallFailed:
    """Return what a call that failed says; CallFailed is no RpcError, so nobody repeats it."""
    return CallFailed(error.code(), str(error.details() or ""))


class _Stub:
    """The gRPC calls of a client, with the deadline of the running primitive.

    Parameters
    ----------
    stub
        The client's own.
    """

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._stub, name)
        if name not in _CALLS:
            return call

        def limited(request: Any, **options: Any) -> Any:
            options["timeout"] = max(_left(), 0.001)
            try:
                return call(request, **options)
            except grpc.RpcError as error:
                raise _failed(error) from error

        setattr(self, name, limited)
        return limited


class _AsyncStub:
    """As `_Stub`, for calls that are awaited.

    Parameters
    ----------
    stub
        The client's own.
    """

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._stub, name)
        if name not in _CALLS:
            return call

        async def limited(request: Any, **options: Any) -> Any:
            options["timeout"] = max(_left(), 0.001)
            try:
                return await call(request, **options)
            except grpc.RpcError as error:
                raise _failed(error) from error

        setattr(self, name, limited)
        return limited


def _arguments_of(config: WeaviateConfig) -> dict[str, Any]:
    """Return the arguments of a client."""
    return {
        "connection_params": ConnectionParams.from_params(
            http_host=config.host,
            http_port=config.port,
            http_secure=config.tls,
            grpc_host=config.grpc_host or config.host,
            grpc_port=config.grpc_port,
            grpc_secure=config.tls,
        ),
        # A bearer token goes the same way as a key: both stand behind "Bearer".
        "auth_client_secret": None
        if config.api_key is None
        else Auth.api_key(config.api_key.get_secret_value()),
        "additional_config": AdditionalConfig(
            timeout=Timeout(init=LONGEST_S, query=LONGEST_S, insert=LONGEST_S),
            grpc_config=GrpcConfig(channel_options=_RECONNECT),
        ),
        # They ask the package index for the client's newest version.
        "skip_init_checks": True,
    }


def replying(there: Any, asked: dict[str, Any], properties: list[str]) -> Any:
    """Send a search by a vector; return the server's own reply, or the coroutine that does.

    What the client's `near_vector` adds, objects of the reply, is half of its work (520 of 932
    calls of functions for ten records, client 4.23), and the adapter would take them apart again.
    There is no public way to the reply. Decision 9.

    Parameters
    ----------
    there
        The client's handle of a collection.
    asked
        Arguments of `near_vector`.
    properties
        Names of those to return.
    """
    query = there.query
    request = query._query.near_vector(  # noqa: SLF001 - see above
        **asked,
        return_metadata=query._parse_return_metadata(DISTANCE, False),  # noqa: SLF001
        return_properties=properties,
    )
    return query._connection.grpc_search(request)  # noqa: SLF001 - see above


class Link:
    """A server, for the synchronous adapter.

    Parameters
    ----------
    config
        Where it is.
    """

    def __init__(self, config: WeaviateConfig) -> None:
        self._config = config
        self._closed = False
        self._lock = threading.Lock()
        self.client: weaviate.WeaviateClient | None = None
        self.version: tuple[int, int, int] | None = None
        """Of the server, None before the first I/O."""

    def open(self) -> weaviate.WeaviateClient:
        """Return the client; connected when nobody has yet."""
        if (client := self.client) is not None:
            return client
        with self._lock:
            if self._closed:
                raise ClosedError("this weaviate store was closed; connect again")
            if self.client is None:
                made = weaviate.WeaviateClient(**_arguments_of(self._config))
                try:
                    _connect(made)
                except BaseException:
                    made.close()
                    raise
                self.version = _version_of(made)
                self.client = made
            return self.client

    def close(self) -> None:
        """Release everything; the link cannot be opened again."""
        with self._lock:
            self._closed = True
            client, self.client = self.client, None
        if client is not None:
            client.close()


class AsyncLink:
    """A server, for the asynchronous adapter, which stays on one event loop.

    Parameters
    ----------
    config
        Where it is.
    """

    def __init__(self, config: WeaviateConfig) -> None:
        self._config = config
        self._closed = False
        self._lock = asyncio.Lock()
        self.client: weaviate.WeaviateAsyncClient | None = None
        self.version: tuple[int, int, int] | None = None
        """Of the server, None before the first I/O."""

    async def open(self) -> weaviate.WeaviateAsyncClient:
        """Return the client; connected when nobody has yet."""
        if (client := self.client) is not None:
            return client
        async with self._lock:
            if self._closed:
                raise ClosedError("this weaviate store was closed; connect again")
            if self.client is None:
                made = weaviate.WeaviateAsyncClient(**_arguments_of(self._config))
                try:
                    await _connect_async(made)
                except BaseException:
                    await made.close()
                    raise
                self.version = _version_of(made)
                self.client = made
            return self.client

    async def aclose(self) -> None:
        """Release everything; the link cannot be opened again."""
        self._closed = True
        async with self._lock:
            client, self.client = self.client, None
        if client is not None:
            await client.close()


def _inside(client: Any) -> Any:
    """Return the connection of a client; there is no other way to its hooks and its stub."""
    return client._connection  # noqa: SLF001 - see above


def _hook(connection: Any, hook: Any) -> None:
    make = connection._make_client  # noqa: SLF001 - the HTTP client is made inside of connect

    def hooked(colour: Any) -> Any:
        made = make(colour)
        made.event_hooks = {"request": [hook]}
        return made

    connection._make_client = hooked  # noqa: SLF001 - see above


def _connect(client: weaviate.WeaviateClient) -> None:
    connection = _inside(client)
    _hook(connection, _limit)
    client.connect()
    connection._grpc_stub = _Stub(connection._grpc_stub)  # noqa: SLF001 - see the module


async def _connect_async(client: weaviate.WeaviateAsyncClient) -> None:
    connection = _inside(client)
    _hook(connection, _limit_async)
    await client.connect()
    connection._grpc_stub = _AsyncStub(connection._grpc_stub)  # noqa: SLF001 - see the module


def _version_of(client: Any) -> tuple[int, int, int]:
    found = _inside(client)._weaviate_version  # noqa: SLF001 - asked for when connecting
    return found.major, found.minor, found.patch
