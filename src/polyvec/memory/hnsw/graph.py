"""The index: arrays that hold the graph, and what may be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt

from polyvec._unit_vectors import unit
from polyvec.errors import InvalidRequestError
from polyvec.memory.hnsw import codes, file
from polyvec.memory.hnsw.kernels import Flags, Floats, Keys, Rows
from polyvec.memory.hnsw.linking import insert_nodes, mend
from polyvec.memory.hnsw.walk import in_parts, scan, scan_longest, walk
from polyvec.schema import HNSW
from polyvec.types import Metric

M: Final = 16
EF_CONSTRUCTION: Final = 100
TOP_LEVEL: Final = 12

SCAN_ROWS: Final = 8
"""Allowed rows per node of the pool below which scanning them costs less than a walk."""

UNEVEN: Final = 1.5
"""Greatest length over the mean one above which dot is searched by length, not by graph.

The answers are then few long rows far from every query, and a walk finds .79 of them at
ef 200 where lengths spread over three orders of magnitude, whatever `m` is."""

PER_NODE: Final = (
    "vectors", "rows", "alive", "levels", "first", "bottom", "lengths", "longest",
)  # fmt: skip
"""The arrays with a row for each node."""

REBUILD_SHARE: Final = 0.2
"""Share of deleted nodes above which `worn` is true."""


class Graph:
    """An HNSW graph over rows numbered from 0, made by `Graph.build`.

    Rows keep their number for ever; a deleted one is no longer found, and its node stays as
    a way to others. Same rows, settings and seed: the same graph, bit for bit.

    Searches may run side by side. A write must run alone: the owner of the graph sees to it.

    Attributes
    ----------
    metric, m, ef_construction, seed
        As built.
    kernel
        "int8" or "float32": what the graph is walked over. float32 is taken where int8
        would lose neighbours in a sample of the rows.
    """

    KEEPS_VECTORS: ClassVar[bool] = True
    """Whether the float32 rows are kept beside the codes, to score by."""

    HEADROOM: ClassVar[float] = 1.0
    """Length that dot has room for, over the greatest one at the time of building."""

    def __init__(self, dimension: int, metric: Metric, settings: HNSW, seed: int) -> None:
        self.metric: Final = metric
        self.m: Final = settings.m or M
        self.ef_construction: Final = settings.ef_construction or EF_CONSTRUCTION
        self.seed: Final = seed
        self.kernel = "float32"
        self._random = np.random.default_rng(seed)
        self._radius = 0.0  # longest row at the time of building; dot only
        self._uneven = False
        self._lengths = np.empty(0, np.float64)  # dot only, as the order by falling length
        self._longest = np.empty(0, np.intp)
        self._scale = 0.0
        self._count = 0
        self._entry = -1
        self._dimension = dimension
        kept = dimension if self.KEEPS_VECTORS else 0
        self._vectors: Floats = np.empty((0, kept), np.float32)
        extra = codes.EXTRA if metric is Metric.DOT else 0
        self._rows: Rows = np.empty((0, dimension + extra), np.float32)
        self._alive: Flags = np.empty(0, np.bool_)
        self._levels: Keys = np.empty(0, np.int64)
        self._first: Keys = np.empty(0, np.int64)  # a node's row for layer 1 in `_upper`
        self._bottom = np.empty((0, 2 * self.m), np.int32)  # filled with -1 from the right
        self._upper = np.full((1, self.m), -1, np.int32)
        self._upper_rows = 0

    @classmethod
    def build(cls, vectors: Floats, metric: Metric, settings: HNSW, seed: int = 0) -> Self:
        """Build the graph of all rows, in one thread.

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
        """
        graph = cls.prepare(vectors, metric, settings, seed)
        graph.insert(vectors)
        return graph

    @classmethod
    def prepare(cls, vectors: Floats, metric: Metric, settings: HNSW, seed: int = 0) -> Self:
        """Return an empty graph whose codes suit these rows, to insert them in parts."""
        graph = cls(vectors.shape[1], metric, settings, seed)
        if metric is Metric.DOT:
            lengths = codes.lengths_of(vectors)
            graph._radius = float(lengths.max(initial=0.0))
            graph._uneven = graph._radius > UNEVEN * float(lengths.mean()) if len(lengths) else True
            graph._radius *= cls.HEADROOM
        sample = codes.sample_of(vectors)
        ready = unit(sample) if metric is Metric.COSINE else sample
        graph._scale = codes.scale_of(codes.embed(ready, metric, graph._radius))
        if graph._scale:
            graph.kernel = "int8"
            graph._rows = np.empty((0, graph._rows.shape[1]), np.int8)
        return graph

    def __len__(self) -> int:
        """Return the number of rows that are not deleted."""
        return int(self._alive[: self._count].sum())

    @property
    def nodes(self) -> int:
        """Rows ever inserted, deleted ones too: the next row's number."""
        return self._count

    @property
    def levels(self) -> int:
        """Layers above the bottom one."""
        return int(self._levels[self._entry]) if self._entry >= 0 else 0

    @property
    def worn(self) -> bool:
        """Whether so many rows are deleted that building anew pays."""
        return self._count - len(self) > REBUILD_SHARE * self._count

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays beyond the float32 rows."""
        arrays = (
            self._rows, self._alive, self._levels, self._first, self._bottom, self._upper,
            self._lengths, self._longest,
        )  # fmt: skip
        return sum(array.nbytes for array in arrays)

    def insert(self, vectors: Floats) -> npt.NDArray[np.int64]:
        """Add rows and return their numbers. Shape and dtype as for `build`.

        Afterwards every node can be reached, which is checked once a call: many rows in one
        call cost less than one by one.
        """
        begin, end = self._count, self._count + len(vectors)
        if begin == end:
            return np.empty(0, np.int64)
        self._grow(end)
        ready = unit(vectors) if self.metric is Metric.COSINE else vectors
        space = codes.embed(ready, self.metric, self._radius)
        if self.metric is Metric.DOT:
            lengths = codes.lengths_of(vectors)
            # A row beyond the radius has no place in the space of the graph.
            self._uneven |= float(lengths.max()) > self._radius
            if self.KEEPS_VECTORS:
                self._lengths = np.append(self._lengths, lengths)
                self._longest = np.argsort(-self._lengths, kind="stable")
        if self.KEEPS_VECTORS:
            self._vectors[begin:end] = ready
        self._rows[begin:end] = self._code(space)
        self._count = end
        self._entry = insert_nodes(
            self._rows, self._whole, self._bottom, self._upper, self._first, self._levels,
            begin, end, self._entry, self.ef_construction,
        )  # fmt: skip
        mend(
            self._rows, self._whole, self._bottom, self._first, end, self._entry,
            self.ef_construction,
        )  # fmt: skip
        self._alive[begin:end] = True
        return np.arange(begin, end)

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
            Rows that may be found, shape `(nodes,)`; None: all. Deleted ones never are.
        threads
            Queries are shared out among so many.

        Returns
        -------
        rows, scores
            Shapes `(q, k)`. Where fewer rows are allowed the rest is -1 with a score of
            -inf. A higher score is better: cosine in [-1, 1], inner product, or negative
            L2; computed in float32.
        """
        if k < 1 or ef_search < 1 or threads < 1:
            raise InvalidRequestError("k, ef_search and threads are at least 1")
        allowed = self._alive[: self._count]
        allowed = allowed.copy() if mask is None else allowed & mask
        total = int(allowed.sum())
        found = np.full((len(queries), k), -1, np.int64)
        numbers = np.full((len(queries), k), np.inf, np.float32)
        if total and len(queries):
            ready = unit(queries) if self.metric is Metric.COSINE else queries
            pool = -(-max(ef_search, k) * self._count // total)
            unsure = np.arange(len(queries))
            walk_pays = SCAN_ROWS * pool < total
            if walk_pays and not self._uneven:
                self._walk(ready, allowed, pool, found, numbers, threads)
                unsure = np.flatnonzero((found[:, min(k, total) - 1] < 0) | self._beyond(ready))
            self._scan(ready, allowed, unsure, found, numbers)
        scores = -numbers.astype(np.float64)
        if self.metric is Metric.EUCLIDEAN:
            scores = -np.sqrt(numbers.astype(np.float64))
        elif self.metric is Metric.COSINE:
            np.clip(scores, -1, 1, out=scores, where=found >= 0)
        return found, scores

    def save(self, path: Path) -> None:
        """Write the graph and its vectors to a file, which is replaced whole."""
        file.write(path, self.header(), self.arrays())

    def header(self) -> dict[str, Any]:
        """Return what a file says of the graph beside its arrays; goes through JSON."""
        return {
            "metric": self.metric.value,
            "m": self.m,
            "ef_construction": self.ef_construction,
            "seed": self.seed,
            "dimension": self._dimension,
            "kernel": self.kernel,
            "radius": self._radius,
            "uneven": bool(self._uneven),
            "scale": self._scale,
            "entry": int(self._entry),
            "random": self._random.bit_generator.state,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays that make up the graph, cut to its nodes."""
        arrays = {name: getattr(self, f"_{name}")[: self._count] for name in PER_NODE}
        if self.metric is not Metric.DOT:
            del arrays["lengths"], arrays["longest"]
        return {**arrays, "upper": self._upper[: max(1, self._upper_rows)]}

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

    @classmethod
    def restored(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the graph that `header` and `arrays` came from."""
        settings = HNSW(m=header["m"], ef_construction=header["ef_construction"])
        graph = cls(header["dimension"], Metric(header["metric"]), settings, header["seed"])
        graph.kernel = header["kernel"]
        for name in ("radius", "uneven", "scale", "entry"):
            setattr(graph, f"_{name}", header[name])
        for name, array in arrays.items():
            setattr(graph, f"_{name}", array)
        graph._random.bit_generator.state = header["random"]
        graph._count = len(arrays["levels"])
        graph._upper_rows = int(arrays["levels"].sum())
        return graph

    @property
    def _whole(self) -> bool:
        return self._scale > 0

    def _code(self, space: Floats) -> Rows:
        return codes.encode(space, self._scale) if self._whole else space

    def _code_queries(self, queries: Floats) -> Rows:
        """Put queries into the space of the rows; for dot at a length that suits the codes."""
        if self.metric is not Metric.DOT:
            return self._code(queries)
        space = np.zeros((len(queries), self._rows.shape[1]), np.float32)
        space[:, : queries.shape[1]] = unit(queries) * np.float32(self._radius)
        return self._code(space)

    def _beyond(self, queries: Floats) -> Flags:
        """Tell which queries lie so far outside the rows that their codes mean nothing."""
        if not self._whole or self.metric is not Metric.EUCLIDEAN:
            return np.zeros(len(queries), np.bool_)
        far: Flags = np.abs(queries).max(axis=1) * self._scale > 2 * 127
        return far

    def _walk(
        self,
        queries: Floats,
        allowed: Flags,
        pool: int,
        found: Keys,
        numbers: Floats,
        threads: int,
    ) -> None:
        k = found.shape[1]
        depth = max(2 * k, 32) if self._whole else k
        coded = self._code_queries(queries)

        def share(part: slice) -> None:
            walk(
                self._rows, self._whole, self._vectors, self.metric is Metric.EUCLIDEAN,
                self._bottom, self._upper, self._first, self._entry, self.levels,
                coded[part], queries[part], allowed, pool, depth, found[part], numbers[part],
            )  # fmt: skip

        in_parts(share, len(queries), threads)

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

    def _grow(self, end: int) -> None:
        """Draw the levels of new nodes and make room for them, at least by half."""
        begin = self._count
        if end > len(self._levels):
            room = max(end, begin + begin // 2)
            self._vectors = codes.longer(self._vectors, room)
            self._rows = codes.longer(self._rows, room)
            self._alive = codes.longer(self._alive, room)
            self._levels = codes.longer(self._levels, room)
            self._first = codes.longer(self._first, room)
            self._bottom = codes.longer(self._bottom, room, -1)
        draws = -np.log(1 - self._random.random(end - begin)) / np.log(max(self.m, 2))
        levels = np.minimum(TOP_LEVEL, draws.astype(np.int64))
        self._levels[begin:end] = levels
        self._first[begin:end] = self._upper_rows + np.cumsum(levels) - levels
        self._upper_rows += int(levels.sum())
        if self._upper_rows > len(self._upper):
            self._upper = codes.longer(self._upper, self._upper_rows * 3 // 2 + 1, -1)
