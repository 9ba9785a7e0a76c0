"""One step of a range, for a worker in another process: it knows no journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from polyvec.errors import MigrationError
from polyvec.migrate.dead_letters import DeadLetter
from polyvec.migrate.engine import (
    Reader,
    Settings,
    copy_batch,
    records_per_batch,
)
from polyvec.migrate.journal import Task
from polyvec.migrate.plan import Plan
from polyvec.migrate.syncing import strongest
from polyvec.migrate.watch import Watch
from polyvec.migrate.writing import BatchSize, Writer
from polyvec.store import VectorStore, connect

if TYPE_CHECKING:
    from polyvec.config import StoreConfig
    from polyvec.migrate.transforms import Transforms


@dataclass(frozen=True, slots=True)
class Step:
    """What a worker did, all of it acknowledged by the target.

    Parameters
    ----------
    cursor
        Behind the last record it read.
    done
        Whether the range ends there.
    read, written, bare
        As in the journal.
    dead
        Records that were left out.
    """

    cursor: str | None
    done: bool
    read: int = 0
    written: int = 0
    bare: int = 0
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])


@cache
def _store(config: StoreConfig) -> VectorStore:
    """Return the worker's own store; it lives as long as the worker's process."""
    return connect(config)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker needs to know; it can be pickled.

    Parameters
    ----------
    plan
        As JSON text.
    source, target
        Configurations of the two stores.
    settings
        How the copy runs.
    batches
        How many batches a step has, at most.
    """

    plan: str
    source: StoreConfig
    target: StoreConfig
    settings: Settings
    batches: int


def copy_step(order: Order, task: Task) -> Step:
    """Copy some batches of a range behind the task's cursor.

    Idempotent: a worker that dies is replaced by another one with the same order.
    """
    plan = Plan.model_validate_json(order.plan)
    settings, watch = order.settings, Watch()
    source = _opened(order.source)
    origin = source.collection(plan.source.collection)
    strong = strongest(source.capabilities)
    goal = _opened(order.target).collection(plan.target.collection).namespace(task.target)
    size = records_per_batch(plan, settings.batch_size)
    where = plan.transforms.filter
    reader = Reader(origin, where, size, watch, settings.patience_s, strong)
    writer = Writer(BatchSize(size), watch, settings.patience_s)
    cursor, read, written, bare = task.cursor, 0, 0, 0
    dead: list[DeadLetter] = []
    batches = reader.batches(task)
    try:
        for number, whole in enumerate(batches, start=1):
            copied = copy_batch(task, whole, goal, writer, plan.transforms)
            cursor, read = whole.cursor, read + len(whole)
            written, bare, dead = written + copied.written, bare + copied.bare, dead + copied.dead
            # More bad records than may be left out: the driver ends the migration.
            if number >= order.batches or len(dead) > settings.max_errors:
                return Step(cursor, False, read, written, bare, dead)
    finally:
        batches.close()
    return Step(cursor, True, read, written, bare, dead)


def _opened(config: StoreConfig) -> VectorStore:
    try:
        return _store(config)
    except TypeError:  # a configuration with a dict in it cannot be a key
        return connect(config)


def check_reachable(*configs: StoreConfig) -> None:
    """Refuse a store that only one process can have open.

    Raises
    ------
    MigrationError
        It lives in this process, or in a directory that is locked by it.
    """
    for config in configs:
        if config.backend in ("memory", "parquet") or ":memory:" in repr(config):
            raise MigrationError(
                f"a {config.backend} store of this kind belongs to one process; "
                "use servers with engine='ray', or engine='local'"
            )


def check_portable(transforms: Transforms) -> None:
    """Refuse what only this process can do.

    Raises
    ------
    MigrationError
        They make new vectors.
    """
    if transforms.reembed is not None:
        raise MigrationError("re-embedding needs engine='local', which has its cache")
