"""Half of the rows are replaced, step by step; then the index against a fresh one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hnsw_bench import Bench
from hnsw_data import MOST_NEIGHBOURS, Floats, Numbers, nearest
from hnsw_measure import recall

from polyvec import HNSW
from polyvec.memory.hnsw.graph import Graph
from polyvec.types import Metric

STEPS: Final = 5
POOLS: Final = (32, 64, 128)
M, EF_CONSTRUCTION = 16, 100


@dataclass(frozen=True, slots=True)
class Turnover:
    """What goes and what comes: numbers of `rows`, in `STEPS` equal parts.

    Parameters
    ----------
    rows
        Those at the start, `count` of them, then those that come.
    gone, added
        Equally many.
    """

    rows: Floats
    count: int
    gone: Numbers
    added: Numbers

    def steps(self) -> list[tuple[Numbers, Numbers]]:
        """Return what goes and comes in each step."""
        parts = (np.array_split(self.gone, STEPS), np.array_split(self.added, STEPS))
        return list(zip(*parts, strict=True))

    def living(self) -> Numbers:
        """Return the rows that are there at the end."""
        return np.concatenate([np.setdiff1d(np.arange(self.count), self.gone), self.added])


class Ours:
    """A graph that knows which row each of its nodes is."""

    def __init__(self, rows: Floats, held: Numbers) -> None:
        self._rows = rows
        self._build(held)

    def _build(self, held: Numbers) -> None:
        asked = HNSW(m=M, ef_construction=EF_CONSTRUCTION)
        self._graph = Graph.build(self._rows[held], Metric.COSINE, asked, 0)
        self._held = held
        self._alive = np.ones(len(held), np.bool_)

    def replace(self, gone: Numbers, added: Numbers, *, renew: bool) -> bool:
        """Delete and insert rows; with `renew` build anew when the graph is worn. Tell if so."""
        nodes = np.flatnonzero(np.isin(self._held, gone) & self._alive)
        self._graph.delete(nodes)
        self._alive[nodes] = False
        self._graph.insert(self._rows[added])
        self._held = np.concatenate([self._held, added])
        self._alive = np.concatenate([self._alive, np.ones(len(added), np.bool_)])
        worn = renew and self._graph.worn
        if worn:
            self._build(self._held[self._alive])
        return bool(worn)

    def search(self, queries: Floats, ef: int) -> Numbers:
        found: Numbers = self._held[self._graph.search(queries, 10, ef, None, 1)[0]]
        return found


class Theirs:
    """hnswlib, which puts new rows in the places of deleted ones."""

    def __init__(self, rows: Floats, held: Numbers) -> None:
        self._rows = rows
        self._index: Any = importlib.import_module("hnswlib").Index(space="ip", dim=rows.shape[1])
        self._index.init_index(
            len(held),
            M=M,
            ef_construction=EF_CONSTRUCTION,
            random_seed=1,
            allow_replace_deleted=True,
        )
        self._index.add_items(rows[held], held, num_threads=1)
        self._index.set_num_threads(1)

    def replace(self, gone: Numbers, added: Numbers) -> None:
        for row in gone:
            self._index.mark_deleted(row)
        self._index.add_items(self._rows[added], added, num_threads=1, replace_deleted=True)

    def search(self, queries: Floats, ef: int) -> Numbers:
        self._index.set_ef(ef)
        found: Numbers = self._index.knn_query(queries, k=10)[0].astype(np.int64)
        return found


def turnover(bench: Bench) -> Turnover:
    """Return the rows of the stage: as many as asked for, or as there are."""
    rows = bench.embeddings().rows
    count = min(bench.sizes.churn_rows, len(rows) * 2 // 3)
    gone = np.random.default_rng(3).permutation(count)[: count // 2]
    added = np.arange(count, count + len(gone))
    return Turnover(rows[: count + len(gone)], count, gone, added)


def churn(bench: Bench) -> None:
    """Measure recall at equal pools: changed in steps, and built in one go."""
    work = turnover(bench)
    queries = bench.embeddings().queries[: bench.sizes.queries // 2]
    living = work.living()
    truth = living[nearest(work.rows[living], queries, MOST_NEIGHBOURS)]
    start = np.arange(work.count)
    bench.say(f"churn: {len(work.gone):,} of {work.count:,} rows replaced")
    plain, renewed = Ours(work.rows, start), Ours(work.rows, start)
    renewals = 0
    sides: dict[str, Ours | Theirs] = {
        "polyvec, tombstones only": plain,
        "polyvec, built anew when worn": renewed,
        "polyvec, fresh": Ours(work.rows, living),
    }
    for gone, added in work.steps():
        plain.replace(gone, added, renew=False)
        renewals += renewed.replace(gone, added, renew=True)
    if any(peer.name == "hnswlib" for peer in bench.peers()):
        theirs = Theirs(work.rows, start)
        for gone, added in work.steps():
            theirs.replace(gone, added)
        sides["hnswlib, places used again"] = theirs
        sides["hnswlib, fresh"] = Theirs(work.rows, living)
    bench.work["churn"] = {
        "rows": work.count,
        "replaced": len(work.gone),
        "renewals": renewals,
        "recall": {
            name: {str(ef): recall(side.search(queries, ef), truth, 10) for ef in POOLS}
            for name, side in sides.items()
        },
    }
