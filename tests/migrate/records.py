"""Records that stores get wrong: hostile ids, names and texts, every class of value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import numpy as np

from polyvec import Collection, VectorRecord, VectorStore
from polyvec.metadata import normalise
from polyvec.testing.corpus import HOSTILE
from polyvec.testing.world import WORLD

DIMENSION: Final = 8
NAMESPACES: Final = ("", "n/1 ü'", 'tenant_"; --')
SEED: Final = 20_260

Key = tuple[str, str]


@dataclass(frozen=True)
class Sample:
    """Namespace to its records."""

    spaces: dict[str, list[VectorRecord[Any]]]

    @property
    def count(self) -> int:
        """Records of all namespaces."""
        return sum(map(len, self.spaces.values()))

    def load(self, store: VectorStore, name: str, metric: str = "cosine") -> Collection[Any]:
        """Make a collection with these records."""
        made = store.create_collection(name, dimension=DIMENSION, metric=metric)
        for space, records in self.spaces.items():
            made.namespace(space).upsert(records)
        return made


@cache
def adversarial(count: int) -> Sample:
    """Return records, spread unevenly over three namespaces; equal ids are in all of them."""
    rng = np.random.default_rng(SEED)
    strings = [text for text in HOSTILE if text and "\0" not in text]
    metadata = [record.metadata for record in WORLD.values()]
    spaces: dict[str, list[VectorRecord[Any]]] = {name: [] for name in NAMESPACES}
    for at in range(count):
        space = NAMESPACES[0 if at % 4 < 2 else at % 4 - 1]
        size = len(spaces[space])
        hostile = strings[size % len(strings)]
        record_id = hostile if size < len(strings) else f"{hostile}#{size}"
        fields = {**metadata[at % len(metadata)], "n": at, "hostile": hostile, "half": at / 2}
        vector = rng.normal(size=DIMENSION).astype(np.float32) * np.float32(10.0 ** (at % 7 - 3))
        text = None if at % 5 == 0 else f"{hostile} {at}"
        spaces[space].append(VectorRecord(id=record_id, vector=vector, metadata=fields, text=text))
    return Sample(spaces)


def everything(collection: Collection[Any]) -> dict[Key, VectorRecord[Any]]:
    """Return all records of a collection; fails where a scan gives one twice."""
    found: dict[Key, VectorRecord[Any]] = {}
    for space in collection.namespaces():
        scan = collection.namespace(space).scan(include=("metadata", "text", "vector"))
        for batch in scan:
            for record in batch.records():
                assert (space, record.id) not in found
                found[space, record.id] = record
    return found


def assert_equal(
    sample: Sample, collection: Collection[Any], tolerance: float, drop: str = ""
) -> None:
    """Compare a collection with what was written at the start, record for record."""
    held = everything(collection)
    wanted = {
        (space, record.id): record for space, records in sample.spaces.items() for record in records
    }
    assert held.keys() == wanted.keys()
    for key, record in wanted.items():
        other = held[key]
        fields = {k: v for k, v in normalise(record.metadata, record.id).items() if k != drop}
        assert other.metadata == fields, key
        # 1 == 1.0 == True: the classes are compared by their text.
        assert _shape(other.metadata) == _shape(fields), key
        assert other.text == record.text, key
        error = np.linalg.norm(other.vector.astype(float) - record.vector.astype(float))
        assert error <= tolerance * np.linalg.norm(record.vector.astype(float)), key


def _shape(value: Any) -> Any:
    match value:
        case dict():
            fields = cast("dict[str, object]", value)
            return {key: _shape(item) for key, item in fields.items()}
        case list():
            return [_shape(item) for item in cast("list[object]", value)]
        case _:
            return type(value).__name__
