"""Searching the graph: the walk in codes, then the true scores of the nearest nodes."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from polyvec.memory.hnsw.jit import jit
from polyvec.memory.hnsw.kernels import (
    NONE,
    Flags,
    Floats,
    Int,
    Keys,
    Links,
    Passing,
    Places,
    Rows,
    Scratch,
    Space,
    beam,
    fetch,
    greedy,
    measured,
    node_of,
    passes,
    prepare,
    room,
)
from polyvec.memory.hnsw.sifting import listing, sift

AHEAD: Final = 2
"""Vectors between the one that is asked for and the one that is scored."""


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


class Web(NamedTuple):
    """The arrays of a graph as a walk takes them, and where it begins."""

    space: Space
    bottom: Links
    upper: Links
    first: Keys
    entry: Int
    top: Int


@jit
def score(vectors: Floats, node: Int, query: Floats, euclidean: bool) -> np.float32:
    """Return a float32 number that is smaller for better rows: squared distance, or -product."""
    total = np.float32(0)
    for j in range(query.shape[0]):
        if euclidean:
            gap = np.float32(vectors[node, j] - query[j])
            total += gap * gap
        else:
            total -= vectors[node, j] * query[j]
    return np.float32(total)


@jit
def choose(
    web: Web,
    row: Rows,
    width: Int,
    most: Int,
    least: Int,
    passing: Passing,
    listed: Places,
    scratch: Scratch,
    chosen: Places,
) -> tuple[Int, Places]:
    """Put the nearest nodes that pass into `chosen`, as many as it holds: algorithm 5.

    A walk that gave up, or found less than `least`, is followed by the scan. Returns how many,
    and what is `listed` if that was needed.
    """
    space, pool = web.space, scratch.pool
    square, count = prepare(row, scratch.query), np.int64(-1)
    if most > 0:
        key = measured(space, square, web.entry, scratch)
        for layer in range(web.top, 0, -1):
            key = greedy(space, square, web.upper, web.first, layer, key, scratch)
        size = beam(space, square, web.bottom, web.first, 0, key, width, passing, scratch, most)
        count = np.int64(take(pool, size, passing, chosen))
    if count < least:
        if listed.shape[0] == 0:
            listed = listing(passing)
        size = sift(space, square, passing, listed, chosen.shape[0], scratch)
        count = np.int64(take(pool, size, passing, chosen))
    return count, listed


@jit
def take(pool: Keys, size: Int, passing: Passing, chosen: Places) -> Int:
    """Put the nodes of a pool that pass into `chosen`, as many as it holds; return how many.

    -1 for a pool of size -1.
    """
    if size < 0:
        return -1
    count = NONE
    for j in range(size):
        node = node_of(pool[j])
        if count < chosen.shape[0] and passes(passing, node):
            chosen[count] = node
            count += 1
    return int(count)


@jit
def walk(
    rows: Rows,
    offsets: Places,
    vectors: Floats,
    euclidean: bool,
    bottom: Links,
    upper: Links,
    first: Keys,
    entry: Int,
    top: Int,
    coded: Rows,
    queries: Floats,
    nodes: Int,
    every: bool,
    allowed: Flags,
    listed: Places,
    width: Int,
    most: Int,
    depth: Int,
    least: Int,
    found: Keys,
    scores: Floats,
) -> None:
    """Answer each query by the nearest nodes that pass, `depth` of them scored in float32.

    A walk must find `least` of them. `listed` is what to compare, empty where that is not known.
    `found` is (q, k), -1 where fewer than k pass.
    """
    web = Web(Space(rows, offsets), bottom, upper, first, entry, top)
    passing = Passing(np.empty(0, np.int32), allowed, nodes, every)
    scratch = room_for(web, passing, width, most, depth)
    chosen = np.empty(depth, np.int32)
    for i in range(len(queries)):
        size, listed = choose(web, coded[i], width, most, least, passing, listed, scratch, chosen)
        count = NONE
        for j in range(min(AHEAD, size)):
            fetch(vectors, chosen[j])
        for j in range(size):
            if j + AHEAD < size:
                fetch(vectors, chosen[j + AHEAD])
            number = score(vectors, chosen[j], queries[i], euclidean)
            count = np.int64(insert(found[i], scores[i], count, np.int64(chosen[j]), number))


@jit
def insert(found: Keys, scores: Floats, count: Int, node: Int, number: np.float32) -> Int:
    """Put a node into an answer of `count`, the best first, ties by node; return their number.

    They come nearly sorted, so what they are to stand behind is looked for from the end.
    """
    at = count
    while at > 0 and (
        number < scores[at - 1] or (number == scores[at - 1] and node < found[at - 1])
    ):
        at -= 1
    if at == found.shape[0]:
        return count
    count = min(count + 1, np.int64(found.shape[0]))
    for j in range(count - 1, at, -1):
        found[j], scores[j] = found[j - 1], scores[j - 1]
    found[at], scores[at] = node, number
    return count


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
    owners: Places,
    allowed: Flags,
    width: Int,
    most: Int,
    least: Int,
    found: Keys,
    counts: Keys,
) -> None:
    """Find the nearest nodes of each query that pass, by their codes, and name their owners.

    For `owners` and `allowed` see `Passing`. `found` is (q, depth); `counts` says how many of it
    are filled.
    """
    web = Web(Space(rows, offsets), bottom, upper, first, entry, top)
    passing = Passing(owners, allowed, owners.shape[0], False)
    scratch = room_for(web, passing, width, most, found.shape[1])
    listed, chosen = np.empty(0, np.int32), np.empty(found.shape[1], np.int32)
    for i in range(coded.shape[0]):
        size, listed = choose(web, coded[i], width, most, least, passing, listed, scratch, chosen)
        for j in range(size):
            found[i, j] = owners[chosen[j]]
        counts[i] = size


@jit
def room_for(web: Web, passing: Passing, width: Int, most: Int, depth: Int) -> Scratch:
    """Return room for walks that go so far, and for the scan after one that gave up."""
    links, nodes = web.bottom.shape[1], passing.nodes
    pool = width if passing.every else min(nodes, most + links)
    return room(web.space.rows, nodes, max(pool, depth), links)
