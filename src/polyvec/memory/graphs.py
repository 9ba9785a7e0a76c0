"""Who makes graphs: threads of the store, so that no search waits for one.

A graph is begun by the first search that could use it, so that loading records costs nothing more;
until it is there, and for rows that it lacks, a scan answers. Rows that came since are inserted
into a fork of it, and when too many of its nodes are dead it is built anew: searches go on with the
old one until the new one takes its place, in one assignment.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final
from weakref import finalize

import numpy as np

from polyvec.memory import graph_policy
from polyvec.memory.graph_file import GraphFile, save_all
from polyvec.memory.graph_policy import Policy, Task
from polyvec.schema import HNSW, Flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polyvec.memory.columns import View
    from polyvec.memory.database import Database
    from polyvec.memory.directory import Directory
    from polyvec.memory.graph_slot import Covered
    from polyvec.schema import CollectionSpec, Index
    from polyvec.types import Metric

logger = logging.getLogger("polyvec")

EF_SEARCH: Final = 100
"""Where neither the query nor the collection says."""

PATIENCE_S: Final = 5.0
"""Longest wait for a thread that should stop; it looks about every half second."""


class Graphs:
    """The graphs of one store.

    Parameters
    ----------
    directory
        Where they are kept; None keeps nothing.
    always
        Every collection that did not ask for `Flat()` has a graph, from its first record, and a
        search waits until it holds all records. For tests.
    """

    def __init__(self, directory: Directory | None, *, always: bool) -> None:
        self._directory = directory
        self.always = always
        self._policy = graph_policy.ALWAYS if always else graph_policy.LARGE
        self._stop = Event()
        self._threads: set[Thread] = set()
        self._lock = Lock()
        self._missing: bool | None = None  # numba, when somebody has looked
        # A store that nobody closes stops its threads as well, at the latest with the process.
        self._finalizer = finalize(self, _stop, self._stop, self._threads)

    def settings(self, spec: CollectionSpec) -> HNSW | None:
        """Return the index of a collection if it is to have a graph."""
        if isinstance(spec.index, HNSW):
            return spec.index
        return HNSW() if self.always and spec.index is None else None

    def save(self, database: Database) -> None:
        """Write the graphs into the directory; nobody may write to the database meanwhile."""
        if self._directory is not None and self._directory.usable:
            save_all(self._directory.path, database, self.settings)

    def close(self) -> None:
        """Stop the threads; what they were building is lost."""
        self._finalizer()

    def ef_search(self, spec: CollectionSpec, params: Index | None) -> int:
        """Return the nodes that a search keeps: as it says, else the collection, else 100."""
        asked = params.ef_search if isinstance(params, HNSW) else None
        settings = self.settings(spec)
        return asked or (settings and settings.ef_search) or EF_SEARCH

    def covered(
        self, view: View, spec: CollectionSpec, namespace: str, params: Index | None
    ) -> Covered | None:
        """Return the graph to search a namespace by, and see to it that it becomes better.

        None where the search is to be exact: because the collection or the search asks for
        that, or because there is no graph yet.
        """
        settings = self.settings(spec)
        if settings is None or isinstance(params, Flat):
            return None
        slot = view.graph
        due = self._policy.task(view) is not Task.NOTHING
        if not due or slot.work.failed or slot.moved or not self._able():
            return slot.covered
        folder = None if self._directory is None else self._directory.path
        file = None if folder is None else GraphFile(folder, spec.name, namespace)
        job = _Job(view, spec.metric, settings, file, self._policy, self._stop)
        if self.always:
            with slot.work.lock:
                job.run()
        elif slot.work.lock.acquire(blocking=False):
            self._start(job)
        return slot.covered

    def _start(self, job: _Job) -> None:
        """Run a job in a thread, which releases the lock on the work of its slot."""
        thread = Thread(target=job.run_and_release, name="polyvec-hnsw", daemon=True)
        with self._lock:
            self._threads -= {each for each in self._threads if not each.is_alive()}
            thread.start()
            self._threads.add(thread)

    def _able(self) -> bool:
        """Tell whether numba is there; warn once where it is not."""
        if self._missing is None:
            with self._lock:
                if self._missing is None:
                    self._missing = _numba_is_missing()
        return not self._missing


def _numba_is_missing() -> bool:
    if find_spec("numba") is not None:  # importing it takes a second, which is for the thread
        return False
    logger.warning(
        "collections with an HNSW index are searched exactly, which finds everything and takes "
        "longer; for the graph run: pip install 'polyvec[hnsw]'"
    )
    return True


class _Job:
    """One graph to make; knows nothing of the store, so that it does not keep it alive."""

    def __init__(
        self,
        view: View,
        metric: Metric,
        settings: HNSW,
        file: GraphFile | None,
        policy: Policy,
        stop: Event,
    ) -> None:
        self._view = view
        self._metric = metric
        self._settings = settings
        self._file = file
        self._policy = policy
        self._stop = stop

    def run_and_release(self) -> None:
        """Run, and let others have the work of the slot."""
        try:
            self.run()
        finally:
            self._view.graph.work.lock.release()

    def run(self) -> None:
        """Make the graph and publish it. What fails is logged, and not tried again."""
        try:
            self._read()
            self._make()
        except Exception:
            self._view.graph.work.failed = True
            logger.exception("a graph could not be made; its records are searched exactly")

    def _read(self) -> None:
        """Take the graph from its file, once, where there is one."""
        slot = self._view.graph
        if slot.covered is None and self._file is not None and not slot.work.read:
            slot.work.read = True
            if (found := self._file.read(self._view, self._metric, self._settings)) is not None:
                slot.work.saved = found
                slot.publish(found)

    def _make(self) -> None:
        from polyvec.memory import graph_builder

        slot, task = self._view.graph, self._policy.task(self._view)
        try:
            if task is Task.BUILD:
                made = graph_builder.build(self._view, self._metric, self._settings, self._stop)
                slot.publish(made)
            elif task is Task.EXTEND and slot.covered is not None:
                slot.publish(graph_builder.extend(slot.covered, self._view, self._stop))
        except graph_builder.StoppedError:
            return


def _stop(stop: Event, threads: Iterable[Thread]) -> None:
    stop.set()
    for thread in list(threads):
        thread.join(PATIENCE_S)


def describe(views: Sequence[View]) -> dict[str, Any]:
    """Return what `describe().details` tells of the graphs of a collection's namespaces.

    Counts and bytes are sums over them; `levels` is that of the tallest.
    """
    found = [(view, view.graph.covered) for view in views]
    pairs = [(view, each) for view, each in found if each is not None and each.graph.nodes]
    graphs = [covered.graph for _, covered in pairs]
    return {
        "search": "graph" if graphs else "exact",
        "nodes": sum(graph.nodes for graph in graphs),
        "levels": max((graph.levels for graph in graphs), default=0),
        "tombstones": sum(_dead(view, covered) for view, covered in pairs),
        "graph_bytes": sum(
            covered.graph.memory_bytes + covered.owners.nbytes for _, covered in pairs
        ),
        "kernel": "; ".join(sorted({graph.compared_by for graph in graphs})) or None,
    }


def _dead(view: View, covered: Covered) -> int:
    """Return how many nodes stand for no living row of the view."""
    owners = covered.owners[(covered.owners >= 0) & (covered.owners < view.n)]
    living = len(owners) if view.alive is None else int(np.count_nonzero(view.alive[owners]))
    return covered.graph.nodes - living
