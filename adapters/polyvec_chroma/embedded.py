"""Chroma inside this process: a directory that is ours alone, or a database that ends with us.

Every embedded client of Chroma's in a process shares one system, and all those in memory one
database; here each link has a system of its own. Chroma lets two processes open one directory,
and then each of them misses what the other adds to the index; the directory's lock prevents that.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from chromadb.api import ServerAPI
from chromadb.config import DEFAULT_DATABASE, DEFAULT_TENANT, System

from polyvec._dirlock import DirectoryLock
from polyvec.errors import ClosedError
from polyvec_chroma._errors import PanicError
from polyvec_chroma.links import OWN_SETTINGS, SYNC, OwnClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyvec_chroma._config import ChromaConfig

API: Final = "chromadb.api.rust.RustBindingsAPI"


class EmbeddedLink:
    """A database in this process.

    Parameters
    ----------
    config
        With a directory, or in memory.
    """

    def __init__(self, config: ChromaConfig) -> None:
        self.tenant = config.tenant or DEFAULT_TENANT
        self.database = config.database or DEFAULT_DATABASE
        self.client: OwnClient | None = None
        self._directory = config.dir
        self._held: DirectoryLock | None = None
        self._system: System | None = None
        self._api: ServerAPI | None = None
        self._closed = False
        self._lock = threading.Lock()

    def open(self) -> ServerAPI:
        if (api := self._api) is not None:
            return api
        with self._lock:
            if self._closed:
                raise ClosedError("this chroma store was closed; connect again")
            if self._api is None:
                self._api = self._start()
            return self._api

    def _start(self) -> ServerAPI:
        settings = OWN_SETTINGS(
            _env_file=None,
            chroma_api_impl=API,
            is_persistent=self._directory is not None,
            persist_directory="" if self._directory is None else str(self._directory),
            anonymized_telemetry=False,
        )
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._held = DirectoryLock(self._directory, "chroma")
            self._held.acquire()
        try:
            system = System(settings)
            api = system.instance(SYNC)
            guarded(system.start)()
        except BaseException:
            if self._held is not None:
                self._held.release()
            raise
        api.bindings = _Guarded(api.bindings)
        self._system = system
        self.client = OwnClient(system, self.tenant, self.database)
        opened: ServerAPI = api
        return opened

    def close(self) -> None:
        with self._lock:
            self._closed, self._api = True, None
            if self.client is not None:
                self.client.release()
                self.client = None
            if self._system is not None:
                self._system.stop()
                self._system = None
            if self._held is not None:
                self._held.release()


class _Guarded:
    """Chroma's native code, whose panics are no `Exception` (trap S14)."""

    def __init__(self, bindings: Any) -> None:
        self._bindings = bindings

    def __getattr__(self, name: str) -> Any:
        method = guarded(getattr(self._bindings, name))
        setattr(self, name, method)  # the next call skips this lookup
        return method


def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that raises `PanicError` for a panic of native code."""

    def inner(*args: Any, **kw: Any) -> Any:
        try:
            return call(*args, **kw)
        except BaseException as exc:
            if type(exc).__name__ == "PanicException":  # made at run time: it cannot be imported
                raise PanicError(str(exc)) from exc
            raise

    return inner
