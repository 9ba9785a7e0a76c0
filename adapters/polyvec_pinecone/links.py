"""Connections to Pinecone, in both colours. By hand.

The client repeats failed calls by itself, three times, with waits that no deadline ends; and one
budget of repeats per host is shared by all clients of a process, so that one store's bad minute is
another's. The core repeats calls too: with the deadline of the verb, the server's `Retry-After`,
and the user's `max_attempts`. So the client's repeating transport is taken out, and one put in its
place that hands the deadline of the running primitive to httpx.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import httpx
from pinecone import AsyncPinecone, Pinecone, RetryConfig
from pinecone.errors.exceptions import PineconeValueError

from polyvec._setting import Setting
from polyvec._time_left import left, limit
from polyvec.errors import ClosedError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from contextlib import AbstractContextManager

    from polyvec_pinecone._config import PineconeConfig

LONGEST_S: Final = 600.0
"""For a call without a deadline."""

KEEP_ALIVE: Final = 40
"""Connections of each host; the client keeps half of them alive."""

NO_KEY: Final = "none"
"""The client wants a key; a server that is given by its host may do without."""

ONCE: Final = RetryConfig(max_retries=0)

FIELDS: Final = {
    b"x-pinecone-request-lsn": "committed",
    b"x-pinecone-lsn-committed": "committed",
    b"x-pinecone-max-indexed-lsn": "indexed",
    b"x-pinecone-lsn-reconciled": "indexed",
}
"""Headers with log sequence numbers, the new and the old ones: client 10.2, `ResponseInfo`."""

MOST_REMEMBERED: Final = 50_000
"""Ids that a namespace's marks hold."""

MOST_WITH_IDS: Final = 16
"""Namespaces whose marks hold ids: the last ones that were used."""

MOST_SPACES: Final = 10_000
"""Namespaces whose marks are kept at all."""

_marks: ContextVar[Marks | None] = ContextVar("polyvec_pinecone_marks", default=None)


def seconds_left() -> float:
    """Return what is left for the running primitive."""
    seconds = left()
    return LONGEST_S if seconds is None else max(0.001, seconds)


class Marks:
    """How far a namespace is: log sequence numbers that come in the headers of answers.

    A write's answer says which number it has, a search's up to which number it saw. The client
    shows them, but not for a delete, whose answer it drops; so they are read here.
    """

    def __init__(self) -> None:
        self.committed = 0
        self.indexed = 0
        self._written: dict[str, None] = {}
        self._lock = threading.Lock()

    def note(self, headers: httpx.Headers) -> None:
        """Take the numbers of an answer."""
        for name, value in headers.raw:
            field = FIELDS.get(name.lower())
            if field is not None and value.isdigit():
                with self._lock:
                    setattr(self, field, max(getattr(self, field), int(value)))

    def wrote(self, ids: Iterable[str]) -> None:
        """Remember ids as written, the last of them where there are many."""
        with self._lock:
            self._written |= dict.fromkeys(ids)
            for _ in range(len(self._written) - MOST_REMEMBERED):
                del self._written[next(iter(self._written))]

    def deleted(self, ids: Iterable[str] | None) -> None:
        """Forget ids, None for all."""
        with self._lock:
            for one in list(self._written) if ids is None else ids:
                self._written.pop(one, None)

    def known(self, ids: Iterable[str]) -> list[str]:
        """Return the ids that were written and not deleted."""
        with self._lock:
            return [one for one in ids if one in self._written]


def noting(marks: Marks) -> AbstractContextManager[None]:
    """Have the answers to the requests made inside noted."""
    return Setting(_marks, marks)


def _note(response: httpx.Response) -> httpx.Response:
    if (marks := _marks.get()) is not None and response.is_success:
        marks.note(response.headers)
    return response


class MarksOf:
    """The marks of every namespace that a store wrote or read."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Marks] = {}
        self._lock = threading.Lock()

    def get(self, host: str, space: str) -> Marks:
        """Return the marks of a namespace; those of many are forgotten bit by bit."""
        key = host, space
        with self._lock:
            marks = self._found.pop(key, None) or Marks()
            self._found[key] = marks  # the last one now
            if len(self._found) > MOST_WITH_IDS:
                next(islice(reversed(self._found.values()), MOST_WITH_IDS, None)).deleted(None)
            if len(self._found) > MOST_SPACES:
                del self._found[next(iter(self._found))]
        return marks


class Once(httpx.BaseTransport):
    """Sends each request once, within the deadline of the running primitive.

    Parameters
    ----------
    inner
        What sends it.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        limit(request, LONGEST_S)
        try:
            return _note(self._inner.handle_request(request))
        except httpx.TransportError as exc:
            exc.request = request  # the client names its host
            raise

    def close(self) -> None:
        self._inner.close()


class AsyncOnce(httpx.AsyncBaseTransport):
    """Sends each request once, within the deadline of the running primitive.

    Parameters
    ----------
    inner
        What sends it.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limit(request, LONGEST_S)
        return _note(await self._inner.handle_async_request(request))

    async def aclose(self) -> None:
        await self._inner.aclose()


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
        self._indexes: dict[str, Any] = {}
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

    def index(self, host: str) -> Any:
        """Return the client of one index's data."""
        if (index := self._indexes.get(host)) is not None:
            return index
        with self._lock:
            client = self._opened()
            if host not in self._indexes:
                made: Any = client.index(host=host, grpc=self._config.grpc)
                if not self._config.grpc:
                    _send_once(made)
                self._indexes[host] = made
            return self._indexes[host]

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

    async def index(self, host: str) -> Any:
        """Return the client of one index's data."""
        if (index := self._indexes.get(host)) is not None:
            return index
        client = await self.open()
        made: Any = await client.index(host=host)  # with a host it awaits nothing
        _send_once_async(made)
        return self._indexes.setdefault(host, made)

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
    http._transport = Once(http._transport._transport)  # type: ignore[attr-defined]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType] - see above


def _send_once_async(made: Any) -> None:
    """Take out the transport that repeats; there is no public way to it."""
    http: httpx.AsyncClient = made._http._ensure_client()  # noqa: SLF001 - see above
    http._transport = AsyncOnce(http._transport._transport)  # type: ignore[attr-defined]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType] - see above
