"""Batches to rows of Milvus, and back, for collections of ours. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import orjson

from polyvec._canonical import fields
from polyvec._unit_vectors import from_bits, lengths_of, to_bits, unit
from polyvec.metadata import from_json, to_json
from polyvec.records import RecordBatch
from polyvec.types import Metric
from polyvec_milvus._layout import (
    BITS,
    KEPT,
    META,
    NO_TEXT,
    NS,
    PK,
    SIDE,
    TAGS,
    TEXT,
    VECTOR,
    big_tag,
    class_of,
    id_of,
    is_big,
    list_tag,
    moment_text,
    pk_of,
    tag,
)

if TYPE_CHECKING:
    from polyvec.paths import Path
    from polyvec.primitives import Columns
    from polyvec.types import MetadataDict, Vector

Row = dict[str, Any]

_PLAIN_CLASSES: Final = {str: "s", bool: "b", int: "n", float: "n"}
_PLAIN: Final = frozenset({*_PLAIN_CLASSES, type(None)})

SHORTEST: Final = 1e-15
LONGEST: Final = 1e15
"""Lengths between which float32 cosine is right (measured, 2.3.5: 1e-30 gives infinity)."""


def encode(
    metadata: MetadataDict, *, has_text: bool = True, bits: str | None = None
) -> tuple[str, str]:
    """Return the natural metadata and the sidecar, as JSON texts.

    Not as objects: pymilvus copies those value by value in Python, which takes ten times as long
    (`convert_to_json` of 3.0.2).
    """
    classes = tuple(map(type, metadata.values()))
    flat = _PLAIN.issuperset(classes) and not any(map(_is_big_number, metadata.values()))
    if flat and bits is None:
        return _json(metadata), _flat_side(tuple(metadata), classes, has_text)
    tags: list[str] = []
    kept: MetadataDict = {}
    natural: Row = {}
    for key, value in metadata.items():
        if _has_moment(value):
            kept[key] = value
            natural[key] = _natural(value)
        else:
            natural[key] = value
    for path, value in fields(metadata):
        _describe(path, value, tags)
    side: Row = {TAGS: tags}
    if kept:
        side[KEPT] = to_json(kept)
    if not has_text:
        side[NO_TEXT] = True
    if bits is not None:
        side[BITS] = bits
    return _json(natural), _json(side)


def _is_big_number(value: object) -> bool:
    return isinstance(value, (int, float)) and is_big(value)


@lru_cache(maxsize=1024)
def _flat_side(keys: tuple[str, ...], classes: tuple[type, ...], has_text: bool) -> str:
    """Return the sidecar of a flat object without big numbers; most records share one."""
    named = zip(keys, classes, strict=True)
    known = _PLAIN_CLASSES
    tags = [tag(known[one], (key,)) for key, one in named if one in known]  # None has no tag
    return _json({TAGS: tags} if has_text else {TAGS: tags, NO_TEXT: True})


def _json(value: Row) -> str:
    return orjson.dumps(value).decode()


def parsed(value: Any) -> Row:
    """Return a JSON value; the client gives some of them as text."""
    if isinstance(value, (str, bytes)):
        value = json.loads(value)
    return cast("Row", value)


def _describe(path: Path, value: object, tags: list[str]) -> None:
    kind = class_of(value)
    tags.append(tag(kind, path))
    if kind == "n":
        number = cast("float", value)
        if is_big(number):
            tags.append(big_tag("=", number, path))
    elif kind == "l":
        items = cast("list[Any]", value)
        tags.append(list_tag(items, path))
        kinds = {class_of(item) for item in items}
        tags.extend(sorted(tag(f"l{one}", path) for one in kinds if one in ("n", "b", "s", "d")))
        bigs = (x for x in items if class_of(x) == "n" and is_big(x))
        tags.extend(dict.fromkeys(big_tag("~", item, path) for item in bigs))


def _has_moment(value: object) -> bool:
    match value:
        case datetime():
            return True
        case list():
            return any(map(_has_moment, cast("list[object]", value)))
        case dict():
            return any(map(_has_moment, cast("dict[str, object]", value).values()))
        case _:
            return False


def _natural(value: Any) -> Any:
    match value:
        case datetime():
            return moment_text(value)
        case list():
            return [_natural(item) for item in cast("list[object]", value)]
        case dict():
            return {k: _natural(item) for k, item in cast("dict[str, object]", value).items()}
        case _:
            return value


def rows_of(batch: RecordBatch, namespace: str, metric: Metric) -> list[Row]:
    """Return the rows of a batch with all columns."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    vectors, bits = _stored(batch.vectors, metric)
    rows: list[Row] = []
    before = pk_of(namespace, "")
    for at, (record_id, metadata, text) in enumerate(
        zip(batch.ids, batch.metadata, batch.texts, strict=True)
    ):
        natural, side = encode(metadata, has_text=text is not None, bits=bits.get(at))
        rows.append(
            {
                PK: before + record_id,
                NS: namespace,
                VECTOR: vectors[at],
                META: natural,
                TEXT: text or "",
                SIDE: side,
            }
        )
    return rows


def _stored(vectors: Vector, metric: Metric) -> tuple[Vector, dict[int, str]]:
    """Return the vectors to store, and the bits of those that are stored at unit length."""
    if metric is not Metric.COSINE:
        return vectors, {}
    lengths = lengths_of(vectors)
    odd = np.flatnonzero((lengths < SHORTEST) | (lengths > LONGEST))
    if not odd.size:
        return vectors, {}
    stored = vectors.copy()
    stored[odd] = unit(vectors[odd])
    return stored, {row: to_bits(vectors[row]) for row in odd.tolist()}


def fields_for(columns: Columns, metric: Metric) -> list[str]:
    """Return the fields that columns are read from."""
    fields = [PK]
    if "metadata" in columns:
        fields.append(META)
    if "text" in columns:
        fields.append(TEXT)
    if "vector" in columns:
        fields.append(VECTOR)
    if "metadata" in columns or "text" in columns or (fields[-1] == VECTOR and _may_scale(metric)):
        fields.append(SIDE)
    return fields


def _may_scale(metric: Metric) -> bool:
    return metric is Metric.COSINE


def batch_of(
    rows: Sequence[Mapping[str, Any]], columns: Columns, dimension: int, metric: Metric
) -> RecordBatch:
    """Return rows of ours as a batch with the columns asked for."""
    block: Vector | None = None
    if "vector" in columns:
        block = np.ascontiguousarray(
            np.array([row[VECTOR] for row in rows], dtype=np.float32).reshape(-1, dimension)
        )
        if _may_scale(metric):
            _restore(block, rows)
    metadata: list[MetadataDict] | None = [] if "metadata" in columns else None
    texts: list[str | None] | None = [] if "text" in columns else None
    if metadata is not None or texts is not None:
        _read_into(metadata, texts, rows)
    return RecordBatch([id_of(row[PK]) for row in rows], block, metadata, texts)


def _read_into(
    metadata: list[MetadataDict] | None,
    texts: list[str | None] | None,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Append what the rows have to the lists; no calls for a plain row, since most are."""
    for row in rows:
        side: Any = row[SIDE]
        if isinstance(side, (str, bytes)):
            side = parsed(side)
        if metadata is not None:
            natural: Any = row[META]
            if isinstance(natural, (str, bytes)):
                natural = parsed(natural)
            kept = side.get(KEPT)
            metadata.append(natural if kept is None else {**natural, **from_json(kept)})
        if texts is not None:
            text = row[TEXT]
            texts.append(text if text or NO_TEXT not in side else None)


def _restore(block: Vector, rows: Sequence[Mapping[str, Any]]) -> None:
    for at, row in enumerate(rows):
        if (bits := parsed(row[SIDE]).get(BITS)) is not None:
            block[at] = from_bits(bits)
