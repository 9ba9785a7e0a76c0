"""The copy: a pool of workers, each with one range at a time.

A range is read ahead by one batch while the last one is written; the journal has a checkpoint
per batch that the target acknowledged. Memory is bounded by the batches under way, whatever the
collection's size: per worker one in use, one waiting and one being read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from polyvec import _runtime
from polyvec.errors import MigrationError, PolyvecError
from polyvec.migrate.ahead import reading_ahead
from polyvec.migrate.dead_letters import DeadLetter
from polyvec.migrate.syncing import NOTHING, batch_of, matching
from polyvec.migrate.transforms import apply
from polyvec.migrate.watch import Stopped
from polyvec.migrate.writing import BatchSize, Patience, Writer
from polyvec.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from polyvec.collection import Collection
    from polyvec.filters import Filter
    from polyvec.migrate.journal import Journal, Task
    from polyvec.migrate.plan import Plan
    from polyvec.migrate.transforms import Transforms
    from polyvec.migrate.watch import Watch
    from polyvec.records import RecordBatch
    from polyvec.types import Include

    Remake = Callable[[RecordBatch], tuple[RecordBatch, dict[int, str]]]

ID_BATCH: Final = 10_000
BATCH_BYTES: Final = 8 * 1024 * 1024
MOST_RECORDS: Final = 5_000
FEWEST_RECORDS: Final = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How a copy runs; nothing here changes what it copies.

    Parameters
    ----------
    workers
        Ranges under way at once.
    batch_size
        Records read and written at a time, None for about 8 MB of them.
    max_errors
        Records that may be left out before the copy stops.
    patience_s
        Seconds that a store may fail before the copy stops.
    engine
        `"local"`: threads of this process; `"ray"`: tasks of a Ray cluster.
    """

    workers: int = 4
    batch_size: int | None = None
    max_errors: int = 0
    patience_s: float = 60.0
    engine: str = "local"


class Reader:
    """Reads ranges of a collection, again from the last cursor when the store fails.

    Parameters
    ----------
    origin
        The source.
    where
        Which records.
    size
        Records per batch.
    watch
        Told of retries.
    patience_s
        Seconds without a success after which a failure is final.
    consistency
        Of the reads: other processes may have written a moment ago.
    by_ids
        List the ids, and get the records: for a source whose list of ids alone misses nothing
        while others write.
    """

    def __init__(
        self,
        origin: Collection[Any],
        where: Filter | None,
        size: int,
        watch: Watch,
        patience_s: float,
        consistency: str | None = None,
        *,
        by_ids: bool = False,
    ) -> None:
        self._origin = origin
        self._consistency = consistency
        self._by_ids = by_ids
        self._where = where
        self._size = size
        self._watch = watch
        self._patience_s = patience_s

    def batches(self, task: Task) -> Generator[RecordBatch]:
        """Yield the batches of a range behind its cursor."""
        return self._patiently(task, WHOLE, self._size)

    def ids(self, task: Task) -> Iterator[list[str]]:
        """Yield the ids of a range, without reading the records where the source allows it."""
        listed = self._by_ids and self._where is not None  # a filter needs the records then
        columns = WHOLE if listed else NOTHING
        return (batch.ids for batch in self._patiently(task, columns, ID_BATCH))

    def records(self, task: Task, ids: list[str]) -> RecordBatch:
        """Return those of the records that are there."""
        space = self._origin.namespace(task.source)
        found = space.get(ids, include=WHOLE, consistency=self._consistency)
        return batch_of(found, self._origin.dimension)

    def _patiently(
        self, task: Task, columns: tuple[Include, ...], size: int
    ) -> Generator[RecordBatch]:
        patience = Patience(self._patience_s, self._watch)
        space = self._origin.namespace(task.source)
        cursor = task.cursor
        while True:
            try:
                for batch in self._scan(space, task, cursor, columns, size):
                    cursor = batch.cursor
                    patience.success()
                    yield batch
            except PolyvecError as exc:
                patience.wait(exc, "read")
            else:
                return

    def _scan(
        self,
        space: Collection[Any],
        task: Task,
        cursor: str | None,
        columns: tuple[Include, ...],
        size: int,
    ) -> Iterator[RecordBatch]:
        by_ids = self._by_ids and columns is WHOLE
        batches = space.scan(
            None if by_ids else self._where,
            batch_size=size,
            after=cursor,
            include=NOTHING if by_ids else columns,
            span=task.span,
            consistency=self._consistency,
        )
        return map(partial(self._fetched, space), batches) if by_ids else batches

    def _fetched(self, space: Collection[Any], listed: RecordBatch) -> RecordBatch:
        """Return the records of listed ids that are still there and match."""
        found = matching(space.get(listed.ids, include=WHOLE), self._where)
        return replace(batch_of(found, self._origin.dimension), cursor=listed.cursor)


def records_per_batch(plan: Plan, batch_size: int | None) -> int:
    """Return how many records are read and written at a time."""
    if batch_size is not None:
        return batch_size
    each = plan.estimate.bytes / max(1, plan.estimate.records) or 4.0 * plan.spec.dimension
    return int(min(MOST_RECORDS, max(FEWEST_RECORDS, BATCH_BYTES // max(1.0, each))))


class Engine:
    """Copies the ranges of a journal that are not done.

    Parameters
    ----------
    plan, journal
        What is to be done, and what has been.
    goal
        The target.
    settings
        How.
    watch
        Told of everything; its `stop` ends the copy after the batches under way.
    reader
        Of the source.
    remake
        Gives a batch new vectors (re-embedding), or None.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        goal: Collection[Any],
        settings: Settings,
        watch: Watch,
        reader: Reader,
        remake: Remake | None = None,
    ) -> None:
        self._journal = journal
        self._goal = goal
        self._transforms: Transforms = plan.transforms
        self._settings = settings
        self._watch = watch
        self._remake = remake
        self._size = BatchSize(records_per_batch(plan, settings.batch_size))
        self._reader = reader
        self._guard = Lock()
        self._dead = journal.totals().dead
        self.unwritten: list[DeadLetter] = []
        """Dead letters of the batch that went over `max_errors`, which has no checkpoint."""

    def close(self) -> None:
        """Release nothing: the threads have ended with `run`."""

    def run(self) -> None:
        """Copy until every range is done.

        Raises
        ------
        MigrationError
            More records than `max_errors` cannot be stored.
        PolyvecError
            A store failed for longer than `patience_s`, or refuses altogether.
        """
        calls = [self._call(task) for task in self._journal.open_tasks()]
        if not calls:
            return
        try:
            outcomes = _runtime.outcomes(calls, self._settings.workers)
        except BaseException:  # an interrupt while the others finish their batch
            self._watch.stop.set()
            raise
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        # A worker that was stopped says nothing; the one that failed does.
        errors.sort(key=lambda error: isinstance(error, Stopped))
        if errors:
            raise errors[0]

    def _call(self, task: Task) -> Callable[[], None]:
        def call() -> None:
            try:
                self._copy(task)
            except BaseException:
                self._watch.stop.set()
                raise

        return call

    def _copy(self, task: Task) -> None:
        self._watch.check()
        goal = self._goal.namespace(task.target)
        writer = Writer(self._size, self._watch, self._settings.patience_s)
        with reading_ahead(self._reader.batches(task)) as batches:
            for read in batches:
                self._one(task, read, goal, writer)
                self._watch.add(task.source, len(read))
        self._journal.finish(task)
        self._watch.event("range", number=task.number, namespace=task.source)

    def _one(self, task: Task, read: RecordBatch, goal: Collection[Any], writer: Writer) -> None:
        """Copy a batch and record it."""
        done = copy_batch(task, read, goal, writer, self._transforms, self._remake)
        self._allow(done.dead)
        self._journal.checkpoint(
            task,
            read.cursor,
            read=len(read),
            written=done.written,
            bare=done.bare,
            dead=done.dead,
        )

    def _allow(self, dead: list[DeadLetter]) -> None:
        """Count dead letters; raise when there are more than may be."""
        if not dead:
            return
        announce(dead, self._watch)
        with self._guard:
            self._dead += len(dead)
            if self._dead <= self._settings.max_errors:
                return
            self.unwritten += dead
        raise too_many(self._dead, self._settings.max_errors, dead)


def announce(dead: list[DeadLetter], watch: Watch) -> None:
    """Tell the watch of each dead letter."""
    for letter in dead:
        watch.event("dead_letter", namespace=letter.namespace, id=letter.id, reason=letter.reason)


def too_many(count: int, most: int, dead: list[DeadLetter]) -> MigrationError:
    """Return the error of a run with more dead letters than `max_errors`."""
    return MigrationError(
        f"{count} records cannot be stored, {most} may be left out: {dead[0].reason}; see the dead "
        "letters, then mend the source or raise max_errors, and resume"
    )


@dataclass(frozen=True, slots=True)
class Copied:
    """The outcome of one batch: records written, those of them without a vector, those left out."""

    written: int
    bare: int
    dead: list[DeadLetter]


def copy_batch(
    task: Task,
    read: RecordBatch,
    goal: Collection[Any],
    writer: Writer,
    transforms: Transforms,
    remake: Remake | None = None,
) -> Copied:
    """Change a batch as the plan says and write it; what is not taken becomes a dead letter."""
    batch, refused = apply(transforms, read)
    if remake is not None:
        batch, more = remake(batch)
        refused = {**refused, **more}
    rows = [row for row in range(len(batch)) if row not in refused]
    outcome = writer.write(goal, batch.take(rows) if refused else batch)
    refused.update((rows[at], reason) for at, reason in outcome.refused.items())
    dead = [
        DeadLetter.of(task.source, read, row, reason) for row, reason in sorted(refused.items())
    ]
    bare = 0
    if batch.present is not None:
        bare = sum(not there and row not in refused for row, there in enumerate(batch.present))
    return Copied(outcome.count, bare, dead)
