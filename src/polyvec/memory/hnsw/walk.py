"""Searching the graph: the walk, which proposes the nearest nodes by their codes."""

from __future__ import annotations

from typing import NamedTuple

from polyvec.memory.hnsw.jit import inner, jit
from polyvec.memory.hnsw.kernels import (
    NONE,
    Flags,
    Int,
    Keys,
    Links,
    Passing,
    Places,
    Rows,
    Space,
    beam,
    greedy,
    measured,
    node_of,
    passes,
    prepare,
    room,
)


class Walk(NamedTuple):
    """How far a walk goes.

    Parameters
    ----------
    width
        Nodes that pass and are kept while searching.
    depth
        Nearest allowed nodes that come back, at most.
    most
        Distances computed per query, at most: where a walk wants more, all that passes is
        compared. 0: there is no walk.
    least
        What a walk must find, else all that passes is compared.
    threads
        Queries are shared out among so many.
    """

    width: int
    depth: int
    most: int
    least: int
    threads: int = 1


@inner
def take(pool: Keys, size: Int, passing: Passing, found: Keys) -> Int:
    """Name the owners of the nodes of a pool that pass, as many as `found` holds.

    Returns how many; -1 for a pool of size -1.
    """
    if size < 0:
        return -1
    count = NONE
    for j in range(size):
        node = node_of(pool[j])
        if count < found.shape[0] and passes(passing, node):
            found[count] = passing.owners[node] if passing.owners.shape[0] else node
            count += 1
    return int(count)


@jit
def propose(
    rows: Rows,
    offsets: Places,
    bottom: Links,
    upper: Links,
    first: Keys,
    entry: Int,
    top: Int,
    coded: Rows,
    nodes: Int,
    every: bool,
    owners: Places,
    allowed: Flags,
    width: Int,
    most: Int,
    found: Keys,
    counts: Keys,
) -> None:
    """Find the nearest nodes of each query that pass, and name their owners: algorithm 5.

    For `nodes` to `allowed` see `Passing`. `found` is (q, depth); `counts` says how many of it are
    filled, -1 where the walk took more than `most` distances.
    """
    space, passing = Space(rows, offsets), Passing(owners, allowed, nodes, every)
    pool = width if every else min(nodes, most + bottom.shape[1])
    scratch = room(rows, nodes, pool, bottom.shape[1])
    for i in range(coded.shape[0]):
        square = prepare(coded[i], scratch.query)
        key = measured(space, square, entry, scratch)
        for layer in range(top, 0, -1):
            key = greedy(space, square, upper, first, layer, key, scratch)
        size = beam(space, square, bottom, first, NONE, key, width, passing, scratch, most)
        counts[i] = take(scratch.pool, size, passing, found[i])
