"""Batches to what Chroma stores, and back. Pure.

A record of ours is told from others by its sidecar, JSON text under `_polyvec`:

m   top-level metadata that Chroma cannot hold: objects, None, datetimes, lists but of one class
n   length of the vector, where it is not 1 (space "cosine" keeps unit vectors)
v   the vector itself, base64, where unit length would cost it digits
t   0 where the record has no text (an upsert needs one, or it would keep the old)

Beside it `_polyvec_write` has the mark of the write, which is the last tag too, and a number that
the stored vector leads to. Where they disagree with the tags or the vector, the record was read
while it was written: `torn_rows`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from polyvec._unit_vectors import NEAR_ONE, from_bits, split, to_bits
from polyvec.metadata import from_json, to_json
from polyvec.paths import parse_path
from polyvec.records import RecordBatch
from polyvec.types import Metric, as_any
from polyvec_chroma._keys import key_of
from polyvec_chroma._layout import (
    BOOL,
    DATETIME,
    FLOAT,
    INT,
    KEY,
    LIST,
    MARK,
    MAX_ROWS,
    OBJECT,
    ORDER,
    REGULAR,
    SIDECAR,
    STR,
    TAGS,
    WIDE,
    WRITE,
    class_tag,
    field_name,
    instant,
    item_tag,
    list_tag,
)
from polyvec_chroma._native import metadata_of
from polyvec_chroma._order import float_of_order, order_of_float, order_of_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polyvec.paths import Path
    from polyvec.primitives import Columns
    from polyvec.types import MetadataDict, Vector

NativeRow = dict[str, Any]

NEAR: Final = 1e-5
"""Part of its length by which the fingerprint of a vector may be off: six digits are kept."""

MARK_BYTES: Final = 5

_NATURAL: Final = frozenset({INT, FLOAT, STR, BOOL, LIST})


@dataclass(slots=True)
class _Encoder:
    """Collects the native fields and the tags of one record."""

    native: NativeRow
    tags: list[str]
    side: dict[str, Any]
    items: int = 0

    def add(self, path: Path, value: object) -> None:
        """Add one value; None is missing, but reads back as None."""
        name = field_name(path)
        match value:
            case None:
                self._keep(path, value)
            case bool():
                self._scalar(BOOL, path, name, value)
            case int():
                self._scalar(INT, path, name, value)
            case float():
                self._scalar(FLOAT, path, name, value)
                self.native[ORDER + name] = order_of_float(value)
            case str():
                self._scalar(STR, path, name, value)
                self.native[ORDER + name] = order_of_text(value)
            case datetime():
                self._scalar(DATETIME, path, name, value.isoformat())
                self.native[ORDER + name] = instant(value)
                self._keep(path, value)
            case list():
                self._list(path, name, as_any(value))
            case _:
                self.tags.append(class_tag(OBJECT, path))
                self._keep(path, value)
                for key, inner in cast("dict[str, Any]", value).items():
                    self.add((*path, key), inner)

    def _scalar(self, kind: str, path: Path, name: str, value: object) -> None:
        self.native[name] = value
        self.tags.append(class_tag(kind, path))

    def _list(self, path: Path, name: str, items: list[Any]) -> None:
        self.tags.append(class_tag(LIST, path))
        scalars = [item for item in items if isinstance(item, (str, int, float, datetime))]
        self.tags += dict.fromkeys(item_tag(path, item) for item in scalars)
        if (whole := list_tag(path, items)) is not None:
            self.tags.append(whole)
        kinds: set[type] = {type(item) for item in items}
        if len(kinds) == 1 and kinds <= {str, int, float, bool}:
            self.native[name] = items
            self.items += len(items)
            if float not in kinds:
                return
        self._keep(path, items)

    def _keep(self, path: Path, value: object) -> None:
        """Keep a top-level value in the sidecar; what is inside an object is kept with it."""
        if len(path) == 1:
            self.side[path[0]] = value

    @property
    def fits(self) -> bool:
        return len(self.native) <= MAX_ROWS and self.items + len(self.tags) <= MAX_ROWS


def encode(metadata: MetadataDict) -> tuple[NativeRow, list[str], MetadataDict]:
    """Return native fields, tags, and what the sidecar must hold of checked metadata."""
    encoder = _Encoder({}, [REGULAR], {})
    for key, value in metadata.items():
        encoder.add((key,), value)
    if encoder.fits:
        return encoder.native, encoder.tags, encoder.side
    # Too wide to be indexed: readable as far as it goes, and filtered here.
    scalars = {
        field_name((key,)): value
        for key, value in metadata.items()
        if isinstance(value, (str, bool, int, float))
    }
    few = dict(list(scalars.items())[: MAX_ROWS // 2])
    return few, [WIDE], metadata


def rows_of(batch: RecordBatch, metric: Metric) -> tuple[Vector, list[NativeRow], list[str]]:
    """Return the embeddings, metadata and documents of a batch with all columns."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    vectors, sides = _lengths(batch.vectors, metric)
    rows: list[NativeRow] = []
    mark = MARK + secrets.token_hex(MARK_BYTES)
    prints = fingerprints(vectors).tolist()
    for record_id, metadata, text, side, number in zip(
        batch.ids, batch.metadata, batch.texts, sides, prints, strict=True
    ):
        native, tags, kept = encode(metadata)
        if kept:
            side["m"] = kept
        if text is None:
            side["t"] = 0
        ours = {TAGS: [*tags, mark], WRITE: f"{mark} {number:.6g}", KEY: key_of(record_id)}
        rows.append({**native, **ours, SIDECAR: to_json(side)})
    return vectors, rows, [text or "" for text in batch.texts]


def fingerprints(vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Return a number for each vector, shape `(n,)`: the sum of its components, signs mixed.

    Two vectors with the same number, to five digits of their length, are taken for one.
    """
    places = np.arange(vectors.shape[1], dtype=np.int64)
    signs = 1.0 - 2.0 * ((places * 2_654_435_761 >> 15) & 1)
    return np.asarray(vectors, dtype=np.float64) @ signs


def torn_rows(got: Mapping[str, Any]) -> list[int]:
    """Return the rows of an answer that hold parts of two writes; none where nothing was read.

    A collection whose first records are just being written may have no index yet: Chroma answers
    with all that was asked for but the vectors (seen once, in a run beside eight first writers).
    """
    metadatas, embeddings = got.get("metadatas"), got.get("embeddings")
    if metadatas is None:
        return []
    if embeddings is not None and len(embeddings) < len(metadatas):
        return list(range(len(metadatas)))
    torn: list[int] = []
    checked: list[tuple[int, float]] = []
    for row, native in enumerate(metadatas):
        written = None if native is None else native.get(WRITE)
        if native is None or not isinstance(written, str):
            continue
        mark, _, number = written.partition(" ")
        tags: list[str] = native.get(TAGS) or [""]
        if tags[-1] != mark:
            torn.append(row)
        elif embeddings is not None:
            checked.append((row, float(number)))
    if checked:
        rows = [row for row, _ in checked]
        vectors = np.array([embeddings[row] for row in rows], dtype=np.float64)  # type: ignore[index]  # not None, see above
        slack = NEAR * (1e-30 + np.linalg.norm(vectors, axis=1)) * vectors.shape[1] ** 0.5
        apart = np.abs(fingerprints(vectors) - [number for _, number in checked]) > slack
        torn += [rows[at] for at in np.flatnonzero(apart)]
    return sorted(torn)


def _lengths(vectors: Vector, metric: Metric) -> tuple[Vector, list[dict[str, Any]]]:
    """Return what is stored for vectors, and what the sidecars must hold of them.

    Unit vectors for the cosine: Chroma's own squares would overflow.
    """
    if metric is not Metric.COSINE:
        return vectors, [{} for _ in vectors]
    stored, lengths, lossy = split(vectors)
    sides: list[dict[str, Any]] = []
    for vector, length, loses in zip(vectors, lengths.tolist(), lossy.tolist(), strict=True):
        if loses:
            sides.append({"v": to_bits(vector)})
        else:
            sides.append({} if abs(length - 1.0) <= NEAR_ONE else {"n": length})
    return stored, sides


def metadata_from(native: Mapping[str, Any], side: Mapping[str, Any]) -> MetadataDict:
    """Return the metadata of a record of ours: what its tags name, and what its sidecar holds."""
    kept: MetadataDict = dict(side.get("m") or {})
    metadata: MetadataDict = {}
    tags: list[str] = native[TAGS]
    for tag in tags if tags.count(REGULAR) + tags.count(WIDE) == 1 else _own_tags(tags):
        kind, name = tag[0], tag[2:]
        if tag[1:2] != ":" or kind not in _NATURAL:
            continue
        if "." in name or "\\" in name:
            first, *deeper = parse_path(name)
            if deeper:
                continue
            name, key = field_name((first,)), first
        else:
            key, name = name, field_name((name,))
        if key not in kept:
            value = float_of_order(native[ORDER + name]) if kind == FLOAT else native[name]
            metadata[key] = value
    return {**metadata, **kept}


def _own_tags(tags: Sequence[str]) -> Sequence[str]:
    """Return the tags of the last write.

    The lists of a collection that was dropped without its records come back in front of those of
    a new record that gets the same row number (measured with 1.5.9).
    """
    starts = [at for at, tag in enumerate(tags) if tag in (REGULAR, WIDE)]
    return tags[starts[-1] :] if starts else tags


def batch_of(
    ids: Sequence[str],
    embeddings: Any,
    metadatas: Sequence[Mapping[str, Any] | None] | None,
    documents: Sequence[str | None] | None,
    columns: Columns,
    dimension: int,
) -> RecordBatch:
    """Return what Chroma answered as a batch with the columns asked for."""
    natives = [None] * len(ids) if metadatas is None else metadatas
    sides = [sidecar_of(native) for native in natives]
    metadata: list[MetadataDict] | None = None
    if "metadata" in columns:
        metadata = [
            metadata_of(native) if side is None else metadata_from(native or {}, side)
            for native, side in zip(natives, sides, strict=True)
        ]
    texts: list[str | None] | None = None
    if "text" in columns:
        assert documents is not None
        texts = [
            None if side is not None and side.get("t") == 0 else text
            for text, side in zip(documents, sides, strict=True)
        ]
    vectors = _vectors_of(embeddings, sides, dimension) if "vector" in columns else None
    return RecordBatch(list(ids), vectors, metadata, texts)


def sidecar_of(native: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the sidecar of a record of ours, None for any other record."""
    text = None if native is None else native.get(SIDECAR)
    return from_json(text) if isinstance(text, str) else None


def _vectors_of(embeddings: Any, sides: Iterable[Mapping[str, Any] | None], dim: int) -> Vector:
    array: npt.NDArray[np.float64] = np.asarray(embeddings, dtype=np.float64).reshape(-1, dim)
    block: Vector = np.ascontiguousarray(array, dtype=np.float32)
    for row, side in enumerate(sides):
        if not side:
            continue
        if (length := side.get("n")) is not None:
            block[row] = array[row] * length
        elif (exact := side.get("v")) is not None:
            block[row] = from_bits(exact)
    return block
