"""What a read asks Milvus for, and its answers as batches. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polyvec._unit_vectors import unit
from polyvec.errors import InvalidRequestError
from polyvec.primitives import Found
from polyvec.types import Metric
from polyvec_milvus import _codec, _expressions, _native
from polyvec_milvus._layout import PK, pk_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.primitives import Columns, KeyRange, Target
    from polyvec.records import RecordBatch
    from polyvec.types import Vector
    from polyvec_milvus._schema import Layout

Row = dict[str, Any]


def selection(target: Target, native: str | None) -> str:
    """Return the expression of a request on one namespace."""
    layout: Layout = target.collection.layout
    if layout.fields is None:
        return _expressions.within(target.namespace, native)
    return _native.selection(layout.fields, target.namespace, native)


def keys(target: Target, ids: Sequence[str]) -> str | None:
    """Return the expression for records with these ids; None where there can be none."""
    layout: Layout = target.collection.layout
    if layout.fields is None:
        found = [_expressions.quoted(pk_of(target.namespace, one)) for one in ids]
        return f"{PK} in {_expressions.listed(found)}"
    wanted = [_native.key_literal(one, layout.fields) for one in ids]
    literals = [one for one in wanted if one is not None]
    if not literals:
        return None
    inside = f"{layout.fields.id} in {_expressions.listed(literals)}"
    if layout.fields.namespace is None:
        return inside
    return f"{selection(target, None)} and {inside}"


def page(target: Target, native: str | None, span: KeyRange | None, after: str | None) -> str:
    """Return the expression for what comes after a cursor, in a range."""
    parts = [selection(target, native)]
    if after is not None:
        parts.append(_beyond(target, ">", after))
    if span is not None and span.start is not None:
        parts.append(_beyond(target, ">=", span.start))
    if span is not None and span.stop is not None:
        parts.append(_beyond(target, "<", span.stop))
    return " and ".join(parts)


def _beyond(target: Target, word: str, record_id: str) -> str:
    layout: Layout = target.collection.layout
    if layout.fields is None:
        return f"{PK} {word} {_expressions.quoted(pk_of(target.namespace, record_id))}"
    literal = _native.key_literal(record_id, layout.fields)
    if literal is None:
        raise InvalidRequestError(f"cursor {record_id!r} is not one of this collection; start anew")
    return f"{layout.fields.id} {word} {literal}"


def barrier(layout: Layout) -> str:
    """Return an expression that no record has; reading it strongly waits for earlier writes."""
    if layout.fields is None:
        return f'{PK} == ""'
    return f"{layout.fields.id} == " + ("0" if layout.fields.numeric else '""')


def output_fields(target: Target, columns: Columns) -> list[str]:
    """Return the fields that columns are read from."""
    layout: Layout = target.collection.layout
    if layout.fields is None:
        return _codec.fields_for(columns, target.collection.metric)
    return _native.columns_for(columns, layout, layout.fields)


def batch_of(rows: Sequence[Mapping[str, Any]], columns: Columns, target: Target) -> RecordBatch:
    """Return rows as a batch with the columns asked for."""
    layout: Layout = target.collection.layout
    collection = target.collection
    if layout.fields is None:
        return _codec.batch_of(rows, columns, collection.dimension, collection.metric)
    unique = {row[layout.fields.id]: row for row in rows}  # others may have written a key twice
    return _native.batch_of(
        list(unique.values()), columns, collection.dimension, layout, layout.fields
    )


def rows_of(target: Target, batch: RecordBatch) -> list[Row]:
    """Return a batch as rows."""
    layout: Layout = target.collection.layout
    if layout.fields is None:
        return _codec.rows_of(batch, target.namespace, target.collection.metric)
    return _native.rows_of(target, batch)


def asked(queries: Vector, metric: Metric) -> list[Any]:
    """Return queries as Milvus is sent them."""
    return list(unit(queries) if metric is Metric.COSINE else queries)


def found(hits: Sequence[Any], columns: Columns, target: Target) -> Found:
    """Return one answer of a search, scored as polyvec does."""
    layout: Layout = target.collection.layout
    key = PK if layout.fields is None else layout.fields.id
    rows = [hit["entity"] for hit in hits]
    scores = np.array([hit["distance"] for hit in hits], dtype=np.float64)
    first = {row[key]: at for at, row in reversed(list(enumerate(rows)))}
    if len(first) < len(rows):  # the key of a hit has two names, that of its entity one
        kept = sorted(first.values())
        rows, scores = [rows[at] for at in kept], scores[kept]
    batch = batch_of(rows, columns, target)
    if target.collection.metric is Metric.EUCLIDEAN:
        scores = -np.sqrt(np.maximum(scores, 0.0))  # Milvus has the square
    return Found(batch, scores)
