"""The true scores of the nodes that codes have proposed."""

from __future__ import annotations

from typing import Final

import numpy as np

from polyvec.memory.hnsw.jit import inner, jit
from polyvec.memory.hnsw.kernels import NONE, Floats, Int, Keys, fetch

AHEAD: Final = 2
"""Vectors between the one that is asked for and the one that is scored."""


@inner
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
def rank(
    vectors: Floats,
    queries: Floats,
    euclidean: bool,
    proposed: Keys,
    counts: Keys,
    found: Keys,
    scores: Floats,
) -> None:
    """Score the proposed nodes of each query in float32, and keep the best, best first.

    `proposed` is (q, depth), of which `counts` says how many are filled; `found` is (q, k), -1
    where there are fewer.
    """
    for i in range(len(queries)):
        size, count = counts[i], NONE
        for j in range(min(AHEAD, size)):
            fetch(vectors, proposed[i, j])
        for j in range(size):
            if j + AHEAD < size:
                fetch(vectors, proposed[i, j + AHEAD])
            number = score(vectors, proposed[i, j], queries[i], euclidean)
            count = np.int64(insert(found[i], scores[i], count, proposed[i, j], number))


@inner
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
