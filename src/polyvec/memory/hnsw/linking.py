"""Building the graph: neighbour selection, insertion, and mending what was cut off."""

from __future__ import annotations

import numpy as np

from polyvec.memory.hnsw.jit import jit
from polyvec.memory.hnsw.kernels import Floats, Keys, Links, Rows, beam, descend, distance, place


@jit
def select(
    rows: Rows, whole: bool, distances: Floats, keys: Keys, size: int, most: int, kept: Keys
) -> int:
    """Choose neighbours by the heuristic: algorithm 4. Returns how many are in `kept`.

    A candidate nearer to a chosen neighbour than to the node is left out, and so is the
    twin of a chosen one: it leads nowhere new, and many twins would fill the row.
    """
    count = 0
    for i in range(size):
        if count >= most:
            break
        node = keys[i] >> 1
        candidate = rows[node]
        good = True
        for j in range(count):
            between = distance(rows, kept[j], candidate, whole)
            if between < distances[i] or between == 0:
                good = False
                break
        if good:
            kept[count] = node
            count += 1
    return count


@jit
def link_back(
    rows: Rows,
    whole: bool,
    links: Links,
    row: int,
    owner: int,
    node: int,
    distances: Floats,
    keys: Keys,
    kept: Keys,
) -> None:
    """Link `owner` to `node`; where its row is full, choose anew (algorithm 1, lines 12-16)."""
    wide = links.shape[1]
    for j in range(wide):
        if links[row, j] < 0:
            links[row, j] = node
            return
    base = rows[owner]
    size = 0
    for j in range(wide + 1):
        other = node
        if j < wide:
            other = int(links[row, j])
        far = distance(rows, other, base, whole)
        place(distances, keys, size, wide + 1, far, 2 * other)
        size += 1
    count = select(rows, whole, distances, keys, size, wide, kept)
    for j in range(wide):
        links[row, j] = kept[j] if j < count else -1


@jit
def insert_nodes(
    rows: Rows,
    whole: bool,
    bottom: Links,
    upper: Links,
    first: Keys,
    levels: Keys,
    begin: int,
    end: int,
    entry: int,
    width: int,
) -> int:
    """Insert the rows `begin` to `end` one after the other: algorithm 1. Returns the entry."""
    most = upper.shape[1]
    distances = np.empty(max(width, 2 * most) + 2, np.float32)
    keys = np.empty(max(width, 2 * most) + 2, np.int64)
    back_distances = np.empty(2 * most + 2, np.float32)
    back_keys = np.empty(2 * most + 2, np.int64)
    chosen = np.empty(2 * most + 2, np.int64)
    kept = np.empty(2 * most + 2, np.int64)
    visited = np.zeros(rows.shape[0], np.bool_)
    touched = np.empty(rows.shape[0], np.int64)
    for node in range(begin, end):
        if entry < 0:
            entry = node
            continue
        query = rows[node]
        level, top = levels[node], levels[entry]
        near = descend(rows, query, whole, upper, first, entry, top, min(level, top))
        for layer in range(min(level, top), -1, -1):
            links = upper if layer > 0 else bottom
            size = beam(
                rows, query, whole, links, first, layer, near, width,
                distances, keys, visited, touched, rows.shape[0] + 1,
            )  # fmt: skip
            near = int(keys[0]) >> 1
            count = select(rows, whole, distances, keys, size, most, chosen)
            row = first[node] + layer - 1 if layer > 0 else node
            for j in range(count):
                links[row, j] = chosen[j]
            for j in range(count):
                other = int(chosen[j])
                at = int(first[other]) + layer - 1 if layer > 0 else other
                link_back(rows, whole, links, at, other, node, back_distances, back_keys, kept)
        if level > top:
            entry = node
    return entry


@jit
def spread(bottom: Links, parent: Keys, stack: Keys, start: int) -> None:
    """Visit what `start` reaches and nobody has; `parent` tells by which node it was reached."""
    stack[0] = start
    height = 1
    while height:
        height -= 1
        node = stack[height]
        for j in range(bottom.shape[1]):
            other = int(bottom[node, j])
            if other < 0:
                break
            if parent[other] < 0:
                parent[other] = node
                stack[height] = other
                height += 1


@jit
def spare_slot(bottom: Links, parent: Keys, node: int) -> int:
    """Return an empty place in a row, or one whose link no node depends on, else -1."""
    for j in range(bottom.shape[1]):
        if bottom[node, j] < 0:
            return j
    for j in range(bottom.shape[1] - 1, -1, -1):
        if parent[bottom[node, j]] != node:
            return j
    return -1


@jit
def mend(
    rows: Rows, whole: bool, bottom: Links, first: Keys, count: int, entry: int, width: int
) -> int:
    """Make every node reachable from the entry in the bottom layer; return how many were not.

    Pruning may drop the last link to a node. Each such node gets a link from the nearest
    reachable node that can spare a place: one that is empty, or whose link is no branch
    of the tree by which everything was reached. n nodes have n - 1 branches, so with two
    places a row one is always found.
    """
    parent = np.full(count, -1, np.int64)
    stack = np.empty(count + 1, np.int64)
    distances = np.empty(width + 1, np.float32)
    keys = np.empty(width + 1, np.int64)
    visited = np.zeros(rows.shape[0], np.bool_)
    touched = np.empty(rows.shape[0], np.int64)
    parent[entry] = entry
    spread(bottom, parent, stack, entry)
    mended = 0
    for node in range(count):
        if parent[node] >= 0:
            continue
        mended += 1
        size = beam(
            rows, rows[node], whole, bottom, first, 0, entry, width,
            distances, keys, visited, touched, rows.shape[0] + 1,
        )  # fmt: skip
        slot, host = -1, -1
        for i in range(size + count):
            host = keys[i] >> 1 if i < size else i - size
            if parent[host] >= 0:
                slot = spare_slot(bottom, parent, host)
            if slot >= 0:
                break
        bottom[host, slot] = node
        parent[node] = host
        spread(bottom, parent, stack, node)
    return mended
