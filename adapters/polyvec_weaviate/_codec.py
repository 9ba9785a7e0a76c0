"""Batches to objects of Weaviate, and back, for collections of ours. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from weaviate.classes.data import DataObject

from polyvec._canonical import canon, class_of, fields, record_uuid
from polyvec.metadata import from_json, to_json
from polyvec.records import RecordBatch
from polyvec_weaviate._columns import ORDERED, Column, Columns, kind_of
from polyvec_weaviate._layout import (
    DOC,
    EVERY,
    GUARD,
    ID,
    NS,
    TERMS,
    TEXT,
    VECTOR,
    is_trimmed,
    namespace_term,
    side_of,
    term,
)

if TYPE_CHECKING:
    from polyvec.primitives import Columns as Wanted
    from polyvec.types import MetadataDict, Vector

Properties = dict[str, Any]

_MINUTE: Final = 60


def wanted_columns(metadata: Sequence[MetadataDict]) -> dict[Column, None]:
    """Return the fields that should have a property, in the order they come."""
    found: dict[Column, None] = {}
    for each in metadata:
        for path, value in fields(each):
            kind = kind_of(value)
            if kind is not None:
                found[path, kind] = None
    return found


def encode(metadata: MetadataDict, columns: Columns) -> Properties:
    """Return the properties of metadata: natural ones, terms and the document."""
    natural: Properties = {DOC: to_json(metadata)}
    terms = {EVERY}
    for path, value in fields(metadata):
        kind = class_of(value)
        terms.add(term("?", path, kind))
        terms.add(term("=", path, canon(value)))
        if kind == "l":
            items = [item for item in cast("list[object]", value) if item is not None]
            terms.update(term("@", path, canon(i)) for i in items if class_of(i) not in "lo")
        column = kind_of(value)
        if column is None:
            continue
        name = columns.get((path, column))
        held = _held(value, kind)
        if kind in ORDERED and (held is None or name is None):
            side = side_of(cast("datetime", value)) if kind == "d" else ""
            terms.add(term("!", path, kind + side))
        if name is not None and held is not None:
            natural[name] = held
    natural[TERMS] = sorted(terms)
    return natural


def _held(value: Any, kind: str) -> Any:
    """Return a value as its property holds it, None where that would order it wrongly."""
    match kind:
        case "s":
            return value if is_trimmed(value) else None
        case "n":
            return float(value)
        case "d":
            return None if side_of(value) else _zoned(value)
        case "l":
            items = [_held_item(item) for item in value]
            return None if None in items else items
        case _:
            return value


def _held_item(item: Any) -> Any:
    """Return an item of a list; those of strings are for people only, filters go by terms."""
    return item if isinstance(item, str) else _held(item, class_of(item))


def _zoned(moment: datetime) -> datetime:
    """Return a datetime that RFC 3339 can write: offsets there are of whole minutes."""
    offset = moment.utcoffset()
    assert offset is not None, "the core lets no naive datetime through"
    return moment.astimezone(UTC) if offset.total_seconds() % _MINUTE else moment


def objects_of(
    batch: RecordBatch, namespace: str, number: str, columns: Columns
) -> list[DataObject[Any, Any]]:
    """Return a batch with all columns as objects."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    space, guard = namespace_term(number, namespace), GUARD + number
    rows = batch.vectors.tolist()
    objects: list[DataObject[Any, Any]] = []
    for at, record_id in enumerate(batch.ids):
        properties = encode(batch.metadata[at], columns)
        properties[ID] = record_id
        properties[NS] = space
        properties[guard] = {}
        if (text := batch.texts[at]) is not None:
            properties[TEXT] = text
        has_vector = batch.present is None or bool(batch.present[at])
        objects.append(
            DataObject(
                uuid=record_uuid(namespace, record_id),
                properties=properties,
                vector={VECTOR: rows[at]} if has_vector else None,
            )
        )
    return objects


def properties_for(columns: Wanted) -> list[str]:
    """Return the properties to read for the columns of a batch."""
    names = [ID]
    if "metadata" in columns:
        names.append(DOC)
    if "text" in columns:
        names.append(TEXT)
    return names


def batch_of(objects: Sequence[Any], columns: Wanted, dimension: int) -> RecordBatch:
    """Return objects of ours as a batch with exactly the columns asked for."""
    vectors, present = None, None
    if "vector" in columns:
        vectors, present = vectors_of(objects, VECTOR, dimension)
    return RecordBatch(
        ids=[each.properties[ID] for each in objects],
        vectors=vectors,
        metadata=[from_json(each.properties[DOC]) for each in objects]
        if "metadata" in columns
        else None,
        texts=[each.properties.get(TEXT) for each in objects] if "text" in columns else None,
        present=present,
    )


def vectors_of(objects: Sequence[Any], name: str, dimension: int) -> tuple[Vector, Any]:
    """Return the vectors of objects, and which have one; None for all."""
    none: dict[str, Any] = {}
    rows: list[Any] = [(each.vector or none).get(name) for each in objects]
    if rows and all(rows):
        return np.array(rows, dtype=np.float32), None
    block = np.zeros((len(rows), dimension), dtype=np.float32)
    present = np.array([bool(row) for row in rows], dtype=np.bool_)
    for at in np.flatnonzero(present).tolist():
        block[at] = rows[at]
    return block, None if present.all() else present
