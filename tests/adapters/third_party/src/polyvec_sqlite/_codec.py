"""Records as rows and rows as records; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from polyvec.metadata import from_json, to_json
from polyvec.primitives import Columns, Patch
from polyvec.records import RecordBatch
from polyvec.types import MetadataDict, Vector

RecordRow: TypeAlias = tuple[str, str, str | None, str, bytes | None]
"""Namespace, id, text, metadata and vector."""

# Files go from machine to machine, so the order of bytes is fixed.
FLOAT32: Final = np.dtype("<f4")


def rows_of(namespace: str, batch: RecordBatch) -> list[RecordRow]:
    """Return the rows of a batch with all columns."""
    assert batch.vectors is not None, "the core gives all columns to an upsert"
    assert batch.metadata is not None, "the core gives all columns to an upsert"
    assert batch.texts is not None, "the core gives all columns to an upsert"
    present = np.ones(len(batch), dtype=np.bool_) if batch.present is None else batch.present
    columns = zip(batch.ids, batch.texts, batch.metadata, batch.vectors, present, strict=True)
    return [
        (namespace, record_id, text, to_json(metadata), blob_of(vector) if has_one else None)
        for record_id, text, metadata, vector, has_one in columns
    ]


def blob_of(vector: Vector) -> bytes:
    """Return the bytes of one vector, shape `(dimension,)`."""
    return vector.astype(FLOAT32, copy=False).tobytes()


def vectors_of(blobs: Sequence[bytes | None], dimension: int) -> Vector:
    """Return shape `(n, dimension)`, float32; the row of None is zero."""
    empty = bytes(dimension * FLOAT32.itemsize)
    joined = b"".join(empty if blob is None else blob for blob in blobs)
    # A copy: what comes from bytes cannot be written to, and a user may want to.
    return np.frombuffer(joined, dtype=FLOAT32).reshape(-1, dimension).astype(np.float32)


def select_list(columns: Columns) -> str:
    """Return what stands after SELECT for `batch_of`."""
    wanted = ("metadata", "text", "vector")
    return ", ".join(("id", *(name if name in columns else "NULL" for name in wanted)))


def batch_of(rows: Sequence[tuple[Any, ...]], columns: Columns, dimension: int) -> RecordBatch:
    """Return the batch of rows that begin with the values of `select_list`."""
    blobs: list[bytes | None] = [row[3] for row in rows]
    has_vector = np.array([blob is not None for blob in blobs], dtype=np.bool_)
    with_vectors = "vector" in columns
    return RecordBatch(
        ids=[row[0] for row in rows],
        vectors=vectors_of(blobs, dimension) if with_vectors else None,
        metadata=[from_json(row[1]) for row in rows] if "metadata" in columns else None,
        texts=[row[2] for row in rows] if "text" in columns else None,
        present=has_vector if with_vectors and not has_vector.all() else None,
    )


def patched(stored: str, patch: Patch) -> MetadataDict:
    """Return stored metadata with a patch applied."""
    kept = {key: value for key, value in from_json(stored).items() if key not in patch.unset}
    return {**kept, **patch.set}
