"""One Python API over six vector databases and an in-memory reference store.

The same code gives the same answers on every backend; see `connect`.
"""

from polyvec._version import __version__
from polyvec.answers import Explanation, Why
from polyvec.capabilities import Capabilities, Consistency, Feature, Limits
from polyvec.collection import Collection
from polyvec.collection_async import AsyncCollection
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
from polyvec.store_async import AsyncVectorStore, connect_async
from polyvec.types import Metric

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
]
