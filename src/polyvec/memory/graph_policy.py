"""When a graph is due: numbers that a search looks at in passing."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from polyvec.memory.columns import View

WORN: Final = 0.2
"""Share of dead nodes above which the graph is built anew."""

GROWN: Final = 1.5
"""Growth after which rows of very different lengths are looked at again."""


class Task(Enum):
    """What a graph needs."""

    NOTHING = auto()
    BUILD = auto()
    EXTEND = auto()


class Policy(NamedTuple):
    """From when on a graph is worth its making.

    Parameters
    ----------
    least
        Living rows of a namespace that a graph is built for. Below 20,000 a batch of queries
        gains nothing by it.
    enough
        New rows that are not worth inserting yet: to scan them takes about as long as a walk.
    share
        The same for a large graph, whose links are copied each time: one in so many nodes.
    """

    least: int = 20_000
    enough: int = 1024
    share: int = 256

    def task(self, view: View) -> Task:
        """Say what is due for the rows of a view."""
        covered = view.graph.covered
        large = Task.BUILD if view.findable >= self.least else Task.NOTHING
        if covered is None:
            return large
        graph = covered.graph
        if view.n < covered.stop:  # an old view, which knows less than the graph
            return Task.NOTHING
        if graph.uneven:
            return large if graph.nodes or view.n > covered.stop * GROWN else Task.NOTHING
        allowed = view.searchable(None)
        outside, new = covered.outside(view.n), covered.new(view.n)
        if allowed is not None:
            outside, new = outside[allowed[outside]], new[allowed[new]]
        dead = graph.nodes - (view.findable - len(outside))
        if dead > WORN * graph.nodes:
            return large
        enough = max(self.enough, graph.nodes // self.share)
        return Task.EXTEND if len(new) > enough else Task.NOTHING


LARGE: Final = Policy()
"""Where there is something to gain."""

ALWAYS: Final = Policy(least=1, enough=0, share=2**62)
"""From the first record on, and with each one."""
