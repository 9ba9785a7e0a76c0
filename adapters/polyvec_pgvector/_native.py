"""Tables that polyvec did not make: what their columns mean, and how rows read. Pure.

A column with a role (id, vector, text, namespace) is no metadata; every other one is a field of
its name. jsonb columns are objects, so their keys are reached by a path. NULL is absent. So are
the values that no metadata can hold: infinite and not-a-number floats, dates outside the years 1
to 9999. A column of any other type reads as the text PostgreSQL writes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.errors import InvalidRequestError
from polyvec.records import RecordBatch
from polyvec_pgvector import _binary
from polyvec_pgvector._layout import Column, Kind, TableLayout
from polyvec_pgvector._sql import Sql

if TYPE_CHECKING:
    from polyvec.primitives import Columns
    from polyvec.types import MetadataDict, Vector

KINDS: Final[dict[str, Kind]] = {
    "text": "str",
    "varchar": "str",
    "bpchar": "str",
    "name": "str",
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "float4": "float",
    "float8": "float",
    "numeric": "float",
    "bool": "bool",
    "timestamptz": "datetime",
    "timestamp": "datetime",
    "json": "jsonb",
    "jsonb": "jsonb",
    "_text": "array",
    "_varchar": "array",
    "_int2": "array",
    "_int4": "array",
    "_int8": "array",
    "_bool": "array",
}
"""`pg_type.typname` to how it reads; what is not here reads as its text form."""

_INT64: Final = range(-(2**63), 2**63)


def value_sql(column: Column) -> str:
    """Return the expression that reads a column, the same for answers and for filters."""
    name = column.sql
    match column.kind:
        case "int":
            return f"{name}::bigint"
        case "float":
            # NaN is above all numbers here, so it is out too.
            return (
                f"(CASE WHEN {name} > '-Infinity' AND {name} < 'Infinity' THEN {name}::float8 END)"
            )
        case "bool":
            return name
        case "datetime":
            moment = name if column.type_name == "timestamptz" else f"{name} AT TIME ZONE 'UTC'"
            return f"(CASE WHEN {name} >= '0001-01-02' AND {name} < '9999-12-31' THEN {moment} END)"
        case "jsonb":
            return f"{name}::jsonb"
        case "array":
            return f"to_jsonb({name})"
        case "str" | "text_form":
            return f"{name}::text"


def select_list(layout: TableLayout, columns: Columns) -> str:
    """Return what `decode` reads, the id first."""
    names = [f"{layout.key.sql}::text AS _polyvec_id"]  # not the key's name, see _rows.page
    if "vector" in columns:
        # Always float32: a column of halfvec reads as what it holds.
        names.append(f"{layout.place.vector}::{layout.place.type_of('vector')}")
    if "metadata" in columns:
        names += [_selected(column) for column in layout.fields.values()]
    if "text" in columns:
        names.append("NULL" if layout.text is None else f"{layout.text.sql}::text")
    return ", ".join(names)


def _selected(column: Column) -> str:
    text = value_sql(column)
    return f"{text}::text" if column.kind in ("jsonb", "array") else text


def decode(layout: TableLayout, rows: Sequence[Sequence[Any]], columns: Columns) -> RecordBatch:
    """Return rows of `select_list` as a batch; further columns are ignored."""
    at = 1
    vectors: Vector | None = None
    present: np.ndarray[Any, np.dtype[np.bool_]] | None = None
    metadata: list[MetadataDict] | None = None
    texts: list[str | None] | None = None
    if "vector" in columns:
        vectors, present = _binary.read_vectors((row[at] for row in rows), layout.place.dimension)
        at += 1
    if "metadata" in columns:
        readers = [(name, _reader(column.kind)) for name, column in layout.fields.items()]
        stop = at + len(readers)
        metadata = [_fields(readers, row[at:stop]) for row in rows]
        at = stop
    if "text" in columns:
        texts = [row[at] for row in rows]
    return RecordBatch([row[0] for row in rows], vectors, metadata, texts, present)


def _fields(
    readers: Sequence[tuple[str, Callable[[Any], Any] | None]], values: Sequence[Any]
) -> MetadataDict:
    return {
        name: value if read is None else read(value)
        for (name, read), value in zip(readers, values, strict=True)
        if value is not None
    }


def _reader(kind: Kind) -> Callable[[Any], Any] | None:
    match kind:
        case "jsonb" | "array":
            return json.loads
        case "datetime":
            return _in_utc
        case _:
            return None


def _in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC: PostgreSQL keeps the instant, a session shows its own zone."""
    return moment.astimezone(UTC)


def in_namespace(layout: TableLayout, namespace: str) -> Sql:
    """Return the condition that a row is in a namespace; without a column all are in `""`."""
    if layout.namespace is None:
        return Sql("TRUE" if namespace == "" else "FALSE")
    column = f"{layout.namespace.sql}::text"
    if namespace == "":
        return Sql(f"coalesce({column}, '') = ''")
    return Sql(f"{column} = %s", (namespace,))


def with_ids(key: Column, ids: Sequence[str]) -> Sql:
    """Return the condition that a row has one of these ids, such that an index can serve it."""
    if key.kind == "int":
        numbers = [int(one) for one in ids if _is_canonical_int(one)]
        return Sql(f"{key.sql} = ANY(%s::bigint[])", (numbers,))
    if key.type_name == "uuid":
        return Sql(f"{key.sql} = ANY(%s::uuid[])", ([one for one in ids if _is_uuid(one)],))
    if key.kind == "str" and key.type_name != "bpchar":
        return Sql(f"{key.sql} = ANY(%s::text[])", (list(ids),))
    return Sql(f"{key.sql}::text = ANY(%s::text[])", (list(ids),))


def _is_canonical_int(text: str) -> bool:
    """`"007"` and `"7"` are two ids, and only one of them is a number's text."""
    if not text.isascii() or len(text) > 20:
        return False
    with suppress(ValueError):
        return str(int(text)) == text and int(text) in _INT64
    return False


def _is_uuid(text: str) -> bool:
    with suppress(ValueError):
        return str(uuid.UUID(text)) == text
    return False


def beyond(key: Column, sign: str, position: str) -> Sql:
    """Return the condition that the key is before or behind a position, which is its text.

    Raises
    ------
    InvalidRequestError
        It cannot be a key of this table.
    """
    fits = _is_canonical_int(position) if key.kind == "int" else "\0" not in position
    if key.type_name == "uuid":
        fits = _is_uuid(position)
    if not fits:
        raise InvalidRequestError(
            f"position {position!r} is no {key.type_name}, the type of the key {key.name!r}; "
            "pass a cursor that a batch of this collection gave"
        )
    kind = {"int": "bigint", "str": "text"}.get(key.kind, key.type_name)
    return Sql(f"{key.sql} {sign} %s::{kind}", (position,))
