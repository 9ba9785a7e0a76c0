"""What a search costs, in nanoseconds, and which way is cheapest.

Four ways lead to the `k` best of the rows that pass a filter:

- SCAN: multiply with all rows (`exact.search`);
- SCAN_OF_MASK: gather the rows that pass and multiply with those;
- GRAPH: walk the graph;
- MASKED_GRAPH: walk it with a pool so wide that `ef_search` of its nodes pass.

The constants were fitted by hand to single-thread CPU times: scans on an EPYC (Zen 4), 20,000 rows
of real embeddings with 384 dimensions; walks by the `vnni` kernel on a Xeon (Emerald Rapids),
20,000 rows of 64, 384 and 1,024 dimensions and pools of 16 to 1,600 nodes, within 12 % of each,
other jobs running beside (docs/hnsw.md). They decide speed alone. On 80,000 rows walks take up to
1.3 times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from polyvec.memory.exact import NARROW

SCAN_NS: Final = (0.2, 0.022, 4.0)
"""Of a row: per dimension for reading it, shared by four queries at a time; per dimension and
query; per query."""

GATHER_NS: Final = (0.5, 0.04, 8.0)
"""The same for a row that is gathered first."""

VISIT_NS: Final = (50.0, 0.055, 0.07)
"""Of a node visited by a walk: at all; per dimension; per node of the pool it is sorted into."""

VISITS: Final = (45.0, 0.75)
"""A walk with a pool of `w` nodes visits `45 * w ** 0.75`."""

SHARED_BY: Final = 4
"""Queries of a batch that make reading a row half as dear as alone, roughly."""


class Route(Enum):
    """A way to the answer."""

    SCAN = "scan"
    SCAN_OF_MASK = "scan of the mask"
    GRAPH = "graph"
    MASKED_GRAPH = "masked graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A search, as far as its cost goes.

    Parameters
    ----------
    rows
        Rows that a scan reads, dead ones included.
    passing
        Rows that may be found.
    masked
        Whether a mask says which.
    dimension, queries, k, ef
        As asked.
    nodes
        Nodes of the graph, dead ones included; 0 where there is none.
    waiting
        Passing rows that are not in the graph and are scanned beside it.
    """

    rows: int
    passing: int
    masked: bool
    dimension: int
    queries: int
    k: int
    ef: int
    nodes: int
    waiting: int


class Plan(NamedTuple):
    """The cheapest way; for a walk the size of its pool, and the distances it may compute."""

    route: Route
    width: int = 0
    most: int = 0


def plan(asked: Question, *, force: bool = False) -> Plan:
    """Choose the cheapest way.

    The walk may compute as many distances as cost what the scan would: where it finds no end,
    the scan follows, and the search took twice as long as without a graph, no more.

    Parameters
    ----------
    asked
        The search.
    force
        Walk wherever there is a graph, for tests.
    """
    scan = scan_cost(asked)
    scanning = Plan(Route.SCAN_OF_MASK if asked.masked else Route.SCAN)
    in_graph = asked.passing - asked.waiting
    if asked.nodes == 0 or in_graph <= 0:
        return scanning
    wanted = max(asked.ef, asked.k)
    width = min(asked.nodes, -(-wanted * asked.nodes // min(in_graph, asked.nodes)))
    visit = visit_cost(asked.dimension, width)
    visits = min(asked.nodes, VISITS[0] * width ** VISITS[1])
    beside = _rows(GATHER_NS, asked.waiting, asked.dimension, asked.queries)
    if not force and visits * visit + beside >= scan:
        return scanning
    most = asked.nodes + 1 if force else max(1, int(scan / visit))
    return Plan(Route.MASKED_GRAPH if asked.masked else Route.GRAPH, width, most)


def visit_cost(dimension: int, width: int) -> float:
    """Return what a visited node costs a walk with a pool of `width` nodes."""
    return VISIT_NS[0] + VISIT_NS[1] * dimension + VISIT_NS[2] * width


def scan_cost(asked: Question) -> float:
    """Return what the scan costs a query."""
    if asked.masked and asked.passing <= asked.rows * NARROW:
        return _rows(GATHER_NS, asked.passing, asked.dimension, asked.queries)
    return _rows(SCAN_NS, asked.rows, asked.dimension, asked.queries)


def _rows(costs: tuple[float, float, float], rows: int, dimension: int, queries: int) -> float:
    read, multiply, keep = costs
    return rows * (dimension * (read / max(1, queries / SHARED_BY) + multiply) + keep)
