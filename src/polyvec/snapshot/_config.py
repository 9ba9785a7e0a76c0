"""The configuration of a Parquet snapshot as a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from polyvec.config import StoreConfig
from polyvec.config_types import StorePath
from polyvec.places import path_of

if TYPE_CHECKING:
    from polyvec.url import StoreUrl


class ParquetConfig(StoreConfig, frozen=True):
    """`parquet:///dir`.

    Parameters
    ----------
    dir
        Directory of the snapshot.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"dir"})

    backend: Literal["parquet"] = "parquet"
    dir: StorePath

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        if (path := path_of(url)) is None:
            raise url.error("no directory given; expected 'parquet:///dir' or 'parquet:./dir'")
        return {"dir": path}
