"""What the ways through a graph cost, in nanoseconds.

Fitted by hand to single-thread CPU times of the `vnni` kernel on an EPYC (Zen 4): 20,000 rows of
64, 384 and 1,024 bytes and 100,000 of 384, pools of 16 to 1,600 nodes, random masks of 100 % to
1 %. Single figures are off by up to 2: memory decides, and 100,000 rows take twice what 20,000 do,
walked or scanned (docs/hnsw.md). They decide speed alone.
"""

from __future__ import annotations

from typing import Final

VISIT_NS: Final = (45.0, 0.05, 0.065)
"""Of a node visited by a walk: at all; per byte of its row; per node of the pool it goes into."""

VISITS: Final = (45.0, 0.75)
"""A walk with a pool of `w` nodes visits `45 * w ** 0.75`."""

SIFT_NS = (9.0, 0.025)
"""Of a node compared in a scan of codes: at all; per byte of its row."""

MANY: Final = 1 / 3
"""Share of the nodes above which all are compared: memory that is read in order costs half."""

WALK_SHARE: Final = 0.5
"""Of the cost of a scan what a walk must be expected to take at most: it may take longer."""

GROWN: Final = 4
"""Times the expected size that a pool is taken to have in a walk that is about to be given up."""

LIST_NS: Final = 0.7
"""Of a node asked whether it passes, once for all queries of a call."""


def pool_for(width: int, passing: int, nodes: int) -> int:
    """Return how many nodes a pool holds of which `width` pass, by a random mask."""
    return min(nodes, -(-width * nodes // max(1, passing)))


def walk_cost(row_bytes: int, width: int, nodes: int) -> float:
    """Return what a walk costs whose pool comes to hold `width` nodes."""
    visits = min(float(nodes), VISITS[0] * float(width ** VISITS[1]))
    return visits * visit_cost(row_bytes, width)


def visit_cost(row_bytes: int, width: int) -> float:
    """Return what a visited node costs a walk with a pool of `width` nodes."""
    return VISIT_NS[0] + VISIT_NS[1] * row_bytes + VISIT_NS[2] * width


def sift_cost(row_bytes: int, passing: int, nodes: int, queries: int) -> float:
    """Return what comparing the codes of all that passes costs a query."""
    compared = nodes if passing > nodes * MANY else passing
    return compared * (SIFT_NS[0] + SIFT_NS[1] * row_bytes) + LIST_NS * nodes / max(1, queries)


def most_visits(row_bytes: int, width: int, passing: int, nodes: int, queries: int) -> int:
    """Return how many nodes a walk may visit until it has cost what the scan of codes does.

    0 where the scan should be made from the start: it costs less, or not so much more that the walk
    could take longer than expected.

    Parameters
    ----------
    row_bytes
        Of a node.
    width
        Nodes that pass and are kept.
    passing, nodes
        How many pass, and of how many.
    queries
        Of the call.
    """
    scan = sift_cost(row_bytes, passing, nodes, queries)
    pool = pool_for(width, passing, nodes)
    if walk_cost(row_bytes, pool, nodes) > WALK_SHARE * scan:
        return 0
    return visits_for(scan, row_bytes, pool, bounded=passing == nodes)


def visits_for(cost: float, row_bytes: int, pool: int, *, bounded: bool) -> int:
    """Return how many nodes a walk can visit at a cost.

    Parameters
    ----------
    cost
        In nanoseconds.
    row_bytes
        Of a node.
    pool
        How many nodes it is expected to hold.
    bounded
        Whether it holds no more. With a mask it may hold all it visits.
    """
    return max(1, int(cost / visit_cost(row_bytes, pool if bounded else GROWN * pool)))
