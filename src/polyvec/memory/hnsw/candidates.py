"""A graph without the vectors: it proposes rows, and who owns the vectors scores them."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np

from polyvec._unit_vectors import unit
from polyvec.memory.hnsw import codes
from polyvec.memory.hnsw.nodes import PER_NODE, Nodes
from polyvec.memory.hnsw.walk import Walk
from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from polyvec.memory.hnsw.kernels import Flags, Floats, Keys, Places

LARGEST: Final = 1e12
"""Numbers of a query whose squares float32 can add up."""

VECTOR_ARRAYS: Final = frozenset({"vectors", "lengths", "longest"})


class Candidates(Nodes):
    """A graph that keeps codes and links only, about `dimension + 8 * m` bytes a row."""

    KEEPS_VECTORS: ClassVar[bool] = False
    HEADROOM: ClassVar[float] = 1.05

    @property
    def uneven(self) -> bool:
        """Whether lengths differ so much that a walk finds too little; dot only."""
        return bool(self._uneven)

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self._dimension

    def made_like(self) -> tuple[Metric, int, int, int]:
        """Return what a graph must have in common with another to stand in for it."""
        return self.metric, self._dimension, self.m, self.ef_construction

    def reserve(self, nodes: int) -> None:
        """Make room for so many nodes at once, and for no more."""
        if nodes > len(self._levels):
            for name in ("vectors", "rows", "alive", "levels", "first"):
                setattr(self, f"_{name}", codes.longer(getattr(self, f"_{name}"), nodes))
            if self._whole:
                self._offsets = codes.longer(self._offsets, nodes)
            self._bottom = codes.longer(self._bottom, nodes, -1)

    def fork(self) -> Self:
        """Return a graph to insert into while others search this one.

        Codes are shared, as an insert adds to their end; links are copied. Only the newest
        fork may be inserted to, one at a time.
        """
        fork = copy(self)
        fork.detach()
        return fork

    def detach(self) -> None:
        """Copy what an insert changes in place."""
        self._bottom = self._bottom.copy()
        self._upper = self._upper.copy()
        self._random = deepcopy(self._random)

    def nearest(
        self, queries: Floats, owners: Places, allowed: Flags, how: Walk
    ) -> tuple[Keys, Keys]:
        """Find the rows whose codes are nearest to each query, nearest first.

        Parameters
        ----------
        queries
            Finite float32, shape `(q, dimension)`.
        owners
            The row that each node stands for, -1 for none; shape `(nodes,)`, int32.
        allowed
            Rows that may be found; those beyond its end may not.
        how
            How far to go.

        Returns
        -------
        rows, counts
            Shapes `(q, depth)` and `(q,)`; -1 for a query that got no answer, because it is too far
            from all rows for their codes.
        """
        ready = unit(queries) if self.metric is Metric.COSINE else queries
        found, counts = self._propose(self._code_queries(ready), owners, allowed, how)
        if self.metric is Metric.EUCLIDEAN:
            counts[self._beyond(queries) | (np.abs(queries).max(axis=1) > LARGEST)] = -1
        return found, counts

    def matches(self, vectors: Floats, nodes: npt.NDArray[np.intp]) -> Flags:
        """Tell which of the vectors have the codes of the nodes at the same place."""
        ready = unit(vectors) if self.metric is Metric.COSINE else vectors
        coded = self._code(codes.embed(ready, self.metric, self._radius))
        same: Flags = (coded == self._rows[nodes]).all(axis=1)
        return same

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays that make up the graph, cut to its nodes."""
        arrays = super().arrays()
        return {name: array for name, array in arrays.items() if name not in VECTOR_ARRAYS}

    @classmethod
    def restored(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the graph that `header` and `arrays` came from.

        Raises
        ------
        KeyError, ValueError
            They are of no such graph.
        """
        nodes = len(arrays["levels"])
        # Vectors without numbers take no memory; the routines of `Graph` lengthen them.
        none = np.empty((nodes, 0), np.float32)
        names = {*PER_NODE, "upper"} - VECTOR_ARRAYS
        graph = super().restored(
            header, {**{name: arrays[name] for name in names}, "vectors": none}
        )
        graph.check()
        return graph

    def check(self) -> None:
        """Raise ValueError unless every number in the graph leads somewhere."""
        nodes, m = self._count, self.m
        wide = self._dimension + (codes.EXTRA if self.metric is Metric.DOT else 0)
        dtype = np.int8 if self._whole else np.float32
        right = (
            self._rows.shape == (nodes, wide)
            and self._rows.dtype == dtype
            and self._bottom.shape == (nodes, 2 * m)
            and self._upper.shape == (max(1, self._upper_rows), m)
            and (-1 <= self._entry < nodes)
            and (self._entry >= 0) == (nodes > 0)
        )
        if not right or self._out_of_range(self._bottom) or self._out_of_range(self._upper):
            raise ValueError("its arrays do not belong together")
        firsts = np.cumsum(self._levels) - self._levels
        if (self._levels < 0).any() or not np.array_equal(self._first[:nodes], firsts):
            raise ValueError("its layers do not belong together")

    def _out_of_range(self, links: npt.NDArray[Any]) -> bool:
        return links.dtype != np.int32 or bool(((links < -1) | (links >= self._count)).any())
