"""One Python API over six vector databases and an in-memory reference store.

The same code gives the same answers on every backend; see `connect`.
"""

from typing import TYPE_CHECKING, Any

from polyvec._version import __version__
from polyvec.answers import Explanation, Why
from polyvec.capabilities import Capabilities, Consistency, Feature, Limits
from polyvec.collection import Collection
from polyvec.config import StoreConfig
from polyvec.errors import (
    AccessError,
    ClosedError,
    CollectionExistsError,
    CollectionNotFoundError,
    ConfigError,
    DeadlineError,
    DimensionMismatchError,
    FilterError,
    InvalidRecordError,
    InvalidRequestError,
    MigrationError,
    MissingDependencyError,
    NotIncludedError,
    NotSupportedError,
    PartialWriteError,
    PolyvecError,
    RateLimitedError,
    RejectedError,
    SearchBudgetError,
    StoreError,
    UnavailableError,
)
from polyvec.filters import And, F, Filter, Not, Or
from polyvec.metadata import Metadata
from polyvec.records import Hit, RecordBatch, VectorRecord
from polyvec.schema import HNSW, IVF, CollectionInfo, Flat, NativeLayout
from polyvec.store import VectorStore, connect
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.collection_async import AsyncCollection
    from polyvec.migrate.migration import migrate
    from polyvec.store_async import AsyncVectorStore, connect_async

__all__ = [
    "HNSW",
    "IVF",
    "AccessError",
    "And",
    "AsyncCollection",
    "AsyncVectorStore",
    "Capabilities",
    "ClosedError",
    "Collection",
    "CollectionExistsError",
    "CollectionInfo",
    "CollectionNotFoundError",
    "ConfigError",
    "Consistency",
    "DeadlineError",
    "DimensionMismatchError",
    "Explanation",
    "F",
    "Feature",
    "Filter",
    "FilterError",
    "Flat",
    "Hit",
    "InvalidRecordError",
    "InvalidRequestError",
    "Limits",
    "Metadata",
    "Metric",
    "MigrationError",
    "MissingDependencyError",
    "NativeLayout",
    "Not",
    "NotIncludedError",
    "NotSupportedError",
    "Or",
    "PartialWriteError",
    "PolyvecError",
    "RateLimitedError",
    "RecordBatch",
    "RejectedError",
    "SearchBudgetError",
    "StoreConfig",
    "StoreError",
    "UnavailableError",
    "VectorRecord",
    "VectorStore",
    "Why",
    "__version__",
    "connect",
    "connect_async",
    "migrate",
]


# A program without an event loop does not pay for asyncio, a third of the whole import.
_LATER = {
    "AsyncCollection": "polyvec.collection_async",
    "AsyncVectorStore": "polyvec.store_async",
    "connect_async": "polyvec.store_async",
}


def __getattr__(name: str) -> Any:
    """Load what few programs need when it is first asked for; `migrate` is a package to call."""
    from importlib import import_module

    if name == "migrate":
        return import_module("polyvec.migrate")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """Name these too."""
    return sorted({*globals(), *__all__})
