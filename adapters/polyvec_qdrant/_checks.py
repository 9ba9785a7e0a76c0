"""Points to write, and what Qdrant cannot hold, told before anything is written. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qdrant_client import models

from polyvec._unit_vectors import check_squares, lengths_of
from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.types import Metric
from polyvec_qdrant import _codec, _native

if TYPE_CHECKING:
    from polyvec.primitives import Target
    from polyvec.records import RecordBatch
    from polyvec.types import Vector
    from polyvec_qdrant._schema import Layout

NEARLY_UNIT: Final = 1e-6
"""How far from 1 the length of a vector may be that Qdrant keeps bit for bit under cosine."""


def check_batch(target: Target, batch: RecordBatch) -> None:
    """Refuse a batch.

    Raises
    ------
    NotSupportedError
        A record without a vector, or a collection whose points hold more than we could write.
    InvalidRecordError
        A vector too long for float32 squares; an id, a value or a vector that a collection of
        somebody else's cannot hold.
    """
    if batch.present is not None and not batch.present.all():
        record_id = batch.ids[int(np.flatnonzero(~batch.present)[0])]
        raise NotSupportedError(
            f"record {record_id!r} has no vector; polyvec writes only records with one to qdrant"
        )
    if batch.vectors is None:  # an update of metadata: its records are there, and were checked
        return
    metric, layout = target.collection.metric, target.collection.layout
    if metric is not Metric.COSINE:
        check_squares(batch.ids, batch.vectors, "qdrant")
    if not layout.ours:
        _check_native(target, batch, batch.vectors)


def _check_native(target: Target, batch: RecordBatch, vectors: Vector) -> None:
    layout: Layout = target.collection.layout
    name = target.collection.name
    if layout.lost:
        raise NotSupportedError(f"the points of {name!r} {layout.lost}")
    if target.namespace and layout.namespace is None:
        raise NotSupportedError(
            f"collection {name!r} was not made by polyvec and has the default namespace only; open "
            "it with native=NativeLayout(namespace=...) to say which key holds it"
        )
    for record_id in batch.ids:
        if _native.point_id_of(record_id) is None:
            raise InvalidRecordError(
                f"id {record_id!r}: points of {name!r} have numbers below 2 ** 64 or UUIDs in "
                "lower case as ids; use one of them, or a collection of polyvec's"
            )
    lengths = lengths_of(vectors)
    uneven = np.flatnonzero(np.abs(lengths - 1.0) > NEARLY_UNIT)
    if target.collection.metric is Metric.COSINE and uneven.size:
        row = int(uneven[0])
        raise InvalidRecordError(
            f"record {batch.ids[row]!r}: its vector has length {lengths[row]:.6g}; qdrant keeps "
            "vectors of length 1 under cosine, and this collection has no place for the length"
        )


def points_for(target: Target, batch: RecordBatch) -> models.Batch:
    """Return a checked batch as points."""
    check_batch(target, batch)
    layout: Layout = target.collection.layout
    if layout.ours:
        ids, vectors, payloads = _codec.points_of(batch, target.namespace, target.collection.metric)
        points: list[Any] = list(ids)
        return models.Batch(ids=points, vectors=vectors.tolist(), payloads=payloads)
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    points = [_native.point_id_of(record_id) for record_id in batch.ids]
    payloads = [
        _native.payload_of(record_id, metadata, text, target.namespace, layout)
        for record_id, metadata, text in zip(batch.ids, batch.metadata, batch.texts, strict=True)
    ]
    return models.Batch(ids=points, vectors=_named(batch.vectors, layout), payloads=payloads)


def _named(vectors: Vector, layout: Layout) -> Any:
    rows = vectors.tolist()
    return {layout.vector: rows} if layout.vector else rows
