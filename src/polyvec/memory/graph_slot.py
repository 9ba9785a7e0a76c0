"""The place of a graph beside the columns whose rows it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from polyvec.memory.hnsw.candidates import Candidates

Rows: TypeAlias = npt.NDArray[np.intp]
Owners: TypeAlias = npt.NDArray[np.int32]

_NO_ROWS: Final[Rows] = np.empty(0, np.intp)


@dataclass(frozen=True, eq=False, slots=True)
class Covered:
    """A graph and the rows it leads to. Never changed: a later state is another object.

    Parameters
    ----------
    graph
        Nobody inserts into it.
    owners
        `(nodes,)` int32: the row that a node stands for, -1 where it is gone.
    rest, odd
        Rows below `stop` that may live and are not in the graph: yet, and for ever.
    stop
        No row from here on is in the graph.
    """

    graph: Candidates
    owners: Owners
    rest: Rows
    odd: Rows
    stop: int

    def moved(self, order: Rows) -> Covered:
        """Return the same graph after the rows were copied in this order and the others dropped."""
        place = np.full(max(self.stop, int(order.max(initial=-1)) + 1), -1, dtype=np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        owners = np.where(self.owners >= 0, place[self.owners], np.int32(-1)).astype(np.int32)
        missing = np.ones(len(order), dtype=np.bool_)
        missing[owners[owners >= 0]] = False
        return Covered(self.graph, owners, np.flatnonzero(missing), _NO_ROWS, len(order))

    def outside(self, n: int) -> Rows:
        """Return which of the first `n` rows are not in the graph, dead ones too."""
        new = self.new(n)
        return np.append(new, self.odd[self.odd < n]) if len(self.odd) else new

    def new(self, n: int) -> Rows:
        """Return which of the first `n` rows may still go into the graph."""
        rest = self.rest[self.rest < n]
        return np.append(rest, np.arange(self.stop, n)) if n > self.stop else rest


class Work:
    """One thread at a time builds; what failed once is left alone."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.failed = False
        self.read = False
        """Whether a file of the graph was looked for."""
        self.saved: Covered | None = None


class GraphSlot:
    """Holds the newest graph of the rows, None until there is one."""

    def __init__(self, work: Work | None = None) -> None:
        self.work = work or Work()
        self.covered: Covered | None = None
        self._lock = Lock()
        self._next: tuple[GraphSlot, Rows] | None = None

    @property
    def moved(self) -> bool:
        """Whether other columns have taken the place of these."""
        return self._next is not None

    def publish(self, covered: Covered) -> None:
        """Let searches from now on use a graph; also when the rows moved while it was built."""
        with self._lock:
            self.covered = covered
            following = self._next
        if following is not None:
            slot, order = following
            slot.publish(covered.moved(order))

    def move(self, order: Rows) -> GraphSlot:
        """Return the slot of the columns that rows are copied to in this order."""
        with self._lock:
            slot = GraphSlot(self.work)
            if self.covered is not None:
                slot.covered = self.covered.moved(order)
            self._next = slot, order
            return slot
