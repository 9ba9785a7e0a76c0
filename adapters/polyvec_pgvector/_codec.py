"""Batches to columns of our tables and back: ids, namespaces, sidecar, scores. Pure.

A row holds `key, namespace, id, vector, text, metadata, sidecar`. The sidecar is NULL for most
rows; else an object of texts: a metadata key to the exact JSON text of its value, and

* `$text`: a text with NUL, as JSON (the column has U+FFFD in its place);
* `$namespace`: a namespace too long for an index, as JSON (the column has its digest);
* `$vector`: float32 numbers in base64, little-endian, where pgvector's float32 sums of squares
  would overflow or vanish under the cosine (the column has a unit vector).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

import numpy as np

from polyvec._unit_vectors import from_bits, to_bits
from polyvec.records import RecordBatch
from polyvec.types import Metric
from polyvec_pgvector import _binary, _values

if TYPE_CHECKING:
    from polyvec.primitives import Columns
    from polyvec.types import MetadataDict, Vector

TEXT: Final = "$text"
NAMESPACE: Final = "$namespace"
VECTOR: Final = "$vector"

MAX_NAMESPACE_BYTES: Final = 512
_SHOWN: Final = 64
_DIGEST: Final = re.compile(r"…sha256:[0-9a-f]{64}\Z")

# Squares of norms between these are exact enough in float32, whatever the dimension.
_SMALLEST_SQUARE: Final = 1e-24
_LARGEST_SQUARE: Final = 1e30

Sidecar = dict[str, str]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Binary fields of a batch, one list per column."""

    ids: list[bytes]
    vectors: list[bytes]
    texts: list[bytes]
    metadata: list[bytes]
    sidecars: list[bytes]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ids)


def stored_namespace(namespace: str) -> str:
    """Return what the column holds: the namespace, or a digest of one that is too long.

    A short one that looks like a digest is digested too, so that no two namespaces meet.
    """
    if _is_stored_whole(namespace):
        return namespace
    digest = hashlib.sha256(namespace.encode()).hexdigest()
    return f"{namespace[:_SHOWN]}…sha256:{digest}"


def is_digest(stored: str) -> bool:
    """Return whether a stored namespace stands for another text."""
    return _DIGEST.search(stored) is not None


def original_namespace(exact: str) -> str:
    """Return the namespace that a row's sidecar holds."""
    return cast("str", json.loads(exact))


def _is_stored_whole(namespace: str) -> bool:
    if namespace.isascii():
        return len(namespace) <= MAX_NAMESPACE_BYTES
    return len(namespace.encode()) <= MAX_NAMESPACE_BYTES and not is_digest(namespace)


def in_order(batch: RecordBatch) -> RecordBatch:
    """Return a batch in the order of ids: writers that take locks in one order never deadlock."""
    ids = batch.ids
    if all(one < other for one, other in pairwise(ids)):
        return batch
    return batch.take(sorted(range(len(batch)), key=ids.__getitem__))


def encode(batch: RecordBatch, namespace: str, metric: Metric) -> Encoded:
    """Return a whole batch as binary fields."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    vectors, exact = stored_vectors(batch.vectors, metric)
    always = {} if _is_stored_whole(namespace) else {NAMESPACE: _values.exact_json(namespace)}
    metadata: list[bytes] = []
    sidecars = [_binary.NULL] * len(batch)
    for row, (item, text) in enumerate(zip(batch.metadata, batch.texts, strict=True)):
        body, lossy = _values.encode(item)
        metadata.append(_binary.jsonb_field(body))
        if lossy or always or row in exact or (text is not None and "\x00" in text):
            sidecar = {**always, **lossy, **_of_text(text)}
            if row in exact:
                sidecar[VECTOR] = exact[row]
            sidecars[row] = sidecar_field(sidecar)
    return Encoded(
        ids=[_binary.text_field(record_id) for record_id in batch.ids],
        vectors=_binary.vector_fields(vectors, batch.present),
        texts=[text_field(text) for text in batch.texts],
        metadata=metadata,
        sidecars=sidecars,
    )


def text_field(text: str | None) -> bytes:
    """Return the readable text: NUL, which PostgreSQL refuses, becomes U+FFFD."""
    if text is None:
        return _binary.NULL
    return _binary.text_field(text.replace("\x00", "\ufffd") if "\x00" in text else text)


def text_sidecars(texts: Sequence[str | None]) -> list[Sidecar]:
    """Return the part of the sidecar that each text needs."""
    return [_of_text(text) for text in texts]


def sidecar_field(sidecar: Sidecar) -> bytes:
    """Return a sidecar as a field, NULL when it is empty."""
    return _binary.jsonb_field(sidecar_json(sidecar)) if sidecar else _binary.NULL


def sidecar_json(sidecar: Sidecar) -> str:
    """Return a sidecar as JSON text."""
    return json.dumps(sidecar, ensure_ascii=False, separators=(",", ":"))


def _of_text(text: str | None) -> Sidecar:
    return {TEXT: _values.exact_json(text)} if text is not None and "\x00" in text else {}


def stored_vectors(vectors: Vector, metric: Metric) -> tuple[Vector, dict[int, str]]:
    """Return the vectors to store, and the exact form of those that had to be scaled.

    pgvector sums float32 squares. For the cosine a vector may be scaled, so one whose sum would
    overflow or vanish is stored with length 1.
    """
    if metric is not Metric.COSINE:
        return vectors, {}
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
    extreme = np.flatnonzero(~((squares > _SMALLEST_SQUARE) & (squares < _LARGEST_SQUARE)))
    exact: dict[int, str] = {}
    if extreme.size:
        vectors = vectors.copy()
    for row in extreme.tolist():
        doubles = vectors[row].astype(np.float64)
        norm = np.linalg.norm(doubles)
        if norm > 0:  # a record without a vector is a row of zeros
            exact[row] = to_bits(vectors[row])
            vectors[row] = doubles / norm
    return vectors, exact


def decode(rows: Sequence[Sequence[Any]], columns: Columns, dimension: int) -> RecordBatch:
    """Return rows of `select_list(columns)` as a batch; further columns are ignored.

    Vectors come in binary, metadata and sidecar as JSON text.
    """
    at = 1
    vectors: Vector | None = None
    present = None
    metadata: list[MetadataDict] | None = None
    texts: list[str | None] | None = None
    sidecars: list[Sidecar | None] = [None] * len(rows)
    if columns:
        sidecars = [None if row[1] is None else json.loads(row[1]) for row in rows]
        at = 2
    if "vector" in columns:
        vectors, present = _binary.read_vectors((row[at] for row in rows), dimension)
        at += 1
    if "metadata" in columns:
        metadata = _values.decode_all([row[at] for row in rows], sidecars)
        at += 1
    if "text" in columns:
        texts = [row[at] for row in rows]
    for row, sidecar in enumerate(sidecars):
        if sidecar is not None:
            _restore(row, sidecar, vectors, texts)
    return RecordBatch([row[0] for row in rows], vectors, metadata, texts, present)


def _restore(
    row: int, sidecar: Sidecar, vectors: Vector | None, texts: list[str | None] | None
) -> None:
    if vectors is not None and VECTOR in sidecar:
        vectors[row] = from_bits(sidecar[VECTOR])
    if texts is not None and TEXT in sidecar:
        texts[row] = cast("str", json.loads(sidecar[TEXT]))


def select_list(columns: Columns, table: str = "") -> str:
    """Return the columns to select, the id first; `table` is a prefix with its dot."""
    names = [f"{table}id"]
    if columns:
        names.append(f"{table}sidecar::text")
    if "vector" in columns:
        names.append(f"{table}vector")
    if "metadata" in columns:
        names.append(f"{table}metadata::text")
    if "text" in columns:
        names.append(f"{table}text")
    return ", ".join(names)


def query_vector(query: Vector, metric: Metric) -> bytes:
    """Return a query, shape `(dimension,)`, in binary."""
    if metric is Metric.COSINE:
        with np.errstate(over="ignore"):
            square = np.dot(query, query)
        if not _SMALLEST_SQUARE < square < _LARGEST_SQUARE:
            query = stored_vectors(query.reshape(1, -1), metric)[0][0]
    return _binary.vector(query)


def scores(distances: Sequence[float], metric: Metric) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Turn pgvector's distances into scores, for which higher is better."""
    values = np.array(distances, dtype=np.float64)
    match metric:
        case Metric.COSINE:
            return np.subtract(1.0, values, out=values)  # the core keeps it within -1 and 1
        case Metric.DOT | Metric.EUCLIDEAN:
            return -values  # <#> is the negative inner product, <-> is L2, not squared
        case _:
            assert_never(metric)
