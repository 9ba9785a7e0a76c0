"""What a store can do, told before any call and verified by the conformance suite."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from polyvec.errors import NotSupportedError

if TYPE_CHECKING:
    from polyvec.types import Metric


class Feature(StrEnum):
    """An ability that stores have or lack.

    The first group is what a caller can see: undeclared, the verb raises
    `NotSupportedError` before any I/O. The second group are hints: undeclared,
    the core takes a longer way to the same answer.
    """

    ALIASES = "aliases"
    """`set_alias`, `aliases`, `drop_alias`; the switch is atomic."""
    SPARSE = "sparse"
    """Sparse vectors beside the dense one. Reserved."""
    HYBRID = "hybrid"
    """Keyword and vector search in one query. Reserved."""

    DELETE_BY_FILTER = "delete_by_filter"
    """Hint: primitive `delete_where`; else scan and `delete_ids`."""
    SERVER_SIDE_COUNT = "server_side_count"
    """Hint: primitive `count`, exact; else a scan that counts."""
    SERVER_SIDE_UPDATE = "server_side_update"
    """Hint: primitive `update`, atomic per record; else get and upsert."""
    SPLIT = "split"
    """Hint: primitive `split`; else one range for the whole key space."""
    EXACT_SEARCH = "exact_search"
    """Hint: primitive `exact_search`; else a scan through a top-k heap."""

    @property
    def is_hint(self) -> bool:
        """Whether the core has a way around the missing ability."""
        return self not in (Feature.ALIASES, Feature.SPARSE, Feature.HYBRID)


class Consistency(StrEnum):
    """When a finished write is seen by a read. From the same store: at once, except EVENTUAL."""

    STRONG = "strong"
    """Every process sees it at once."""
    SESSION = "session"
    """Other processes see it a moment later, or with `consistency="strong"`."""
    EVENTUAL = "eventual"
    """Everyone sees it a moment later; `wait_until_visible` exists."""


class UpdateAtomicity(StrEnum):
    """What a concurrent writer can lose while `update` runs."""

    RECORD = "record"
    """Nothing: each record is changed in one step."""
    READ_MODIFY_WRITE = "read_modify_write"
    """A write of another process between the read and the write of one record."""


class ScanStability(StrEnum):
    """What `scan` promises while others write."""

    STABLE = "stable"
    """A record present throughout comes exactly once, whatever is written meanwhile."""
    IDS = "ids"
    """As STABLE where a scan asks for ids alone and has no filter; else as QUIESCENT."""
    QUIESCENT = "quiescent"
    """Exactly once only without concurrent writes."""


class AsyncKind(StrEnum):
    """How the async store waits."""

    NATIVE = "native"
    """The client is asynchronous."""
    THREAD = "thread"
    """A worker thread waits; the event loop stays free."""
    BLOCKING = "blocking"
    """The event loop waits too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers a request must respect; None means that there is no limit.

    Parameters
    ----------
    dimensions
        Longest vector.
    top_k
        Most hits of one query.
    batch_records, batch_bytes
        Most records, and most encoded bytes, of one `upsert` primitive.
    id_batch
        Most ids of one `get` or `delete_ids` primitive.
    query_batch
        Most queries of one `search` primitive.
    scan_batch
        Most records of one `scan` primitive.
    id_bytes, namespace_bytes, text_bytes
        Longest UTF-8 form that can be stored.
    record_bytes
        Most bytes of id, namespace, text and encoded metadata together.
    concurrency
        Requests that may be under way at once on one store.
    """

    dimensions: int | None
    top_k: int
    batch_records: int
    batch_bytes: int | None
    id_batch: int
    query_batch: int
    scan_batch: int
    id_bytes: int | None
    namespace_bytes: int | None
    text_bytes: int | None
    record_bytes: int | None
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """One literal per adapter, without defaults: a new line asks every adapter for its answer.

    Parameters
    ----------
    store
        Name of the backend, as in its URL.
    features, metrics, index_kinds
        What is there. `index_kinds` holds `"hnsw"`, `"ivf"`, `"flat"`: the
        indexes that are honoured, setting by setting, when they are asked for.
    limits
        See `Limits`.
    consistency, update_atomicity, scan_stability, async_kind
        See the enums.
    vector_tolerance
        Largest relative error of a vector that is read back; 0.0 means equal bits.
    score_tolerance
        Largest absolute error of a cosine score; for dot and euclidean relative
        to the product of the norms, or their sum.
    recall_floor
        Share of the true neighbours that a search by the default index finds at
        least, a ratio in [0, 1]; 1.0 means that it is exact.
    short_answer_is_complete
        True where fewer hits than asked prove that nothing more matches.
    """

    store: str
    features: frozenset[Feature]
    metrics: frozenset[Metric]
    index_kinds: frozenset[str]
    limits: Limits
    consistency: Consistency
    update_atomicity: UpdateAtomicity
    scan_stability: ScanStability
    async_kind: AsyncKind
    vector_tolerance: float
    score_tolerance: float
    recall_floor: float
    short_answer_is_complete: bool

    def require(self, feature: Feature, hint: str) -> None:
        """Raise `NotSupportedError` when a feature is absent; `hint` says what to do instead."""
        if feature not in self.features:
            raise NotSupportedError(f"{self.store} has no {feature.value}; {hint}")
