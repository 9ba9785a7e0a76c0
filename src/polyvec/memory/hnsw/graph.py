"""The index: a graph with the vectors of its nodes, and what may be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from polyvec._unit_vectors import unit
from polyvec.errors import InvalidRequestError
from polyvec.memory import hnsw_costs as costs
from polyvec.memory.hnsw import codes, file
from polyvec.memory.hnsw.kernels import Flags, Floats, Keys, Places
from polyvec.memory.hnsw.nodes import Nodes
from polyvec.memory.hnsw.scores import rank
from polyvec.memory.hnsw.sifting import scan, scan_longest
from polyvec.memory.hnsw.threads import in_parts
from polyvec.memory.hnsw.walk import Walk
from polyvec.schema import HNSW
from polyvec.types import Metric

NO_OWNERS: Final[Places] = np.empty(0, np.int32)
"""Nodes stand for themselves."""

REBUILD_SHARE: Final = 0.2
"""Share of deleted nodes above which `worn` is true."""


class Graph(Nodes):
    """An HNSW graph over rows numbered from 0, made by `Graph.build`.

    Rows keep their number for ever; a deleted one is no longer found, and its node stays as
    a way to others. Same rows, settings and seed: the same graph, bit for bit.

    Searches may run side by side. A write must run alone: the owner of the graph sees to it.
    """

    @classmethod
    def build(
        cls, vectors: Floats, metric: Metric, settings: HNSW, seed: int = 0, threads: int = 1
    ) -> Self:
        """Build the graph of all rows.

        Parameters
        ----------
        vectors
            Finite float32, shape `(n, dimension)`; n may be 0. Copied.
        metric
            What `search` orders by. For cosine a zero row scores 0.
        settings
            `m` (default 16; the bottom layer has `2 * m` links) and `ef_construction`
            (default 100) count.
        seed
            Of the levels.
        threads
            How many work; the graph is the same with any number.
        """
        graph = cls.prepare(vectors, metric, settings, seed)
        graph.insert(vectors, threads)
        return graph

    def __len__(self) -> int:
        """Return the number of rows that are not deleted."""
        return int(np.count_nonzero(self._alive[: self._count]))

    @property
    def worn(self) -> bool:
        """Whether so many rows are deleted that building anew pays."""
        return self._count - len(self) > REBUILD_SHARE * self._count

    def insert(self, vectors: Floats, threads: int = 1) -> npt.NDArray[np.int64]:
        """Add rows and return their numbers. Shape and dtype as for `build`.

        Afterwards every node can be reached, which is checked once a call: many rows in one
        call cost less than one by one.
        """
        added = self.append(vectors, threads)
        self.mend()
        return added

    def delete(self, rows: npt.NDArray[np.integer]) -> None:
        """Let the rows of these numbers no longer be found.

        Raises
        ------
        InvalidRequestError
            A number that was never given out.
        """
        if len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < self._count):
            raise InvalidRequestError(f"rows are 0 to {self._count - 1}, not {rows!r}")
        self._alive[rows] = False

    def search(
        self,
        queries: Floats,
        k: int,
        ef_search: int,
        mask: Flags | None = None,
        threads: int = 1,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Find the best rows of each query, best first.

        Parameters
        ----------
        queries
            Finite float32, shape `(q, dimension)`.
        k
            Rows wanted, at least 1.
        ef_search
            Nodes kept while searching; at least `k` are.
        mask
            Rows that may be found, bool, shape `(nodes,)`; None: all. Deleted ones never are.
        threads
            Queries are shared out among so many.

        Raises
        ------
        InvalidRequestError
            A number below 1, or a mask of another shape or dtype.

        Returns
        -------
        rows, scores
            Shapes `(q, k)`. Where fewer rows are allowed the rest is -1 with a score of
            -inf. A higher score is better: cosine in [-1, 1], inner product, or negative
            L2; computed in float32.
        """
        if k < 1 or ef_search < 1 or threads < 1:
            raise InvalidRequestError("k, ef_search and threads are at least 1")
        allowed = self._allowed(mask)
        total = int(np.count_nonzero(allowed))
        found = np.full((len(queries), k), -1, np.int64)
        numbers = np.full((len(queries), k), np.inf, np.float32)
        if total and len(queries):
            ready = unit(queries) if self.metric is Metric.COSINE else queries
            beyond = self._beyond(ready)
            if not self._uneven:
                self._walk(ready, allowed, total, ef_search, found, numbers, threads)
            if self._uneven or beyond.any():
                rest = np.flatnonzero(beyond | self._uneven)
                self._scan(ready, allowed, rest, found, numbers)
        scores = np.negative(numbers, dtype=np.float64)
        if self.metric is Metric.EUCLIDEAN:
            scores = -np.sqrt(numbers.astype(np.float64))
        elif self.metric is Metric.COSINE:
            np.minimum(scores, 1, out=scores)
            np.maximum(scores, -1, out=scores, where=found >= 0)
        return found, scores

    def save(self, path: Path) -> None:
        """Write the graph and its vectors to a file, which is replaced whole."""
        file.write(path, self.header(), self.arrays())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Open what `save` wrote: the same graph, which goes on as that one would have.

        Raises
        ------
        StoreError
            Not such a file, damaged, cut short, or of a newer version.
        FileNotFoundError
            There is none.
        """
        return cls.restored(*file.read(path))

    def _allowed(self, mask: Flags | None) -> Flags:
        """Return which rows may be found."""
        alive = self._alive[: self._count]
        if mask is None:
            return alive
        if mask.shape != alive.shape or mask.dtype != np.bool_:
            raise InvalidRequestError(
                f"mask is {mask.dtype} of shape {mask.shape}; expected bool of shape {alive.shape}"
            )
        return np.ascontiguousarray(mask) if alive.all() else alive & mask

    def _walk(
        self,
        queries: Floats,
        allowed: Flags,
        total: int,
        ef: int,
        found: Keys,
        numbers: Floats,
        threads: int,
    ) -> None:
        """Answer by walking, or by comparing all that passes where that costs less."""
        k, count = found.shape[1], self._count
        width = min(max(ef, k), total)
        depth = min(codes.depth_for(k) if self._whole else k, total)
        most = costs.most_visits(self.row_bytes, width, total, count, len(queries))
        how = Walk(width, depth, most, min(k, total), threads)
        proposed, counts = self._propose(
            self._code_queries(queries), NO_OWNERS, allowed, how, every=total == count
        )

        def score(begin: int, end: int) -> None:
            part = slice(begin, end)
            rank(
                self._vectors, queries[part], self.metric is Metric.EUCLIDEAN,
                proposed[part], counts[part], found[part], numbers[part],
            )  # fmt: skip

        in_parts(score, len(queries), threads)

    def _scan(
        self,
        queries: Floats,
        allowed: Flags,
        which: npt.NDArray[np.intp],
        found: Keys,
        numbers: Floats,
    ) -> None:
        k = found.shape[1]
        dot = self.metric is Metric.DOT
        nodes = self._longest[allowed[self._longest]] if dot else np.flatnonzero(allowed)
        for i in which:
            if dot:
                best, exact = scan_longest(self._vectors, queries[i], nodes, self._lengths, k)
            else:
                euclidean = self.metric is Metric.EUCLIDEAN
                best, exact = scan(self._vectors, queries[i], euclidean, nodes, k)
            found[i], numbers[i] = -1, np.inf
            found[i, : len(best)] = best
            numbers[i, : len(best)] = exact
