"""Making graphs from rows: anew, or with the rows that came since.

All of it works on a `View`, so that nothing has to stand still meanwhile, and in parts, so that
it can be stopped.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.memory.graph_slot import Covered
from polyvec.memory.hnsw.candidates import Candidates
from polyvec.memory.hnsw.walk import Walk
from polyvec.types import Metric

if TYPE_CHECKING:
    from threading import Event

    import numpy.typing as npt

    from polyvec.memory.columns import View
    from polyvec.schema import HNSW

    Rows = npt.NDArray[np.intp]

PART: Final = 2048
"""Rows inserted between two looks at whether to stop: some tenths of a second."""

SAMPLE: Final = 1999
"""Rows by which the codes are chosen, besides the longest one."""


class StoppedError(Exception):
    """The store is being closed; what was built is thrown away."""


def build(view: View, metric: Metric, settings: HNSW, stop: Event) -> Covered:
    """Build the graph of all living rows.

    For dot over very different lengths the graph is left empty, and says so by `uneven`.

    Raises
    ------
    StoppedError
        `stop` was set.
    """
    rows, odd = _fit(view, np.arange(view.n))
    sample = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
    if len(rows):
        sample = np.append(rows[np.argmax(view.norms[rows])], sample)
    graph = Candidates.prepare(view.vectors[sample], metric, settings)
    if graph.uneven:
        return Covered(graph, np.empty(0, np.int32), rows[:0], odd, view.n)
    graph.reserve(len(rows))
    cores = os.cpu_count() or 1
    # Nobody waits while there is no graph yet; later, searches keep a core.
    _insert(graph, view, rows, stop, cores if view.graph.covered is None else max(1, cores - 1))
    return Covered(graph, rows.astype(np.int32), rows[:0], odd, view.n)


def extend(covered: Covered, view: View, stop: Event) -> Covered:
    """Return a graph that holds the rows of the view that `covered` lacks, too.

    Raises
    ------
    StoppedError
        `stop` was set.
    """
    rows, odd = _fit(view, covered.new(view.n))
    graph = covered.graph.fork()
    _insert(graph, view, rows, stop)
    owners = np.append(covered.owners, rows.astype(np.int32))
    return Covered(graph, owners, rows[:0], np.append(covered.odd, odd), view.n)


def _fit(view: View, rows: Rows) -> tuple[Rows, Rows]:
    """Return the living rows with a vector: those that float32 can compare, and the others."""
    allowed = view.searchable(None)
    living = rows if allowed is None else rows[allowed[rows]]
    odd = np.isnan(view.norms[living])
    return living[~odd], living[odd]


def _insert(graph: Candidates, view: View, rows: Rows, stop: Event, threads: int = 1) -> None:
    for start in range(0, len(rows), PART):
        if stop.is_set():
            raise StoppedError
        graph.append(view.vectors[rows[start : start + PART]], threads)
    graph.mend()
    if graph.nodes:
        # Compiles the walk, so that no search has to wait for it.
        query = np.ones((1, graph.dimension), np.float32)
        nothing = np.zeros(0, np.bool_)
        graph.nearest(query, np.full(graph.nodes, -1, np.int32), nothing, Walk(1, 1, 1, 0))
