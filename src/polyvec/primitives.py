"""Values that the core and an adapter hand to each other. Pure data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from polyvec.records import RecordBatch
    from polyvec.schema import Index
    from polyvec.types import Include, Metric, Vector

Native: TypeAlias = Any
"""A filter in the server's own form; the core only passes it on."""

Columns: TypeAlias = "frozenset[Include]"
"""The columns wanted beside the ids."""


@dataclass(frozen=True, slots=True)
class OpenedCollection:
    """What an adapter knows of a collection it has opened.

    Parameters
    ----------
    name
        The collection's own name (not the alias it was opened by).
    dimension, metric
        As stored.
    index
        What the server reports, None where it does not say.
    layout_kind
        `"polyvec"` when the stored marker says that polyvec made it, else `"native"`.
    layout
        Immutable snapshot of whatever `leaf` needs to know (columns, indexes,
        server version). Opaque to the core, which caches it and opens the
        collection again when a primitive or `leaf` raises `StaleLayout`.
    details
        For `describe`: readable facts, not portable.
    """

    name: str
    dimension: int
    metric: Metric
    index: Index | None
    layout_kind: str
    layout: Any
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a primitive acts: one namespace of one opened collection."""

    collection: OpenedCollection
    namespace: str


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A half-open range `[start, stop)` in the server's own key order.

    None at either end means open. Opaque to the core; what `split` returned is
    valid in any process.
    """

    start: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one query of a `search` primitive, best first.

    Parameters
    ----------
    batch
        The ids found and the columns asked for, `n` records.
    scores
        Shape `(n,)`, float64, polyvec's orientation and scale: cosine
        similarity, inner product, or negative L2.
    """

    batch: RecordBatch
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScanPage:
    """One page of a scan.

    Parameters
    ----------
    batch
        At most `limit` records in the server's key order. May be empty although
        more pages follow.
    cursor
        Non-empty position after the last record looked at, valid in any process
        and for any filter. None only with `done`.
    done
        Whether nothing is left after this page.
    """

    batch: RecordBatch
    cursor: str | None
    done: bool


@dataclass(frozen=True, slots=True)
class Patch:
    """One change for many records.

    Parameters
    ----------
    set
        Top-level metadata keys to their new values.
    unset
        Top-level metadata keys to remove; disjoint from `set`.
    vectors
        `(n, dimension)` float32, parallel to the ids; None leaves them.
    texts
        Parallel to the ids, None removes a text; the whole list None leaves them.
    """

    set: Mapping[str, Any]
    unset: frozenset[str]
    vectors: Vector | None
    texts: list[str | None] | None


class StaleLayout(Exception):  # noqa: N818 - a signal to the core, never seen by users
    """The layout snapshot no longer fits the server: open the collection again, then repeat."""
