"""Building the index over the vectors of a collection, after a bulk load or anew.

Loading into a table that has a vector index costs many times what building it afterwards does.
So open the store with `defer_index=True`, load, and build:

    build_index("postgresql://localhost/app", "articles")
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg

from polyvec.config import resolve
from polyvec.errors import CollectionNotFoundError, ConfigError, PolyvecError
from polyvec.schema import CollectionSpec
from polyvec.types import Metric
from polyvec_pgvector import _errors, _schema
from polyvec_pgvector._config import PgvectorConfig
from polyvec_pgvector._sql import identifier, qualified, trusted

if TYPE_CHECKING:
    from polyvec.schema import Index


def build_index(
    target: str | PgvectorConfig,
    collection: str,
    index: Index | None = None,
    *,
    concurrently: bool = True,
    memory: str | None = None,
) -> None:
    """Build the vector index of a collection of ours, in place of the one it has.

    An IVFFlat index learns its lists from the rows that are there, so build it again when a
    collection has grown several times. Other stores see the new index when they open the
    collection again.

    Parameters
    ----------
    target
        URL, profile or configuration of the store.
    collection
        Its own name, no alias.
    index
        `HNSW(...)`, `IVF(...)` or `Flat()`, which only removes; None: what the collection was
        created with.
    concurrently
        True: writers go on meanwhile (CREATE INDEX CONCURRENTLY), and the old index serves until
        the new one is ready. False: writers wait, and it takes about half the time.
    memory
        maintenance_work_mem for the build, for example `"2GB"`; the graph should fit in it.

    Raises
    ------
    CollectionNotFoundError
        There is no such collection of ours.
    NotSupportedError
        A setting that pgvector refuses.
    """
    config = resolve(target)
    if not isinstance(config, PgvectorConfig):
        raise ConfigError(f"build_index is for pgvector, the target is {config.backend!r}")
    try:
        with psycopg.connect(**_arguments(config), autocommit=True) as connection:
            _build(connection, config, collection, index, concurrently, memory)
    except PolyvecError:
        raise
    except psycopg.Error as exc:
        mapped = _errors.map_error(exc, "build_index")
        if mapped is None:
            raise
        raise mapped from exc


def _arguments(config: PgvectorConfig) -> dict[str, Any]:
    return {"fallback_application_name": "polyvec", **config.libpq_parameters()}


def _build(
    connection: psycopg.Connection[Any],
    config: PgvectorConfig,
    name: str,
    index: Index | None,
    concurrently: bool,
    memory: str | None,
) -> None:
    schema, registry = config.schema_name, qualified(config.schema_name, _schema.REGISTRY)
    spec, extension = _read(connection, registry, name)
    wanted, _ = _schema.wanted_index(spec)
    shape = CollectionSpec(
        name=name,
        dimension=spec["dimension"],
        metric=Metric(spec["metric"]),
        index=index or wanted,
    )
    chosen, half = _schema.chosen_index(shape, halfvec=config.halfvec or spec["index"]["half"])
    statement = _schema.vector_index_ddl(
        schema,
        extension,
        name,
        dimension=shape.dimension,
        metric=shape.metric,
        index=chosen,
        half=half,
        concurrently=concurrently,
    )
    if memory is not None:
        connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", (memory,))
    final = _schema.object_name(name, "vector")
    old = _schema.object_name(name, "replaced")
    how = "CONCURRENTLY " if concurrently else ""

    def run(text: str) -> None:
        connection.execute(trusted(text), ())

    run(f"DROP INDEX {how}IF EXISTS {qualified(schema, old)}")  # of a build that was interrupted
    run(f"ALTER INDEX IF EXISTS {qualified(schema, final)} RENAME TO {identifier(old)}")
    if statement is not None:
        run(statement)
    run(f"DROP INDEX {how}IF EXISTS {qualified(schema, old)}")
    text = _schema.marker_index(spec, chosen, half=half)
    query = f"UPDATE {registry} SET spec = %s::jsonb WHERE name = %s"
    connection.execute(trusted(query), (text, name))


def _read(connection: psycopg.Connection[Any], registry: str, name: str) -> tuple[Any, str]:
    query = (
        "SELECT spec::text, layout_version, (SELECT n.nspname FROM pg_extension e "
        "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector') "
        f"FROM {registry} WHERE name = %s"
    )
    row = connection.execute(trusted(query), (name,)).fetchone()
    if row is None:
        raise CollectionNotFoundError(
            f"{name!r} is no collection of ours", store="pgvector", operation="build_index"
        )
    _schema.check_version(name, row[1])
    return json.loads(row[0]), str(row[2])
