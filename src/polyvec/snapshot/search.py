"""Reading a collection by filter, by vector and page by page. Memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.errors import InvalidRequestError
from polyvec.evaluate import compile_predicate
from polyvec.primitives import Found, ScanPage
from polyvec.scoring import best_rows, exact_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from polyvec.deadline import Deadline
    from polyvec.filters import Filter
    from polyvec.primitives import Columns, KeyRange
    from polyvec.snapshot.collection import SnapshotCollection
    from polyvec.types import Vector

BLOCK_ROWS: Final = 4096
"""Records looked at in one step of a search or a count."""


def matching(
    collection: SnapshotCollection,
    namespace: str,
    places: npt.NDArray[np.int64],
    native: Filter | None,
) -> npt.NDArray[np.int64]:
    """Return those of the places whose metadata satisfies a filter; reads nothing else."""
    if native is None or not len(places):
        return places
    metadata = collection.read(namespace, places, frozenset(("metadata",))).metadata
    assert metadata is not None
    right = compile_predicate(native)
    return places[np.fromiter(map(right, metadata), dtype=np.bool_, count=len(metadata))]


def all_matching(
    collection: SnapshotCollection, namespace: str, native: Filter | None, deadline: Deadline
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the places of the records that a filter selects, block by block."""
    index = collection.index(namespace)
    rest = index.span(None, None)
    while len(places := index.take(rest, BLOCK_ROWS)):
        deadline.left()  # raises when nothing is left
        rest = range(int(places[-1]) + 1, rest.stop)
        yield matching(collection, namespace, places, native)


def search(
    collection: SnapshotCollection,
    namespace: str,
    queries: Vector,
    native: Filter | None,
    k: int,
    columns: Columns,
    deadline: Deadline,
) -> list[Found]:
    """Compare queries with every vector, in float64; ties go by id."""
    best = [_Best(k) for _ in queries]
    metric = collection.manifest.spec.metric
    for places in all_matching(collection, namespace, native, deadline):
        batch = collection.read(namespace, places, frozenset(("vector",)))
        if batch.present is not None:
            places = places[batch.present]  # noqa: PLW2901 - the records that can be found
            batch = batch.take(np.flatnonzero(batch.present))
        if not len(batch):
            continue
        assert batch.vectors is not None
        for kept, scores in zip(best, exact_scores(queries, batch.vectors, metric), strict=True):
            kept.add(batch.ids, places, scores)
    return [Found(collection.read(namespace, kept.places, columns), kept.scores) for kept in best]


class _Best:
    """The `k` best records of one query so far, best first."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._ids: list[str] = []
        self.places: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.scores: npt.NDArray[np.float64] = np.empty(0, dtype=np.float64)

    def add(
        self, ids: list[str], places: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]
    ) -> None:
        rows = best_rows(scores, ids, self._k)
        names: list[str] = [*self._ids, *(ids[row] for row in rows.tolist())]
        places = np.concatenate([self.places, places[rows]])
        scores = np.concatenate([self.scores, scores[rows]])
        rows = best_rows(scores, names, self._k)
        self._ids = [names[row] for row in rows.tolist()]
        self.places, self.scores = places[rows], scores[rows]


def page(
    collection: SnapshotCollection,
    namespace: str,
    native: Filter | None,
    span: KeyRange | None,
    after: str | None,
    limit: int,
    columns: Columns,
) -> ScanPage:
    """Return one page in the order of the keys."""
    index = collection.index(namespace)
    rest = index.span(
        None if span is None else position(span.start),
        None if span is None else position(span.stop),
    )
    if after is not None:
        rest = range(max(rest.start, index.after(position(after) or 0)), rest.stop)
    looked = index.take(rest, limit if native is None else max(limit, BLOCK_ROWS))
    places = matching(collection, namespace, looked, native)
    if len(places) > limit:
        places = looked = places[:limit]
    batch = collection.read(namespace, places, columns)
    cursor = str(index.key_at(int(looked[-1]))) if len(looked) else None
    done = not len(looked) or int(looked[-1]) + 1 >= rest.stop
    return ScanPage(batch, cursor, done)


def position(text: str | None) -> int | None:
    """Return the key in a cursor or at the end of a range.

    Raises
    ------
    InvalidRequestError
        It is none of ours.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidRequestError(
            f"cursor {text!r} is not one of a Parquet snapshot; "
            "expected the `.cursor` of a batch of this collection"
        )
    return int(text)
