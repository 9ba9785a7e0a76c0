"""What Chroma cannot hold, told before anything is written. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from polyvec._unit_vectors import check_squares
from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.types import Metric
from polyvec_chroma import _native

if TYPE_CHECKING:
    from polyvec.primitives import Target
    from polyvec.records import RecordBatch
    from polyvec_chroma._schema import Layout


def check_batch(target: Target, batch: RecordBatch) -> None:
    """Refuse a batch.

    Raises
    ------
    NotSupportedError
        A record without a vector.
    InvalidRecordError
        A vector too long for float32 squares, or metadata that a collection of somebody else's
        cannot hold.
    """
    if batch.present is not None and not batch.present.all():
        record_id = batch.ids[int(np.flatnonzero(~batch.present)[0])]
        raise NotSupportedError(
            f"record {record_id!r} has no vector; chroma holds only records with one"
        )
    if target.collection.metric is not Metric.COSINE and batch.vectors is not None:
        check_squares(batch.ids, batch.vectors, "chroma")
    layout: Layout = target.collection.layout
    if layout.ours:
        return
    for record_id, metadata in zip(batch.ids, batch.metadata or (), strict=True):
        if (reason := _native.fault(metadata)) is not None:
            raise InvalidRecordError(
                f"record {record_id!r}: {reason}, which chroma cannot hold in a collection that "
                "polyvec did not make; leave it out, or use a collection of polyvec's"
            )
