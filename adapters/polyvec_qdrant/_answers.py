"""What Qdrant is asked for and answers, as batches and hits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qdrant_client import models

from polyvec._canonical import record_uuid
from polyvec.evaluate import compile_predicate
from polyvec.primitives import Found
from polyvec.records import RecordBatch
from polyvec.types import Metric, as_any
from polyvec_qdrant import _codec, _conditions, _native
from polyvec_qdrant._layout import NS, ORDER, TERMS, natural_key

if TYPE_CHECKING:
    from polyvec.primitives import Columns, Target
    from polyvec.types import Vector
    from polyvec_qdrant._conditions import Where
    from polyvec_qdrant._position import PointId
    from polyvec_qdrant._schema import Layout

NOT_READ: Final = models.PayloadSelectorExclude(exclude=[NS, TERMS, ORDER])
"""All but the fields of ours that only filters need; the client copies it."""


def filter_of(target: Target, native: Where | None) -> models.Filter:
    """Return the filter of a request on one namespace."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return _conditions.whole_filter(native, target.namespace)
    conditions: list[Any] = []
    if layout.namespace is not None:
        key = natural_key((layout.namespace,))
        assert key is not None, "checked when the collection was opened"
        if target.namespace:
            conditions.append(_conditions.matches(key, [target.namespace]))
        else:  # what has no namespace, or none that is a text
            conditions.append(models.Filter(should=[_none(key), _conditions.matches(key, [""])]))
    if native is not None and native.condition is not None:
        conditions.append(native.condition)
    return models.Filter(must=conditions)


def _none(key: str) -> models.IsEmptyCondition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))


def point_ids(target: Target, ids: Sequence[str]) -> list[PointId]:
    """Return the ids of the points that records with these ids may be."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return [record_uuid(target.namespace, record_id) for record_id in ids]
    found = [_native.point_id_of(record_id) for record_id in ids]
    return [point for point in found if point is not None]


def inside(target: Target, points: Sequence[Any]) -> list[Any]:
    """Return the points that belong to the namespace; those of a hash always do."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return list(points)
    return [
        point for point in points if namespace_of(point.payload or {}, layout) == target.namespace
    ]


def namespace_of(payload: dict[str, Any], layout: Layout) -> str | None:
    """Return the namespace of a point that polyvec did not make; None where it is no text."""
    if layout.namespace is None:
        return ""
    value = payload.get(layout.namespace)
    if value is None or value == []:
        return ""
    return value if isinstance(value, str) else None


def with_payload(target: Target, columns: Columns) -> Any:
    """Return which fields of the payload are asked for."""
    layout: Layout = target.collection.layout
    if not layout.ours:
        return True
    fields = _codec.fields_for(columns)
    return NOT_READ if fields is None else fields


def with_vectors(target: Target, columns: Columns) -> bool | list[str]:
    """Return which vectors are asked for."""
    if "vector" not in columns:
        return False
    layout: Layout = target.collection.layout
    return [layout.vector] if layout.vector else True


def batch_of(points: Sequence[Any], columns: Columns, target: Target) -> RecordBatch:
    """Return points as a batch with the columns asked for."""
    layout: Layout = target.collection.layout
    payloads: list[dict[str, Any]] = [point.payload or {} for point in points]
    vectors = [_vector(point, layout) for point in points] if "vector" in columns else None
    dimension = target.collection.dimension
    if layout.ours:
        return _codec.batch_of(payloads, vectors, columns, dimension)
    block: Vector | None = None
    present = None
    if vectors is not None:
        block = np.zeros((len(points), dimension), dtype=np.float32)
        present = np.array([vector is not None for vector in vectors], dtype=np.bool_)
        for row in np.flatnonzero(present).tolist():
            block[row] = vectors[row]
        present = None if present.all() else present
    return RecordBatch(
        [str(point.id) for point in points],
        block,
        [_native.metadata_of(p, layout) for p in payloads] if "metadata" in columns else None,
        [_native.text_of(p, layout) for p in payloads] if "text" in columns else None,
        present,
    )


def _vector(point: Any, layout: Layout) -> Any:
    """Return the vector of a point; None where it has none of that name."""
    vector = point.vector
    return as_any(vector).get(layout.vector) if isinstance(vector, dict) else vector


def selected(
    points: Sequence[Any], native: Where | None, columns: Columns, target: Target
) -> RecordBatch:
    """Return points as a batch; what the server was not sent a condition for is checked here."""
    batch = batch_of(points, columns, target)
    if native is None or native.condition is not None:
        return batch
    assert batch.metadata is not None
    holds = compile_predicate(native.node)
    rows = [row for row, metadata in enumerate(batch.metadata) if holds(metadata)]
    return batch if len(rows) == len(batch) else batch.take(rows)


def found(
    points: Sequence[Any], native: Where | None, needed: Columns, columns: Columns, target: Target
) -> Found:
    """Return one answer of a search, scored as polyvec does."""
    batch = selected(points, native, needed, target)
    scores = np.array([point.score for point in points], dtype=np.float64)
    if len(batch) < len(points):
        place = {
            record_id: row
            for row, record_id in enumerate(batch_of(points, frozenset(), target).ids)
        }
        scores = scores[[place[record_id] for record_id in batch.ids]]
    if target.collection.metric is Metric.EUCLIDEAN:
        scores = -scores
    return Found(batch.only(columns), scores)
