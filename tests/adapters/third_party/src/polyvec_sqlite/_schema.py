"""The tables, and the marker of a collection: its spec and the version of its layout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from polyvec.errors import NotSupportedError
from polyvec.primitives import OpenedCollection
from polyvec.schema import CollectionSpec, Flat, Index
from polyvec.types import Metric

LAYOUT_VERSION: Final = 1

REGISTRY: Final = (
    # AUTOINCREMENT: the number of a dropped collection is never used again.
    """CREATE TABLE IF NOT EXISTS polyvec_collections (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        layout_version INTEGER NOT NULL,
        spec TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS polyvec_aliases (
        alias TEXT PRIMARY KEY,
        collection INTEGER NOT NULL REFERENCES polyvec_collections (number)
    )""",
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one collection; the layout snapshot that the core keeps for us.

    Parameters
    ----------
    number
        Of the collection, in the registry. Tables are named by it, because SQLite folds the case
        of table names.
    """

    number: int

    @property
    def records(self) -> str:
        """Name of the table with one row for each record."""
        return f"polyvec_records_{self.number}"

    @property
    def facts(self) -> str:
        """Name of the table with one row for each value in the metadata."""
        return f"polyvec_facts_{self.number}"

    def create(self) -> tuple[str, ...]:
        """Return the statements that make the tables."""
        return (
            f"""CREATE TABLE {self.records} (
                key INTEGER PRIMARY KEY AUTOINCREMENT,
                namespace TEXT NOT NULL,
                id TEXT NOT NULL,
                text TEXT,
                metadata TEXT NOT NULL,
                vector BLOB,
                UNIQUE (namespace, id)
            )""",
            # `value` has no type, and so no affinity: SQLite keeps the class of what is stored.
            f"""CREATE TABLE {self.facts} (
                path TEXT NOT NULL,
                kind TEXT NOT NULL,
                value NOT NULL,
                record INTEGER NOT NULL,
                PRIMARY KEY (path, kind, value, record)
            ) WITHOUT ROWID""",
            f"CREATE INDEX {self.facts}_by_record ON {self.facts} (record)",
        )

    def drop(self) -> tuple[str, ...]:
        """Return the statements that remove the tables."""
        return (f"DROP TABLE {self.facts}", f"DROP TABLE {self.records}")


def check_index(index: Index | None, subject: str) -> None:
    """Raise `NotSupportedError` for an index that is required and not there."""
    if index is not None and not isinstance(index, Flat) and not index.best_effort:
        raise NotSupportedError(
            f"sqlite has no {index.kind} index, which {subject} asks for with {index!r}; leave it "
            "out, use Flat(), or set best_effort=True"
        )


def marker_of(spec: CollectionSpec) -> str:
    """Return the text of a spec that is stored in the registry."""
    fields = {path: cls.__name__ for path, cls in spec.index_fields.items()}
    marker = {"dimension": spec.dimension, "metric": spec.metric, "index_fields": fields}
    return json.dumps(marker, ensure_ascii=False)


def opened(row: tuple[int, str, int, str]) -> OpenedCollection:
    """Return the collection that a row of the registry describes.

    Raises
    ------
    NotSupportedError
        A newer version of this package made it.
    """
    number, name, version, marker = row
    if version > LAYOUT_VERSION:
        raise NotSupportedError(
            f"collection {name!r} has layout version {version}, expected at most {LAYOUT_VERSION}; "
            "upgrade polyvec-sqlite"
        )
    fields: dict[str, Any] = json.loads(marker)
    tables = Tables(number)
    return OpenedCollection(
        name=name,
        dimension=int(fields["dimension"]),
        metric=Metric(fields["metric"]),
        index=Flat(),
        layout_kind="polyvec",
        layout=tables,
        details={"table": tables.records, "layout_version": version},
    )
