"""Records that the target does not take: kept with their reason, in a Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from polyvec.errors import MissingDependencyError
from polyvec.metadata import to_json
from polyvec.snapshot.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyvec.records import RecordBatch


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record as the source gave it, and why the target has it not.

    Parameters
    ----------
    namespace
        In the source.
    id, text
        Of the record.
    reason
        What the check or the target said.
    metadata
        JSON text, datetimes as `{"$datetime": ...}`.
    vector
        The bytes of its float32 numbers, None without one.
    """

    namespace: str
    id: str
    reason: str
    text: str | None
    metadata: str
    vector: bytes | None

    @classmethod
    def of(cls, namespace: str, batch: RecordBatch, row: int, reason: str) -> Self:
        """Return the letter for one row of a whole batch."""
        assert batch.metadata is not None
        assert batch.texts is not None
        try:
            metadata = to_json(batch.metadata[row])
        except (TypeError, ValueError):  # what a collection of somebody else's may hold
            metadata = repr(batch.metadata[row])
        there = batch.vectors is not None and (batch.present is None or batch.present[row])
        vector = batch.vectors[row].tobytes() if there and batch.vectors is not None else None
        return cls(
            namespace,
            _writable(batch.ids[row]),
            _writable(reason),
            None if (text := batch.texts[row]) is None else _writable(text),
            _writable(metadata),
            vector,
        )


def _writable(text: str) -> str:
    """Return text that UTF-8 can carry; a lone surrogate becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def write_dead_letters(path: Path, letters: Sequence[DeadLetter]) -> None:
    """Write the file anew, whole or not at all; without letters remove it.

    Columns: `namespace`, `id`, `reason`, `text`, `metadata` (JSON) and `vector` (a list of
    float32, null without one).
    """
    if not letters:
        path.unlink(missing_ok=True)
        return
    try:
        from polyvec.snapshot._arrow import pa, pq
    except ImportError:
        raise MissingDependencyError(
            "writing dead letters needs pyarrow: pip install 'polyvec[parquet]'", name="pyarrow"
        ) from None
    table = pa.table(
        {
            "namespace": pa.array([letter.namespace for letter in letters], pa.string()),
            "id": pa.array([letter.id for letter in letters], pa.string()),
            "reason": pa.array([letter.reason for letter in letters], pa.string()),
            "text": pa.array([letter.text for letter in letters], pa.string()),
            "metadata": pa.array([letter.metadata for letter in letters], pa.string()),
            "vector": pa.array(
                [
                    None
                    if letter.vector is None
                    else np.frombuffer(letter.vector, dtype=np.float32).tolist()
                    for letter in letters
                ],
                pa.list_(pa.float32()),
            ),
        }
    )
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
