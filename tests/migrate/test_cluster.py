"""Ranges as tasks of other processes: the driver owns the journal, workers may die."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.migrate.records import adversarial, assert_equal
from tests.services import server

import polyvec
from polyvec import MigrationError, MissingDependencyError
from polyvec.config import resolve
from polyvec.migrate import make_plan, migrate, verify
from polyvec.migrate.cluster import ClusterEngine
from polyvec.migrate.engine import Settings
from polyvec.migrate.journal import Journal, Task
from polyvec.migrate.steps import Order, Step, copy_step
from polyvec.migrate.watch import Watch

SAMPLE = adversarial(600)


class Processes:
    """Steps in two processes of this machine."""

    def __init__(self, fail_after: int | None = None) -> None:
        self._pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
        self._tasks: dict[Future[Step], Task] = {}
        self._left = fail_after

    def submit(self, order: Order, task: Task) -> None:
        self._tasks[self._pool.submit(copy_step, order, task)] = task

    def next(self) -> tuple[Task, Step]:
        if self._left is not None:
            if not self._left:
                raise RuntimeError("the driver dies")
            self._left -= 1
        done, _ = wait(self._tasks, return_when=FIRST_COMPLETED)
        found = next(iter(done))
        return self._tasks.pop(found), found.result()

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def ends() -> Iterator[tuple[str, str, str]]:
    """Two names for one PostgreSQL, and a collection filled in the first."""
    url, name = server("pgvector").url, f"cluster_{uuid4().hex[:8]}"
    with polyvec.connect(url) as store:
        SAMPLE.load(store, name)
    yield url, f"{url}?max_concurrency=4", name
    with polyvec.connect(url) as store:
        for made in (name, f"{name}_2"):
            store.drop_collection(made, missing_ok=True)


def test_steps_in_other_processes(ends: tuple[str, str, str], tmp_path: Path) -> None:
    source, target, name = ends
    to = f"{name}_2"
    plan = make_plan(source, target, name, to=to, fidelity="none")
    with polyvec.connect(target) as store:
        store.create_collection(to, dimension=8)
    settings = Settings(workers=2, batch_size=10)
    for attempt in range(2):
        # The first driver dies in the middle; the second one goes on with its journal.
        fresh = not attempt
        journal = Journal.create(tmp_path / "j", plan) if fresh else Journal.resume(tmp_path / "j")
        executor = Processes(fail_after=3 if fresh else None)
        before = journal.totals().read
        engine = ClusterEngine(
            plan, journal, resolve(source), resolve(target), settings, Watch(), executor
        )
        if fresh:
            with pytest.raises(RuntimeError, match="the driver dies"):
                engine.run()
        else:
            assert before > 0
            engine.run()
            assert journal.totals().written == SAMPLE.count
            assert not journal.open_tasks()
        executor.close()
        journal.close()
    with polyvec.connect(target) as store:
        assert_equal(SAMPLE, store.collection(to), 1e-6)
    assert verify(source, target, journal=tmp_path / "j").ok


def test_stores_that_belong_to_one_process(tmp_path: Path) -> None:
    with polyvec.connect("memory://") as store:
        SAMPLE.load(store, "docs")
        with pytest.raises(MigrationError, match="belongs to one process"):
            migrate(store, f"parquet://{tmp_path}/s", "docs", engine="ray")
    with pytest.raises(polyvec.InvalidRequestError, match="engine='spark'"):
        migrate("memory://", "memory://", "docs", engine="spark")


def letters(texts: list[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0, 0.0] for text in texts]


def test_new_vectors_are_made_in_one_process(ends: tuple[str, str, str], tmp_path: Path) -> None:
    source, target, name = ends
    to, journal = f"{name}_2", tmp_path / "j"
    with pytest.raises(MigrationError, match="re-embedding needs engine='local'"):
        migrate(source, target, name, to=to, engine="ray", reembed=letters, journal=journal)
    assert not journal.exists()
    with polyvec.connect(target) as store:
        assert not store.has_collection(to)


def test_without_ray(ends: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, name = ends
    monkeypatch.setitem(sys.modules, "ray", None)  # what an import then finds: nothing
    with pytest.raises(MissingDependencyError, match=r"polyvec\[ray\]"):
        migrate(source, target, name, to=f"{name}_2", engine="ray", fidelity="none")


@pytest.mark.filterwarnings("default")  # Ray's own
def test_on_a_local_ray_of_two_workers(
    ends: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = importlib.import_module("ray")
    source, target, name = ends
    # Short, because the paths of its sockets may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        try:
            report = migrate(
                source, target, name, to=f"{name}_2", engine="ray", workers=2, batch_size=50
            )
        finally:
            ray.shutdown()
    assert report.ok
    with polyvec.connect(target) as store:
        assert_equal(SAMPLE, store.collection(f"{name}_2"), 1e-6)
