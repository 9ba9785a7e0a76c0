"""Statements that write into somebody else's table. Pure.

A record is written where its metadata names columns and their types can hold the values; what
cannot is refused before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.types import as_any
from polyvec_pgvector import _binary
from polyvec_pgvector._native import with_ids
from polyvec_pgvector._sql import Sql
from polyvec_pgvector._values import canonical
from polyvec_pgvector._wire import Raw

if TYPE_CHECKING:
    from polyvec.primitives import Patch
    from polyvec.records import RecordBatch
    from polyvec_pgvector._layout import Column, TableLayout
    from polyvec_pgvector._rows import Rows


def upserts(
    layout: TableLayout, batch: RecordBatch, namespace: str
) -> tuple[str, list[tuple[Any, ...]]]:
    """Return one statement and the values of each record.

    Raises
    ------
    InvalidRecordError
        A field has no column, or a column cannot hold the value.
    NotSupportedError
        A column must be given and no record can give it.
    """
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    columns = [column for column in layout.fields.values() if not column.generated]
    _check_writable(layout, namespace)
    place = layout.place
    roles = [layout.key.sql, place.vector]
    marks = [f"%s::{layout.key.type_name}", _vector_mark(layout)]
    for role in (layout.text, layout.namespace):
        if role is not None:
            roles.append(role.sql)
            marks.append(f"%s::{role.type_name}")
    roles += [column.sql for column in columns]
    marks += [f"%s::{_cast(column)}" for column in columns]
    updates = ", ".join(f"{name} = excluded.{name}" for name in roles[1:])
    text = (
        f"INSERT INTO {place.table} ({', '.join(roles)}) VALUES ({', '.join(marks)}) "
        f"ON CONFLICT ({layout.key.sql}) DO UPDATE SET {updates}"
    )
    return text, list(_values(layout, columns, batch, namespace))


def _vector_mark(layout: TableLayout) -> str:
    place = layout.place
    plain = f"%b::{place.type_of('vector')}"
    return (
        plain if place.vector_type == "vector" else f"{plain}::{place.type_of(place.vector_type)}"
    )


def _values(
    layout: TableLayout, columns: Sequence[Column], batch: RecordBatch, namespace: str
) -> Iterator[tuple[Any, ...]]:
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    for row, record_id in enumerate(batch.ids):
        _check_no_nul(record_id, layout.key.name, record_id)
        here = batch.present is None or bool(batch.present[row])
        values: list[Any] = [record_id, Raw(_binary.vector(batch.vectors[row])) if here else None]
        if layout.text is not None:
            values.append(_plain(batch.texts[row], layout.text, record_id))
        elif batch.texts[row] is not None:
            raise InvalidRecordError(
                f"record {record_id!r} has a text, and the table no column for it; "
                "name one with NativeLayout(text=…)"
            )
        if layout.namespace is not None:
            values.append(namespace)
        metadata = batch.metadata[row]
        for name in metadata:
            _check_field(layout, name, record_id)
        values += [_plain(metadata.get(column.name), column, record_id) for column in columns]
        yield tuple(values)


def _check_writable(layout: TableLayout, namespace: str) -> None:
    if layout.namespace is None and namespace != "":
        raise NotSupportedError(
            f"namespace {namespace!r}: the table has no column for namespaces; "
            "name one with NativeLayout(namespace=…), or use the default namespace"
        )
    if layout.key.generated:
        raise NotSupportedError(
            f"the server makes the values of {layout.key.name!r}, so no record can be written"
        )


def _check_field(layout: TableLayout, name: str, record_id: str) -> None:
    column = layout.fields.get(name)
    if column is None or column.generated:
        names = ", ".join(repr(one.name) for one in layout.fields.values() if not one.generated)
        raise InvalidRecordError(
            f"record {record_id!r}: the table has no column {name!r} that can be written; "
            f"it has {names or 'none'}"
        )


def _cast(column: Column) -> str:
    return column.type_name if not column.type_name.startswith("_") else f"{column.type_name[1:]}[]"


def _plain(value: Any, column: Column, record_id: str) -> Any:
    """Return a value as the column takes it.

    Raises
    ------
    InvalidRecordError
        The column would hold another value than the one given.
    """
    match column.kind, value:
        case _, None:
            return None
        case (("str" | "text_form"), str()):
            _check_no_nul(value, column.name, record_id)
            return value
        case "bool", bool():
            return value
        case "int", int() if not isinstance(value, bool):
            return value
        case "float", float():
            return value
        case "datetime", datetime():
            return value
        case "jsonb", _ if not _has_own_forms(value):
            return canonical(value)
        case "array", list():
            return as_any(value)
        case _:
            raise _refused(value, column, record_id)


def _has_own_forms(value: object) -> bool:
    """Tell whether jsonb of others could not hold a value: datetimes, NUL, U+0001."""
    match value:
        case str():
            return "\0" in value or "\1" in value
        case list():
            return any(map(_has_own_forms, cast("list[object]", value)))
        case dict():
            return any(map(_has_own_forms, cast("dict[str, object]", value).values()))
        case _:
            return isinstance(value, datetime)


def _check_no_nul(value: str, name: str, record_id: str) -> None:
    if "\0" in value:
        raise InvalidRecordError(
            f"record {record_id!r}: column {name!r} cannot hold NUL; remove it"
        )


def _refused(value: Any, column: Column, record_id: str) -> InvalidRecordError:
    return InvalidRecordError(
        f"record {record_id!r}: column {column.name!r} of type {column.type_name} cannot hold "
        f"{value!r} ({type(value).__name__}); change the value"
    )


def update(layout: TableLayout, rows: Rows, ids: Sequence[str], patch: Patch) -> list[Sql]:
    """Return the statements of an update: one for what all share, one per record for the rest."""
    statements: list[Sql] = []
    settings: list[Sql] = []
    for name, value in {**patch.set, **dict.fromkeys(patch.unset)}.items():
        if value is None and name not in layout.fields:
            continue  # nothing to remove
        _check_field(layout, name, ids[0] if ids else "")
        column = layout.fields[name]
        plain = _plain(value, column, ids[0] if ids else "")
        settings.append(Sql(f"{column.sql} = %s::{_cast(column)}", (plain,)))
    if settings:
        statements.append(_set(layout, rows, ids, settings))
    for row, record_id in enumerate(ids):
        own: list[Sql] = []
        if patch.vectors is not None:
            raw = Raw(_binary.vector(patch.vectors[row]))
            own.append(Sql(f"{layout.place.vector} = {_vector_mark(layout)}", (raw,)))
        if patch.texts is not None:
            if layout.text is None:
                raise InvalidRecordError("texts=: the table has no column for texts")
            value = _plain(patch.texts[row], layout.text, record_id)
            own.append(Sql(f"{layout.text.sql} = %s::{layout.text.type_name}", (value,)))
        if own:
            statements.append(_set(layout, rows, [record_id], own))
    return statements


def _set(layout: TableLayout, rows: Rows, ids: Sequence[str], settings: Sequence[Sql]) -> Sql:
    where = rows.where(None, [with_ids(layout.key, ids)])
    text = ", ".join(piece.text for piece in settings)
    values = tuple(value for piece in settings for value in piece.params)
    return Sql(
        f"UPDATE {layout.place.table} SET {text} WHERE {where.text}", (*values, *where.params)
    )
