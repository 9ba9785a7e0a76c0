"""What an opened collection looks like on the server: the immutable snapshot. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from polyvec.types import Metric
from polyvec_pgvector._sql import identifier, qualified, string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.paths import Path
    from polyvec.schema import Index

OPERATORS: Final[dict[Metric, str]] = {
    Metric.COSINE: "<=>",
    Metric.DOT: "<#>",
    Metric.EUCLIDEAN: "<->",
}
OPERATOR_CLASSES: Final[dict[Metric, str]] = {
    Metric.COSINE: "cosine_ops",
    Metric.DOT: "ip_ops",
    Metric.EUCLIDEAN: "l2_ops",
}
VECTOR_TYPES: Final = ("vector", "halfvec")

Kind: TypeAlias = Literal["str", "int", "float", "bool", "datetime", "jsonb", "array", "text_form"]
"""How a column of somebody else's reads; `text_form` is any type polyvec does not know."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where vectors are and how they are compared.

    Parameters
    ----------
    table
        Qualified and quoted, for the text of a statement.
    oid
        Of the table: tells a table from another one that has its name later.
    extension
        Schema of the extension, whose types and operators are named with it.
    vector_oid
        Of the type `vector` in this database.
    vector
        Column, quoted.
    vector_type
        `"vector"` or `"halfvec"`.
    dimension, metric
        Of the collection.
    index
        What the server has over the vectors; `Flat()` where nothing.
    index_half
        Whether that index is over half precision while the column is not.
    ef_search, probes
        Asked for when the collection was created, or None.
    """

    table: str
    oid: int
    extension: str
    vector_oid: int
    vector: str
    vector_type: str
    dimension: int
    metric: Metric
    index: Index
    index_half: bool = False
    ef_search: int | None = None
    probes: int | None = None

    @property
    def name(self) -> str:
        """The table's name as a quoted string."""
        return string(self.table.replace("%%", "%"))

    def type_of(self, name: str) -> str:
        """Return a type of the extension with its schema."""
        return qualified(self.extension, name)

    @property
    def operator(self) -> str:
        """The distance, named with its schema: the search path is not ours."""
        return f"OPERATOR({identifier(self.extension)}.{OPERATORS[self.metric]})"


@dataclass(frozen=True, slots=True)
class OwnLayout:
    """A table that polyvec made, see `_codec`.

    Parameters
    ----------
    place
        Where the vectors are.
    indexed
        Metadata fields with an index of their own, and their class.
    """

    place: Place
    indexed: Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table that polyvec did not make.

    Parameters
    ----------
    name
        As it is.
    sql
        Quoted.
    kind
        How it reads.
    type_name
        As PostgreSQL writes it.
    generated
        What no insert may give.
    """

    name: str
    sql: str
    kind: Kind
    type_name: str
    generated: bool


@dataclass(frozen=True, slots=True)
class TableLayout:
    """A table that polyvec did not make, and the roles of its columns.

    Parameters
    ----------
    place
        Where the vectors are.
    key
        The unique column that identifies a record, also the order of a scan.
    text, namespace
        Columns with these roles, or None.
    fields
        The others: metadata.
    """

    place: Place
    key: Column
    text: Column | None
    namespace: Column | None
    fields: Mapping[str, Column]

    @property
    def foreign(self) -> dict[str, str]:
        """Columns whose type reads as its text form."""
        unknown = (c for c in (self.key, *self.fields.values()) if c.kind == "text_form")
        return {column.name: column.type_name for column in unknown}


Layout: TypeAlias = OwnLayout | TableLayout


def layout_of(value: Any) -> Layout:
    """Return the snapshot that the core handed back."""
    assert isinstance(value, (OwnLayout, TableLayout))
    return value
