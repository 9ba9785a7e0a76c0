"""The registry of collections and aliases: statements inside a transaction."""

from __future__ import annotations

import sqlite3

from polyvec.errors import CollectionExistsError, CollectionNotFoundError
from polyvec.primitives import OpenedCollection, StaleLayout
from polyvec.schema import CollectionSpec
from polyvec_sqlite._schema import LAYOUT_VERSION, Tables, marker_of, opened


def names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all collections."""
    return [name for (name,) in connection.execute("SELECT name FROM polyvec_collections")]


def number_of(connection: sqlite3.Connection, name: str, operation: str) -> int:
    """Return the number of a collection, which may not be named by an alias."""
    sql = "SELECT number FROM polyvec_collections WHERE name = ?"
    row = connection.execute(sql, (name,)).fetchone()
    if row is None:
        raise _not_found(name, operation)
    return int(row[0])


def create(connection: sqlite3.Connection, spec: CollectionSpec) -> None:
    """Make the tables of a collection and register it."""
    taken = connection.execute(
        "SELECT name FROM polyvec_collections WHERE name = ? "
        "UNION ALL SELECT alias FROM polyvec_aliases WHERE alias = ?",
        (spec.name, spec.name),
    ).fetchone()
    if taken is not None:
        raise CollectionExistsError(
            f"a collection or an alias is named {spec.name!r} already",
            store="sqlite",
            operation="create_collection",
        )
    ((number,),) = connection.execute(
        "INSERT INTO polyvec_collections (name, layout_version, spec) VALUES (?, ?, ?) "
        "RETURNING number",
        (spec.name, LAYOUT_VERSION, marker_of(spec)),
    ).fetchall()
    for statement in Tables(number).create():
        connection.execute(statement)


def find(connection: sqlite3.Connection, name: str) -> OpenedCollection:
    """Return a collection by its name or by an alias."""
    row = connection.execute(
        "SELECT number, name, layout_version, spec FROM polyvec_collections WHERE name = ? "
        "OR number = (SELECT collection FROM polyvec_aliases WHERE alias = ?)",
        (name, name),
    ).fetchone()
    if row is None:
        raise _not_found(name, "open_collection")
    return opened(row)


def check_current(connection: sqlite3.Connection, tables: Tables) -> None:
    """Raise `StaleLayout` when somebody has dropped the collection since it was opened."""
    sql = "SELECT 1 FROM polyvec_collections WHERE number = ?"
    if connection.execute(sql, (tables.number,)).fetchone() is None:
        raise StaleLayout


def drop(connection: sqlite3.Connection, name: str) -> None:
    """Remove a collection, its tables and its aliases."""
    number = number_of(connection, name, "drop_collection")
    connection.execute("DELETE FROM polyvec_aliases WHERE collection = ?", (number,))
    connection.execute("DELETE FROM polyvec_collections WHERE number = ?", (number,))
    for statement in Tables(number).drop():
        connection.execute(statement)


def set_alias(connection: sqlite3.Connection, alias: str, collection: str) -> None:
    """Make an alias, or point it elsewhere."""
    number = number_of(connection, collection, "set_alias")
    if alias in names(connection):
        raise CollectionExistsError(
            f"a collection is named {alias!r}; choose another alias",
            store="sqlite",
            operation="set_alias",
        )
    connection.execute(
        "INSERT INTO polyvec_aliases (alias, collection) VALUES (?, ?) "
        "ON CONFLICT (alias) DO UPDATE SET collection = excluded.collection",
        (alias, number),
    )


def aliases(connection: sqlite3.Connection) -> dict[str, str]:
    """Return alias to name of the collection."""
    rows = connection.execute(
        "SELECT alias, name FROM polyvec_aliases JOIN polyvec_collections ON number = collection"
    )
    return dict(rows.fetchall())


def _not_found(name: str, operation: str) -> CollectionNotFoundError:
    return CollectionNotFoundError(
        f"no collection is named {name!r}", store="sqlite", operation=operation
    )
