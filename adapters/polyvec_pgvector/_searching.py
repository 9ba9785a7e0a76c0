"""Statements of a search, and the settings it needs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polyvec.schema import HNSW, IVF, Flat
from polyvec_pgvector._rows import DISTANCE, Rows
from polyvec_pgvector._schema import default_probes, half_expression
from polyvec_pgvector._sql import Sql

if TYPE_CHECKING:
    from polyvec.primitives import Columns
    from polyvec.schema import Index
    from polyvec_pgvector._facts import Facts
    from polyvec_pgvector._layout import Place

DEFAULT_EF_SEARCH: Final = 100
MAX_EF_SEARCH: Final = 1000
"""pgvector src/hnsw.h, HNSW_MAX_EF_SEARCH."""

MAX_PROBES: Final = 32_768

NARROW: Final = 1000
"""Up to so many candidates every vector is compared: about the cost of one walk of the graph."""

HALF_OVERFETCH: Final = 2
"""Factor for hits of an index over half precision, which are ranked again by full vectors."""


def by_index(rows: Rows, native: Sql | None, query: bytes, k: int, columns: Columns) -> Sql:
    """Return a search that the vector index can serve: ordered by the bare distance.

    Rows without a vector are in no index. Where the server chooses another plan they come last,
    with NULL as distance, and are dropped: a condition on them costs a tenth of a search.
    """
    place = rows.place
    distance = rows.distance(query)
    where = rows.where(native)
    if not place.index_half:
        text = (
            f"SELECT {rows.select(columns)}, {distance.text} AS {DISTANCE} FROM {place.table} "
            f"WHERE {where.text} ORDER BY {DISTANCE} LIMIT {k}"
        )
        return Sql(text, (*distance.params, *where.params))
    column, asked = (
        half_expression(vector, place.extension, place.dimension, place.metric)
        for vector in (place.vector, f"%b::{place.type_of('vector')}")
    )
    rough = f"{column} {place.operator} {asked}"
    text = (
        f"SELECT {rows.select(columns)}, {DISTANCE} FROM (SELECT *, {distance.text} AS {DISTANCE} "
        f"FROM {place.table} WHERE {where.text} ORDER BY {rough} LIMIT {k * HALF_OVERFETCH}) "
        f"AS found ORDER BY {DISTANCE} LIMIT {k}"
    )
    return Sql(text, (*distance.params, *where.params, *distance.params))


def exact(rows: Rows, native: Sql | None, query: bytes, k: int, columns: Columns) -> Sql:
    """Return a search that compares with every vector; OFFSET 0 keeps the index out."""
    place = rows.place
    distance = rows.distance(query)
    where = rows.where(native, [Sql(f"{place.vector} IS NOT NULL")])
    text = (
        f"SELECT {rows.select(columns)}, {DISTANCE} FROM (SELECT *, {distance.text} AS {DISTANCE} "
        f"FROM {place.table} WHERE {where.text} OFFSET 0) AS candidates "
        f'ORDER BY {DISTANCE}, {rows.id} COLLATE "C" LIMIT {k}'
    )
    return Sql(text, (*distance.params, *where.params))


def few(rows: Rows, native: Sql | None, limit: int) -> Sql:
    """Return a count that stops above `limit`."""
    where = rows.where(native, keys_only=True)
    text = f"SELECT count(*) FROM (SELECT 1 FROM {rows.place.table} WHERE {where.text} LIMIT "
    return Sql(f"{text}{limit + 1}) AS part", where.params)


def settings(
    place: Place, params: Index | None, k: int, facts: Facts
) -> tuple[tuple[str, str], ...]:
    """Return what a search by the index sets, name and value; nothing for an exact one."""
    match place.index:
        case HNSW():
            asked = params.ef_search if isinstance(params, HNSW) else None
            ef = asked or place.ef_search or DEFAULT_EF_SEARCH
            # The index gives at most ef_search rows at a time, so fewer than k were no use.
            chosen = [("hnsw.ef_search", str(min(max(ef, k), MAX_EF_SEARCH)))]
            method = "hnsw"
        case IVF(lists):
            asked = params.probes if isinstance(params, IVF) else None
            probes = asked or place.probes or default_probes(lists)
            chosen = [("ivfflat.probes", str(min(probes, MAX_PROBES)))]
            method = "ivfflat"
        case Flat():
            return ()
    if facts.iterates:
        chosen.append((f"{method}.iterative_scan", "relaxed_order"))
    return tuple(chosen)


def is_exact(place: Place, params: Index | None) -> bool:
    """Return whether no index is wanted, or none is there."""
    return isinstance(place.index, Flat) or isinstance(params, Flat)
