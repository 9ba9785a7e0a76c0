"""From rows of the system catalogue to a layout. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyvec.errors import InvalidRequestError
from polyvec.primitives import OpenedCollection
from polyvec.schema import HNSW, IVF, Flat, Index, NativeLayout
from polyvec.types import Metric
from polyvec_pgvector import _schema
from polyvec_pgvector._facts import Facts
from polyvec_pgvector._layout import (
    OPERATOR_CLASSES,
    VECTOR_TYPES,
    Column,
    OwnLayout,
    Place,
    TableLayout,
)
from polyvec_pgvector._native import KINDS
from polyvec_pgvector._sql import identifier, qualified

COLUMNS: Final = """
SELECT c.oid::bigint, a.attnum::int, a.attname::text, t.typname::text, a.atttypmod,
       a.attgenerated <> '' OR a.attidentity = 'a'
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'p', 'm', 'v', 'f')
 ORDER BY a.attnum
"""

INDEXES: Final = """
SELECT m.amname::text, i.indisunique, i.indisprimary,
       i.indisvalid AND i.indpred IS NULL, i.indkey::int2[]::int[],
       coalesce(x.reloptions, '{}'), o.opcname::text
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam
  LEFT JOIN pg_opclass o ON o.oid = i.indclass[0]
 WHERE i.indrelid = to_regclass(%s)
 ORDER BY x.relname
"""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column as the catalogue has it."""

    oid: int
    number: int
    name: str
    type_name: str
    modifier: int
    generated: bool

    def column(self) -> Column:
        """Return how the column reads."""
        return Column(
            name=self.name,
            sql=identifier(self.name),
            kind=KINDS.get(self.type_name, "text_form"),
            type_name=self.type_name,
            generated=self.generated,
        )


@dataclass(frozen=True, slots=True)
class IndexRow:
    """An index as the catalogue has it."""

    method: str
    unique: bool
    primary: bool
    usable: bool
    numbers: Sequence[int]
    options: Sequence[str]
    operators: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue has it."""

    schema: str
    name: str
    attributes: Sequence[Attribute]
    indexes: Sequence[IndexRow]

    @property
    def vectors(self) -> list[Attribute]:
        """The columns that hold vectors."""
        return [one for one in self.attributes if one.type_name in VECTOR_TYPES]

    def vector_index(self, vector: Attribute) -> tuple[Index, bool, Metric | None]:
        """Return the index over a vector column, whether over half precision, and its metric."""
        for one in self.indexes:
            expression = tuple(one.numbers[:1]) == (0,) and (one.operators or "").startswith("half")
            if not one.usable or (vector.number not in one.numbers[:1] and not expression):
                continue
            options = dict(option.split("=", 1) for option in one.options)
            match one.method:
                case "hnsw":
                    index: Index = HNSW(
                        m=int(options.get("m", 16)),
                        ef_construction=int(options.get("ef_construction", 64)),
                    )
                case "ivfflat":
                    index = IVF(lists=int(options.get("lists", _schema.DEFAULT_LISTS)))
                case _:
                    continue
            return index, expression, _metric_of(one.operators)
        return Flat(), False, None


def _metric_of(operators: str | None) -> Metric | None:
    found = re.fullmatch(r"(?:half)?(?:vec|vector)_(\w+_ops)", operators or "")
    by_name = {name: metric for metric, name in OPERATOR_CLASSES.items()}
    return by_name.get(found.group(1)) if found else None


def own(table: Table, spec: Mapping[str, Any], version: int, facts: Facts) -> OpenedCollection:
    """Return a collection of ours, from its marker and its table."""
    vector = next(one for one in table.attributes if one.name == "vector")
    index, half, _ = table.vector_index(vector)
    wanted, _ = _schema.wanted_index(spec)
    metric = Metric(spec["metric"])
    place = Place(
        table=qualified(table.schema, table.name),
        oid=vector.oid,
        extension=facts.extension or "public",
        vector_oid=facts.vector_oid,
        vector="vector",
        vector_type="vector",
        dimension=int(spec["dimension"]),
        metric=metric,
        index=index,
        index_half=half,
        ef_search=wanted.ef_search if isinstance(wanted, HNSW) else None,
        probes=wanted.probes if isinstance(wanted, IVF) else None,
    )
    told = _with_search_settings(index, place)
    details = {
        **_details(table, facts),
        "layout_version": version,
        "half_precision_index": half,
        "index_wanted": None if wanted.kind == index.kind else wanted,
        "index_fields": dict(spec["index_fields"]),
    }
    layout = OwnLayout(place, _schema.indexed_fields(spec))
    return OpenedCollection(table.name, place.dimension, metric, told, "polyvec", layout, details)


def _with_search_settings(index: Index, place: Place) -> Index:
    match index:
        case HNSW(m, ef_construction):
            return HNSW(m, ef_construction, place.ef_search)
        case IVF(lists):
            return IVF(lists, place.probes)
        case Flat():
            return index


def native(
    table: Table, roles: NativeLayout, dimension: int | None, facts: Facts
) -> OpenedCollection:
    """Return a collection that polyvec did not make.

    Parameters
    ----------
    table, facts
        From the server.
    roles
        What the user says about the columns.
    dimension
        Of the first vector, where the column's type does not say.

    Raises
    ------
    InvalidRequestError
        A role cannot be seen on the server; the message says which to name.
    """
    vector = _vector(table, roles)
    key = _key(table, roles)
    index, half, metric = table.vector_index(vector)
    metric = roles.metric or metric
    if metric is None:
        raise _unclear(table, "metric", "it has no vector index that tells how vectors compare")
    known = vector.modifier if vector.modifier > 0 else roles.dimension or dimension
    if known is None:
        raise _unclear(table, "dimension", f"column {vector.name!r} has no fixed one, and no rows")
    place = Place(
        table=qualified(table.schema, table.name),
        oid=vector.oid,
        extension=facts.extension or "public",
        vector_oid=facts.vector_oid,
        vector=identifier(vector.name),
        vector_type=vector.type_name,
        dimension=known,
        metric=metric,
        index=index,
        index_half=half,
    )
    text = _role(table, roles.text, "text")
    space = _role(table, roles.namespace, "namespace")
    taken = {vector.name, key.name, *(one.name for one in (text, space) if one is not None)}
    layout = TableLayout(
        place=place,
        key=key.column(),
        text=None if text is None else text.column(),
        namespace=None if space is None else space.column(),
        fields={one.name: one.column() for one in table.attributes if one.name not in taken},
    )
    details = {**_details(table, facts), **_roles_told(layout, vector, roles)}
    return OpenedCollection(table.name, known, metric, index, "native", layout, details)


def _roles_told(layout: TableLayout, vector: Attribute, roles: NativeLayout) -> dict[str, Any]:
    return {
        "id": layout.key.name,
        "vector": vector.name,
        "vector_type": vector.type_name,
        "text": roles.text,
        "namespace": roles.namespace,
        "fields": {name: column.type_name for name, column in layout.fields.items()},
        "read_as_text": layout.foreign,
    }


def _details(table: Table, facts: Facts) -> dict[str, Any]:
    return {
        "table": f"{table.schema}.{table.name}",
        "server_version": f"{facts.server // 10_000}.{facts.server % 10_000}",
        "pgvector_version": ".".join(map(str, facts.version)),
    }


def _vector(table: Table, roles: NativeLayout) -> Attribute:
    found = table.vectors
    if roles.vector is not None:
        found = [one for one in found if one.name == roles.vector]
        if not found:
            raise _no_column(table, roles.vector, "vector", "of the type vector or halfvec")
    if len(found) > 1:
        names = ", ".join(repr(one.name) for one in found)
        raise _unclear(table, "vector", f"the columns {names} hold vectors")
    return found[0]


def _key(table: Table, roles: NativeLayout) -> Attribute:
    if roles.id is not None:
        named = _role(table, roles.id, "id")
        assert named is not None
        if any(
            one.unique and one.usable and list(one.numbers) == [named.number]
            for one in table.indexes
        ):
            return named
        raise _no_column(table, roles.id, "id", "with a unique index of its own")
    for one in table.indexes:
        if one.primary and len(one.numbers) == 1:
            return next(a for a in table.attributes if a.number == one.numbers[0])
    raise _unclear(table, "id", "it has no primary key of one column")


def _role(table: Table, name: str | None, role: str) -> Attribute | None:
    if name is None:
        return None
    for one in table.attributes:
        if one.name == name:
            return one
    raise _no_column(table, name, role, "of that name")


def _unclear(table: Table, role: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"table {table.name!r}: its {role} cannot be seen, because {why}; say it, for example "
        f"store.collection({table.name!r}, native=NativeLayout({role}=…)) or "
        f"?native.{table.name}.{role}=…"
    )


def _no_column(table: Table, name: str, role: str, kind: str) -> InvalidRequestError:
    names = ", ".join(repr(one.name) for one in table.attributes)
    return InvalidRequestError(
        f"table {table.name!r}: {role}={name!r}: expected a column {kind}; it has {names}"
    )
