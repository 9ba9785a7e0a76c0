"""Connections to Milvus: a server in both colours, and Milvus Lite in this process. By hand.

The client's own time-out bounds only the connecting: a call without one waits for ever at a hung
server. So every call gets what is left of the running primitive's deadline, by `seconds_left`.

When a connection breaks, the client would connect anew and repeat the call, holding a lock of the
whole process for up to 10 s, whatever the deadline (`connection_manager.handle_error` of 3.0.2).
Repeating is the core's; here a client whose connection broke is left, and the next call makes one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
from pymilvus import AsyncMilvusClient, MilvusClient

from polyvec._dirlock import DirectoryLock
from polyvec._time_left import CONNECT_S, left
from polyvec._time_left import within as limited
from polyvec.errors import ClosedError, DeadlineError

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from polyvec_milvus._config import MilvusConfig

LONGEST_S: Final = 300.0
"""For a call without a deadline."""

DEFAULT_KINDS: Final = {"flat": "FLAT", "auto": "AUTOINDEX"}

# It logs every failed call with a traceback and the filter's text, at the level ERROR.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)


class Link(Protocol):
    """What the synchronous adapter needs of a connection."""

    is_server: bool
    default_kind: str
    client: Any

    def open(self) -> Any:
        """Return the client; made when nobody has yet."""
        ...

    def of_partition(self, name: str) -> dict[str, Any]:
        """Return the argument of `get_load_state` that names a partition."""
        ...

    def close(self) -> None:
        """Release everything; the link cannot be opened again."""
        ...


class AsyncLink(Protocol):
    """What the asynchronous adapter needs of a connection."""

    is_server: bool
    default_kind: str
    client: Any

    async def open(self) -> Any:
        """Return the client; made when nobody has yet."""
        ...

    def of_partition(self, name: str) -> dict[str, Any]:
        """Return the argument of `get_load_state` that names a partition."""
        ...

    async def aclose(self) -> None:
        """Release everything; the link cannot be opened again."""
        ...


def within(timeout_s: float | None) -> AbstractContextManager[None]:
    """Give the calls made inside at most so much time, together."""
    return limited(timeout_s, LONGEST_S)


def seconds_left() -> float:
    """Return what is left for the running primitive.

    Raises
    ------
    DeadlineError
        Nothing is.
    """
    found = left()
    seconds = LONGEST_S if found is None else found
    if seconds <= 0:
        raise DeadlineError("no answer in time", store="milvus", operation="wait")
    return seconds


def arguments_of(config: MilvusConfig) -> dict[str, Any]:
    """Return the arguments of a client for a server, without the time to connect."""
    scheme = "https" if config.tls else "http"
    host = f"[{config.host}]" if ":" in str(config.host) else config.host
    arguments: dict[str, Any] = {
        "uri": f"{scheme}://{host}:{config.port}",
        "db_name": config.database or "",
        # Not one of the process's shared connections, whose owners may be in another state; nor
        # their waiting time after a failure, which gRPC keeps for all channels to one address.
        "dedicated": True,
        "grpc_options": {"grpc.use_local_subchannel_pool": 1},
    }
    if config.user is not None and config.password is not None:
        arguments["token"] = f"{config.user}:{config.password.get_secret_value()}"
    elif config.token is not None:
        arguments["token"] = config.token.get_secret_value()
    return arguments


@contextmanager
def _held(lock: threading.Lock) -> Generator[None]:
    """Hold a lock; wait for it no longer than the running primitive may."""
    if not lock.acquire(timeout=seconds_left()):
        raise DeadlineError("not its turn in time", store="milvus", operation="wait")
    try:
        yield
    finally:
        lock.release()


def _is_broken(error: Exception) -> bool:
    """Tell whether a call failed because of its connection."""
    if not isinstance(error, grpc.RpcError):
        return False
    code: Any = getattr(error, "code", None)
    return bool(code is not None and code() == grpc.StatusCode.UNAVAILABLE)


class _Left:
    """Clients that were left while calls may still run on them; closed after the longest call."""

    def __init__(self) -> None:
        self._clients: list[tuple[float, Any]] = []

    def add(self, client: Any) -> None:
        self._clients.append((time.monotonic() + LONGEST_S, client))

    def over(self, *, everyone: bool = False) -> list[Any]:
        """Return those to close now."""
        now = time.monotonic()
        found = [client for end, client in self._clients if everyone or end < now]
        self._clients = [one for one in self._clients if not everyone and one[0] >= now]
        return found


def _prepare_in_turn(handler: Any) -> None:
    """Have the client write one upsert request at a time, while others are under way.

    Threads that write theirs side by side share one interpreter, and all finish late: the server
    has nothing to do until then. In turn 10,000 records take an eighth less (2.3.5; decision 10).
    """
    prepare = getattr(handler, "_prepare_row_upsert_request", None)
    if prepare is None:  # it has no public name, and may go: then they are written side by side
        return
    turn = threading.Lock()

    def in_turn(*args: Any, **kw: Any) -> Any:
        with _held(turn):
            return prepare(*args, **kw)

    handler._prepare_row_upsert_request = in_turn  # noqa: SLF001 - see above


class ServerLink:
    """A server, for the synchronous adapter.

    Parameters
    ----------
    config
        With a host.
    """

    is_server = True

    def __init__(self, config: MilvusConfig) -> None:
        self._config = config
        self.default_kind = DEFAULT_KINDS[config.default_index]
        self._closed = False
        self._lock = threading.Lock()
        self._left = _Left()
        self.client: Any = None

    def open(self) -> Any:
        if (client := self.client) is not None:
            return client
        with _held(self._lock):  # whoever connects may take longer than we have
            if self._closed:
                raise ClosedError("this milvus store was closed; connect again")
            if self.client is None:
                wait = min(CONNECT_S, seconds_left())
                made: Any = MilvusClient(**arguments_of(self._config), timeout=wait)
                made._handler._on_rpc_error = partial(self._failed, made)  # noqa: SLF001 - see above
                _prepare_in_turn(made._handler)  # noqa: SLF001 - see there
                self.client = made
            return self.client

    def _failed(self, client: Any, error: Exception) -> bool:
        """Leave a client whose connection broke; never have it repeat a call."""
        if _is_broken(error):
            with self._lock:
                if self.client is client:
                    self.client = None
                    self._left.add(client)
                for old in self._left.over():
                    old.close()
        if isinstance(error, grpc.RpcError):
            raise error
        return False

    def of_partition(self, name: str) -> dict[str, Any]:
        return {"partition_name": name}

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self.client = self.client, None
        for old in self._left.over(everyone=True):
            old.close()
        if client is not None:
            client.close()


async def _at_once(*_: Any, **__: Any) -> tuple[bool, str]:
    """Wait for nothing; what waits is `ready`, when a collection is first read.

    The asynchronous client ignores `sync=False` and `_async=True` (3.0.2): it looks for an index
    every half second and for a loaded collection until it is there, which takes 3 s.
    """
    return True, ""


class AsyncServerLink:
    """A server, for the asynchronous adapter, which stays on one event loop.

    Parameters
    ----------
    config
        With a host.
    """

    is_server = True

    def __init__(self, config: MilvusConfig) -> None:
        self._config = config
        self.default_kind = DEFAULT_KINDS[config.default_index]
        self._closed = False
        self._opening = asyncio.Lock()
        self._left = _Left()
        self.client: Any = None

    async def open(self) -> Any:
        if self.client is not None:
            return self.client
        async with asyncio.timeout(seconds_left()), self._opening:
            if self._closed:
                raise ClosedError("this milvus store was closed; connect again")
            if self.client is None:
                wait = min(CONNECT_S, seconds_left())
                made: Any = AsyncMilvusClient(**arguments_of(self._config), timeout=wait)
                async with asyncio.timeout(wait):
                    await made._connect()  # noqa: SLF001 - else the first two calls connect twice
                made._handler._on_rpc_error = partial(self._failed, made)  # noqa: SLF001 - see above
                made._handler.wait_for_creating_index = _at_once  # noqa: SLF001 - see there
                made._handler.wait_for_loading_collection = _at_once  # noqa: SLF001 - see there
                self.client = made
            return self.client

    async def _failed(self, client: Any, error: Exception) -> bool:
        """Leave a client whose connection broke; never have it repeat a call."""
        if _is_broken(error):
            if self.client is client:
                self.client = None
                self._left.add(client)
            for old in self._left.over():
                await old.close()
        if isinstance(error, grpc.RpcError):
            raise error
        return False

    def of_partition(self, name: str) -> dict[str, Any]:
        return {"partition_names": [name]}

    async def aclose(self) -> None:
        self._closed = True
        client, self.client = self.client, None
        for old in self._left.over(everyone=True):
            await old.close()
        if client is not None:
            await client.close()


class LiteLink:
    """Milvus Lite: a directory, which the client serves to itself from threads of this process.

    Parameters
    ----------
    config
        With a file.
    """

    is_server = False
    default_kind = "FLAT"

    def __init__(self, config: MilvusConfig) -> None:
        assert config.file is not None
        self._place = config.file
        self._held = DirectoryLock(config.file, "milvus")
        self._closed = False
        self._lock = threading.Lock()
        self.client: Any = None

    def open(self) -> Any:
        if (client := self.client) is not None:
            return client
        with self._lock:
            if self._closed:
                raise ClosedError("this milvus store was closed; connect again")
            if self.client is None:
                self._place.mkdir(parents=True, exist_ok=True)
                self._held.acquire()
                try:
                    self.client = MilvusClient(str(self._place), timeout=CONNECT_S, dedicated=True)
                except BaseException:
                    self._held.release()
                    raise
            return self.client

    def of_partition(self, name: str) -> dict[str, Any]:
        return {"partition_name": name}

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self.client = self.client, None
            if client is None:
                return
            client.close()
            # Closing the client leaves its server and the lock of the directory.
            from milvus_lite.server_manager import server_manager_instance

            manager: Any = server_manager_instance
            manager.release_server(str(self._place))
            self._held.release()
