"""Searching without the links: all that passes is compared."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from polyvec.memory.hnsw.jit import inner, jit
from polyvec.memory.hnsw.kernels import (
    GROUP,
    NONE,
    Flags,
    Floats,
    Int,
    Keys,
    Passing,
    Places,
    Rows,
    Scratch,
    Space,
    fetch,
    measure,
    passes,
    place,
    prepare,
    room,
)
from polyvec.memory.hnsw.walk import take

AHEAD: Final = 2 * GROUP
"""Rows between the one that is asked for and the one that is compared."""

FIRST_ROWS: Final = 1024
"""Rows that a scan by length takes first; each further step takes twice as many."""


@jit
def listing(owners: Places, allowed: Flags) -> Places:
    """Return the nodes that pass, rising; for the arguments see `kernels.Passing`."""
    found, count = np.empty(owners.shape[0], np.int32), NONE
    for node in range(owners.shape[0]):
        row = owners[node]
        if 0 <= row < allowed.shape[0]:  # nearly every one; the next is no branch
            found[count] = node
            count += np.int64(allowed[row])
    return found[:count]


@inner
def sift(
    space: Space, square: Int, passing: Passing, listed: Places, width: Int, scratch: Scratch
) -> Int:
    """Fill the pool with the nearest of the listed nodes that pass; all of them are compared.

    Returns how many it holds, `width` at most.
    """
    pool, some, far = scratch.pool, scratch.nodes, scratch.far
    total, size = listed.shape[0], NONE
    for i in range(min(AHEAD, total)):
        fetch(space.rows, listed[i])
    for start in range(0, total, GROUP):
        group = min(GROUP, total - start)
        for i in range(group):
            some[i] = listed[start + i]
            if start + i + AHEAD < total:
                fetch(space.rows, listed[start + i + AHEAD])
        measure(space, scratch.query, square, some, group, far)
        for i in range(group):
            key = np.int64(far[i]) << 32 | np.int64(some[i]) << 1
            if (size < width or key < pool[size - 1]) and passes(passing, some[i]):
                place(pool, size, width, key)
                size = min(size + 1, width)
    return int(size)


@jit
def compare(
    rows: Rows,
    offsets: Places,
    coded: Rows,
    listed: Places,
    nodes: Int,
    every: bool,
    owners: Places,
    allowed: Flags,
    found: Keys,
    counts: Keys,
) -> None:
    """Do as `walk.propose`, but compare all of the listed nodes, among which are all that pass."""
    space, passing = Space(rows, offsets), Passing(owners, allowed, nodes, every)
    scratch = room(rows, NONE, np.int64(found.shape[1]), np.int64(GROUP))
    for i in range(coded.shape[0]):
        square = prepare(coded[i], scratch.query)
        size = sift(space, square, passing, listed, found.shape[1], scratch)
        counts[i] = take(scratch.pool, size, passing, found[i])


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
