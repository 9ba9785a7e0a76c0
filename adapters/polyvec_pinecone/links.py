"""The vendor's clients of one store, in both colours. By hand."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pinecone import AsyncPinecone, Pinecone, RetryConfig
from pinecone.errors.exceptions import PineconeValueError

from polyvec.errors import ClosedError, ConfigError
from polyvec_pinecone._transport import LONGEST_S, AsyncOnce, Once, seconds_left

if TYPE_CHECKING:
    from collections.abc import Generator

    import httpx

    from polyvec_pinecone._config import PineconeConfig

KEEP_ALIVE: Final = 40
"""Connections of each host in the asynchronous store; the client keeps half of them alive."""

NO_KEY: Final = "none"
"""The client wants a key; a server that is given by its host may do without."""

ONCE: Final = RetryConfig(max_retries=0)


def arguments_of(config: PineconeConfig) -> dict[str, Any]:
    """Return the arguments of a client."""
    key = NO_KEY if config.api_key is None else config.api_key.get_secret_value()
    return {
        "api_key": key,
        "host": config.address(),
        "timeout": LONGEST_S,
        "connection_pool_maxsize": max(KEEP_ALIVE, 2 * config.max_concurrency),
        "retry_config": ONCE,
        "source_tag": "polyvec",
    }


@contextmanager
def _usable_key() -> Generator[None]:
    """Name the option that is at fault; the client never shows the key."""
    try:
        yield
    except PineconeValueError as exc:
        raise ConfigError(f"pinecone cannot be set up: {exc.message}") from exc


class Link:
    """Pinecone, for the synchronous adapter.

    Parameters
    ----------
    config
        Where it is, and the key.
    """

    def __init__(self, config: PineconeConfig) -> None:
        self._config = config
        self._closed = False
        self._lock = threading.Lock()
        self._indexes: dict[tuple[str, bool], Any] = {}
        self.client: Pinecone | None = None

    def open(self) -> Pinecone:
        """Return the client; made when nobody has yet."""
        if (client := self.client) is not None:
            return client
        with self._lock:
            return self._opened()

    def _opened(self) -> Pinecone:
        if self._closed:
            raise ClosedError("this pinecone store was closed; connect again")
        if self.client is None:
            with _usable_key():
                made = Pinecone(
                    **arguments_of(self._config),
                    grpc_scheme="https" if self._config.tls else "http",
                )
            _send_once(made)
            self.client = made
        return self.client

    @property
    def tells(self) -> bool:
        """Whether answers have log sequence numbers; over gRPC the client shows none."""
        return not self._config.grpc

    def index(self, host: str, *, rest: bool = False) -> Any:
        """Return the client of one index's data, the one that speaks REST where that is asked."""
        key = host, self._config.grpc and not rest
        if (index := self._indexes.get(key)) is not None:
            return index
        with self._lock:
            client = self._opened()
            if key not in self._indexes:
                made: Any = client.index(host=host, grpc=key[1])
                if not key[1]:
                    _send_once(made)
                self._indexes[key] = made
            return self._indexes[key]

    def limits(self) -> dict[str, float]:
        """Return the arguments that end a call in time; over REST its transport does."""
        return {"timeout": seconds_left()} if self._config.grpc else {}

    def close(self) -> None:
        """Release everything; the link cannot be opened again."""
        with self._lock:
            self._closed = True
            client, self.client = self.client, None
            indexes, self._indexes = self._indexes, {}
        for index in indexes.values():
            index.close()
        if client is not None:
            client.close()


class AsyncLink:
    """Pinecone, for the asynchronous adapter, which stays on one event loop.

    Parameters
    ----------
    config
        Where it is, and the key.
    """

    def __init__(self, config: PineconeConfig) -> None:
        self._config = config
        self._closed = False
        self._indexes: dict[str, Any] = {}
        self.client: AsyncPinecone | None = None

    async def open(self) -> AsyncPinecone:
        """Return the client; made when nobody has yet."""
        if self._closed:
            raise ClosedError("this pinecone store was closed; connect again")
        # Nothing is awaited below, so two tasks cannot both be here.
        if self.client is None:
            with _usable_key():
                made = AsyncPinecone(**arguments_of(self._config))
            _send_once_async(made)
            self.client = made
        return self.client

    @property
    def tells(self) -> bool:
        """Whether answers have log sequence numbers."""
        return True

    async def index(self, host: str, *, rest: bool = False) -> Any:
        """Return the client of one index's data."""
        if (index := self._indexes.get(host)) is not None:
            return index
        client = await self.open()
        made: Any = await client.index(host=host)  # with a host it awaits nothing
        _send_once_async(made)
        return self._indexes.setdefault(host, made)

    def limits(self) -> dict[str, float]:
        """Return no arguments: the transport ends a call in time."""
        return {}

    async def aclose(self) -> None:
        """Release everything; the link cannot be opened again."""
        self._closed = True
        client, self.client = self.client, None
        indexes, self._indexes = self._indexes, {}
        for index in indexes.values():
            await index.close()
        if client is not None:
            await client.close()


def _send_once(made: Any) -> None:
    """Take out the transport that repeats; there is no public way to it."""
    http: httpx.Client = made._http._client  # noqa: SLF001 - see above
    http._transport.close()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
    http._transport = Once(http.base_url)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above


def _send_once_async(made: Any) -> None:
    """Take out the transport that repeats; there is no public way to it."""
    http: httpx.AsyncClient = made._http._ensure_client()  # noqa: SLF001 - see above
    http._transport = AsyncOnce(http._transport._transport)  # type: ignore[attr-defined]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType] - see above
