"""Connections to Chroma: a server in both colours, by hand because their clients differ.

Chroma's own `AsyncHttpClient` keeps its connections in a dict of the class, by event loop: a
second client on the loop sends the headers of the first, and TLS certificates are not checked
unless one asks (trap S5). Neither colour has timeouts. So a link makes the client's parts
itself: a system and an HTTP client of its own, the headers of its configuration, and a request
hook that hands the deadline of the running primitive to httpx.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

import httpx
from chromadb.api import AsyncServerAPI, ServerAPI
from chromadb.api.async_client import AsyncClient
from chromadb.api.client import Client
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import DEFAULT_DATABASE, DEFAULT_TENANT, Settings, System

from polyvec._time_left import CONNECT_S, left, limit
from polyvec.errors import ClosedError

if TYPE_CHECKING:
    from polyvec_chroma._config import ChromaConfig

SYNC_API: Final = "chromadb.api.fastapi.FastAPI"
ASYNC_API: Final = "chromadb.api.async_fastapi.AsyncFastAPI"
# Chroma finds an implementation by its abstract class, which no type checker lets one pass; and
# pydantic's `_env_file` is hidden by the class's own constructor.
SYNC: Final[Any] = ServerAPI
ASYNC: Final[Any] = AsyncServerAPI
OWN_SETTINGS: Final[Any] = Settings

TOKEN_HEADER: Final = "x-chroma-token"  # noqa: S105 - the name of a header


class Link(Protocol):
    """What the synchronous adapter needs of a connection."""

    tenant: str
    database: str
    client: Any

    def open(self) -> ServerAPI:
        """Return the API; connects when nobody has yet."""
        ...

    def close(self) -> None:
        """Release everything; the link cannot be opened again."""
        ...


class AsyncLink(Protocol):
    """What the asynchronous adapter needs of a connection."""

    tenant: str
    database: str
    client: Any

    async def open(self) -> AsyncServerAPI:
        """Return the API; connects when nobody has yet."""
        ...

    async def aclose(self) -> None:
        """Release everything; the link cannot be opened again."""
        ...


def _limit(request: httpx.Request) -> None:
    """Set the timeouts of a request to what is left; without a limit they stay."""
    if left() is not None:
        limit(request, 0.0)


async def _limit_async(request: httpx.Request) -> None:
    _limit(request)


def settings_of(config: ChromaConfig, api: str) -> Settings:
    """Return Chroma's settings for a server; neither `.env` nor another client has a say."""
    settings: Settings = OWN_SETTINGS(
        _env_file=None,
        chroma_api_impl=api,
        chroma_server_host=config.host,
        chroma_server_http_port=config.port,
        chroma_server_ssl_enabled=config.tls,
        chroma_server_ssl_verify=True,
        chroma_server_headers=headers_of(config),
        anonymized_telemetry=False,
    )
    return settings


def headers_of(config: ChromaConfig) -> dict[str, str]:
    """Return the headers that let us in; a new dict, because Chroma's client adds to it."""
    headers: dict[str, str] = {}
    if config.api_key is not None:
        headers[TOKEN_HEADER] = config.api_key.get_secret_value()
    if config.user is not None and config.password is not None:
        pair = f"{config.user}:{config.password.get_secret_value()}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return headers


class OwnClient(Client):
    """Chroma's client over a system that it shares with no other client."""

    def __init__(self, system: System, tenant: str, database: str) -> None:
        # Not the inherited constructor: it asks the server at once, and shares the system.
        self._identifier = f"polyvec-{uuid4()}"
        SharedSystemClient._identifier_to_system[self._identifier] = system  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - where `_system` looks
        self.tenant = tenant
        self.database = database
        self._server = system.instance(SYNC)

    def release(self) -> None:
        """Forget the system; called once, in place of the inherited `close`."""
        SharedSystemClient._identifier_to_system.pop(self._identifier, None)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see __init__


class OwnAsyncClient(AsyncClient):
    """Chroma's asynchronous client over a system that it shares with no other client."""

    def __init__(self, system: System, tenant: str, database: str) -> None:
        self._identifier = f"polyvec-{uuid4()}"
        SharedSystemClient._identifier_to_system[self._identifier] = system  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see OwnClient
        self.tenant = tenant
        self.database = database
        self._server = system.instance(ASYNC)

    def release(self) -> None:
        """Forget the system."""
        SharedSystemClient._identifier_to_system.pop(self._identifier, None)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see OwnClient


class HttpLink:
    """A server, for the synchronous adapter.

    Parameters
    ----------
    config
        With a host.
    """

    def __init__(self, config: ChromaConfig) -> None:
        self.tenant = config.tenant or DEFAULT_TENANT
        self.database = config.database or DEFAULT_DATABASE
        self.client: OwnClient | None = None
        self._config = config
        self._api: ServerAPI | None = None
        self._session: httpx.Client | None = None
        self._closed = False
        self._lock = threading.Lock()

    def open(self) -> ServerAPI:
        if (api := self._api) is not None:
            return api
        with self._lock:
            if self._closed:
                raise ClosedError("this chroma store was closed; connect again")
            if self._api is None:
                self._api = self._connect()
            return self._api

    def _connect(self) -> ServerAPI:
        system = System(settings_of(self._config, SYNC_API))
        api = system.instance(SYNC)
        session: httpx.Client = api._session  # noqa: SLF001 - the only way to its timeouts
        session.event_hooks = {"request": [_limit]}
        session.timeout = httpx.Timeout(None, connect=CONNECT_S)
        self._session = session
        system.start()
        self.client = OwnClient(system, self.tenant, self.database)
        opened: ServerAPI = api
        return opened

    def close(self) -> None:
        with self._lock:
            self._closed, self._api = True, None
            if self.client is not None:
                self.client.release()
                self.client = None
            if self._session is not None:
                self._session.close()


class AsyncHttpLink:
    """A server, for the asynchronous adapter, which stays on one event loop.

    Parameters
    ----------
    config
        With a host.
    """

    def __init__(self, config: ChromaConfig) -> None:
        self.tenant = config.tenant or DEFAULT_TENANT
        self.database = config.database or DEFAULT_DATABASE
        self.client: OwnAsyncClient | None = None
        self._config = config
        self._api: AsyncServerAPI | None = None
        self._session: httpx.AsyncClient | None = None
        self._closed = False

    async def open(self) -> AsyncServerAPI:
        if self._api is not None:
            return self._api
        if self._closed:
            raise ClosedError("this chroma store was closed; connect again")
        # Nothing is awaited below, so two tasks cannot both be here.
        system = System(settings_of(self._config, ASYNC_API))
        api = system.instance(ASYNC)
        api._clients = {}  # noqa: SLF001 - in front of the dict of the class, trap S5
        session: httpx.AsyncClient = api._get_client()  # noqa: SLF001 - the only way to its timeouts
        session.event_hooks = {"request": [_limit_async]}
        session.timeout = httpx.Timeout(None, connect=CONNECT_S)
        # Its own would take the hash of whatever loop it finds; the core keeps us on this one.
        api._get_client = lambda: session  # noqa: SLF001 - likewise
        self._session = session
        system.start()
        self.client = OwnAsyncClient(system, self.tenant, self.database)
        opened: AsyncServerAPI = api
        self._api = opened
        return opened

    async def aclose(self) -> None:
        self._closed, self._api = True, None
        if self.client is not None:
            self.client.release()
            self.client = None
        if self._session is not None:
            await self._session.aclose()


__all__ = [
    "AsyncHttpLink",
    "AsyncLink",
    "HttpLink",
    "Link",
    "OwnClient",
    "headers_of",
    "settings_of",
]
