"""From a `CollectionSpec` to DDL and the marker, and back. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, assert_never

from polyvec.errors import NotSupportedError
from polyvec.paths import format_path, parse_path
from polyvec.schema import HNSW, IVF, Flat
from polyvec.types import Metric
from polyvec_pgvector._jsonb import instant_of, jsonb_at, numeric_of, text_start
from polyvec_pgvector._layout import OPERATOR_CLASSES
from polyvec_pgvector._sql import Sql, identifier, qualified, string
from polyvec_pgvector.capabilities import MAX_INDEXED, MAX_INDEXED_HALF

if TYPE_CHECKING:
    from polyvec.paths import Path
    from polyvec.schema import CollectionSpec, Index

LAYOUT_VERSION: Final = 1

# A new collection's name starts with a letter, so these are nobody's.
REGISTRY: Final = "_polyvec_collections"
ALIASES: Final = "_polyvec_aliases"

DEFAULT_LISTS: Final = 100
"""pgvector's own default for IVFFlat."""

# Limits of pgvector 0.8: src/hnsw.h and src/ivfflat.h.
_M: Final = range(2, 101)
_EF_CONSTRUCTION: Final = range(4, 1001)
_EF_SEARCH: Final = range(1, 1001)
_LISTS: Final = range(1, 32_769)


def registry_ddl(schema: str) -> list[str]:
    """Return the statements that make the registry where it is not there yet."""
    return [
        (
            f"CREATE TABLE IF NOT EXISTS {qualified(schema, REGISTRY)} ("
            'name text COLLATE "C" PRIMARY KEY, layout_version integer NOT NULL, '
            "spec jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now())"
        ),
        (
            f"CREATE TABLE IF NOT EXISTS {qualified(schema, ALIASES)} ("
            'alias text COLLATE "C" PRIMARY KEY, collection text COLLATE "C" NOT NULL)'
        ),
    ]


def table_ddl(schema: str, extension: str, spec: CollectionSpec) -> list[str]:
    """Return the statements that make a collection's table and its indexes for keys and filters."""
    table = qualified(schema, spec.name)
    sequence = qualified(schema, object_name(spec.name, "key"))
    vector = f"{qualified(extension, 'vector')}({spec.dimension})"
    columns = (
        f"key bigint NOT NULL DEFAULT nextval({string(sequence)}::regclass), "
        'namespace text COLLATE "C" NOT NULL DEFAULT \'\', id text COLLATE "C" NOT NULL, '
        f"vector {vector}, text text, metadata jsonb NOT NULL DEFAULT '{{}}', sidecar jsonb"
    )
    key = f"CONSTRAINT {identifier(object_name(spec.name, 'id'))} PRIMARY KEY (namespace, id)"
    scan = identifier(object_name(spec.name, "scan"))
    metadata = identifier(object_name(spec.name, "metadata"))
    statements = [
        f"CREATE SEQUENCE {sequence}",
        f"CREATE TABLE {table} ({columns}, {key})",
        f"ALTER SEQUENCE {sequence} OWNED BY {table}.key",
        f"CREATE UNIQUE INDEX {scan} ON {table} (namespace, key)",
        f"CREATE INDEX {metadata} ON {table} USING gin (metadata jsonb_path_ops)",
    ]
    statements += _field_indexes(table, spec)
    return statements


def _field_indexes(table: str, spec: CollectionSpec) -> Iterator[str]:
    for name, kind in spec.index_fields.items():
        expression = _field_expression(parse_path(name), kind.__name__)
        if expression is not None:
            index = identifier(object_name(spec.name, f"field {name}"))
            yield f"CREATE INDEX {index} ON {table} (namespace, {inline(expression)})"


def _field_expression(path: Path, kind: str) -> Sql | None:
    value = jsonb_at(path)
    match kind:
        case "str":
            return text_start(value)
        case "int" | "float":
            return numeric_of(value)
        case "datetime":
            text = instant_of(value)
            return Sql(f'({text.text} COLLATE "C")', text.params)
        case _:
            return None  # two values: the index over all metadata serves equality with either


def inline(expression: Sql) -> str:
    """Return an expression of text parameters with the texts quoted: DDL takes no parameters."""
    pieces = expression.text.split("%s")
    quoted = [string(value) for value in expression.params]
    return pieces[0] + "".join(q + p for q, p in zip(quoted, pieces[1:], strict=True))


def vector_index_ddl(
    schema: str,
    extension: str,
    name: str,
    *,
    dimension: int,
    metric: Metric,
    index: Index,
    half: bool,
    concurrently: bool = False,
) -> str | None:
    """Return the statement that builds the index over the vectors, None for `Flat`."""
    match index:
        case Flat():
            return None
        case HNSW(m, ef_construction):
            # Named although they are pgvector's defaults: then the server reports them.
            m, ef = m or 16, ef_construction or max(64, 2 * (m or 16))
            method, settings = "hnsw", f"m = {m}, ef_construction = {ef}"
        case IVF(lists):
            method, settings = "ivfflat", f"lists = {lists or DEFAULT_LISTS}"
        case _:
            assert_never(index)
    kind, expression = "vector", "vector"
    if half:
        kind = "halfvec"
        expression = f"({half_expression('vector', extension, dimension, metric)})"
    operators = qualified(extension, f"{kind}_{OPERATOR_CLASSES[metric]}")
    return (
        f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}"
        f"{identifier(object_name(name, 'vector'))} ON {qualified(schema, name)} "
        f"USING {method} ({expression} {operators}) WITH ({settings})"
    )


def half_expression(vector: str, extension: str, dimension: int, metric: Metric) -> str:
    """Return a vector in half precision, as the index holds it.

    Of length 1 for the cosine: half precision ends at 65,504. The other metrics cannot be scaled,
    so a number beyond it is refused by the server.
    """
    if metric is Metric.COSINE:
        vector = f"{qualified(extension, 'l2_normalize')}({vector})"
    return f"{vector}::{qualified(extension, 'halfvec')}({dimension})"


def object_name(collection: str, purpose: str) -> str:
    """Return the name of an index or a sequence: unique, below 63 bytes, never a collection's."""
    digest = hashlib.sha256(f"{collection}\0{purpose}".encode()).hexdigest()[:16]
    return f"_polyvec_{purpose.split(maxsplit=1)[0]}_{digest}"


def chosen_index(spec: CollectionSpec, *, halfvec: bool) -> tuple[Index, bool]:
    """Return the index to build, and whether over half precision.

    Raises
    ------
    NotSupportedError
        A setting that pgvector refuses, and no `best_effort`.
    """
    half = halfvec or spec.dimension > MAX_INDEXED
    if isinstance(spec.index, Flat):
        return Flat(), False
    if spec.index is None:
        # Nobody asked for half precision, so it must not refuse a vector, see half_expression.
        safe = not half or halfvec or spec.metric is Metric.COSINE
        return (HNSW(), half) if safe and spec.dimension <= MAX_INDEXED_HALF else (Flat(), False)
    fault = _fault(spec.index, spec.dimension)
    if fault is None:
        return spec.index, half
    if spec.index.best_effort:
        return Flat(), False
    raise NotSupportedError(f"{spec.index!r}: {fault}; change it, or pass best_effort=True")


def _fault(index: HNSW | IVF, dimension: int) -> str | None:
    if dimension > MAX_INDEXED_HALF:
        return (
            f"pgvector indexes at most {MAX_INDEXED_HALF} dimensions (over halfvec), "
            f"the collection has {dimension}"
        )
    match index:
        case HNSW(m, ef_construction, ef_search):
            settings = {
                "m": (m, _M),
                "ef_construction": (ef_construction, _EF_CONSTRUCTION),
                "ef_search": (ef_search, _EF_SEARCH),
            }
            if ef_construction is not None and ef_construction < 2 * (m or 16):
                return f"ef_construction={ef_construction}: pgvector wants at least 2 * m"
        case IVF(lists, probes):
            settings = {"lists": (lists, _LISTS), "probes": (probes, _LISTS)}
    for name, (value, allowed) in settings.items():
        if value is not None and value not in allowed:
            return f"{name}={value}: pgvector takes {allowed[0]} to {allowed[-1]}"
    return None


def check_search(params: Index | None, place_index: Index) -> None:
    """Refuse settings of one search that the collection's index cannot honour.

    Raises
    ------
    NotSupportedError
        Another kind of index, a build setting, or a number that pgvector refuses.
    """
    if params is None or isinstance(params, Flat) or params.best_effort:
        return
    if params.kind != place_index.kind:
        raise NotSupportedError(
            f"search={params!r}: the collection has a {place_index.kind} index; "
            "leave search= out, or pass best_effort=True"
        )
    build = (params.m, params.ef_construction) if isinstance(params, HNSW) else (params.lists,)
    if any(setting is not None for setting in build):
        raise NotSupportedError(
            f"search={params!r}: only ef_search and probes are settings of a search; "
            "the others belong to create_collection"
        )
    if (fault := _fault(params, 1)) is not None:
        raise NotSupportedError(f"search={params!r}: {fault}")


def default_probes(lists: int | None) -> int:
    """Return pgvector's advice for the probes of an index: the square root of its lists."""
    return max(1, math.isqrt(lists or DEFAULT_LISTS))


def marker(spec: CollectionSpec, index: Index, *, half: bool) -> str:
    """Return what the registry keeps of a collection, as JSON text."""
    return json.dumps(
        {
            "dimension": spec.dimension,
            "metric": spec.metric.value,
            "index": {"kind": index.kind, "half": half, **_settings(index)},
            "index_fields": {
                format_path(parse_path(name)): kind.__name__
                for name, kind in spec.index_fields.items()
            },
        },
        ensure_ascii=False,
    )


def marker_index(spec: Mapping[str, Any], index: Index, *, half: bool) -> str:
    """Return a marker with another index, as JSON text."""
    told = {"kind": index.kind, "half": half, **_settings(index)}
    return json.dumps({**spec, "index": told}, ensure_ascii=False)


def _settings(index: Index) -> dict[str, int]:
    names = {"hnsw": ("m", "ef_construction", "ef_search"), "ivf": ("lists", "probes")}
    found = {name: getattr(index, name) for name in names.get(index.kind, ())}
    return {name: value for name, value in found.items() if value is not None}


def wanted_index(spec: Mapping[str, Any]) -> tuple[Index, bool]:
    """Return the index of a marker, which may not be built yet."""
    stored = dict(spec["index"])
    kind, half = stored.pop("kind"), stored.pop("half")
    match kind:
        case "hnsw":
            return HNSW(**stored), half
        case "ivf":
            return IVF(**stored), half
        case _:
            return Flat(), False


def check_version(name: str, version: int) -> None:
    """Refuse a collection that a newer polyvec made.

    Raises
    ------
    NotSupportedError
        Its layout is not known here.
    """
    if version > LAYOUT_VERSION:
        raise NotSupportedError(
            f"collection {name!r} has layout version {version}, this polyvec knows up to "
            f"{LAYOUT_VERSION}; upgrade polyvec"
        )


def indexed_fields(spec: Mapping[str, Any]) -> dict[Path, str]:
    """Return the fields of a marker that have an index of their own, and their class."""
    return {parse_path(name): kind for name, kind in spec["index_fields"].items()}
