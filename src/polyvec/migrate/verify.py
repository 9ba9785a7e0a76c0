"""Proof that nothing was lost: both stores are read again and compared record by record."""

from __future__ import annotations

import time
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from polyvec import _runtime
from polyvec.capabilities import Consistency
from polyvec.errors import DeadlineError
from polyvec.evaluate import compile_predicate
from polyvec.migrate.content import Difference, differences
from polyvec.migrate.journal import Task
from polyvec.migrate.parity import Parity, compare_answers
from polyvec.migrate.results import NamespaceCount, VerifyReport
from polyvec.migrate.sampling import Sample
from polyvec.migrate.syncing import NOTHING
from polyvec.migrate.transforms import apply
from polyvec.migrate.watch import Stopped
from polyvec.primitives import KeyRange
from polyvec.types import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.capabilities import Capabilities
    from polyvec.collection import Collection
    from polyvec.migrate.catch_up import CatchUp, Remake
    from polyvec.migrate.engine import Reader
    from polyvec.migrate.plan import Plan
    from polyvec.migrate.watch import Watch
    from polyvec.records import RecordBatch, VectorRecord
    from polyvec.types import Include, Vector

MOST_LISTED: Final = 1_000
"""Ids that a report lists of each kind; the counts are of all."""
SAMPLE: Final = 1_000
"""Records that a sample compares."""
SOME: Final = 250
"""Records of a sample that are read at a time."""
VISIBLE_WITHIN_S: Final = 60.0
COUNT_EVERY_S: Final = 0.2


class Verification:
    """Compares the target with the source.

    Parameters
    ----------
    plan
        What was to be done.
    tasks
        The ranges, from their start.
    left_out
        Source namespace and id of the dead letters.
    origin, goal
        The two collections.
    here, there
        What the two stores can do.
    reader
        Reads ranges of the source.
    watch
        Told of the progress.
    seed
        None compares every record; a number chooses `SAMPLE` of them.
    queries
        Records whose vectors are asked for their neighbours in both stores; 0 for none.
    remake
        Gives a batch the vectors that the target should have, or None for those it has.
    online
        Writers are active: what differs is looked at again while none of them applies.
    """

    def __init__(
        self,
        plan: Plan,
        tasks: list[Task],
        left_out: set[tuple[str, str]],
        origin: Collection[Any],
        goal: Collection[Any],
        here: Capabilities,
        there: Capabilities,
        reader: Reader,
        watch: Watch,
        *,
        seed: int | None,
        queries: int,
        remake: Remake | None = None,
        online: CatchUp | None = None,
    ) -> None:
        self._plan = plan
        self._tasks = tasks
        self._left_out = left_out
        self._origin = origin
        self._goal = goal
        self._there = there
        # New vectors are compared with what was made, which nothing has rounded before.
        before = 0.0 if remake is not None else here.vector_tolerance
        self._tolerance = max(before, there.vector_tolerance)
        self._remake = remake
        self._online = online
        self._reader = reader
        self._watch = watch
        self._sample = None if seed is None else Sample(SAMPLE, seed)
        self._seed = seed
        self._queries = 0 if remake is not None else queries
        self._guard = Lock()
        self._seen: dict[str, int] = {}
        self._compared = self._bare = 0
        self._found: dict[str, list[Difference]] = {"missing": [], "extra": [], "differing": []}
        self._counts = dict.fromkeys(self._found, 0)
        self._vectors: dict[str, list[Vector]] = {}

    def run(self, workers: int) -> VerifyReport:
        """Compare and return the report.

        Raises
        ------
        PolyvecError
            A store cannot be read.
        """
        total = (
            None if self._sample is not None or self._plan.transforms.where else self._plan.count
        )
        self._watch.start("verify", total)
        tasks = [*self._tasks, *self._later()]
        if self._sample is None:
            self._together([partial(self._whole, task) for task in tasks], workers)
        else:
            self._together([partial(self._offer, self._sample, task) for task in tasks], workers)
            parts = [
                partial(self._some, task, ids[at : at + SOME])
                for task, ids in self._sample.of(tasks)
                for at in range(0, len(ids), SOME)
            ]
            self._together(parts, workers)
        namespaces = self._compare_counts()
        self._settle()
        return VerifyReport(
            mode="full" if self._sample is None else "sample",
            namespaces=namespaces,
            compared=self._compared,
            population=self._compared if self._sample is None else self._sample.population,
            seed=self._seed,
            without_vector=self._bare,
            left_out=len(self._left_out),
            counts=dict(self._counts),
            missing=self._found["missing"],
            extra=self._found["extra"],
            differing=self._found["differing"],
            vector_tolerance=self._tolerance,
            queries=self._parity(),
        )

    def _later(self) -> list[Task]:
        """Return ranges for the namespaces that the plan did not see, where writers are active.

        The log brought over what was touched in them; what was there before it was not.
        """
        if self._online is None:
            return []
        planned = {task.source for task in self._tasks}
        transforms = self._plan.transforms
        return [
            Task(-1, name, transforms.target_of(name), KeyRange(), None)
            for name in sorted(self._origin.namespaces().keys() - planned)
        ]

    def _together(self, calls: Sequence[Callable[[], None]], workers: int) -> None:
        """Do it all; the first error ends the others and is raised."""

        def ending(call: Callable[[], None]) -> Callable[[], None]:
            def called() -> None:
                try:
                    call()
                except BaseException:
                    self._watch.stop.set()
                    raise

            return called

        outcomes = _runtime.outcomes([ending(call) for call in calls], workers)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        errors.sort(key=lambda error: isinstance(error, Stopped))
        if errors:
            raise errors[0]

    def _whole(self, task: Task) -> None:
        for batch in self._reader.batches(task):
            self._compare(task, batch)
            self._watch.add(task.source, len(batch))

    def _offer(self, sample: Sample, task: Task) -> None:
        for ids in self._reader.ids(task):
            sample.offer(
                task.source, [name for name in ids if (task.source, name) not in self._left_out]
            )
            self._watch.check()

    def _some(self, task: Task, ids: list[str]) -> None:
        self._compare(task, self._reader.records(task, ids))
        self._watch.add(task.source, len(ids))

    def _compare(self, task: Task, read: RecordBatch) -> None:
        batch, _ = apply(self._plan.transforms, read)
        if self._remake is not None:
            batch, _ = self._remake(batch)
        rows = [
            row for row, name in enumerate(batch.ids) if (task.source, name) not in self._left_out
        ]
        batch = batch if len(rows) == len(batch) else batch.take(rows)
        held = self._held(task.target, batch.ids)
        found = differences(task.target, batch.records(), held, self._tolerance)
        with self._guard:
            self._compared += len(batch)
            self._seen[task.target] = self._seen.get(task.target, 0) + len(batch)
            if batch.present is not None:
                self._bare += len(batch) - int(batch.present.sum())
            for one in found:
                self._note("missing" if "missing" in one.what else "differing", one)
            self._pick_queries(task.target, batch)

    def _held(self, namespace: str, ids: list[str]) -> list[VectorRecord[Any]]:
        goal = self._goal.namespace(namespace)
        held = goal.get(ids, include=WHOLE)
        if len(held) < len(ids) and self._there.consistency is Consistency.EVENTUAL:
            there = {record.id for record in held}
            try:
                late = [name for name in ids if name not in there]
                goal.wait_until_visible(late, timeout_s=VISIBLE_WITHIN_S)
            except DeadlineError:
                pass  # what is not there by now is reported as missing
            held = goal.get(ids, include=WHOLE)
        return held

    def _note(self, kind: str, one: Difference) -> None:
        self._counts[kind] += 1
        if len(self._found[kind]) < MOST_LISTED:
            self._found[kind].append(one)

    def _pick_queries(self, namespace: str, batch: RecordBatch) -> None:
        """Keep the first record of some batches as a query."""
        if sum(map(len, self._vectors.values())) >= self._queries or batch.vectors is None:
            return
        wanted = -(-self._queries // max(1, len(self._tasks)))
        rows = [
            row
            for row in range(0, len(batch), max(1, len(batch) // max(1, wanted)))
            if batch.present is None or batch.present[row]
        ]
        picked = [batch.vectors[row].copy() for row in rows[:wanted]]
        self._vectors.setdefault(namespace, []).extend(picked)

    def _expected(self) -> dict[str, int]:
        """Return target namespace to the records that it should hold."""
        transforms = self._plan.transforms
        names = list(self._origin.namespaces())
        planned = {task.source for task in self._tasks}
        for name in names:
            if name not in planned and self._online is None:
                what = "the namespace came after the plan was made"
                self._note("missing", Difference(transforms.target_of(name), None, what))
        if self._sample is None:
            return dict(self._seen)  # what was read is what should be there
        found: dict[str, int] = {}
        for name in names:
            left = sum(1 for namespace, _ in self._left_out if namespace == name)
            count = self._origin.namespace(name).count(transforms.filter) - left
            if count:
                found[transforms.target_of(name)] = count
        return found

    def _compare_counts(self) -> dict[str, NamespaceCount]:
        """Compare how many records each namespace has; where that differs, look for extra ones."""
        expected = self._expected()
        held = self._settled(expected)
        merge = self._plan.spec.merge
        counts = {
            name: NamespaceCount(expected.get(name, 0), held.get(name, 0))
            for name in sorted(expected.keys() | held.keys())
            if not merge or name in expected
        }
        for name, count in counts.items():
            if self._online is not None:
                self._find_extra(name)  # counts that move prove nothing
                continue
            if count.source == count.target or (merge and count.target > count.source):
                continue
            if count.target:
                self._find_extra(name)
            known = self._found["missing"] + self._found["extra"]
            if not any(one.namespace == name for one in known):
                what = f"holds {count.target} records, {count.source} were expected"
                self._note("missing", Difference(name, None, what))
        return counts

    def _settle(self) -> None:
        """Look again at what differs while writers are active."""
        if self._online is None:
            return
        for kind, found in self._found.items():
            real = self._online.settle(found, self._tolerance)
            self._counts[kind] -= len(found) - len(real)
            self._found[kind] = real

    def _settled(self, expected: dict[str, int]) -> dict[str, int]:
        """Return the target's counts; a store whose counts lag gets time to catch up."""
        held = self._goal.namespaces()
        lags = self._there.consistency is Consistency.EVENTUAL and self._online is None
        if lags and not self._plan.spec.merge:
            end = time.monotonic() + VISIBLE_WITHIN_S
            while held != expected and time.monotonic() < end:
                self._watch.pause(COUNT_EVERY_S)
                held = self._goal.namespaces()
        return held

    def _find_extra(self, namespace: str) -> None:
        """Find the ids of the target that the source does not have."""
        origin = self._origin.namespace(self._plan.transforms.source_of(namespace))
        where = self._plan.transforms.filter
        fits = None if where is None else compile_predicate(where)
        columns: tuple[Include, ...] = NOTHING if fits is None else ("metadata",)
        for batch in self._goal.namespace(namespace).scan(include=NOTHING):
            known = {
                record.id
                for record in origin.get(batch.ids, include=columns)
                if fits is None or fits(record.metadata)
            }
            for name in batch.ids:
                if name not in known:
                    self._note("extra", Difference(namespace, name, "is not in the source"))
            self._watch.check()

    def _parity(self) -> Parity | None:
        if not self._queries or not any(self._vectors.values()):
            return None
        transforms = self._plan.transforms
        return compare_answers(
            self._origin,
            self._goal,
            {name: (transforms.source_of(name), got) for name, got in self._vectors.items()},
            transforms.filter,
            self._queries,
        )
