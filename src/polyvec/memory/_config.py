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
    """

    placed: ClassVar[frozenset[str]] = frozenset({"dir"})

    backend: Literal["memory"] = "memory"
    dir: StorePath | None = None

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        return {"dir": path_of(url)}
