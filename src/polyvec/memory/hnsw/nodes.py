"""The nodes and links of a graph: arrays that grow, and how they are put into a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt

from polyvec._unit_vectors import lengths_of, unit
from polyvec.memory.hnsw import codes, cpu
from polyvec.memory.hnsw.batches import Parts, insert_batches
from polyvec.memory.hnsw.kernels import Flags, Floats, Keys, Places, Rows
from polyvec.memory.hnsw.mending import HOSTS, mend
from polyvec.memory.hnsw.sifting import compare, listing
from polyvec.memory.hnsw.threads import in_parts
from polyvec.memory.hnsw.walk import Walk, propose
from polyvec.memory.hnsw_costs import MANY
from polyvec.schema import HNSW
from polyvec.types import Metric

M: Final = 16
EF_CONSTRUCTION: Final = 100
TOP_LEVEL: Final = 12

UNEVEN: Final = 1.5
"""Greatest length over the mean one above which dot is searched by length, not by graph.

The answers are then few long rows far from every query, and a walk finds .79 of them at
ef 200 where lengths spread over three orders of magnitude, whatever `m` is."""

PER_NODE: Final = (
    "vectors", "rows", "alive", "levels", "first", "bottom", "lengths", "longest",
)  # fmt: skip
"""The arrays with a row for each node."""


class Nodes:
    """Nodes numbered from 0, and their links, which a walk follows.

    Same rows, settings and seed: the same links, bit for bit. Walks may run side by side; what
    changes the arrays must run alone.

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
        self._offsets = np.empty(0, np.int32)  # int8 only, see `codes.offsets_of`
        self._alive: Flags = np.empty(0, np.bool_)
        self._levels: Keys = np.empty(0, np.int64)
        self._first: Keys = np.empty(0, np.int64)  # a node's row for layer 1 in `_upper`
        self._bottom = np.empty((0, 2 * self.m), np.int32)  # filled with -1 from the right
        self._upper = np.full((1, self.m), -1, np.int32)
        self._upper_rows = 0

    @classmethod
    def prepare(cls, vectors: Floats, metric: Metric, settings: HNSW, seed: int = 0) -> Self:
        """Return an empty graph whose codes suit these rows, to insert them in parts."""
        graph = cls(vectors.shape[1], metric, settings, seed)
        if metric is Metric.DOT:
            lengths = lengths_of(vectors)
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

    @property
    def nodes(self) -> int:
        """Rows ever inserted, deleted ones too: the next row's number."""
        return self._count

    @property
    def levels(self) -> int:
        """Layers above the bottom one."""
        return int(self._levels[self._entry]) if self._entry >= 0 else 0

    @property
    def compared_by(self) -> str:
        """What rows are compared as, and for codes by which instructions (see `cpu`)."""
        return f"int8, {cpu.CHOSEN}" if self._whole else "float32"

    @property
    def row_bytes(self) -> int:
        """Bytes of what a node is compared by."""
        return int(self._rows.strides[0])

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays beyond the float32 rows."""
        arrays = (
            self._rows, self._offsets, self._alive, self._levels, self._first, self._bottom,
            self._upper, self._lengths, self._longest,
        )  # fmt: skip
        return sum(array.nbytes for array in arrays)

    def append(self, vectors: Floats, threads: int = 1) -> npt.NDArray[np.int64]:
        """Do what `insert` does but for the check; `mend` makes up for it."""
        begin, end = self._count, self._count + len(vectors)
        if begin == end:
            return np.empty(0, np.int64)
        self._grow(end)
        ready = unit(vectors) if self.metric is Metric.COSINE else vectors
        space = codes.embed(ready, self.metric, self._radius)
        if self.metric is Metric.DOT:
            lengths = lengths_of(vectors)
            # A row beyond the radius has no place in the space of the graph.
            self._uneven |= float(lengths.max()) > self._radius
            if self.KEEPS_VECTORS:
                self._lengths = np.append(self._lengths, lengths)
                self._longest = np.argsort(-self._lengths, kind="stable")
        if self.KEEPS_VECTORS:
            self._vectors[begin:end] = ready
        for start in range(0, len(space), codes.CHUNK):  # whole, it would take twice the memory
            part = self._code(space[start : start + codes.CHUNK])
            self._rows[begin + start : begin + start + len(part)] = part
        if self._whole:
            self._offsets[begin:end] = codes.offsets_of(self._rows[begin:end])
        self._count = end
        parts = Parts(
            self._rows, self._offsets, self._bottom, self._upper, self._first,
            self._levels,
        )  # fmt: skip
        self._entry = insert_batches(parts, begin, end, self._entry, self.ef_construction, threads)
        self._alive[begin:end] = True
        return np.arange(begin, end)

    def mend(self) -> None:
        """See to it that every node can be reached; takes time in proportion to the graph."""
        if self._count:
            mend(self._bottom[: self._count], self._entry, self._near)

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
        if graph._whole:
            graph._offsets = codes.offsets_of(graph._rows)
        graph._count = len(arrays["levels"])
        graph._upper_rows = int(arrays["levels"].sum())
        return graph

    @property
    def _whole(self) -> bool:
        return self._scale > 0

    def _near(self, node: int) -> list[int]:
        """Return nodes near a node, nearest first."""
        found, counts = self._propose(
            self._rows[node : node + 1],
            np.arange(self._count, dtype=np.int32),
            np.ones(self._count, np.bool_),
            Walk(self.ef_construction, HOSTS, self._count + 1, 0),
        )
        nearest: list[int] = found[0, : counts[0]].tolist()
        return nearest

    def _propose(
        self, coded: Rows, owners: Places, allowed: Flags, how: Walk, *, every: bool = False
    ) -> tuple[Keys, Keys]:
        """Return owners of the nearest nodes that pass, and how many; see `kernels.Passing`."""
        count = self._count
        found: Keys = np.empty((len(coded), how.depth), np.int64)
        counts: Keys = np.full(len(coded), -1, np.int64)

        def walk(begin: int, end: int) -> None:
            part = slice(begin, end)
            propose(
                self._rows, self._offsets, self._bottom, self._upper, self._first, self._entry,
                self.levels, coded[part], count, every, owners, allowed,
                min(how.width, count), how.most, found[part], counts[part],
            )  # fmt: skip

        if count and how.most:
            in_parts(walk, len(coded), how.threads)
        short = np.flatnonzero(counts < how.least)
        if count and len(short):
            more, sizes = found[short], counts[short]
            listed = self._listed(owners, allowed, every=every)

            def scan(begin: int, end: int) -> None:
                part = slice(begin, end)
                compare(
                    self._rows, self._offsets, coded[short[part]], listed, count, every, owners,
                    allowed, more[part], sizes[part],
                )  # fmt: skip

            in_parts(scan, len(short), how.threads)
            found[short], counts[short] = more, sizes
        return found, counts

    def _listed(self, owners: Places, allowed: Flags, *, every: bool) -> Places:
        """Return the nodes to compare, rising: those that pass, or all where many do."""
        if every or np.count_nonzero(allowed) > MANY * self._count:
            return np.arange(self._count, dtype=np.int32)
        if len(owners):
            return listing(owners, allowed)
        return np.flatnonzero(allowed).astype(np.int32)

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

    def _grow(self, end: int) -> None:
        """Draw the levels of new nodes and make room for them, at least by half."""
        begin = self._count
        if end > len(self._levels):
            room = max(end, begin + begin // 2)
            self._vectors = codes.longer(self._vectors, room)
            self._rows = codes.longer(self._rows, room)
            if self._whole:
                self._offsets = codes.longer(self._offsets, room)
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
