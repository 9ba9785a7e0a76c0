"""Records and hits as users see them, and the columnar batch that adapters see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, cast

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainSerializer
from pydantic.types import Strict
from typing_extensions import TypeVar

from polyvec.errors import InvalidRecordError, NotIncludedError
from polyvec.types import Include, MetadataDict, Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

M = TypeVar("M", default=dict[str, Any])
"""The type of a record's metadata: a plain dict, or a `Metadata` model."""

_COLUMN_OF: Final = {"vector": "vector", "metadata": "metadata", "text": "text"}


def as_vector(value: object) -> Vector:
    """Return a 1-d float32 array that shares no memory with a caller's list.

    Raises
    ------
    ValueError
        Not one-dimensional, or not of real numbers. Bools, strings, complex
        numbers and objects are refused, not converted.
    """
    array = np.asarray(value)
    if array.ndim != 1:
        raise ValueError(f"expected a vector of shape (dimension,), got shape {array.shape}")
    if array.size == 0:
        raise ValueError("expected a vector of at least one number, got none")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"expected a vector of floats, got dtype {array.dtype}")
    with np.errstate(over="ignore"):  # what overflows becomes infinity, and the write names it
        return np.ascontiguousarray(array, dtype=np.float32)


class VectorRecord(BaseModel, Generic[M]):
    """One record: id, vector, metadata, text.

    Constructing one checks types (`pydantic.ValidationError`); `upsert` checks
    everything else. A record that a read returned holds only the columns that
    its `include=` named; reading another raises `NotIncludedError`.

    Parameters
    ----------
    id
        1 to 512 code points.
    vector
        Float32, shape `(dimension,)`; lists of numbers are converted.
    metadata
        A JSON object whose values may also be timezone-aware datetimes, or a
        `Metadata` model.
    text
        The text that the vector stands for, or None.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", validate_default=True)

    id: Annotated[str, Strict()]
    vector: Annotated[
        InstanceOf[npt.NDArray[np.float32]],
        BeforeValidator(as_vector),
        PlainSerializer(lambda v: v.tolist(), when_used="json"),
    ]
    metadata: M = Field(default_factory=cast("Any", dict))
    text: Annotated[str, Strict()] | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Explain a column that the read did not include."""
            if name in _COLUMN_OF:
                raise NotIncludedError(
                    f"record {self.id!r} was read without its {name}; "
                    f"add {name!r} to include=, for example include=({name!r},)"
                )
            return super().__getattr__(name)

    def __eq__(self, other: object) -> bool:
        """Compare column by column; vectors number by number."""
        if not isinstance(other, VectorRecord):
            return NotImplemented
        mine, theirs = dict(self.__dict__), other.__dict__
        vector = mine.pop("vector", None)
        rest = {name: value for name, value in theirs.items() if name != "vector"}
        return mine == rest and np.array_equal(np.asarray(vector), np.asarray(theirs.get("vector")))

    __hash__ = None  # type: ignore[assignment]  # it holds an array and a dict

    def __repr_args__(self) -> Any:
        """Show the vector's length, not its numbers."""
        for name, value in self.__dict__.items():
            yield name, (f"<{len(value)} floats>" if name == "vector" else value)


def make_record(columns: dict[str, Any]) -> VectorRecord[Any]:
    """Build a record from checked columns, without checking again.

    `model_construct` fills in defaults, which would hide a column that was not
    included; and it costs several times as much.
    """
    record: VectorRecord[Any] = VectorRecord.__new__(VectorRecord)
    fill = object.__setattr__
    fill(record, "__dict__", columns)
    fill(record, "__pydantic_fields_set__", set(columns))
    fill(record, "__pydantic_extra__", None)
    fill(record, "__pydantic_private__", None)
    return record


@dataclass(frozen=True, slots=True)
class Hit(Generic[M]):
    """One answer of a query.

    Parameters
    ----------
    id
        The record's id.
    score
        Higher is better on every backend: cosine similarity in [-1, 1], inner
        product, or negative L2.
    distance
        Lower is better: 1 - cosine, negative inner product, or L2.
    record
        The record, with the columns that `include=` named.
    """

    id: str
    score: float
    distance: float
    record: VectorRecord[M]


@dataclass(frozen=True, slots=True, eq=False)
class RecordBatch:
    """Records as columns, all of the same length; the only form that adapters see.

    A column that was not included is None. Treat a batch as read-only: its
    columns may be shared.

    Parameters
    ----------
    ids
        `n` ids.
    vectors
        `(n, dimension)`, float32, C-contiguous. The row of a record without a
        vector is zero.
    metadata
        `n` dicts.
    texts
        `n` texts, None where a record has none.
    present
        `(n,)` bool: which records have a vector. None means all of them.
    cursor
        On batches of a scan: where the next one starts. Non-empty, valid in any
        process for the same collection, namespace and filter.
    """

    ids: list[str]
    vectors: Vector | None = None
    metadata: list[MetadataDict] | None = None
    texts: list[str | None] | None = None
    present: npt.NDArray[np.bool_] | None = None
    cursor: str | None = None

    def __post_init__(self) -> None:
        for name in ("vectors", "metadata", "texts", "present"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.ids):
                raise InvalidRecordError(
                    f"batch of {len(self.ids)} ids has {len(column)} {name}; expected as many"
                )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        """Compare column by column; arrays number by number."""
        if not isinstance(other, RecordBatch):
            return NotImplemented
        mine = (self.ids, self.metadata, self.texts, self.cursor)
        if mine != (other.ids, other.metadata, other.texts, other.cursor):
            return False
        return _equal(self.vectors, other.vectors) and _equal(self.present, other.present)

    __hash__ = None  # type: ignore[assignment]  # it holds arrays and lists

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> RecordBatch:
        """Return the given rows, in the given order; the cursor stays."""
        chosen = [int(row) for row in rows]
        return replace(
            self,
            ids=[self.ids[row] for row in chosen],
            vectors=None if self.vectors is None else self.vectors[chosen],
            metadata=None if self.metadata is None else [self.metadata[row] for row in chosen],
            texts=None if self.texts is None else [self.texts[row] for row in chosen],
            present=None if self.present is None else self.present[chosen],
        )

    def slice(self, start: int, stop: int) -> RecordBatch:
        """Return rows `start` to `stop` (excluded) without copying vectors."""
        if start == 0 and stop >= len(self.ids):
            return self
        return replace(
            self,
            ids=self.ids[start:stop],
            vectors=None if self.vectors is None else self.vectors[start:stop],
            metadata=None if self.metadata is None else self.metadata[start:stop],
            texts=None if self.texts is None else self.texts[start:stop],
            present=None if self.present is None else self.present[start:stop],
        )

    def only(self, columns: frozenset[Include]) -> RecordBatch:
        """Return the batch with the given columns; the others become None."""
        if (
            ("vector" in columns or (self.vectors is None and self.present is None))
            and ("metadata" in columns or self.metadata is None)
            and ("text" in columns or self.texts is None)
        ):
            return self
        return replace(
            self,
            vectors=self.vectors if "vector" in columns else None,
            present=self.present if "vector" in columns else None,
            metadata=self.metadata if "metadata" in columns else None,
            texts=self.texts if "text" in columns else None,
        )

    def record(self, row: int) -> VectorRecord[Any]:
        """Return one row as a record; a record without a vector lacks that column."""
        columns: dict[str, Any] = {"id": self.ids[row]}
        if self.vectors is not None and (self.present is None or self.present[row]):
            columns["vector"] = self.vectors[row]
        if self.metadata is not None:
            columns["metadata"] = self.metadata[row]
        if self.texts is not None:
            columns["text"] = self.texts[row]
        return make_record(columns)

    def records(self) -> list[VectorRecord[Any]]:
        """Return all rows as records."""
        return [self.record(row) for row in range(len(self.ids))]


def _equal(left: npt.NDArray[Any] | None, right: npt.NDArray[Any] | None) -> bool:
    if left is None or right is None:
        return left is right
    return np.array_equal(left, right)


def concat(batches: Sequence[RecordBatch]) -> RecordBatch:
    """Return the rows of several batches with the same columns, in order, without a cursor."""
    if len(batches) == 1:
        return replace(batches[0], cursor=None)
    first = batches[0]
    present: npt.NDArray[np.bool_] | None = None
    if any(batch.present is not None for batch in batches):
        present = np.concatenate(
            [np.ones(len(b), dtype=np.bool_) if b.present is None else b.present for b in batches]
        )
    return RecordBatch(
        ids=[record_id for batch in batches for record_id in batch.ids],
        vectors=None
        if first.vectors is None
        else np.concatenate([cast("Vector", batch.vectors) for batch in batches]),
        metadata=None
        if first.metadata is None
        else [item for batch in batches for item in batch.metadata or ()],
        texts=None
        if first.texts is None
        else [item for batch in batches for item in batch.texts or ()],
        present=present,
    )
