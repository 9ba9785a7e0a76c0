"""After the copy: what writers touched meanwhile is read again and applied or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import NotSupportedError
from polyvec.migrate.content import differences
from polyvec.migrate.syncing import batch_of, matching, read_again, sync_records
from polyvec.migrate.transforms import apply
from polyvec.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.collection import Collection
    from polyvec.migrate.content import Difference
    from polyvec.migrate.dead_letters import DeadLetter
    from polyvec.migrate.plan import Plan
    from polyvec.migrate.touched import TouchedLog
    from polyvec.migrate.watch import Watch
    from polyvec.migrate.writing import Writer
    from polyvec.records import RecordBatch

    Remake = Callable[[RecordBatch], tuple[RecordBatch, dict[int, str]]]

PAUSE_S: Final = 0.05
ATTEMPTS: Final = 20


class CatchUp:
    """Applies a touched-log to the target of a migration.

    Parameters
    ----------
    plan
        Of the migration.
    log
        Of the writers.
    origin, goal
        The two collections.
    watch
        Told of the progress.
    remake
        Gives a batch new vectors, or None.
    writer
        Writes to the target.
    settle_dead
        Told of the source's namespace, the ids that were brought over, and the dead letters among
        them; raises when there are too many.
    """

    def __init__(
        self,
        plan: Plan,
        log: TouchedLog,
        origin: Collection[Any],
        goal: Collection[Any],
        watch: Watch,
        remake: Remake | None,
        writer: Writer,
        settle_dead: Callable[[str, Sequence[str], list[DeadLetter]], None],
    ) -> None:
        self._plan = plan
        self._log = log
        self._origin = origin
        self._goal = goal
        self._watch = watch
        self._remake = remake
        self._writer = writer
        self._settle_dead = settle_dead

    def run(self) -> int:
        """Apply every event up to now; return how many.

        What comes later is applied by the writers themselves: nothing overwrites it any more,
        for the copy is over and whoever applies holds the log's lock.
        """
        self._log.free_the_dead()
        end = self._log.end()
        name = self._plan.source.collection
        self._watch.start("catch-up", None)
        count = 0
        while True:
            with self._log.applying():
                events = self._log.touched(name, end)
                places: dict[str, list[str]] = {}
                for event in events:
                    places.setdefault(event.namespace, []).append(event.id)
                for namespace, ids in places.items():
                    self._sync(namespace, ids)
                self._log.forget(events)
            count += len(events)
            for namespace, ids in places.items():
                self._watch.add(namespace, len(ids))
            if not events and not self._wait_for_begun(end):
                self._log.copying(now=False)
                self._watch.event("caught_up", events=count)
                return count

    def _wait_for_begun(self, end: int) -> bool:
        """Whether writers are in the middle of something older: wait for them a moment."""
        begun = self._log.begun(self._plan.source.collection, end)
        if not begun:
            return False
        self._watch.pause(PAUSE_S)
        self._log.free_the_dead()
        return True

    def _sync(self, namespace: str, ids: list[str]) -> None:
        dead = sync_records(
            self._origin,
            self._goal,
            namespace,
            ids,
            self._plan.transforms,
            self._remake,
            self._write,
        )
        self._settle_dead(namespace, ids, dead)

    def _write(self, goal: Collection[Any], batch: RecordBatch) -> dict[int, str]:
        return self._writer.write(goal, batch).refused

    def settle(self, found: Sequence[Difference], tolerance: float) -> list[Difference]:
        """Return those differences that a verification saw which were no write under way.

        The records are compared again while nobody applies; if a writer is between the primary
        and the log's lock, its record is brought over here first, as the writer would.
        """
        places: dict[str, dict[str, Difference]] = {}
        for one in found:
            if one.id is not None:
                places.setdefault(one.namespace, {})[one.id] = one
        real = [one for one in found if one.id is None]
        for namespace, ones in places.items():
            left = ones
            for _ in range(ATTEMPTS):
                left = self._looked_again(namespace, left, tolerance, real)
                if not left:
                    break
                self._watch.pause(PAUSE_S)
            real += left.values()
        return real

    def _looked_again(
        self,
        namespace: str,
        left: dict[str, Difference],
        tolerance: float,
        real: list[Difference],
    ) -> dict[str, Difference]:
        """Return those that still differ with a writer under way; the others go to `real`."""
        name = self._plan.source.collection
        source = self._plan.transforms.source_of(namespace)
        with self._log.applying():
            unequal = self._unequal(namespace, list(left), tolerance)
            busy = [one for one in unequal if self._log.busy(name, source, one)]
            if busy:
                self._sync(source, busy)
            # Once more without an event too: one may have begun and ended in between.
            unequal = self._unequal(namespace, unequal, tolerance)
        real += [left[one] for one in unequal if one not in busy]
        return {one: left[one] for one in unequal if one in busy}

    def _unequal(self, namespace: str, ids: list[str], tolerance: float) -> list[str]:
        """Return those of the ids that the two collections do not have alike."""
        if not ids:
            return []
        origin = self._origin.namespace(self._plan.transforms.source_of(namespace))
        goal = self._goal.namespace(namespace)
        source = matching(read_again(origin, ids), self._plan.transforms.filter)
        try:
            target = read_again(goal, ids)
        except NotSupportedError:  # it does not tell how far it is: what it shows has to do
            target = goal.get(ids, include=WHOLE)
        batch, _ = apply(self._plan.transforms, batch_of(source, self._origin.dimension))
        if self._remake is not None:
            batch, _ = self._remake(batch)
        found = {one.id for one in differences(namespace, batch.records(), target, tolerance)}
        found |= {record.id for record in target} - set(batch.ids)
        return [one for one in ids if one in found]
