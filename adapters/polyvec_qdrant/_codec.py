"""Batches to points of Qdrant, and back, for collections of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from polyvec._canonical import canon, class_of, fields, record_uuid
from polyvec._unit_vectors import NEAR_ONE, from_bits, split, to_bits
from polyvec.metadata import from_json, to_json
from polyvec.records import RecordBatch
from polyvec.types import Metric
from polyvec_qdrant import _order
from polyvec_qdrant._layout import (
    EXACT,
    FIRST_DAY,
    ID,
    JSON,
    LAST_DAY,
    NORM,
    NS,
    ORDER,
    RESERVED,
    TERMS,
    TEXT,
    natural_key,
    order_field,
    term,
)

if TYPE_CHECKING:
    from polyvec.paths import Path
    from polyvec.primitives import Columns
    from polyvec.types import MetadataDict, Vector

Payload = dict[str, Any]

DEEPEST: Final = 16
"""Lists and objects inside each other in the natural part. Measured: gRPC takes 49 levels of JSON,
REST 120; deeper values stand in the sidecar alone."""


def encode(metadata: MetadataDict) -> Payload:
    """Return the payload of metadata: natural fields, terms, orders and sidecar."""
    natural: Payload = {}
    kept: MetadataDict = {}
    for key, value in metadata.items():
        deep = _depth(value) > DEEPEST
        if value is None or deep or not _is_lossless(value):
            kept[key] = value
        if value is not None and not deep:
            natural[key] = _natural(value)
    terms: list[str] = []
    order: Payload = {}
    for path, value in fields(metadata):
        _describe(path, value, natural, terms, order)
    if terms:
        natural[TERMS] = terms
    if order:
        natural[ORDER] = order
    if kept:
        natural[JSON] = to_json(kept)
    return natural


def decode(payload: Mapping[str, Any]) -> MetadataDict:
    """Return the metadata of a payload of ours."""
    metadata = {key: value for key, value in payload.items() if not key.startswith(RESERVED)}
    text = payload.get(JSON)
    return metadata if text is None else {**metadata, **from_json(text)}


def _describe(
    path: Path, value: object, natural: Payload, terms: list[str], order: Payload
) -> None:
    """Add the terms of one field, and its order where the natural field cannot tell it."""
    kind = class_of(value)
    named = path[0] in natural and natural_key(path) is not None
    match value:
        case str():
            order[order_field(path)] = _order.of_text(value)
        case bool():
            pass
        case int() | float():
            if not (named and _order.is_safe(value)):
                kind, order[order_field(path)] = "N", _order.of_number(value)
        case datetime():
            if not (named and _as_text(value) and FIRST_DAY <= value <= LAST_DAY):
                kind, order[order_field(path)] = "D", _order.of_moment(value)
        case _:
            pass
    terms.append(term("?", path, kind))
    terms.append(term("=", path, canon(value)))
    if isinstance(value, list):
        items = cast("list[object]", value)
        scalars = [item for item in items if item is not None and class_of(item) not in "lo"]
        terms.extend(dict.fromkeys(term("@", path, canon(item)) for item in scalars))


def _depth(value: object) -> int:
    if not isinstance(value, (dict, list)):
        return 0
    inner = cast("Sequence[object]", value.values() if isinstance(value, dict) else value)
    return 1 + max(map(_depth, inner), default=0)


def _natural(value: Any) -> Any:
    match value:
        case datetime():
            return _as_text(value)
        case list():
            return [_natural(item) for item in cast("list[object]", value)]
        case dict():
            return {k: _natural(item) for k, item in cast("dict[str, object]", value).items()}
        case _:
            return value


def _as_text(value: datetime) -> str | None:
    """Return a datetime as RFC 3339, which knows no offsets of seconds."""
    offset = value.utcoffset()
    assert offset is not None, "the core lets no naive datetime through"
    if not offset % timedelta(minutes=1):
        return value.isoformat()
    try:
        return value.astimezone(UTC).isoformat()
    except OverflowError:  # at the edge of the calendar
        return None


def _is_lossless(value: object) -> bool:
    """Tell whether Qdrant gives a value back as it was."""
    match value:
        case datetime():
            return False
        case float():
            return _order.is_safe(value)
        case list():
            return all(map(_is_lossless, cast("list[object]", value)))
        case dict():
            return all(map(_is_lossless, cast("dict[str, object]", value).values()))
        case _:
            return True


def points_of(
    batch: RecordBatch, namespace: str, metric: Metric
) -> tuple[list[str], Vector, list[Payload]]:
    """Return the ids, vectors and payloads of a batch with all columns."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    vectors, beside = _lengths(batch.vectors, metric)
    payloads: list[Payload] = []
    for record_id, metadata, text, more in zip(
        batch.ids, batch.metadata, batch.texts, beside, strict=True
    ):
        payload = encode(metadata)
        payload[NS], payload[ID] = namespace, record_id
        if text is not None:
            payload[TEXT] = text
        payload.update(more)
        payloads.append(payload)
    return [record_uuid(namespace, record_id) for record_id in batch.ids], vectors, payloads


def _lengths(vectors: Vector, metric: Metric) -> tuple[Vector, list[Payload]]:
    """Return what is stored for vectors, and what stands beside them.

    Unit vectors for the cosine: Qdrant's own normalising leaves a short vector as it is and makes
    zeros of a very long one (measured, 1.18.3); a unit vector it keeps bit for bit.
    """
    if metric is not Metric.COSINE:
        return vectors, [{} for _ in vectors]
    stored, lengths, lossy = split(vectors)
    beside: list[Payload] = []
    for vector, length, loses in zip(vectors, lengths.tolist(), lossy.tolist(), strict=True):
        # As text: a number of 17 digits would not come back.
        if loses or not _order.is_safe(float(f"{length:.15g}")):
            beside.append({EXACT: to_bits(vector)})
        else:
            near = abs(length - 1.0) <= NEAR_ONE
            beside.append({} if near else {NORM: float(f"{length:.15g}")})
    return stored, beside


def batch_of(
    payloads: Sequence[Mapping[str, Any]],
    vectors: Sequence[Any] | None,
    columns: Columns,
    dimension: int,
) -> RecordBatch:
    """Return points of ours as a batch with the columns asked for."""
    block: Vector | None = None
    if "vector" in columns:
        assert vectors is not None
        block = _vectors_of(vectors, payloads, dimension)
    return RecordBatch(
        [payload[ID] for payload in payloads],
        block,
        [decode(payload) for payload in payloads] if "metadata" in columns else None,
        [payload.get(TEXT) for payload in payloads] if "text" in columns else None,
    )


def _vectors_of(
    vectors: Sequence[Any], payloads: Sequence[Mapping[str, Any]], dimension: int
) -> Vector:
    doubles = np.asarray(vectors, dtype=np.float64).reshape(-1, dimension)
    block: Vector = np.ascontiguousarray(doubles, dtype=np.float32)
    for row, payload in enumerate(payloads):
        if (length := payload.get(NORM)) is not None:
            block[row] = doubles[row] * length
        elif (exact := payload.get(EXACT)) is not None:
            block[row] = from_bits(exact)
    return block


def fields_for(columns: Columns) -> list[str] | None:
    """Return the fields of a payload that columns are read from; None for all that decode."""
    if "metadata" in columns:
        return None
    fields = [ID]
    if "text" in columns:
        fields.append(TEXT)
    if "vector" in columns:
        fields += [NORM, EXACT]
    return fields
