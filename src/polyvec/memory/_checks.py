"""Small pure checks of what the core hands to the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec.errors import InvalidRequestError, NotSupportedError
from polyvec.primitives import StaleLayout
from polyvec.schema import HNSW, IVF

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from polyvec.primitives import Target
    from polyvec.schema import CollectionSpec, Index


def check_index(index: Index | None, operation: str) -> None:
    """Refuse an index that the store lacks."""
    if isinstance(index, IVF) and not index.best_effort:
        raise NotSupportedError(
            f"memory.{operation}: there is no IVF index, got {index!r}; leave the index out, "
            "use HNSW or Flat, or set best_effort=True"
        )


def check_search(params: Index | None) -> None:
    """Refuse settings of a search that it cannot follow."""
    check_index(params, "search")
    if not isinstance(params, HNSW) or params.best_effort:
        return
    if params.m is not None or params.ef_construction is not None:
        raise NotSupportedError(
            f"memory.search: m and ef_construction are settings of a collection, got {params!r}; "
            "leave them out of the query, or set best_effort=True"
        )


def check_target(target: Target, spec: CollectionSpec) -> None:
    """Ask the core to look again when the name belongs to another collection by now."""
    opened = target.collection
    if (opened.dimension, opened.metric) != (spec.dimension, spec.metric):
        raise StaleLayout(f"collection {spec.name!r} was dropped and made anew")


def check_cursor(text: str) -> int:
    """Return the sequence number in a cursor, or in the end of a key range."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidRequestError(
            f"cursor {text!r} is not one of the memory store; "
            "expected the `.cursor` of a batch of this collection"
        )
    return int(text)


def cut_points(keys: npt.NDArray[np.int64], parts: int) -> list[str]:
    """Return keys that cut sorted keys into `parts` of about equal size, strictly rising."""
    places = {len(keys) * part // parts for part in range(1, parts)} - {0}
    return [str(keys[place]) for place in sorted(places)]
