"""Batches to records of Pinecone, and back, for indexes of ours. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

from polyvec._canonical import spell
from polyvec.metadata import from_json, to_json
from polyvec.records import RecordBatch
from polyvec.types import as_any
from polyvec_pinecone import _names
from polyvec_pinecone._layout import (
    AT,
    EVERY,
    ID,
    JSON,
    RESERVED,
    SPACE,
    TERMS,
    TEXT,
    TEXT_JSON,
    class_term,
    code_of,
    micros,
    value_term,
)
from polyvec_pinecone._vectors import from_values, to_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.paths import Path
    from polyvec.primitives import Columns
    from polyvec.types import MetadataDict, Metric

Stored: TypeAlias = dict[str, Any]
"""The metadata of a record as Pinecone has it."""

_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "i": int,
    "f": float,
    "d": datetime.fromisoformat,
    "D": datetime.fromisoformat,
    "S": from_json,
    "m": from_json,
    "o": from_json,
}
"""What makes a value of what Pinecone has, by class; the others come back as they are."""

PLAIN: Final = frozenset("bifs")
"""Classes of values that stand for themselves, and need no more terms."""

VALUE_BYTES: Final = 7
"""What a value takes in a protobuf message beside its text, at most; more than JSON's quotes and
comma. Pinecone counts a request's 2 MB after it was decoded."""


def encode(metadata: MetadataDict) -> Stored:
    """Return the natural fields, the terms and the sidecar of metadata."""
    stored: Stored = {}
    terms = [EVERY]
    kept: MetadataDict = {}
    for key, value in metadata.items():
        if value is None:
            kept[key] = None
            continue
        code = code_of(value)
        terms.append(class_term((key,), code))
        if code in PLAIN:
            stored[key] = value
            continue
        stored[key] = _natural(code, value)
        match code:
            case "I":
                kept[key] = value
            case "d" | "D":
                stored[AT + key] = _number(micros(cast("datetime", value)))
            case "l" | "m":
                terms += _list_terms((key,), code, as_any(value))
            case "o":
                _describe((key,), as_any(value), terms)
            case _:
                pass
    stored[TERMS] = terms
    if kept:
        stored[JSON] = to_json(kept)
    return stored


def _natural(code: str, value: Any) -> Any:
    match code:
        case "I":
            return float(value)
        case "d" | "D":
            return value.isoformat()
        case "S" | "m" | "o":
            return to_json(value)
        case _:
            return value


def _number(value: int) -> int | float:
    return value if abs(value) <= 2**53 else float(value)


def _list_terms(path: Path, code: str, items: Sequence[object]) -> list[str]:
    """Return the terms of a list: what it is, and what Pinecone's own list does not tell."""
    terms = [value_term("=", path, items)]
    if code == "m" or len(path) > 1:
        scalars = [item for item in items if isinstance(item, (str, int, float, datetime))]
        terms += dict.fromkeys(value_term("@", path, item) for item in scalars)
    return terms


def _describe(path: Path, value: Mapping[str, object], terms: list[str]) -> None:
    """Add the terms of the fields inside an object."""
    for key, item in value.items():
        if item is None:
            continue
        inner = (*path, key)
        code = code_of(item)
        terms.append(class_term(inner, code))
        if code == "o":
            _describe(inner, as_any(item), terms)
        elif code in "lm":
            terms += _list_terms(inner, code, as_any(item))
        else:
            terms.append(value_term("=", inner, item))


def decode(stored: Mapping[str, Any]) -> MetadataDict:
    """Return the metadata of a record of ours."""
    readers = _readers_of(tuple(stored[TERMS]))
    metadata: MetadataDict = {}
    for key, value in stored.items():
        if key.startswith(RESERVED):
            continue
        read = readers[spell((key,))]
        metadata[key] = value if read is None else read(value)
    side = stored.get(JSON)
    return metadata if side is None else {**metadata, **from_json(side)}


@lru_cache(maxsize=1024)
def _readers_of(terms: tuple[str, ...]) -> dict[str, Callable[[Any], Any] | None]:
    """Return what reads each field, by its path as it is spelt; many records share theirs."""
    return {term[1:-2]: _READERS.get(term[-1]) for term in terms if term[0] == "?"}


def text_of(stored: Mapping[str, Any]) -> str | None:
    """Return the text of a record of ours."""
    if (text := stored.get(TEXT)) is not None:
        return str(text)
    kept = stored.get(TEXT_JSON)
    return None if kept is None else str(from_json(kept))


def stored_of(batch: RecordBatch, namespace: str) -> list[tuple[str, Stored]]:
    """Return stored id and metadata of each record of a batch, vectors left aside."""
    count = len(batch)
    nothing: list[MetadataDict] = [{}] * count
    metadata = nothing if batch.metadata is None else batch.metadata
    texts = batch.texts if batch.texts is not None else [None] * count
    space = {SPACE: namespace} if _names.is_hashed(_names.to_space(namespace)) else {}
    found: list[tuple[str, Stored]] = []
    for original, one, text in zip(batch.ids, metadata, texts, strict=True):
        record_id, stored = _names.to_id(original), encode(one)
        if text is not None:
            if "\0" in text:
                stored[TEXT_JSON] = to_json(as_any(text))
            else:
                stored[TEXT] = text
        if _names.is_hashed(record_id):
            stored[ID] = original
        if space:
            stored.update(space)
        found.append((record_id, stored))
    return found


def rows_of(
    batch: RecordBatch, namespace: str, metric: Metric
) -> list[tuple[str, list[float], Stored]]:
    """Return a checked batch with all columns as Pinecone's client takes it."""
    assert batch.vectors is not None
    values, beside = to_values(batch.vectors, metric)
    return [
        (record_id, row, {**stored, **more} if more else stored)
        for (record_id, stored), row, more in zip(
            stored_of(batch, namespace), values, beside, strict=True
        )
    ]


def sizes_of(batch: RecordBatch, namespace: str) -> list[int]:
    """Return the bytes of each record's metadata: natural fields, terms, sidecar and text."""
    return [size_of(stored) for _, stored in stored_of(batch, namespace)]


def size_of(stored: Mapping[str, Any]) -> int:
    """Return the bytes of metadata, not less than its JSON and its protobuf form have."""
    lists = sum(len(as_any(value)) for value in stored.values() if type(value) is list)
    return len(orjson.dumps(stored)) + VALUE_BYTES * (len(stored) + lists)


def batch_of(
    rows: Sequence[tuple[str, Sequence[float], Mapping[str, Any]]],
    columns: Columns,
    dimension: int,
) -> RecordBatch:
    """Return records of ours as a batch with the columns asked for.

    Parameters
    ----------
    rows
        Stored id, values, and metadata of each record.
    columns
        Columns wanted beside the ids.
    dimension
        Of the index.
    """
    metadata = [stored for _, _, stored in rows]
    return RecordBatch(
        [_names.from_id(found, stored.get(ID)) for found, _, stored in rows],
        from_values([values for _, values, _ in rows], metadata, dimension)
        if "vector" in columns
        else None,
        [decode(stored) if TERMS in stored else dict(stored) for stored in metadata]
        if "metadata" in columns
        else None,
        [text_of(stored) for stored in metadata] if "text" in columns else None,
    )
