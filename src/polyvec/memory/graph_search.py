"""A search by graph: the walk proposes, float64 disposes.

The graph names candidates, rows that it lacks are scanned, and all of them are scored as an exact
search scores. So whatever the graph is like, every hit is right, rightly scored and rightly
ordered; and where fewer than `k` were found although more match, a scan follows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.memory import exact
from polyvec.memory.planner import Question, Route, plan

if TYPE_CHECKING:
    from polyvec.memory.coded import Mask
    from polyvec.memory.columns import View
    from polyvec.memory.exact import Best
    from polyvec.memory.graph_slot import Covered
    from polyvec.types import Metric, Vector

MARGIN: Final = 8
"""Candidates beyond `k` where the graph compares in float32."""

QUERIES_PER_THREAD: Final = 16
"""Fewer are not worth a thread."""


def search(
    view: View,
    queries: Vector,
    metric: Metric,
    k: int,
    allowed: Mask | None,
    covered: Covered,
    ef: int,
    *,
    force: bool = False,
) -> list[Best]:
    """Return about the `k` best rows for every query; arguments as of `exact.search`, and more.

    Parameters
    ----------
    covered
        The graph.
    ef
        Nodes kept while searching.
    force
        Use the graph whatever it costs.
    """
    passing = view.n if allowed is None else int(np.count_nonzero(allowed))
    waiting = covered.outside(view.n)
    if allowed is not None:
        waiting = waiting[allowed[waiting]]
    usable = not covered.graph.uneven and passing > 0
    question = Question(
        rows=view.n,
        passing=passing,
        masked=allowed is not None,
        dimension=queries.shape[1],
        queries=len(queries),
        k=k,
        ef=ef,
        nodes=covered.graph.nodes if usable else 0,
        row_bytes=covered.graph.row_bytes,
        waiting=len(waiting),
    )
    chosen = plan(question, force=force)
    if chosen.route in {Route.SCAN, Route.SCAN_OF_MASK}:
        return exact.search(view, queries, metric, k, allowed)
    from polyvec.memory.hnsw import codes  # they need numba, which a graph proves
    from polyvec.memory.hnsw.walk import Walk

    least = min(k, passing - len(waiting))
    depth = codes.depth_for(k) if covered.graph.kernel == "int8" else k + MARGIN
    rows, counts = covered.graph.nearest(
        queries,
        covered.owners,
        np.ones(view.n, np.bool_) if allowed is None else allowed,
        Walk(chosen.width, min(depth, passing), chosen.most, least, _threads(len(queries))),
    )
    beside = exact.among(view, queries, metric, k, waiting)
    short = counts < least
    found = [
        exact.ranked(view, query, metric, k, np.append(rows[at, : max(0, counts[at])], near.rows))
        for at, (query, near) in enumerate(zip(queries, beside, strict=True))
    ]
    again = np.flatnonzero(short)
    if len(again):
        whole = exact.search(view, queries[again], metric, k, allowed)
        for at, best in zip(again.tolist(), whole, strict=True):
            found[at] = best
    return found


def _threads(queries: int) -> int:
    wanted = queries // QUERIES_PER_THREAD
    # Counting the cores takes 16 µs, a twentieth of a single search.
    return 1 if wanted < 2 else min(os.cpu_count() or 1, wanted)
