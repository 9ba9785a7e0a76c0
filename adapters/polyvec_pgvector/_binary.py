"""PostgreSQL's binary formats: vectors, arrays and the rows of a COPY. Pure.

postgresql.org/docs/18/sql-copy.html (binary format), src/backend/utils/adt/arrayfuncs.c
(`array_recv`) and pgvector's src/vector.c (`vector_recv`): int16 dimensions, int16 unused,
float4 numbers, all big-endian.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from polyvec.types import Vector

TEXT_OID: Final = 25
JSONB_OID: Final = 3802

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
COPY_TRAILER: Final = struct.pack(">h", -1)

_INT: Final = struct.Struct(">i")
_VECTOR_HEAD: Final = 4
NULL: Final = _INT.pack(-1)


def field(value: bytes | None) -> bytes:
    """Return a value with its length in front, or NULL."""
    return NULL if value is None else _INT.pack(len(value)) + value


def text_field(value: str) -> bytes:
    """Return a text as a field."""
    data = value.encode()
    return _INT.pack(len(data)) + data


def jsonb_field(value: str) -> bytes:
    """Return JSON text as a field of jsonb, which begins with a version byte."""
    data = value.encode()
    return _INT.pack(len(data) + 1) + b"\x01" + data


def vector(values: Vector) -> bytes:
    """Return one vector, shape `(dimension,)`."""
    return struct.pack(">hh", len(values), 0) + values.astype(">f4").tobytes()


def vector_fields(vectors: Vector, present: npt.NDArray[np.bool_] | None) -> list[bytes]:
    """Return each row of `(n, dimension)` as a field; NULL where `present` says so."""
    n, dimension = vectors.shape
    size = _VECTOR_HEAD + 4 * dimension
    block = np.empty((n, 4 + size), dtype=np.uint8)
    block[:, :8] = np.frombuffer(struct.pack(">ihh", size, dimension, 0), dtype=np.uint8)
    block[:, 8:] = vectors.astype(">f4").view(np.uint8).reshape(n, -1)
    whole, step = block.tobytes(), 4 + size
    fields = [whole[at : at + step] for at in range(0, n * step, step)]
    if present is not None:
        for row in np.flatnonzero(~present):
            fields[row] = NULL
    return fields


def array(fields: Sequence[bytes], oid: int) -> bytes:
    """Return a one-dimensional array of fields; `oid` is the type of its items."""
    head = struct.pack(">iiIii", 1, int(NULL in fields), oid, len(fields), 1)
    return head + b"".join(fields)


def copy_rows(columns: Sequence[Sequence[bytes]]) -> bytes:
    """Return rows of a binary COPY, without header and trailer, from columns of fields."""
    counts = [struct.pack(">h", len(columns))] * len(columns[0])
    return b"".join(chain.from_iterable(zip(counts, *columns, strict=True)))


def read_vectors(
    values: Iterable[bytes | None], dimension: int
) -> tuple[Vector, npt.NDArray[np.bool_] | None]:
    """Return vectors of `(n, dimension)`, and which rows have one (None: all).

    The inverse of `vector_fields`, without the lengths.
    """
    given = list(values)
    if None not in given:
        block = b"".join(given)  # type: ignore[arg-type]  # no None is among them
        return _unpacked(block, len(given), dimension), None
    present = np.array([value is not None for value in given], dtype=np.bool_)
    vectors = np.zeros((len(given), dimension), dtype=np.float32)
    some = [value for value in given if value is not None]
    if some:
        vectors[present] = _unpacked(b"".join(some), len(some), dimension)
    return vectors, present


def _unpacked(block: bytes, n: int, dimension: int) -> Vector:
    rows = np.frombuffer(block, dtype=np.uint8).reshape(n, _VECTOR_HEAD + 4 * dimension)
    numbers = np.ascontiguousarray(rows[:, _VECTOR_HEAD:]).view(">f4")
    return numbers.astype(np.float32)
