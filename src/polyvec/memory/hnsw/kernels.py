"""Distances and the beam: what a search spends its time in.

A row is int8 codes or float32 numbers; numba makes a version of each routine for either.
Distances are squared and Euclidean, whatever the metric (see `codes`). They are kept as int32
whose order is theirs: a sum of int8 codes as it is, a float32, which is never negative, by its
bits. A pool is then one array of int64: distance, node and a flag, whose order is that of the pool.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from polyvec.memory import hnsw_kernel
from polyvec.memory.hnsw import cpu
from polyvec.memory.hnsw.intrinsics import COMPILED, LINE, dot_four, prefetch
from polyvec.memory.hnsw.jit import inner

Rows = npt.NDArray[Any]
Links = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]
Int: TypeAlias = int | np.signedinteger[Any]

VNNI: Final = cpu.CHOSEN == hnsw_kernel.VNNI
"""A constant for the compiler, as is the size of a number: it leaves out what cannot happen."""

GROUP: Final = 4
"""Rows that are compared with a query at a time: their loads wait together."""

NODE: Final = 0xFFFFFFFF

NONE: Final[Any] = np.int64(0)
ONE: Final[Any] = np.int64(1)
"""No literals: numba would compile a callee once more for each."""


class Space(NamedTuple):
    """What distances are measured in.

    Parameters
    ----------
    rows
        `(n, w)`, int8 or float32.
    offsets
        `(n,)`: of each row `x` of int8 `x.x + 256 * sum(x)`, see `measure`.
    """

    rows: Rows
    offsets: Places


class Scratch(NamedTuple):
    """Room for a walk.

    Parameters
    ----------
    query
        `(padded width,)` of the dtype of rows, see `prepare`.
    pool
        A key for each node kept, and one more.
    visited
        A bit for each node.
    nodes, far
        A node and its distance for each link, and `GROUP` more.
    """

    query: Rows
    pool: Keys
    visited: Bits
    nodes: Places
    far: Places


class Passing(NamedTuple):
    """Which nodes may be found.

    Parameters
    ----------
    owners
        Of each node the row that it stands for, -1 for none; empty: its own number.
    allowed
        Of each row whether it may be found; those beyond its end may not.
    nodes
        How many there are.
    every
        Whether every node may be found; then `owners` and `allowed` are not looked at.
    """

    owners: Places
    allowed: Flags
    nodes: Int
    every: bool


@inner
def passes(passing: Passing, node: Int) -> bool:
    """Tell whether a node may be found."""
    if passing.every:
        return True
    row = np.int64(passing.owners[node]) if passing.owners.shape[0] else np.int64(node)
    return bool(0 <= row < passing.allowed.shape[0] and passing.allowed[row])


@inner
def room(rows: Rows, nodes: Int, width: Int, links: Int) -> Scratch:
    """Return room for walks among so many nodes, with pools of `width` and rows of `links`."""
    return Scratch(
        np.zeros((rows.shape[1] + LINE - 1) // LINE * LINE, rows.dtype),
        np.empty(width + 1, np.int64),
        np.zeros((nodes + 31) // 32, np.uint32),
        np.empty(links + GROUP, np.int32),
        np.empty(links + GROUP, np.int32),
    )


@inner
def prepare(row: Rows, query: Rows) -> Int:
    """Put a row into the form in which `measure` takes a query; return its square, for int8.

    `query` has zeros beyond the row.
    """
    square = np.int32(0)
    if VNNI and row.itemsize == 1:
        for j in range(row.shape[0]):
            code = np.int32(row[j])
            square = np.int32(square + code * code)
            query[j] = np.int8(code - 128)  # as an unsigned byte it is the code + 128
    else:
        for j in range(row.shape[0]):
            query[j] = row[j]
    return square


@inner
def measure(space: Space, query: Rows, square: Int, nodes: Places, count: Int, far: Places) -> None:
    """Measure how far the first `count` nodes are from a query; there is room for three more.

    With `VNNI` and `u = q + 128` the product `u.x` is `q.x + 128 * sum(x)`, so that
    `|q - x|**2 = |q|**2 + (|x|**2 + 256 * sum(x)) - 2 * u.x`. Exact up to 33,000 dimensions.
    """
    rows = space.rows
    width = rows.shape[1]
    if VNNI and rows.itemsize == 1:
        base, stride = np.int64(rows.ctypes.data), np.int64(rows.strides[0])
        for i in range(count, count + (-count) % GROUP):
            nodes[i] = nodes[count - 1]
        for i in range(0, count, GROUP):
            dot_four(
                np.int64(query.ctypes.data),
                base + nodes[i] * stride,
                base + nodes[i + 1] * stride,
                base + nodes[i + 2] * stride,
                base + nodes[i + 3] * stride,
                np.int64(width),
                np.int64(far.ctypes.data) + np.int64(4 * i),
            )
        for i in range(count):
            far[i] = np.int32(space.offsets[nodes[i]] + square - 2 * far[i])
    elif rows.itemsize == 1:
        for i in range(count):
            row = rows[nodes[i]]
            total = np.int32(0)
            for j in range(width):
                # Narrow types as far as they hold: the compiler then multiplies pairs of int16.
                step = np.int16(np.int16(row[j]) - np.int16(query[j]))
                total = np.int32(total + np.int32(step) * np.int32(step))
            far[i] = total
    else:
        numbers = far.view(np.float32)
        for i in range(count):
            row = rows[nodes[i]]
            sum_ = np.float32(0)
            for j in range(width):
                gap = np.float32(row[j]) - np.float32(query[j])
                sum_ += gap * gap
            numbers[i] = sum_


@inner
def node_of(key: Any) -> Int:
    """Return the node of a key."""
    return np.int64((key & NODE) >> 1)


@inner
def place(pool: Keys, size: Int, width: Int, key: Int) -> Int:
    """Put a key into the pool, which is sorted; return where. The last may fall out."""
    low, high = NONE, size
    while low < high:
        middle = (low + high) >> 1
        if pool[middle] < key:
            low = middle + 1
        else:
            high = middle
    for j in range(size if size < width else size - 1, low, -1):
        pool[j] = pool[j - 1]
    pool[low] = key
    return int(low)


@inner
def fetch(rows: Rows, node: Int) -> None:
    """Ask for a row, which is to be read soon."""
    if COMPILED:
        base = np.int64(rows.ctypes.data) + np.int64(node) * np.int64(rows.strides[0])
        for at in range(0, rows.strides[0], LINE):
            prefetch(base + at)


@inner
def measured(space: Space, square: Int, node: Int, scratch: Scratch) -> Int:
    """Return the key of a node for the prepared query."""
    scratch.nodes[0] = node
    measure(space, scratch.query, square, scratch.nodes, ONE, scratch.far)
    return np.int64(scratch.far[0]) << 32 | np.int64(node) << 1


@inner
def mark(visited: Bits, node: Int) -> None:
    """Remember that a node was met."""
    visited[node >> 5] |= np.uint32(1) << np.uint32(node & 31)


@inner
def greedy(
    space: Space, square: Int, links: Links, first: Keys, layer: Int, key: Int, scratch: Scratch
) -> Int:
    """Go from a node to the nearest one of an upper layer, as keys: algorithm 2 with ef = 1."""
    nodes, far = scratch.nodes, scratch.far
    moved = True
    while moved:
        moved = False
        row, count = first[node_of(key)] + layer - 1, NONE
        while count < links.shape[1] and links[row, count] >= 0:
            node = np.int64(links[row, count])
            nodes[count] = node
            fetch(space.rows, node)
            count += 1
        measure(space, scratch.query, square, nodes, count, far)
        for i in range(count):
            found = np.int64(far[i]) << 32 | np.int64(nodes[i]) << 1
            if found < key:
                key, moved = found, True
    return key


@inner
def following(pool: Keys, cursor: Int, size: Int) -> Int:
    """Return the place of the next key whose links were not followed, `size` without one."""
    while cursor < size and pool[cursor] & 1:
        cursor += 1
    return cursor


@inner
def trimmed(
    pool: Keys, size: Int, kept: Int, width: Int, node: Int, passing: Passing
) -> tuple[Int, Int]:
    """Let the pool end with the `width`-th node that passes, after `node` was put into it.

    `kept` of the others pass. Returns how many nodes it holds, and how many of them pass.
    """
    if passes(passing, node):
        kept += 1
        if kept > width:
            kept -= 1
            size -= 1
        while kept == width and not passes(passing, node_of(pool[size - 1])):
            size -= 1
    return size, kept


@inner
def beam(  # noqa: PLR0912 - as routines its parts make a build 7 to 10 % slower
    space: Space,
    square: Int,
    links: Links,
    first: Keys,
    layer: Int,
    entry: Int,
    width: Int,
    passing: Passing,
    scratch: Scratch,
    most: Int,
) -> Int:
    """Search one layer: algorithm 2 with ef = `width`. Returns how many nodes the pool holds.

    -1 when `most` distances had been computed and it was not finished. `entry` is a key.

    The pool, nearest first, is candidates and results at once: the low bit of a key says that the
    node's links have been followed. In the bottom layer it ends with the `width`-th node that
    passes, so it is as long as that takes: `most` and a row of links at most.
    """
    pool, nodes, far, visited = scratch.pool, scratch.nodes, scratch.far, scratch.visited
    masked = layer == 0 and not passing.every
    longest = np.int64(pool.shape[0] - 1) if masked else np.int64(width)
    visited[:] = 0
    pool[0] = entry
    mark(visited, node_of(entry))
    size, seen, cursor = ONE, ONE, NONE
    kept = NONE if masked and not passes(passing, node_of(entry)) else ONE
    while cursor < size:
        if seen >= most:
            return -1
        row = node_of(pool[cursor])
        pool[cursor] |= 1
        cursor = np.int64(following(pool, cursor, size))
        if layer > 0:
            row = first[row] + layer - 1
        elif cursor < size:
            fetch(links, node_of(pool[cursor]))  # which is often the next
        count = NONE
        for j in range(links.shape[1]):
            node = links[row, j]
            if node < 0:
                break
            nodes[count] = node
            bit = np.uint32(1) << np.uint32(node & 31)
            count += NONE if visited[node >> 5] & bit else ONE  # no branch: it is not foretold
        for i in range(count):
            mark(visited, nodes[i])
            fetch(space.rows, nodes[i])
        seen += count
        measure(space, scratch.query, square, nodes, count, far)
        for i in range(count):
            key = np.int64(far[i]) << 32 | np.int64(nodes[i]) << 1
            if kept >= width and key > pool[size - 1]:
                continue
            at = place(pool, size, longest, key)
            if at <= cursor:
                cursor = at
                if layer == 0:
                    fetch(links, nodes[i])
            size += 1
            if masked:
                size, kept = trimmed(pool, size, kept, width, nodes[i], passing)
            else:
                size = min(size, width)
                kept = size
        cursor = np.int64(following(pool, cursor, size))
    return int(size)
