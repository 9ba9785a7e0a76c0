"""Mending the graph: pruning may drop the last link to a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from polyvec.memory.hnsw.jit import jit
from polyvec.memory.hnsw.kernels import Int, Keys, Links

HOSTS: Final = 64
"""Nodes near a lost one that are asked for a place before all others are."""


@jit
def spread(bottom: Links, parent: Keys, stack: Keys, start: Int) -> None:
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
def spare_slot(bottom: Links, parent: Keys, node: Int) -> Int:
    """Return an empty place in a row, or one whose link no node depends on, else -1."""
    for j in range(bottom.shape[1]):
        if bottom[node, j] < 0:
            return j
    for j in range(bottom.shape[1] - 1, -1, -1):
        if parent[bottom[node, j]] != node:
            return j
    return -1


def mend(bottom: Links, entry: int, near: Callable[[int], list[int]]) -> int:
    """Make every node reachable from the entry in the bottom layer; return how many were not.

    Each such node gets a link from the nearest reachable node that can spare a place: one that is
    empty, or whose link is no branch of the tree by which everything was reached. n nodes have
    n - 1 branches, so with two places a row one is always found.

    Parameters
    ----------
    bottom
        `(nodes, 2 m)`, the links of the bottom layer.
    entry
        Where searches begin.
    near
        Returns nodes near a node, nearest first.
    """
    count = len(bottom)
    parent = np.full(count, -1, np.int64)
    stack = np.empty(count + 1, np.int64)
    parent[entry] = entry
    spread(bottom, parent, stack, entry)
    mended = 0
    for node in np.flatnonzero(parent < 0).tolist():
        if parent[node] >= 0:  # by a link to one of the others
            continue
        mended += 1
        for host in (*near(node), *range(count)):
            slot = spare_slot(bottom, parent, host) if parent[host] >= 0 else -1
            if slot >= 0:
                bottom[host, slot] = node
                parent[node] = host
                break
        spread(bottom, parent, stack, node)
    return mended
