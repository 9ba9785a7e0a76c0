"""What Milvus cannot hold, told before anything is written. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from polyvec._unit_vectors import check_squares, lengths_of
from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.types import Metric
from polyvec_milvus._codec import LONGEST, SHORTEST, encode

if TYPE_CHECKING:
    from polyvec.primitives import Target
    from polyvec.records import RecordBatch
    from polyvec.types import MetadataDict, Vector

MOST_JSON: Final = 65_536
"""Bytes of one JSON field (measured, 2.3.5)."""

FEW: Final = 16
SHORT: Final = 1_000


def check_batch(target: Target, batch: RecordBatch) -> None:
    """Refuse a batch for a collection of ours.

    Raises
    ------
    NotSupportedError
        A record without a vector.
    InvalidRecordError
        A vector too long for float32 squares; metadata whose JSON Milvus does not take.
    """
    if batch.present is not None and not batch.present.all():
        record_id = batch.ids[int(np.flatnonzero(~batch.present)[0])]
        raise NotSupportedError(
            f"record {record_id!r} has no vector; polyvec writes only records with one to milvus"
        )
    if batch.vectors is not None:  # an update need not have any
        _check_lengths(batch.ids, batch.vectors, target)
    for record_id, metadata in zip(batch.ids, batch.metadata or (), strict=False):
        if not _is_small(metadata):
            _check_size(record_id, metadata)


def _check_lengths(ids: list[str], vectors: Vector, target: Target) -> None:
    if target.collection.metric is not Metric.COSINE:
        check_squares(ids, vectors, "milvus")
        return
    lengths = lengths_of(vectors)
    odd = np.flatnonzero((lengths < SHORTEST) | (lengths > LONGEST))
    if odd.size and vectors.shape[1] * 16 // 3 > MOST_JSON // 2:
        row = int(odd[0])
        raise InvalidRecordError(
            f"record {ids[row]!r}: its vector of {vectors.shape[1]} numbers has length "
            f"{lengths[row]:.3g}; milvus computes cosines of lengths from {SHORTEST:.0e} to "
            f"{LONGEST:.0e}, and a vector that long cannot be kept beside"
        )


def _is_small(metadata: MetadataDict) -> bool:
    """Tell by a glance that metadata is far from every limit."""
    if len(metadata) > FEW:
        return False
    for value in metadata.values():
        if isinstance(value, str):
            if len(value) > SHORT:
                return False
        elif isinstance(value, list):
            items = cast("list[object]", value)
            if len(items) > FEW or not all(
                isinstance(item, (int, float, str, datetime)) for item in items
            ):
                return False
            if any(len(item) > SHORT // FEW for item in items if isinstance(item, str)):
                return False
        elif isinstance(value, dict):
            return False
    return True


def _check_size(record_id: str, metadata: MetadataDict) -> None:
    for what, text in zip(("metadata", "sidecar"), encode(metadata), strict=True):
        size = len(text.encode())
        if size > MOST_JSON - SHORT:
            raise InvalidRecordError(
                f"record {record_id!r}: the {what} takes {size} bytes as JSON; milvus holds "
                f"{MOST_JSON - SHORT} in one field; use fewer or shorter fields"
            )
