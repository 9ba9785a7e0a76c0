"""What a search costs, in nanoseconds, and which way is cheapest.

Five ways lead to the `k` best of the rows that pass a filter:

- SCAN: multiply with all rows (`exact.search`);
- SCAN_OF_MASK: gather the rows that pass and multiply with those;
- GRAPH: walk the graph;
- MASKED_GRAPH: walk it with a pool that ends with the `ef_search`-th node that passes;
- CODES: compare the codes of all nodes that pass.

The constants were fitted by hand to single-thread CPU times: scans on an EPYC (Zen 4), 20,000 rows
of real embeddings with 384 dimensions; for those of a graph see `hnsw_costs`. They decide speed
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from polyvec.memory.exact import NARROW
from polyvec.memory.hnsw_costs import WALK_SHARE, pool_for, sift_cost, visits_for, walk_cost

SCAN_NS: Final = (0.2, 0.022, 4.0)
"""Of a row: per dimension for reading it, shared by four queries at a time; per dimension and
query; per query."""

GATHER_NS: Final = (0.5, 0.04, 8.0)
"""The same for a row that is gathered first."""

SHARED_BY: Final = 4
"""Queries of a batch that make reading a row half as dear as alone, roughly."""


class Route(Enum):
    """A way to the answer."""

    SCAN = "scan"
    SCAN_OF_MASK = "scan of the mask"
    GRAPH = "graph"
    MASKED_GRAPH = "masked graph"
    CODES = "scan of the codes"


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
    row_bytes
        Of a node.
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
    row_bytes: int
    waiting: int


class Plan(NamedTuple):
    """The cheapest way; with a graph how many passing nodes are kept, for a walk its distances."""

    route: Route
    width: int = 0
    most: int = 0


def plan(asked: Question, *, force: bool = False) -> Plan:
    """Choose the cheapest way.

    The walk may compute as many distances as cost what the cheapest scan would: where it finds no
    end, that scan follows, and the search took twice as long as without links, no more.

    Parameters
    ----------
    asked
        The search.
    force
        Walk wherever there is a graph, for tests.
    """
    exact = scan_cost(asked)
    scanning = Plan(Route.SCAN_OF_MASK if asked.masked else Route.SCAN)
    in_graph = min(asked.nodes, asked.passing - asked.waiting)
    if in_graph <= 0:
        return scanning
    wanted = min(max(asked.ef, asked.k), in_graph)
    pool = pool_for(wanted, in_graph, asked.nodes)
    walking = walk_cost(asked.row_bytes, pool, asked.nodes)
    codes = sift_cost(asked.row_bytes, in_graph, asked.nodes, asked.queries)
    beside = _rows(GATHER_NS, asked.waiting, asked.dimension, asked.queries)
    if not force and (walking > WALK_SHARE * codes or walking + beside >= exact):
        return Plan(Route.CODES, wanted) if codes + beside < exact else scanning
    bounded = in_graph == asked.nodes
    most = visits_for(min(exact, codes), asked.row_bytes, pool, bounded=bounded)
    most = asked.nodes + 1 if force else most
    return Plan(Route.MASKED_GRAPH if asked.masked else Route.GRAPH, wanted, most)


def scan_cost(asked: Question) -> float:
    """Return what the scan costs a query."""
    if asked.masked and asked.passing <= asked.rows * NARROW:
        return _rows(GATHER_NS, asked.passing, asked.dimension, asked.queries)
    return _rows(SCAN_NS, asked.rows, asked.dimension, asked.queries)


def _rows(costs: tuple[float, float, float], rows: int, dimension: int, queries: int) -> float:
    read, multiply, keep = costs
    return rows * (dimension * (read / max(1, queries / SHARED_BY) + multiply) + keep)
