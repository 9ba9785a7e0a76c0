"""Operations to bytes and back. Pure.

A payload is the length of a JSON text, the text, and after it the arrays that
the text announces, as little-endian numbers.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, assert_never

import numpy as np
import numpy.typing as npt

from polyvec.memory.operations import (
    Create,
    Delete,
    Drop,
    DropAlias,
    Operation,
    SetAlias,
    Update,
    Upsert,
)
from polyvec.metadata import from_json, to_json
from polyvec.primitives import Patch
from polyvec.records import RecordBatch
from polyvec.schema import HNSW, IVF, CollectionSpec, Flat, Index
from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.memory.frames import Piece
    from polyvec.types import Vector

_TEXT_LENGTH: Final = struct.Struct("<Q")
_FLOATS: Final = np.dtype("<f4")
_INTS: Final = np.dtype("<i8")
_BOOLS: Final = np.dtype("?")

_FIELD_TYPES: Final[Mapping[str, type]] = {
    kind.__name__: kind for kind in (str, int, float, bool, datetime)
}
_INDEX_SETTINGS: Final[Mapping[type[Index], tuple[str, ...]]] = {
    HNSW: ("m", "ef_construction", "ef_search", "best_effort"),
    IVF: ("lists", "probes", "best_effort"),
    Flat: ("best_effort",),
}
_INDEXES: Final = {kind.kind: kind for kind in _INDEX_SETTINGS}


def encode(operation: Operation) -> list[Piece]:
    """Return the pieces of an operation's payload; vectors are not copied."""
    match operation:
        case Create(spec, next_sequence):
            return _pieces({"op": "create", "next": next_sequence, **_encode_spec(spec)})
        case Drop(name):
            return _pieces({"op": "drop", "name": name})
        case SetAlias(alias, collection):
            return _pieces({"op": "alias", "alias": alias, "collection": collection})
        case DropAlias(alias):
            return _pieces({"op": "unalias", "alias": alias})
        case Upsert():
            return _encode_upsert(operation)
        case Update():
            return _encode_update(operation)
        case Delete(collection, namespace, ids):
            return _pieces({"op": "delete", "in": [collection, namespace], "ids": ids})
        case _:
            assert_never(operation)


def decode(payload: bytes) -> Operation:
    """Return the operation in a payload. Its arrays are views of the payload.

    Raises
    ------
    ValueError, LookupError, TypeError, struct.error
        The payload is none that `encode` wrote.
    """
    (length,) = _TEXT_LENGTH.unpack_from(payload)
    start = _TEXT_LENGTH.size
    fields = from_json(payload[start : start + length])
    arrays = _Arrays(payload, start + length)
    match fields["op"]:
        case "create":
            return Create(_decode_spec(fields), fields["next"])
        case "drop":
            return Drop(fields["name"])
        case "alias":
            return SetAlias(fields["alias"], fields["collection"])
        case "unalias":
            return DropAlias(fields["alias"])
        case "upsert":
            return _decode_upsert(fields, arrays)
        case "update":
            return _decode_update(fields, arrays)
        case "delete":
            collection, namespace = fields["in"]
            return Delete(collection, namespace, fields["ids"])
        case other:
            raise ValueError(f"unknown operation {other!r}")


class _Arrays:
    """Takes one array after the other from a payload."""

    def __init__(self, payload: bytes, offset: int) -> None:
        self._payload = payload
        self._offset = offset

    def take(self, dtype: np.dtype[Any], count: int) -> Any:
        array = np.frombuffer(self._payload, dtype, count, self._offset)
        self._offset += array.nbytes
        return array


def _pieces(fields: dict[str, Any], *arrays: npt.NDArray[Any]) -> list[Piece]:
    text = to_json(fields).encode()
    return [_TEXT_LENGTH.pack(len(text)), text, *(_bytes(array) for array in arrays)]


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _encode_upsert(operation: Upsert) -> list[Piece]:
    batch = operation.batch
    assert batch.vectors is not None
    arrays: list[npt.NDArray[Any]] = [batch.vectors.astype(_FLOATS, copy=False)]
    if batch.present is not None:
        arrays.append(batch.present.astype(_BOOLS, copy=False))
    if operation.sequence is not None:
        arrays.append(operation.sequence.astype(_INTS, copy=False))
    fields = {
        "op": "upsert",
        "in": [operation.collection, operation.namespace],
        "ids": batch.ids,
        "metadata": batch.metadata,
        "texts": batch.texts,
        "dimension": batch.vectors.shape[1],
        "present": batch.present is not None,
        "sequence": operation.sequence is not None,
    }
    return _pieces(fields, *arrays)


def _decode_upsert(fields: dict[str, Any], arrays: _Arrays) -> Upsert:
    n = len(fields["ids"])
    vectors = _take_vectors(arrays, n, fields["dimension"])
    present = arrays.take(_BOOLS, n) if fields["present"] else None
    sequence = arrays.take(_INTS, n) if fields["sequence"] else None
    batch = RecordBatch(fields["ids"], vectors, fields["metadata"], fields["texts"], present)
    collection, namespace = fields["in"]
    return Upsert(collection, namespace, batch, sequence)


def _encode_update(operation: Update) -> list[Piece]:
    patch = operation.patch
    arrays = () if patch.vectors is None else (patch.vectors.astype(_FLOATS, copy=False),)
    fields = {
        "op": "update",
        "in": [operation.collection, operation.namespace],
        "ids": operation.ids,
        "set": dict(patch.set),
        "unset": sorted(patch.unset),
        "texts": patch.texts,
        "dimension": None if patch.vectors is None else patch.vectors.shape[1],
    }
    return _pieces(fields, *arrays)


def _decode_update(fields: dict[str, Any], arrays: _Arrays) -> Update:
    dimension = fields["dimension"]
    vectors = None
    if dimension is not None:
        vectors = _take_vectors(arrays, len(fields["ids"]), dimension)
    patch = Patch(fields["set"], frozenset(fields["unset"]), vectors, fields["texts"])
    collection, namespace = fields["in"]
    return Update(collection, namespace, fields["ids"], patch)


def _take_vectors(arrays: _Arrays, n: int, dimension: int) -> Vector:
    taken: Vector = arrays.take(_FLOATS, n * dimension)
    return taken.reshape(n, dimension)


def _encode_spec(spec: CollectionSpec) -> dict[str, Any]:
    index = spec.index
    settings = None
    if index is not None:
        named = {name: getattr(index, name) for name in _INDEX_SETTINGS[type(index)]}
        settings = {"kind": index.kind, **named}
    return {
        "name": spec.name,
        "dimension": spec.dimension,
        "metric": spec.metric.value,
        "index": settings,
        # Pairs, not an object: its keys are the user's.
        "index_fields": [[path, kind.__name__] for path, kind in spec.index_fields.items()],
    }


def _decode_spec(fields: dict[str, Any]) -> CollectionSpec:
    index = None
    if (settings := fields["index"]) is not None:
        index = _INDEXES[settings.pop("kind")](**settings)
    return CollectionSpec(
        name=fields["name"],
        dimension=fields["dimension"],
        metric=Metric(fields["metric"]),
        index=index,
        index_fields={path: _FIELD_TYPES[kind] for path, kind in fields["index_fields"]},
    )
