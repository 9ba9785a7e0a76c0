"""The copy on a cluster: workers copy steps of ranges, the driver alone owns the journal."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from polyvec.errors import MissingDependencyError
from polyvec.migrate.engine import too_many
from polyvec.migrate.journal import Task
from polyvec.migrate.steps import Order, Step, check_portable, copy_step

if TYPE_CHECKING:
    from polyvec.config import StoreConfig
    from polyvec.migrate.dead_letters import DeadLetter
    from polyvec.migrate.engine import Settings
    from polyvec.migrate.journal import Journal
    from polyvec.migrate.plan import Plan
    from polyvec.migrate.watch import Watch

BATCHES_PER_STEP: Final = 10
"""What is copied again at most when a worker dies, and how often the journal hears of it."""


class Executor(Protocol):
    """Runs steps somewhere."""

    def submit(self, order: Order, task: Task) -> None:
        """Start `copy_step`; returns at once."""
        ...

    def next(self) -> tuple[Task, Step]:
        """Wait for one of the steps under way; raises what it raised."""
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


class RayExecutor:
    """Steps as tasks of a Ray cluster; its address comes from Ray's own settings (`RAY_ADDRESS`).

    Raises
    ------
    MissingDependencyError
        Ray is not installed.
    """

    def __init__(self) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "engine='ray' needs ray: pip install 'polyvec[ray]'", name="ray"
            ) from None
        self._ours = not self._ray.is_initialized()
        if self._ours:
            self._ray.init(include_dashboard=False, log_to_driver=False)
        # A step is idempotent: Ray may run it again when its worker or machine dies.
        self._step = self._ray.remote(max_retries=-1)(copy_step)
        self._tasks: dict[Any, Task] = {}

    def submit(self, order: Order, task: Task) -> None:
        """Start a step."""
        self._tasks[self._step.remote(order, task)] = task

    def next(self) -> tuple[Task, Step]:
        """Wait for a step."""
        [reference], _ = self._ray.wait(list(self._tasks), num_returns=1)
        task = self._tasks.pop(reference)
        try:
            step: Step = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as exc:
            raise exc.cause from exc
        return task, step

    def close(self) -> None:
        """Cancel what is under way; shut down what was started here."""
        for reference in self._tasks:
            self._ray.cancel(reference)
        if self._ours:
            self._ray.shutdown()


class ClusterEngine:
    """Copies the ranges of a journal that are not done, by an executor.

    Parameters
    ----------
    plan, journal
        What is to be done, and what has been.
    source, target
        Configurations, from which the workers open stores of their own.
    settings
        How; `workers` is how many steps are under way at once.
    watch
        Told of everything.
    executor
        Where the steps run.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        source: StoreConfig,
        target: StoreConfig,
        settings: Settings,
        watch: Watch,
        executor: Executor,
    ) -> None:
        check_portable(plan.transforms)
        self._journal = journal
        self._order = Order(plan.model_dump_json(), source, target, settings, BATCHES_PER_STEP)
        self._settings = settings
        self._watch = watch
        self._executor = executor
        self.unwritten: list[DeadLetter] = []
        """Dead letters of the step that went over `max_errors`, which has no checkpoint."""

    def close(self) -> None:
        """Give up what is under way, and what was started for it."""
        self._executor.close()

    def run(self) -> None:
        """Copy until every range is done; raises what the local engine raises."""
        waiting = self._journal.open_tasks()
        dead = self._journal.totals().dead
        under_way = 0
        while waiting or under_way:
            while waiting and under_way < self._settings.workers:
                self._executor.submit(self._order, waiting.pop(0))
                under_way += 1
            task, step = self._executor.next()
            under_way -= 1
            dead += len(step.dead)
            if dead > self._settings.max_errors:
                self.unwritten = step.dead
                raise too_many(dead, self._settings.max_errors, step.dead)
            self._journal.checkpoint(
                task,
                step.cursor,
                read=step.read,
                written=step.written,
                bare=step.bare,
                dead=step.dead,
            )
            self._watch.add(task.source, step.read)
            if step.done:
                self._journal.finish(task)
                self._watch.event("range", number=task.number, namespace=task.source)
            else:
                rest = Task(task.number, task.source, task.target, task.span, step.cursor)
                waiting.insert(0, rest)


def ray_engine(
    plan: Plan,
    journal: Journal,
    source: StoreConfig,
    target: StoreConfig,
    settings: Settings,
    watch: Watch,
) -> ClusterEngine:
    """Return the engine on Ray."""
    return ClusterEngine(plan, journal, source, target, settings, watch, RayExecutor())
