"""Whether two records are the same, wherever they are stored. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from polyvec.metadata import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.records import VectorRecord
    from polyvec.types import MetadataDict, Vector


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not in the target as it is in the source.

    Parameters
    ----------
    namespace
        Where.
    id
        The record, None when the whole namespace is meant.
    what
        In words.
    """

    namespace: str
    id: str | None
    what: str


def content_hash(namespace: str, record_id: str, text: str | None, metadata: MetadataDict) -> str:
    """Return a digest of everything of a record but its vector, as hexadecimal.

    Equal content gives equal digests on every store: the order of keys and the
    sign of zero, which stores may change, do not count.
    """
    digest = hashlib.blake2b(digest_size=16)
    canonical = to_json(metadata, sort_keys=True)
    if "-0.0" in canonical:
        canonical = to_json(_without_negative_zero(metadata), sort_keys=True)
    for value in (namespace, record_id, text, canonical):
        # The length in front keeps two neighbours from trading characters.
        data = b"" if value is None else value.encode()
        digest.update(f"{-1 if value is None else len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def differences(
    namespace: str,
    source: Sequence[VectorRecord[Any]],
    target: Sequence[VectorRecord[Any]],
    tolerance: float,
) -> list[Difference]:
    """Compare records of the source with what the target returned for their ids.

    Parameters
    ----------
    namespace
        Of both.
    source, target
        With all columns; the target's in any order.
    tolerance
        Largest relative error of a vector, as a ratio of norms; 0.0 means equal numbers.
    """
    there = {record.id: record for record in target}
    found: list[Difference] = []
    for record in source:
        other = there.get(record.id)
        if other is None:
            found.append(Difference(namespace, record.id, "is missing in the target"))
            continue
        what = [] if _hash(namespace, record) == _hash(namespace, other) else ["text or metadata"]
        if not _same_vector(_vector(record), _vector(other), tolerance):
            what.append("vector")
        if what:
            found.append(Difference(namespace, record.id, f"differs in {' and '.join(what)}"))
    return found


def _hash(namespace: str, record: VectorRecord[Any]) -> str:
    return content_hash(namespace, record.id, record.text, record.metadata)


def _vector(record: VectorRecord[Any]) -> Vector | None:
    return record.vector if "vector" in record.model_fields_set else None


def _same_vector(left: Vector | None, right: Vector | None, tolerance: float) -> bool:
    if left is None or right is None:
        return left is right
    if tolerance == 0.0 or left.shape != right.shape:
        return np.array_equal(left, right)
    # In float64: the square of a large float32 overflows.
    exact = left.astype(np.float64)
    error = np.linalg.norm(exact - right.astype(np.float64))
    return bool(error <= tolerance * np.linalg.norm(exact))


def _without_negative_zero(value: Any) -> Any:
    match value:
        case dict():
            items = cast("dict[str, object]", value).items()
            return {key: _without_negative_zero(item) for key, item in items}
        case list():
            return [_without_negative_zero(item) for item in cast("list[object]", value)]
        case float():
            return value + 0.0  # minus zero plus zero is zero; nothing else changes
        case _:
            return value
