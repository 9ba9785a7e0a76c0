"""Statements that write into our tables. Pure.

One array parameter per column keeps every batch one statement, so it is atomic and needs no
temporary table. Arrays come in binary, and the casts beside them give their types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polyvec_pgvector import _binary, _codec, _values
from polyvec_pgvector._sql import Sql
from polyvec_pgvector._wire import Raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyvec.primitives import Patch
    from polyvec.records import RecordBatch
    from polyvec_pgvector._layout import Place
    from polyvec_pgvector._rows import Rows

COLUMNS: Final = "namespace, id, vector, text, metadata, sidecar"

COPY_FROM: Final = 100
"""Rows from which COPY is worth its two more round trips."""

COPY_ROWS: Final = 500
REPLACE_ROWS: Final = 1_000
"""Rows of one piece: while the server works on it, the next one is encoded."""

MOST_CHARACTERS: Final = 64 * 2**20
"""Of the texts in one piece."""


def upsert(rows: Rows, batch: RecordBatch) -> Sql:
    """Return an insert that replaces.

    The key of a replaced row stays, so a scan does not see it twice.
    """
    place = rows.place
    part = _codec.encode(batch, rows.namespace, place.metric)
    arrays = (
        Raw(_binary.array(part.ids, _binary.TEXT_OID)),
        Raw(_binary.array(part.vectors, place.vector_oid)),
        Raw(_binary.array(part.texts, _binary.TEXT_OID)),
        Raw(_binary.array(part.metadata, _binary.JSONB_OID)),
        Raw(_binary.array(part.sidecars, _binary.JSONB_OID)),
    )
    text = (
        f"INSERT INTO {place.table} ({COLUMNS}) SELECT %s, u.* FROM unnest("
        f"%b::text[], %b::{place.type_of('vector')}[], %b::text[], %b::jsonb[], %b::jsonb[]) "
        f"AS u(id, vector, text, metadata, sidecar) WHERE {rows.guard.text} "
        "ON CONFLICT (namespace, id) DO UPDATE SET vector = excluded.vector, "
        "text = excluded.text, metadata = excluded.metadata, sidecar = excluded.sidecar"
    )
    return Sql(text, (_codec.stored_namespace(rows.namespace), *arrays))


def any_present(rows: Rows, ids: Sequence[str]) -> Sql:
    """Return whether the table is the one that was opened, and whether it has any of the ids."""
    space = _codec.stored_namespace(rows.namespace)
    text = (
        f"SELECT {rows.guard.text}, EXISTS (SELECT 1 FROM {rows.place.table} "
        "WHERE namespace = %s AND id = ANY(%s::text[]))"
    )
    return Sql(text, (space, list(ids)))


def copy_statement(place: Place) -> str:
    """Return the COPY of whole rows."""
    # It takes no parameters, so percent signs are single.
    return f"COPY {place.table} ({COLUMNS}) FROM STDIN (FORMAT binary)".replace("%%", "%")


def copy_data(rows: Rows, batch: RecordBatch) -> Iterator[bytes]:
    """Yield the rows for the COPY, each piece made when the one before is on its way."""
    space = _binary.text_field(_codec.stored_namespace(rows.namespace))
    yield _binary.COPY_HEADER
    for piece in pieces(batch, COPY_ROWS):
        part = _codec.encode(piece, rows.namespace, rows.place.metric)
        columns = (part.ids, part.vectors, part.texts, part.metadata, part.sidecars)
        yield _binary.copy_rows([[space] * len(part), *columns])
    yield _binary.COPY_TRAILER


def pieces(batch: RecordBatch, most: int) -> Iterator[RecordBatch]:
    """Cut a batch by count, and so that no array comes near the 1 GB of a field."""
    assert batch.texts is not None
    start, used = 0, 0
    for row, text in enumerate(batch.texts):
        size = 0 if text is None else len(text)
        if row - start == most or (used + size > MOST_CHARACTERS and row > start):
            yield batch.slice(start, row)
            start, used = row, 0
        used += size
    yield batch.slice(start, len(batch))


def update(rows: Rows, ids: Sequence[str], patch: Patch) -> Sql:
    """Return an update that merges top-level keys; each row is changed in one step."""
    place = rows.place
    text, lossy = _values.encode(dict(patch.set))
    touched = [*patch.set, *patch.unset]
    sidecars = [dict(lossy) for _ in ids]
    columns: list[tuple[str, str, Raw]] = []
    if patch.vectors is not None:
        touched.append(_codec.VECTOR)
        vectors, exact = _codec.stored_vectors(patch.vectors, place.metric)
        for row, form in exact.items():
            sidecars[row][_codec.VECTOR] = form
        fields = _binary.vector_fields(vectors, None)
        kind = f"{place.type_of('vector')}[]"
        columns.append(("vector", kind, Raw(_binary.array(fields, place.vector_oid))))
    if patch.texts is not None:
        touched.append(_codec.TEXT)
        for sidecar, extra in zip(sidecars, _codec.text_sidecars(patch.texts), strict=True):
            sidecar.update(extra)
        fields = [_codec.text_field(one) for one in patch.texts]
        columns.append(("text", "text[]", Raw(_binary.array(fields, _binary.TEXT_OID))))
    id_fields = [_binary.text_field(one) for one in ids]
    sidecar_fields = [_codec.sidecar_field(one) for one in sidecars]
    arrays = [
        ("id", "text[]", Raw(_binary.array(id_fields, _binary.TEXT_OID))),
        ("sidecar", "jsonb[]", Raw(_binary.array(sidecar_fields, _binary.JSONB_OID))),
        *columns,
    ]
    casts = ", ".join(f"%b::{kind}" for _, kind, _ in arrays)
    names = ", ".join(name for name, _, _ in arrays)
    others = "".join(f", {name} = u.{name}" for name, _, _ in columns)
    statement = (
        f"UPDATE {place.table} AS t SET metadata = (t.metadata - %s::text[]) || %s::jsonb, "
        "sidecar = nullif((coalesce(t.sidecar, '{}') - %s::text[]) || coalesce(u.sidecar, '{}'), "
        f"'{{}}'){others} FROM unnest({casts}) AS u({names}) "
        f"WHERE t.namespace = %s AND t.id = u.id AND {rows.guard.text}"
    )
    raws = tuple(raw for _, _, raw in arrays)
    space = _codec.stored_namespace(rows.namespace)
    return Sql(statement, (list(patch.unset), text, touched, *raws, space))
