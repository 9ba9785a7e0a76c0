"""The configuration of the memory store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from polyvec.config import StoreConfig
from polyvec.config_types import StorePath
from polyvec.places import path_of

if TYPE_CHECKING:
    from polyvec.url import StoreUrl


class MemoryConfig(StoreConfig, frozen=True):
    """`memory://`, or `memory:///dir` for one that is kept in a directory.

    Parameters
    ----------
    dir
        The directory, made when it is absent. None: the records end with the store.
    hnsw
        "auto": a graph for large namespaces of collections that asked for `HNSW(...)`, made by the
        way. "always", for tests: for every collection that did not ask for `Flat()`, from its
        first record, and a search waits until its graph is complete.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"dir"})

    backend: Literal["memory"] = "memory"
    dir: StorePath | None = None
    hnsw: Literal["auto", "always"] = "auto"

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        return {"dir": path_of(url)}
