# Generated from _catalog_async.py by tools/unasync.py. Do not edit.
"""Collections and aliases: the registry, and the system catalogue (synchronous source)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import psycopg

from polyvec.errors import CollectionExistsError, CollectionNotFoundError, NotSupportedError
from polyvec.schema import NativeLayout
from polyvec_pgvector import _inspect, _schema
from polyvec_pgvector._inspect import Attribute, IndexRow, Table
from polyvec_pgvector._sql import Sql, identifier, qualified, string

if TYPE_CHECKING:
    from polyvec.primitives import OpenedCollection
    from polyvec.schema import CollectionSpec
    from polyvec_pgvector._config import PgvectorConfig
    from polyvec_pgvector._facts import Facts
    from polyvec_pgvector._pool import Pool
    from polyvec_pgvector._wire import DeadlineConnection

MAX_NAME_BYTES: Final = 63
"""Longer identifiers are cut by PostgreSQL, silently: NAMEDATALEN - 1."""


class Catalog:
    """What collections and aliases a schema has.

    Parameters
    ----------
    pool
        Of the store.
    config
        Names the schema, and how new collections are indexed.
    """

    def __init__(self, pool: Pool, config: PgvectorConfig) -> None:
        self._pool = pool
        self._config = config
        self._schema = config.schema_name
        self._registry = qualified(self._schema, _schema.REGISTRY)
        self._aliases = qualified(self._schema, _schema.ALIASES)

    def names(self, timeout_s: float | None) -> list[str]:
        """Return all tables of the schema that hold vectors."""
        query = (
            "SELECT DISTINCT c.relname::text FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped "
            "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_depend d ON d.objid = t.oid "
            "JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'vector' "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'm', 'v', 'f') "
            "AND t.typname IN ('vector', 'halfvec') AND d.deptype = 'e'"
        )
        rows = self._pool.rows(Sql(query, (self._schema,)), timeout_s)
        return [row[0] for row in rows]

    def open(
        self, name: str, roles: NativeLayout | None, timeout_s: float | None
    ) -> OpenedCollection:
        """Read marker and layout of a collection, found by its name or by an alias."""
        facts = self._pool.facts(timeout_s)
        with self._pool.connection(timeout_s) as connection:
            known = self._marker(connection, name)
            actual = name if known is None else known[0]
            table = self._table(connection, actual)
            if table is None or facts.extension is None:
                if facts.extension is not None and table is None and known is not None:
                    raise _not_found(name, f"its table {actual!r} is gone from the schema")
                raise _not_found(name, f"schema {self._schema!r} has no such collection or alias")
            if known is not None and known[1] is not None:
                _schema.check_version(actual, known[2])
                return _inspect.own(table, known[1], known[2], facts)
            if not table.vectors:
                raise _not_found(name, "the table of that name has no column of vectors")
            roles = roles or NativeLayout()
            dimension = self._first_dimension(connection, table, roles, facts)
            return _inspect.native(table, roles, dimension, facts)

    def _marker(self, connection: DeadlineConnection, name: str) -> tuple[str, Any, int] | None:
        """Return name, spec and layout version; no spec for a native table behind an alias."""
        if not self._has_registry(connection):
            return None
        query = (
            "SELECT n.name, c.spec::text, c.layout_version FROM (SELECT coalesce("
            f"(SELECT collection FROM {self._aliases} WHERE alias = %s), %s) AS name) AS n "
            f"LEFT JOIN {self._registry} c ON c.name = n.name"
        )
        cursor = connection.run(Sql(query, (name, name)))
        row: Any = cursor.fetchone()
        if row[1] is None:
            return (row[0], None, 0) if row[0] != name else None
        return row[0], json.loads(row[1]), row[2]

    def _has_registry(self, connection: DeadlineConnection) -> bool:
        name = string(self._aliases.replace("%%", "%"))
        cursor = connection.run(Sql(f"SELECT to_regclass({name}) IS NOT NULL"))
        row: Any = cursor.fetchone()
        return bool(row[0])

    def _table(self, connection: DeadlineConnection, name: str) -> Table | None:
        if len(name.encode()) > MAX_NAME_BYTES:
            return None
        quoted = qualified(self._schema, name).replace("%%", "%")
        cursor = connection.run(Sql(_inspect.COLUMNS, (quoted,)))
        attributes = [Attribute(*row) for row in cursor.fetchall()]
        if not attributes:
            return None
        cursor = connection.run(Sql(_inspect.INDEXES, (quoted,)))
        indexes = [IndexRow(*row) for row in cursor.fetchall()]
        return Table(self._schema, name, attributes, indexes)

    def _first_dimension(
        self,
        connection: DeadlineConnection,
        table: Table,
        roles: NativeLayout,
        facts: Facts,
    ) -> int | None:
        vectors = [one for one in table.vectors if roles.vector in (None, one.name)]
        if len(vectors) != 1 or vectors[0].modifier > 0 or roles.dimension is not None:
            return None
        column = identifier(vectors[0].name)
        function = qualified(facts.extension or "public", "vector_dims")
        cursor = connection.run(
            Sql(
                f"SELECT {function}({column}) FROM {qualified(table.schema, table.name)} "
                f"WHERE {column} IS NOT NULL LIMIT 1",
                (),
            )
        )
        row: Any = cursor.fetchone()
        return None if row is None else int(row[0])

    def create(self, spec: CollectionSpec, timeout_s: float | None) -> None:
        """Make a collection, in one transaction."""
        index, half = _schema.chosen_index(spec, halfvec=self._config.halfvec)
        facts = self._pool.facts(timeout_s)
        with self._pool.connection(timeout_s) as connection, connection.transaction():
            self._lock(connection)
            extension = facts.extension or self._make_extension(connection)
            self._make_registry(connection)
            self._refuse_taken(connection, spec.name)
            for statement in _schema.table_ddl(self._schema, extension, spec):
                connection.run(Sql(statement))
            if not self._config.defer_index:
                build = _schema.vector_index_ddl(
                    self._schema,
                    extension,
                    spec.name,
                    dimension=spec.dimension,
                    metric=spec.metric,
                    index=index,
                    half=half,
                )
                if build is not None:
                    connection.run(Sql(build))
            connection.run(
                Sql(
                    f"INSERT INTO {self._registry} (name, layout_version, spec) "
                    "VALUES (%s, %s, %s::jsonb) ON CONFLICT (name) DO UPDATE SET "
                    "layout_version = excluded.layout_version, spec = excluded.spec, "
                    "created_at = now()",
                    (spec.name, _schema.LAYOUT_VERSION, _schema.marker(spec, index, half=half)),
                )
            )

    def _lock(self, connection: DeadlineConnection) -> None:
        """Take turns with who changes this schema's collections, until the transaction ends."""
        connection.run(
            Sql(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"polyvec {self._schema}",),
            )
        )

    def _make_extension(self, connection: DeadlineConnection) -> str:
        try:
            connection.run(Sql("CREATE EXTENSION IF NOT EXISTS vector"))
        except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported) as exc:
            raise NotSupportedError(
                "the server has no extension 'vector'; install pgvector on it, see "
                "https://github.com/pgvector/pgvector#installation"
            ) from exc
        self._pool.forget()
        cursor = connection.run(
            Sql(
                "SELECT n.nspname::text FROM pg_extension e "
                "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'",
                (),
            )
        )
        row: Any = cursor.fetchone()
        return str(row[0])

    def _make_registry(self, connection: DeadlineConnection) -> None:
        if self._has_registry(connection):
            return
        # Asked first: IF NOT EXISTS wants the privilege also where there is nothing to do.
        query = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
        cursor = connection.run(Sql(query, (self._schema,)))
        if cursor.fetchone() is None:
            connection.run(Sql(f"CREATE SCHEMA {identifier(self._schema)}"))
        for statement in _schema.registry_ddl(self._schema):
            connection.run(Sql(statement))

    def _refuse_taken(self, connection: DeadlineConnection, name: str) -> None:
        table = string(qualified(self._schema, name).replace("%%", "%"))
        query = (
            f"SELECT to_regclass({table}) IS NOT NULL, "
            f"EXISTS (SELECT 1 FROM {self._aliases} WHERE alias = %s)"
        )
        cursor = connection.run(Sql(query, (name,)))
        row: Any = cursor.fetchone()
        if row[0] or row[1]:
            what = "an alias" if row[1] else "a table"
            raise CollectionExistsError(
                f"{what} of schema {self._schema!r} has the name {name!r}",
                store="pgvector",
                operation="create_collection",
            )

    def drop(self, name: str, timeout_s: float | None) -> None:
        """Drop a collection, its marker and its aliases, in one transaction."""
        with self._pool.connection(timeout_s) as connection, connection.transaction():
            registered = self._has_registry(connection)
            if registered:
                self._lock(connection)
            table = self._table(connection, name)
            if table is None or not table.vectors:
                raise _not_found(name, f"schema {self._schema!r} has no such collection")
            connection.run(Sql(f"DROP TABLE {qualified(self._schema, name)}"))
            if registered:
                connection.run(Sql(f"DELETE FROM {self._registry} WHERE name = %s", (name,)))
                connection.run(Sql(f"DELETE FROM {self._aliases} WHERE collection = %s", (name,)))

    def set_alias(self, alias: str, name: str, timeout_s: float | None) -> None:
        """Point an alias at a collection, in one transaction."""
        with self._pool.connection(timeout_s) as connection, connection.transaction():
            self._lock(connection)
            self._make_registry(connection)
            table = self._table(connection, name)
            if table is None or not table.vectors:
                raise _not_found(name, f"schema {self._schema!r} has no such collection")
            if self._table(connection, alias) is not None:
                raise CollectionExistsError(
                    f"a table of schema {self._schema!r} has the name {alias!r}",
                    store="pgvector",
                    operation="set_alias",
                )
            connection.run(
                Sql(
                    f"INSERT INTO {self._aliases} (alias, collection) VALUES (%s, %s) "
                    "ON CONFLICT (alias) DO UPDATE SET collection = excluded.collection",
                    (alias, name),
                )
            )

    def aliases(self, timeout_s: float | None) -> dict[str, str]:
        """Return alias to collection."""
        with self._pool.connection(timeout_s) as connection:
            if not self._has_registry(connection):
                return {}
            query = f"SELECT alias, collection FROM {self._aliases}"
            cursor = connection.run(Sql(query))
            return dict(cursor.fetchall())

    def drop_alias(self, alias: str, timeout_s: float | None) -> None:
        """Remove an alias."""
        with self._pool.connection(timeout_s) as connection:
            if self._has_registry(connection):
                query = f"DELETE FROM {self._aliases} WHERE alias = %s"
                connection.run(Sql(query, (alias,)))


def _not_found(name: str, why: str) -> CollectionNotFoundError:
    return CollectionNotFoundError(
        f"collection {name!r} does not exist: {why}",
        store="pgvector",
        operation="open_collection",
    )
