"""Building the graph: how a new node finds its neighbours, and how they are linked back.

Rows are inserted in batches. Each finds its neighbours in the graph as it was before the batch, and
among the others of the batch by comparing all of them; then the links are written, those to one
node by one thread. So the graph is the same whatever the number of threads.
"""

from __future__ import annotations

import numpy as np

from polyvec.memory.hnsw.jit import inner, jit
from polyvec.memory.hnsw.kernels import (
    GROUP,
    NONE,
    Int,
    Keys,
    Links,
    Passing,
    Places,
    Rows,
    Scratch,
    Space,
    beam,
    greedy,
    measure,
    measured,
    node_of,
    place,
    prepare,
    room,
)


@inner
def select(
    space: Space, pool: Keys, size: Int, most: Int, own: Int, scratch: Scratch, kept: Places
) -> Int:
    """Choose neighbours of `own` by the heuristic: algorithm 4. Returns how many are in `kept`.

    A candidate nearer to a chosen neighbour than to the node is left out, and so is the
    twin of a chosen one: it leads nowhere new, and many twins would fill the row.
    """
    count = NONE
    for i in range(size):
        if count >= most:
            break
        node = node_of(pool[i])
        if node == own:
            continue
        good = True
        if count:
            square = prepare(space.rows[node], scratch.query)
            limit = pool[i] >> 32
            for j in range(0, count, GROUP):
                group = min(GROUP, count - j)
                for t in range(group):
                    scratch.nodes[t] = kept[j + t]
                measure(space, scratch.query, square, scratch.nodes, group, scratch.far)
                for t in range(group):
                    if scratch.far[t] < limit or scratch.far[t] == 0:
                        good = False
                if not good:
                    break
        if good:
            kept[count] = node
            count += 1
    return int(count)


@jit
def find(
    rows: Rows,
    offsets: Places,
    bottom: Links,
    upper: Links,
    first: Keys,
    levels: Keys,
    batch: Places,
    begin: Int,
    end: Int,
    nodes: Int,
    entry: Int,
    width: Int,
) -> None:
    """Choose the neighbours of some nodes of a batch: algorithm 1, lines 1 to 11.

    Their own rows of links are written, which nobody can have reached yet. `nodes` says how many
    are in the graph, `entry` is -1 without any.
    """
    space = Space(rows, offsets)
    most = upper.shape[1]
    scratch = room(rows, nodes, width, max(2 * most, len(batch)))
    choosing = room(rows, NONE, NONE, 2 * most)
    every = Passing(np.empty(0, np.int32), np.empty(0, np.bool_), nodes, True)
    kept = np.empty(most, np.int32)
    others = np.empty(len(batch) + GROUP, np.int32)
    near = np.empty(len(batch) + GROUP, np.int32)
    for i in range(len(batch)):  # as a slice it would make numba compile a second's worth of errors
        others[i] = batch[i]
    for node in range(begin, end):
        square = prepare(rows[node], scratch.query)
        measure(space, scratch.query, square, others, len(batch), near)
        level = levels[node]
        top = levels[entry] if entry >= 0 else np.int64(-1)
        start = measured(space, square, max(entry, NONE), scratch)
        for layer in range(top, level, -1):
            start = greedy(space, square, upper, first, layer, start, scratch)
        for layer in range(level, -1, -1):
            size = NONE
            links = upper if layer > 0 else bottom
            if layer <= top:
                size = beam(
                    space, square, links, first, layer, start, width, every, scratch, nodes + 1
                )
                start = scratch.pool[0] & ~1
            for i in range(len(batch)):
                key = np.int64(near[i]) << 32 | np.int64(batch[i]) << 1
                if batch[i] == node or levels[batch[i]] < layer:
                    continue
                if size < width or key < scratch.pool[size - 1]:
                    place(scratch.pool, size, width, key)
                    size = min(size + 1, width)
            count = select(space, scratch.pool, size, most, node, choosing, kept)
            row = first[node] + layer - 1 if layer > 0 else node
            for j in range(count):
                links[row, j] = kept[j]


@jit
def link(
    rows: Rows,
    offsets: Places,
    links: Links,
    places: Keys,
    owners: Places,
    news: Places,
    begin: Int,
    end: Int,
) -> None:
    """Link owners back to new nodes; where a row is full, choose anew (lines 12 to 16).

    `places` are the owners' rows in `links`, rising; each is all inside of `begin` to `end`, or all
    outside.
    """
    space = Space(rows, offsets)
    wide = links.shape[1]
    most = wide + end - begin
    scratch = room(rows, NONE, most, most)
    choosing = room(rows, NONE, NONE, wide)
    kept = np.empty(wide, np.int32)
    at = begin
    while at < end:
        row, owner = places[at], np.int64(owners[at])
        count = NONE
        while count < wide and links[row, count] >= 0:
            scratch.nodes[count] = links[row, count]
            count += 1
        while at < end and places[at] == row:
            known = False
            for j in range(count):
                known |= scratch.nodes[j] == news[at]
            if not known:
                scratch.nodes[count] = news[at]
                count += 1
            at += 1
        if count > wide:
            square = prepare(rows[owner], scratch.query)
            measure(space, scratch.query, square, scratch.nodes, count, scratch.far)
            for i in range(count):
                key = np.int64(scratch.far[i]) << 32 | np.int64(scratch.nodes[i]) << 1
                place(scratch.pool, i, most, key)
            count = select(space, scratch.pool, count, wide, owner, choosing, kept)
            for j in range(count):
                scratch.nodes[j] = kept[j]
        for j in range(wide):
            links[row, j] = scratch.nodes[j] if j < count else -1
