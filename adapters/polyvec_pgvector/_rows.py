"""One interface over both kinds of tables, for statements that read and delete. Pure.

Upsert and update differ too much: `_own_async` and `_native_async`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polyvec.errors import InvalidRequestError
from polyvec_pgvector import _codec, _native
from polyvec_pgvector._layout import Layout, OwnLayout, Place, TableLayout
from polyvec_pgvector._sql import Sql, join
from polyvec_pgvector._wire import Raw

if TYPE_CHECKING:
    from polyvec.primitives import Columns, KeyRange, Target
    from polyvec.records import RecordBatch

DISTANCE = "_polyvec_distance"


class Rows(ABC):
    """The records of one namespace of a table."""

    def __init__(self, place: Place, namespace: str) -> None:
        self.place = place
        self.namespace = namespace

    key: str
    """The column that a scan follows."""

    id: str
    """The id as text, for ties."""

    @abstractmethod
    def where(
        self, native: Sql | None, more: Sequence[Sql] = (), *, keys_only: bool = False
    ) -> Sql:
        """Return which rows belong here, and which of them a filter selects.

        `keys_only` tells that the statement reads nothing else of the rows, so that an index
        alone may answer it.
        """

    @abstractmethod
    def with_ids(self, ids: Sequence[str]) -> Sql:
        """Return the condition that a row has one of these ids."""

    @abstractmethod
    def select(self, columns: Columns) -> str:
        """Return the select list that `decode` reads, the id first."""

    @abstractmethod
    def decode(self, rows: Sequence[Sequence[Any]], columns: Columns) -> RecordBatch:
        """Return rows as a batch; further columns behind the select list are ignored."""

    @abstractmethod
    def beyond(self, sign: str, position: str) -> Sql:
        """Return the condition that a row's key is before or behind a position.

        Raises
        ------
        InvalidRequestError
            The position is none of this table.
        """

    def span(self, span: KeyRange | None, after: str | None) -> list[Sql]:
        """Return the conditions of a range and a cursor."""
        pieces = [] if after is None else [self.beyond(">", after)]
        if span is not None and span.start is not None:
            pieces.append(self.beyond(">=", span.start))
        if span is not None and span.stop is not None:
            pieces.append(self.beyond("<", span.stop))
        return pieces

    @property
    def guard(self) -> Sql:
        """Hold only while the table is the one that was opened, and not a later one of its name.

        A constant for the statement, so it costs one look-up of the catalogue's cache.
        """
        return Sql(f"to_regclass({self.place.name}) = {self.place.oid}::oid")

    def distance(self, query: bytes) -> Sql:
        """Return the distance of the vector column to a query in binary."""
        place = self.place
        kind = place.type_of(place.vector_type)
        text = f"{place.vector} {place.operator} %b::{place.type_of('vector')}"
        if kind != place.type_of("vector"):
            # Over the column as it is: an index over halfvec serves only its own operator.
            text = f"{place.vector} {place.operator} %b::{place.type_of('vector')}::{kind}"
        return Sql(text, (Raw(query),))


class OwnRows(Rows):
    """The records of one namespace of a table of ours."""

    key = "key"
    id = "id"

    def where(
        self, native: Sql | None, more: Sequence[Sql] = (), *, keys_only: bool = False
    ) -> Sql:
        space = Sql("namespace = %s", (_codec.stored_namespace(self.namespace),))
        # The same as the guard, and 60 µs cheaper (measured), but needs the rows themselves.
        guard = self.guard if keys_only else Sql(f"tableoid = {self.place.oid}::oid")
        return join("AND", [space, guard, *more, *([] if native is None else [native])])

    def with_ids(self, ids: Sequence[str]) -> Sql:
        return Sql("id = ANY(%s::text[])", (list(ids),))

    def select(self, columns: Columns) -> str:
        return _codec.select_list(columns)

    def decode(self, rows: Sequence[Sequence[Any]], columns: Columns) -> RecordBatch:
        return _codec.decode(rows, columns, self.place.dimension)

    def beyond(self, sign: str, position: str) -> Sql:
        return Sql(f"key {sign} %s::bigint", (check_position(position),))


class TableRows(Rows):
    """The records of one namespace of somebody else's table."""

    def __init__(self, layout: TableLayout, namespace: str) -> None:
        super().__init__(layout.place, namespace)
        self.layout = layout
        self.key = layout.key.sql
        self.id = f"{layout.key.sql}::text"

    def where(
        self, native: Sql | None, more: Sequence[Sql] = (), *, keys_only: bool = False
    ) -> Sql:
        pieces = [_native.in_namespace(self.layout, self.namespace), self.guard, *more]
        return join("AND", pieces if native is None else [*pieces, native])

    def with_ids(self, ids: Sequence[str]) -> Sql:
        return _native.with_ids(self.layout.key, ids)

    def select(self, columns: Columns) -> str:
        return _native.select_list(self.layout, columns)

    def decode(self, rows: Sequence[Sequence[Any]], columns: Columns) -> RecordBatch:
        return _native.decode(self.layout, rows, columns)

    def beyond(self, sign: str, position: str) -> Sql:
        return _native.beyond(self.layout.key, sign, position)


def rows_of(target: Target) -> Rows:
    """Return the records that a primitive acts on."""
    layout: Layout = target.collection.layout
    if isinstance(layout, OwnLayout):
        return OwnRows(layout.place, target.namespace)
    return TableRows(layout, target.namespace)


def check_position(position: str) -> int:
    """Return the key of a cursor.

    Raises
    ------
    InvalidRequestError
        It is no cursor of a collection of ours.
    """
    if position.isascii() and position.removeprefix("-").isdigit() and len(position) <= 20:
        key = int(position)
        if -(2**63) <= key < 2**63:
            return key
    raise InvalidRequestError(
        f"position {position!r}: expected the number of a row; pass a cursor that a batch gave"
    )


def page(rows: Rows, native: Sql | None, span: list[Sql], limit: int, columns: Columns) -> Sql:
    """Return one page of a scan and one row more, which tells whether anything is left."""
    where = rows.where(native, span)
    # The position has a name of its own: ORDER BY would take a column of the answer that is
    # called as the key, which is a text, before the key.
    text = (
        f"SELECT {rows.select(columns)}, {rows.key}::text AS _polyvec_position "
        f"FROM {rows.place.table} WHERE {where.text} ORDER BY {rows.key} LIMIT {limit + 1}"
    )
    return Sql(text, where.params)


def spaces(layout: Layout) -> Sql:
    """Return the statement that counts the records of each namespace."""
    table = layout.place.table
    if isinstance(layout, OwnLayout):
        # Rows of a digest have the namespace itself in their sidecar.
        return Sql(
            "SELECT namespace, count(*), min(sidecar ->> '$namespace') "
            f"FROM {table} GROUP BY namespace"
        )
    if layout.namespace is None:
        return Sql(f"SELECT '', count(*), NULL::text FROM {table} HAVING count(*) > 0")
    column = f"coalesce({layout.namespace.sql}::text, '')"
    return Sql(f"SELECT {column}, count(*), NULL::text FROM {table} GROUP BY {column}")


def read_spaces(rows: Sequence[Sequence[Any]]) -> dict[str, int]:
    """Return namespace to number of records."""
    return {
        stored if full is None else _codec.original_namespace(full): number
        for stored, number, full in rows
    }


def cuts(rows: Rows, parts: int) -> Sql:
    """Return the statement for the keys at which a namespace falls into equal parts.

    They come in the key's own order, once for each part, all of them NULL where there is no record.
    """
    where = rows.where(None)
    fractions = [at / parts for at in range(1, parts)]
    text = (
        f"SELECT unnest(percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY {rows.key}))::text "
        f"FROM {rows.place.table} WHERE {where.text}"
    )
    return Sql(text, (fractions, *where.params))
