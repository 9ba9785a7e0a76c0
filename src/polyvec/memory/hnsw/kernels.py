"""Distances, the greedy descent and the beam: what a search spends its time in.

A row is int8 codes or float32 numbers; numba makes a version of each routine for
either. Distances are squared and Euclidean, whatever the metric (see `codes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from polyvec.memory.hnsw.jit import jit

Rows = npt.NDArray[Any]
Links = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@jit
def distance(rows: Rows, node: int, query: Rows, whole: bool) -> np.float32:
    """Return the squared distance of a row from a query of the same dtype.

    `whole` says that both hold int8: a sum of int32 then, exact up to 33,000 dimensions.
    """
    if whole:
        total = np.int32(0)
        for j in range(query.shape[0]):
            # Narrow types as far as they hold: the compiler then multiplies pairs of int16.
            step = np.int16(np.int16(rows[node, j]) - np.int16(query[j]))
            total = np.int32(total + np.int32(step) * np.int32(step))
        return np.float32(total)
    sum_ = np.float32(0)
    for j in range(query.shape[0]):
        gap = np.float32(rows[node, j]) - np.float32(query[j])
        sum_ += gap * gap
    return np.float32(sum_)


@jit
def place(distances: Floats, keys: Keys, size: int, width: int, far: np.float32, key: int) -> int:
    """Put a node into the pool, sorted by distance; return where. The last may fall out."""
    low, high = 0, size
    while low < high:
        middle = (low + high) >> 1
        if distances[middle] <= far:
            low = middle + 1
        else:
            high = middle
    for j in range(size if size < width else size - 1, low, -1):
        distances[j] = distances[j - 1]
        keys[j] = keys[j - 1]
    distances[low] = far
    keys[low] = key
    return low


@jit
def descend(
    rows: Rows,
    query: Rows,
    whole: bool,
    upper: Links,
    first: Keys,
    entry: int,
    top: int,
    bottom: int,
) -> int:
    """Go to the nearest node by single steps, from layer `top` to above `bottom`.

    Algorithm 2 with ef = 1, as algorithm 5 uses it. Returns the node.
    """
    near = distance(rows, entry, query, whole)
    for layer in range(top, bottom, -1):
        moved = True
        while moved:
            moved = False
            row = first[entry] + layer - 1
            for j in range(upper.shape[1]):
                node = int(upper[row, j])
                if node < 0:
                    break
                far = distance(rows, node, query, whole)
                if far < near:
                    near = far
                    entry = node
                    moved = True
    return entry


@jit
def beam(
    rows: Rows,
    query: Rows,
    whole: bool,
    links: Links,
    first: Keys,
    layer: int,
    entry: int,
    width: int,
    distances: Floats,
    keys: Keys,
    visited: Flags,
    touched: Keys,
    most: int,
) -> int:
    """Search one layer: algorithm 2. Returns how many nodes the pool holds, nearest first.

    -1 when `most` distances had been computed and the pool was not finished.

    The pool is candidates and results at once. Its keys are `2 * node + 1` afterwards:
    the low bit says that the node's links have been followed. `visited` is all False
    before and after.
    """
    distances[0] = distance(rows, entry, query, whole)
    keys[0] = 2 * entry
    visited[entry] = True
    touched[0] = entry
    size, seen, cursor = 1, 1, 0
    while cursor < size:
        key = keys[cursor]
        cursor += 1
        if key & 1:
            continue
        if seen >= most:
            size = -1
            break
        keys[cursor - 1] = key | 1
        row = key >> 1
        if layer > 0:
            row = first[row] + layer - 1
        for j in range(links.shape[1]):
            node = int(links[row, j])
            if node < 0:
                break
            if visited[node]:
                continue
            visited[node] = True
            touched[seen] = node
            seen += 1
            far = distance(rows, node, query, whole)
            if size < width or far < distances[size - 1]:
                at = place(distances, keys, size, width, far, 2 * node)
                size = min(size + 1, width)
                cursor = min(cursor, at)
    for j in range(seen):
        visited[touched[j]] = False
    return size
