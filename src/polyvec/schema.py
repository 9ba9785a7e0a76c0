"""What a collection is: its spec, its index, and how a vendor's own layout is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from polyvec.errors import InvalidRequestError
from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping


def _check_positive(index: object, **settings: int | None) -> None:
    for name, value in settings.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not always typed
            raise InvalidRequestError(
                f"{type(index).__name__}({name}={value!r}): expected an int, "
                f"got {type(value).__name__}"
            )
        if value < 1:
            raise InvalidRequestError(
                f"{type(index).__name__}({name}={value!r}): expected a number of at least 1"
            )


@dataclass(frozen=True, slots=True)
class HNSW:
    """A graph index; as an argument of `query`, the settings of one search.

    Parameters
    ----------
    m
        Links per node and layer, at least 1. None: the backend's default.
    ef_construction
        Candidates kept while inserting, at least 1. None: the backend's default.
    ef_search
        Candidates kept while searching, at least 1. None: the backend's default.
    best_effort
        False: a backend that cannot honour the settings raises
        `NotSupportedError`. True: a wish; `describe().index` tells the outcome.
    """

    m: int | None = None
    ef_construction: int | None = None
    ef_search: int | None = None
    best_effort: bool = False
    kind: ClassVar[str] = "hnsw"

    def __post_init__(self) -> None:
        _check_positive(
            self, m=self.m, ef_construction=self.ef_construction, ef_search=self.ef_search
        )


@dataclass(frozen=True, slots=True)
class IVF:
    """An inverted-file index; as an argument of `query`, the settings of one search.

    Parameters
    ----------
    lists
        Number of partitions, at least 1. None: the backend's default.
    probes
        Partitions visited by a search, at least 1. None: the backend's default.
    best_effort
        As for `HNSW`.
    """

    lists: int | None = None
    probes: int | None = None
    best_effort: bool = False
    kind: ClassVar[str] = "ivf"

    def __post_init__(self) -> None:
        _check_positive(self, lists=self.lists, probes=self.probes)


@dataclass(frozen=True, slots=True)
class Flat:
    """No index: every search compares with every vector, and is exact."""

    best_effort: bool = False
    kind: ClassVar[str] = "flat"


Index: TypeAlias = HNSW | IVF | Flat


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """What is asked of a backend when a collection is created.

    Parameters
    ----------
    name
        1 to 63 of `[A-Za-z0-9_-]`, starting with a letter.
    dimension
        Length of every vector, at least 1.
    metric
        How vectors are compared.
    index
        A required index, or None for the backend's default.
    index_fields
        Metadata field (dotted path) to its class, one of `str`, `int`, `float`,
        `bool`, `datetime`: fields that the backend should index for filters.
        They change speed, never an answer.
    """

    name: str
    dimension: int
    metric: Metric = Metric.COSINE
    index: Index | None = None
    index_fields: Mapping[str, type] = field(default_factory=dict[str, type])


@dataclass(frozen=True, slots=True)
class NativeLayout:
    """Which native fields play which role in a collection that polyvec did not make.

    Every role is optional; what is left out is read from the server where it can
    be seen there (the one primary key, the one vector).

    Parameters
    ----------
    id, vector, text, namespace
        Name of the native column, payload key, property or named vector.
    metric, dimension
        For servers that know none.
    """

    id: str | None = None
    vector: str | None = None
    text: str | None = None
    namespace: str | None = None
    metric: Metric | None = None
    dimension: int | None = None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What `describe` tells about a collection.

    Parameters
    ----------
    name
        The collection's own name, also when it was opened through an alias.
    dimension, metric
        As created.
    index
        What the server reports, None where it does not say.
    count
        Records over all namespaces.
    namespaces
        Namespace to number of records; a namespace exists while it holds one.
    layout
        `"polyvec"` for a collection made by polyvec, else `"native"`.
    details
        Whatever else the backend tells: readable, not portable.
    """

    name: str
    dimension: int
    metric: Metric
    index: Index | None
    count: int
    namespaces: dict[str, int]
    layout: str
    details: dict[str, Any] = field(default_factory=dict[str, Any])
