"""The statements that read and write the rows of one collection, inside a transaction."""

# ruff: noqa: S608 - names of tables are made of a number, values are bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

from polyvec.errors import RejectedError
from polyvec.metadata import to_json
from polyvec.primitives import Columns, KeyRange, Patch, Target
from polyvec.records import RecordBatch
from polyvec_sqlite._codec import batch_of, blob_of, patched, rows_of, select_list
from polyvec_sqlite._compile import Condition
from polyvec_sqlite._facts import facts_of
from polyvec_sqlite._schema import Tables
from polyvec_sqlite._search import ROWS
from polyvec_sqlite._statements import Clause, choose

IN_ONE: Final = 900
"""Keys in one list of a statement."""


def namespaces(connection: sqlite3.Connection, tables: Tables) -> dict[str, int]:
    """Return each namespace of a collection with its number of records."""
    sql = f"SELECT namespace, count(*) FROM {tables.records} GROUP BY namespace"
    return dict(connection.execute(sql).fetchall())


class Rows:
    """The records of one namespace, over a connection that is in a transaction."""

    def __init__(self, connection: sqlite3.Connection, target: Target) -> None:
        self._connection = connection
        self._namespace = target.namespace
        self._dimension = target.collection.dimension
        self._tables: Tables = target.collection.layout

    def write(self, batch: RecordBatch) -> None:
        """Insert records, or replace all but their keys."""
        sql = (
            f"INSERT INTO {self._tables.records} (namespace, id, text, metadata, vector) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (namespace, id) DO UPDATE SET "
            "text = excluded.text, metadata = excluded.metadata, vector = excluded.vector "
            "RETURNING key"
        )
        assert batch.metadata is not None, "the core gives all columns to an upsert"
        rows = rows_of(self._namespace, batch)
        for row, metadata in zip(rows, batch.metadata, strict=True):
            ((key,),) = self._connection.execute(sql, row).fetchall()
            self._write_facts(key, metadata)

    def read(self, ids: Sequence[str], columns: Columns) -> RecordBatch:
        """Return those of the records that exist."""
        marks = ", ".join("?" * len(ids))
        rows = self._connection.execute(
            f"SELECT {select_list(columns)} FROM {self._tables.records} "
            f"WHERE namespace = ? AND id IN ({marks})",
            (self._namespace, *ids),
        ).fetchall()
        return batch_of(rows, columns, self._dimension)

    def read_keys(self, keys: Sequence[int], columns: Columns) -> RecordBatch:
        """Return the records with these keys, in this order."""
        found: dict[int, tuple[Any, ...]] = {}
        for start in range(0, len(keys), IN_ONE):
            some = keys[start : start + IN_ONE]
            cursor = self._connection.execute(
                f"SELECT {select_list(columns)}, key FROM {self._tables.records} "
                f"WHERE key IN ({', '.join('?' * len(some))})",
                tuple(some),
            )
            found.update((row[-1], row) for row in cursor)
        return batch_of([found[key] for key in keys], columns, self._dimension)

    def page(
        self, condition: Condition | None, span: KeyRange, after: str | None, limit: int, what: str
    ) -> list[tuple[Any, ...]]:
        """Return at most `limit` rows of `what` in the order of their keys, after a key."""
        clause = self._choose(condition)
        where, parameters = clause.where, list(clause.parameters)
        for bound, sign in ((after, ">"), (span.start, ">="), (span.stop, "<")):
            if bound is not None:
                where += f" AND key {sign} ?"
                parameters.append(int(bound))
        return self._connection.execute(
            f"{clause.ahead}SELECT {what} FROM {self._tables.records} WHERE {where} "
            "ORDER BY key LIMIT ?",
            (*parameters, limit),
        ).fetchall()

    def vectors(self, condition: Condition | None) -> Iterator[list[tuple[int, str, bytes]]]:
        """Yield key, id and vector of the records that have a vector, block by block."""
        clause = self._choose(condition)
        cursor = self._connection.execute(
            f"{clause.ahead}SELECT key, id, vector FROM {self._tables.records} "
            f"WHERE {clause.where} AND vector IS NOT NULL",
            clause.parameters,
        )
        while block := cursor.fetchmany(ROWS):
            yield block

    def count(self, condition: Condition | None) -> int:
        """Return how many records satisfy the condition."""
        clause = self._choose(condition)
        ((count,),) = self._connection.execute(
            f"{clause.ahead}SELECT count(*) FROM {self._tables.records} WHERE {clause.where}",
            clause.parameters,
        ).fetchall()
        return int(count)

    def every(self, step: int) -> list[int]:
        """Return each `step`-th key, without the first."""
        rows = self._connection.execute(
            "SELECT key FROM (SELECT key, row_number() OVER (ORDER BY key) - 1 AS place "
            f"FROM {self._tables.records} WHERE namespace = ?) WHERE place > 0 AND place % ? = 0 "
            "ORDER BY key",
            (self._namespace, step),
        )
        return [key for (key,) in rows]

    def delete(self, ids: Sequence[str]) -> None:
        """Delete those of the records that exist."""
        marks = ", ".join("?" * len(ids))
        self._delete_chosen(
            Clause("", f"namespace = ? AND id IN ({marks})", (self._namespace, *ids))
        )

    def delete_where(self, condition: Condition | None) -> None:
        """Delete the records that satisfy the condition."""
        self._delete_chosen(self._choose(condition))

    def patch(self, ids: Sequence[str], patch: Patch) -> None:
        """Change those of the records that exist."""
        read = (
            f"SELECT key, text, metadata, vector FROM {self._tables.records} "
            "WHERE namespace = ? AND id = ?"
        )
        write = (
            f"UPDATE {self._tables.records} SET text = ?, metadata = ?, vector = ? WHERE key = ?"
        )
        for at, record_id in enumerate(ids):
            row = self._connection.execute(read, (self._namespace, record_id)).fetchone()
            if row is None:
                continue
            key, text, stored, blob = row
            metadata = patched(stored, patch)
            text = text if patch.texts is None else patch.texts[at]
            blob = blob if patch.vectors is None else blob_of(patch.vectors[at])
            self._connection.execute(write, (text, to_json(metadata), blob, key))
            self._write_facts(key, metadata)

    def _write_facts(self, key: int, metadata: dict[str, Any]) -> None:
        self._connection.execute(f"DELETE FROM {self._tables.facts} WHERE record = ?", (key,))
        self._connection.executemany(
            # Two equal items of a list are one fact.
            f"INSERT OR IGNORE INTO {self._tables.facts} (path, kind, value, record) "
            "VALUES (?, ?, ?, ?)",
            ((*fact, key) for fact in facts_of(metadata)),
        )

    def _delete_chosen(self, clause: Clause) -> None:
        # Keys first: the condition reads the facts that are deleted with the records.
        keys = self._connection.execute(
            f"{clause.ahead}SELECT key FROM {self._tables.records} WHERE {clause.where}",
            clause.parameters,
        ).fetchall()
        delete_facts = f"DELETE FROM {self._tables.facts} WHERE record = ?"
        self._connection.executemany(delete_facts, keys)
        self._connection.executemany(f"DELETE FROM {self._tables.records} WHERE key = ?", keys)

    def _choose(self, condition: Condition | None) -> Clause:
        clause = choose(self._tables, self._namespace, condition)
        limit = self._connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        if len(clause.parameters) + 5 > limit:
            raise RejectedError(
                f"the filter has {len(clause.parameters)} values, and this build of SQLite takes "
                f"{limit} in one statement; split the filter",
                store="sqlite",
            )
        return clause
