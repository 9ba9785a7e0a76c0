"""The configuration of a store, and what its URLs mean."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from polyvec.config import StoreConfig
from polyvec.config_types import Flag, StorePath
from polyvec.places import IN_MEMORY, path_of, refuse_user
from polyvec.url import StoreUrl


class SqliteConfig(StoreConfig, frozen=True):
    """A database file (`sqlite:///path/file.db`) or one in memory (`sqlite:///:memory:`).

    Parameters
    ----------
    file
        Path of the database, which is created when it does not exist.
    in_memory
        A database that ends with the store.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"file", "in_memory"})

    backend: Literal["sqlite"] = "sqlite"
    file: StorePath | None = None
    in_memory: Flag = False

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        """Return `file` or `in_memory`."""
        if not url.hosts and url.path == f"/{IN_MEMORY}":
            refuse_user(url, instead="nothing")
            return {"in_memory": True}
        if (path := path_of(url, what="file")) is None:
            raise url.error("no place given; expected 'sqlite:///file' or 'sqlite:///:memory:'")
        return {"file": path}

    @model_validator(mode="after")
    def _check_one_place(self) -> Self:
        if (self.file is not None) == self.in_memory:
            found = "both" if self.in_memory else "neither"
            raise ValueError(f"expected one of file and in_memory, got {found}")
        return self

    @property
    def database(self) -> str:
        """What `sqlite3.connect` takes."""
        return IN_MEMORY if self.file is None else str(self.file)
