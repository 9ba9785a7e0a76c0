"""Bringing single records of the target up to the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.capabilities import Consistency
from polyvec.evaluate import compile_predicate
from polyvec.migrate.dead_letters import DeadLetter
from polyvec.migrate.transforms import Transforms, apply
from polyvec.records import RecordBatch
from polyvec.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.capabilities import Capabilities
    from polyvec.collection import Collection
    from polyvec.filters import Filter
    from polyvec.migrate.touched import Event
    from polyvec.records import VectorRecord
    from polyvec.types import Include

NOTHING: Final[tuple[Include, ...]] = ()

NO_TRANSFORMS: Final = Transforms()

SEEN_WITHIN_S: Final = 120.0
"""How long reads may stay behind an acknowledged write before bringing it over fails."""


def batch_of(records: Sequence[VectorRecord[Any]], dimension: int) -> RecordBatch:
    """Return records as a batch; those without a vector are marked as such."""
    present = np.array(["vector" in record.model_fields_set for record in records], dtype=np.bool_)
    vectors = np.zeros((len(records), dimension), dtype=np.float32)
    for row, record in enumerate(records):
        if present[row]:
            vectors[row] = record.vector
    return RecordBatch(
        ids=[record.id for record in records],
        vectors=vectors,
        metadata=[record.metadata for record in records],
        texts=[record.text for record in records],
        present=None if present.all() else present,
    )


def read_again(space: Collection[Any], ids: Sequence[str]) -> list[VectorRecord[Any]]:
    """Return those of the records that are there, with every write acknowledged before.

    Strong reads see them all. Where a store has none, it is waited for the write after the last.

    Raises
    ------
    NotSupportedError
        The store has no strong reads, and does not tell how far its reads are either.
    DeadlineError
        Its reads stay behind.
    """
    strength = strongest(space.capabilities)
    if strength is None:
        space.wait_for_writes(timeout_s=SEEN_WITHIN_S)
    return space.get(ids, include=WHOLE, consistency=strength)


def strongest(can: Capabilities) -> str | None:
    """Return the consistency that sees what other processes wrote, where a store has it."""
    return None if can.consistency is Consistency.EVENTUAL else Consistency.STRONG.value


def matching(records: list[VectorRecord[Any]], where: Filter | None) -> list[VectorRecord[Any]]:
    """Return the records that a filter selects."""
    if where is None:
        return records
    fits = compile_predicate(where)
    return [record for record in records if fits(record.metadata)]


def sync_records(
    origin: Collection[Any],
    goal: Collection[Any],
    namespace: str,
    ids: Sequence[str],
    transforms: Transforms = NO_TRANSFORMS,
    remake: Callable[[RecordBatch], tuple[RecordBatch, dict[int, str]]] | None = None,
    write: Callable[[Collection[Any], RecordBatch], dict[int, str]] | None = None,
) -> list[DeadLetter]:
    """Read records again from the source; write those that are there, delete the others.

    The caller holds the log's lock, so that nobody else does the same crosswise. What cannot be
    stored is deleted too, so that no older state of it is left.

    Parameters
    ----------
    origin, goal
        The two collections.
    namespace
        In the source.
    ids
        Of the records.
    transforms, remake
        How a record changes on the way.
    write
        Writes a batch and returns by row what the target refuses, with the reason. Without it
        one refused record is an error, and nothing is written.

    Returns
    -------
    list of DeadLetter
        Records that cannot be stored.
    """
    wanted = list(dict.fromkeys(ids))
    space = goal.namespace(transforms.target_of(namespace))
    found = matching(read_again(origin.namespace(namespace), wanted), transforms.filter)
    refused: dict[int, str] = {}
    read = batch_of(found, origin.dimension)
    if found:
        batch, refused = apply(transforms, read)
        if remake is not None:
            batch, more = remake(batch)
            refused = {**refused, **more}
        rows = [row for row in range(len(batch)) if row not in refused]
        if rows and write is None:
            space.upsert(batch.take(rows))
        elif rows and write is not None:
            refused.update((rows[at], why) for at, why in write(space, batch.take(rows)).items())
    there = {record.id for row, record in enumerate(found) if row not in refused}
    gone = [name for name in wanted if name not in there]
    if gone:
        space.delete(gone)
    return [DeadLetter.of(namespace, read, row, why) for row, why in sorted(refused.items())]


def sync_events(
    events: Sequence[Event],
    origin_of: Callable[[str], Collection[Any]],
    goal_of: Callable[[str], Collection[Any]],
    transforms: Transforms = NO_TRANSFORMS,
    remake: Callable[[RecordBatch], tuple[RecordBatch, dict[int, str]]] | None = None,
) -> None:
    """Bring the records of events up to date, one call per namespace; the log's lock is held."""
    places: dict[tuple[str, str], list[str]] = {}
    for event in events:
        places.setdefault((event.collection, event.namespace), []).append(event.id)
    for (collection, namespace), ids in places.items():
        origin, goal = origin_of(collection), goal_of(collection)
        sync_records(origin, goal, namespace, ids, transforms, remake)
