"""What Pinecone answers, as batches and hits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.evaluate import compile_predicate
from polyvec.primitives import Found
from polyvec.records import RecordBatch
from polyvec.types import METADATA
from polyvec_pinecone import _codec, _names, _native, _vectors
from polyvec_pinecone._layout import EVERY, ID, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polyvec.primitives import Columns, Target
    from polyvec_pinecone._schema import Layout
    from polyvec_pinecone._where import Json, Where

Row: TypeAlias = "tuple[str, Sequence[float], Mapping[str, Any]]"
"""Stored id, values and metadata of a record."""

OURS: Json = {TERMS: {"$eq": EVERY}}
"""The condition that every record of ours meets: Pinecone takes no empty filter."""


def rows_of(found: Iterable[Any]) -> list[Row]:
    """Return records of the client's."""
    return [(one.id, one.values or (), one.metadata or {}) for one in found]


def space_of(target: Target) -> str | None:
    """Return the stored namespace; None where there can be none of that name."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return _names.to_space(target.namespace)
    return _native.space_of(target.namespace)


def stored_ids(target: Target, ids: Sequence[str]) -> list[str]:
    """Return the ids of the records that may have these ids."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return [_names.to_id(record_id) for record_id in ids]
    found = [_native.id_of(record_id) for record_id in ids]
    return [one for one in found if one is not None]


def needed(native: Where | None, columns: Columns) -> Columns:
    """Return the columns to read: where the server was sent no condition, metadata decides."""
    return columns | METADATA if native is not None and native.condition is None else columns


def condition_of(native: Where | None) -> Json | None:
    """Return what the server is sent of a filter."""
    return None if native is None else native.condition


def unresolved(target: Target, rows: Sequence[Row]) -> list[str]:
    """Return the ids that only their records can tell, of answers without metadata."""
    layout: Layout = target.collection.layout
    if not layout.ours:
        return []
    return [one for one, _, stored in rows if _names.is_hashed(one) and ID not in stored]


def batch_of(rows: Sequence[Row], columns: Columns, target: Target) -> RecordBatch:
    """Return records as a batch with the columns asked for."""
    layout: Layout = target.collection.layout
    dimension = target.collection.dimension
    if layout.ours:
        return _codec.batch_of(rows, columns, dimension)
    stored = [one for _, _, one in rows]
    nothing: list[Mapping[str, Any]] = [{}] * len(rows)
    return RecordBatch(
        [one for one, _, _ in rows],
        _vectors.from_values([values for _, values, _ in rows], nothing, dimension)
        if "vector" in columns
        else None,
        [_native.metadata_of(one, layout.text) for one in stored]
        if "metadata" in columns
        else None,
        [_native.text_of(one, layout.text) for one in stored] if "text" in columns else None,
    )


def matching(rows: Sequence[Row], native: Where | None, target: Target) -> list[int]:
    """Return the rows that a filter selects which the server was not sent."""
    if native is None or native.condition is not None:
        return list(range(len(rows)))
    batch = batch_of(rows, METADATA, target)
    assert batch.metadata is not None
    holds = compile_predicate(native.node)
    return [at for at, metadata in enumerate(batch.metadata) if holds(metadata)]


def selected(
    rows: Sequence[Row], native: Where | None, columns: Columns, target: Target
) -> RecordBatch:
    """Return the records that a filter selects as a batch."""
    kept = matching(rows, native, target)
    return batch_of([rows[at] for at in kept], columns, target)


def found(
    rows: Sequence[Row],
    scores: Sequence[float],
    native: Where | None,
    columns: Columns,
    target: Target,
) -> Found:
    """Return one answer of a search, scored as polyvec does."""
    kept = matching(rows, native, target)
    batch = batch_of([rows[at] for at in kept], columns, target)
    return Found(batch, _vectors.to_scores([scores[at] for at in kept], target.collection.metric))


def rows_for(target: Target, batch: RecordBatch) -> list[Any]:
    """Return a batch as the client takes it.

    Raises
    ------
    InvalidRecordError, NotSupportedError
        Something that cannot be stored.
    """
    check_vectors(batch)
    layout: Layout = target.collection.layout
    metric = target.collection.metric
    if layout.ours:
        return _codec.rows_of(batch, target.namespace, metric)
    stored = _natively(target, batch)
    assert batch.vectors is not None
    values, beside = _vectors.to_values(batch.vectors, metric)
    for record_id, more in zip(batch.ids, beside, strict=True):
        if more:
            raise InvalidRecordError(
                f"record {record_id!r}: its vector is zero or its length far from 1, and an index "
                "that polyvec did not make has no place for that; use one of polyvec's"
            )
    return list(zip(batch.ids, values, stored, strict=True))


def sizes_of(target: Target, batch: RecordBatch) -> list[int]:
    """Return the bytes of each record's metadata, as stored; refuses what `rows_for` does."""
    check_vectors(batch)
    layout: Layout = target.collection.layout
    if batch.vectors is not None:
        _vectors.check_lengths(batch.ids, batch.vectors, target.collection.metric)
    if layout.ours:
        return _codec.sizes_of(batch, target.namespace)
    return [_codec.size_of(stored) for stored in _natively(target, batch)]


def check_vectors(batch: RecordBatch) -> None:
    """Refuse records without a vector: Pinecone holds none."""
    if batch.present is not None and not batch.present.all():
        record_id = batch.ids[int((~batch.present).nonzero()[0][0])]
        raise NotSupportedError(
            f"record {record_id!r} has no vector; pinecone holds only records with one"
        )


def _natively(target: Target, batch: RecordBatch) -> list[dict[str, Any]]:
    layout: Layout = target.collection.layout
    if space_of(target) is None:
        raise InvalidRecordError(
            f"namespace {target.namespace!r}: pinecone's are up to 512 characters of ASCII, and "
            "'__default__' is its name of the default one"
        )
    count = len(batch)
    nothing: list[dict[str, Any]] = [{}] * count
    metadata = nothing if batch.metadata is None else batch.metadata
    texts = batch.texts if batch.texts is not None else [None] * count
    return [
        _native.stored_of(record_id, one, text, layout.text)
        for record_id, one, text in zip(batch.ids, metadata, texts, strict=True)
    ]
