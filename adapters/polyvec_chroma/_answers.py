"""What Chroma answers, as batches and hits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.evaluate import compile_predicate
from polyvec.primitives import Found
from polyvec.scoring import exact_scores
from polyvec.types import NO_COLUMNS, Metric
from polyvec_chroma import _codec
from polyvec_chroma._layout import REGULAR, TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.primitives import Columns, Target
    from polyvec.records import RecordBatch
    from polyvec.types import Vector
    from polyvec_chroma._schema import Layout
    from polyvec_chroma._where import Where

EMPTY: Final[dict[str, Any]] = {"ids": [], "metadatas": [], "documents": [], "embeddings": []}
COLUMNS: Final = tuple(EMPTY)

REREAD: Final = "reread"
"""In an answer: the ids of the records that were read again, perhaps changed since."""


def include(columns: Columns) -> list[Any]:
    """Return what to ask Chroma for; the sidecar has a part of every column."""
    if columns == NO_COLUMNS:
        return []
    wanted = ["metadatas"]
    if "text" in columns:
        wanted.append("documents")
    if "vector" in columns:
        wanted.append("embeddings")
    return wanted


def one_of(got: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return the answer to one of the queries of a search."""
    names = ("distances", *COLUMNS)
    return {name: got[name][at] for name in names if got.get(name) is not None}


def batch_of(got: Mapping[str, Any], columns: Columns, target: Target) -> RecordBatch:
    """Return an answer as a batch with these columns."""
    return _codec.batch_of(
        got["ids"],
        got.get("embeddings"),
        got.get("metadatas"),
        got.get("documents"),
        columns,
        target.collection.dimension,
    )


def pick(got: Mapping[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return the given rows of an answer, in the given order; vectors may be left out of it."""
    columns = {name: got.get(name) for name in COLUMNS}
    picked: dict[str, Any] = {
        name: None if column is None else [column[row] for row in rows] if len(column) else []
        for name, column in columns.items()
    }
    picked[REREAD] = got.get(REREAD, ())
    return picked


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return two answers to the same columns as one; the first may be empty."""
    if not first["ids"]:
        return second
    return {
        name: None if second.get(name) is None else [*first[name], *second[name]]
        for name in COLUMNS
    }


def selected(
    got: Mapping[str, Any], native: Where | None, columns: Columns, target: Target
) -> RecordBatch:
    """Return an answer as a batch; records that Chroma could not decide on are checked here."""
    batch = batch_of(got, columns, target)
    layout: Layout = target.collection.layout
    if native is None or not layout.ours:
        return batch
    assert batch.metadata is not None
    matches = compile_predicate(native.node)
    everything, reread = native.json is None, got.get(REREAD, ())
    natives = zip(batch.ids, got["metadatas"], batch.metadata, strict=True)
    rows = [
        row
        for row, (record_id, stored, metadata) in enumerate(natives)
        if (not everything and _is_regular(stored) and record_id not in reread) or matches(metadata)
    ]
    return batch if len(rows) == len(batch) else batch.take(rows)


def renewed(got: dict[str, Any], again: Mapping[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return an answer in which these rows are as they were read again.

    A record that has gone meanwhile is left out. Vectors that were left out stay so.
    """
    place = {record_id: at for at, record_id in enumerate(again["ids"])}
    ids: list[str] = got["ids"]
    fresh = {row: place.get(ids[row]) for row in rows}
    kept = [row for row in range(len(ids)) if fresh.get(row, row) is not None]
    out: dict[str, Any] = {"ids": [ids[row] for row in kept]}
    for name in COLUMNS[1:]:
        column, new = got.get(name), again.get(name)
        if column is None or new is None:
            continue
        if len(new) < len(again["ids"]):
            out[name] = []
        else:
            out[name] = [column[row] if (at := fresh.get(row)) is None else new[at] for row in kept]
    if "distances" in got:
        out["distances"] = [got["distances"][row] for row in kept]
    out[REREAD] = {*got.get(REREAD, ()), *(ids[row] for row in rows)}
    return out


def _is_regular(native: Mapping[str, Any] | None) -> bool:
    tags = None if native is None else native.get(TAGS)
    return bool(tags) and tags[0] == REGULAR  # type: ignore[index]  # not None, it is true


def found(
    got: dict[str, Any],
    query: Vector,
    native: Where | None,
    needed: Columns,
    columns: Columns,
    target: Target,
) -> Found:
    """Return one answer of a search, scored as polyvec does."""
    distances = got.pop("distances")
    scores = np.array(distances, dtype=np.float64)
    batch = selected(got, native, needed, target)
    if batch.ids != got["ids"]:
        place = {record_id: row for row, record_id in enumerate(got["ids"])}
        scores = scores[[place[record_id] for record_id in batch.ids]]
    match target.collection.metric:
        case Metric.DOT:
            # 1 - x in float32 has lost the digits of a small x.
            assert batch.vectors is not None
            scores = exact_scores(query[None, :], batch.vectors, Metric.DOT)[0]
        case Metric.COSINE:
            scores = 1.0 - scores
        case Metric.EUCLIDEAN:
            scores = -np.sqrt(np.maximum(scores, 0.0))
    return Found(batch.only(columns), scores)
