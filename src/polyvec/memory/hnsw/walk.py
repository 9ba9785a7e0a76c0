"""Searching the graph: the walk in codes, then the true scores of the nearest nodes."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from polyvec.memory.hnsw.jit import jit
from polyvec.memory.hnsw.kernels import (
    NODE,
    NONE,
    ONE,
    Flags,
    Floats,
    Int,
    Keys,
    Links,
    Places,
    Rows,
    Scratch,
    Space,
    beam,
    measured,
    place,
    prepare,
    room,
)

FIRST_ROWS: Final = 1024
"""Rows that a scan by length takes first; each further step takes twice as many."""


class Walk(NamedTuple):
    """How far a walk goes.

    Parameters
    ----------
    width
        Nodes kept while searching.
    depth
        Nearest allowed nodes that come back, at most.
    most
        Distances computed per query, at most; a walk that wants more gives up.
    threads
        Queries are shared out among so many.
    """

    width: int
    depth: int
    most: int
    threads: int = 1


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
def nearest_nodes(
    space: Space,
    bottom: Links,
    upper: Links,
    first: Keys,
    entry: Int,
    top: Int,
    query: Rows,
    width: Int,
    most: Int,
    scratch: Scratch,
) -> Int:
    """Fill the pool with the nearest nodes: algorithm 5; returns as `beam` does."""
    square = prepare(query, scratch.query)
    key, size = measured(space, square, entry, scratch), NONE
    for layer in range(top, -1, -1):
        links, ef = (upper, ONE) if layer > 0 else (bottom, width)
        size = beam(space, square, links, first, layer, key, ef, scratch, most)
        key = scratch.pool[0] & ~1
    return int(size)


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
    allowed: Flags,
    width: Int,
    depth: Int,
    found: Keys,
    scores: Floats,
) -> None:
    """Answer each query, keeping only allowed nodes of the final pool.

    The pool holds the nearest nodes of all, so the allowed ones in it are the nearest of the
    allowed ones, as far as the pool is right. The first `depth` of them are scored in
    float32. `found` is (q, k), -1 where the pool had fewer.
    """
    space = Space(rows, offsets)
    k, nodes = found.shape[1], allowed.shape[0]
    scratch = room(rows, nodes, width, bottom.shape[1])
    best = np.empty(k + 1, np.int64)
    number = np.empty(1, np.float32)
    for i in range(queries.shape[0]):
        size = nearest_nodes(
            space, bottom, upper, first, entry, top, coded[i], width, nodes + 1, scratch
        )
        count, scored = NONE, NONE
        for j in range(size):
            node = (scratch.pool[j] & NODE) >> 1
            if not allowed[node]:
                continue
            if scored >= depth:
                break
            scored += 1
            number[0] = score(vectors, node, queries[i], euclidean)
            key = sortable(np.int64(number.view(np.int32)[0])) << 32 | np.int64(node)
            if count < k or key < best[count - 1]:
                place(best, count, k, key)
                count = min(count + 1, k)
        numbers = scores[i].view(np.int32)
        for j in range(count):
            found[i, j] = best[j] & NODE
            numbers[j] = np.int32(sortable(best[j] >> 32))


@jit
def sortable(bits: Int) -> Int:
    """Return an integer that is in order as the float32 of these bits is, or its bits again."""
    return bits if bits >= 0 else np.int64(-(2**31)) - bits


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
    found: Keys,
    counts: Keys,
) -> None:
    """Find the nearest allowed nodes of each query by their codes, and name their owners.

    `owners` says for each node which row of somebody else's it stands for, -1 for none;
    `allowed` is theirs, and what lies beyond its end is not. `found` is (q, depth); `counts`
    says how many of it are filled, -1 where the walk took more than `most` distances.
    """
    space = Space(rows, offsets)
    scratch = room(rows, owners.shape[0], width, bottom.shape[1])
    for i in range(coded.shape[0]):
        size = nearest_nodes(
            space, bottom, upper, first, entry, top, coded[i], width, most, scratch
        )
        count = 0
        for j in range(size):
            if count >= found.shape[1]:
                break
            owner = owners[(scratch.pool[j] & NODE) >> 1]
            if 0 <= owner < allowed.shape[0] and allowed[owner]:
                found[i, count] = owner
                count += 1
        counts[i] = count if size >= 0 else -1


def scan(
    vectors: Floats, query: Floats, euclidean: bool, nodes: npt.NDArray[np.intp], k: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Score the given nodes in float64; return the best k of them and numbers as `score` gives."""
    wide = vectors[nodes].astype(np.float64)
    exact = query.astype(np.float64)
    if euclidean:
        wide -= exact
        numbers = np.einsum("ij,ij->i", wide, wide)
    else:
        numbers = -(wide @ exact)
    order = np.argsort(numbers, kind="stable")[:k]
    return nodes[order], numbers[order]


def scan_longest(
    vectors: Floats,
    query: Floats,
    nodes: npt.NDArray[np.intp],
    lengths: npt.NDArray[np.float64],
    k: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return what `scan` does for inner products, from nodes ordered by falling length.

    No row has a product above `|x| * |q|` (Cauchy and Schwarz), so the scan ends where that
    falls below the k-th best: early, where lengths differ much.
    """
    reach = float(np.linalg.norm(query.astype(np.float64))) * (1 + 1e-9)
    best, numbers = nodes[:0], np.empty(0)
    begin, size = 0, FIRST_ROWS
    while begin < len(nodes):
        if len(best) == k and lengths[nodes[begin]] * reach < -numbers[-1]:
            break
        more, further = scan(vectors, query, False, nodes[begin : begin + size], k)
        numbers = np.concatenate([numbers, further])
        order = np.argsort(numbers, kind="stable")[:k]
        best, numbers = np.concatenate([best, more])[order], numbers[order]
        begin, size = begin + size, size * 2
    return best, numbers
