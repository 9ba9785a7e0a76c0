"""Searching the graph: the walk in codes, then the true scores of the nearest nodes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from polyvec.memory.hnsw.jit import jit
from polyvec.memory.hnsw.kernels import (
    Flags,
    Floats,
    Keys,
    Links,
    Places,
    Rows,
    beam,
    descend,
    place,
)

FIRST_ROWS: Final = 1024
"""Rows that a scan by length takes first; each further step takes twice as many."""


@jit
def score(vectors: Floats, node: int, query: Floats, euclidean: bool) -> np.float32:
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
def walk(
    rows: Rows,
    whole: bool,
    vectors: Floats,
    euclidean: bool,
    bottom: Links,
    upper: Links,
    first: Keys,
    entry: int,
    top: int,
    coded: Rows,
    queries: Floats,
    allowed: Flags,
    width: int,
    depth: int,
    found: Keys,
    scores: Floats,
) -> None:
    """Answer each query: algorithm 5, keeping only allowed nodes of the final pool.

    The pool holds the nearest nodes of all, so the allowed ones in it are the nearest of the
    allowed ones, as far as the pool is right. The first `depth` of them are scored in
    float32. `found` is (q, k), -1 where the pool had fewer.
    """
    k = found.shape[1]
    distances = np.empty(width + 1, np.float32)
    keys = np.empty(width + 1, np.int64)
    best = np.empty(k + 1, np.float32)
    best_keys = np.empty(k + 1, np.int64)
    visited = np.zeros(rows.shape[0], np.bool_)
    touched = np.empty(rows.shape[0], np.int64)
    for i in range(queries.shape[0]):
        near = descend(rows, coded[i], whole, upper, first, entry, top, 0)
        size = beam(
            rows, coded[i], whole, bottom, first, 0, near, width,
            distances, keys, visited, touched, rows.shape[0] + 1,
        )  # fmt: skip
        count, scored = 0, 0
        for j in range(size):
            node = keys[j] >> 1
            if not allowed[node]:
                continue
            if scored >= depth:
                break
            scored += 1
            far = score(vectors, node, queries[i], euclidean)
            if count < k or far < best[count - 1]:
                place(best, best_keys, count, k, far, node)
                count = min(count + 1, k)
        for j in range(count):
            found[i, j] = best_keys[j]
            scores[i, j] = best[j]


@jit
def propose(
    rows: Rows,
    whole: bool,
    bottom: Links,
    upper: Links,
    first: Keys,
    entry: int,
    top: int,
    coded: Rows,
    owners: Places,
    allowed: Flags,
    width: int,
    most: int,
    found: Keys,
    counts: Keys,
) -> None:
    """Find the nearest allowed nodes of each query by their codes, and name their owners.

    `owners` says for each node which row of somebody else's it stands for, -1 for none;
    `allowed` is theirs, and what lies beyond its end is not. `found` is (q, depth); `counts`
    says how many of it are filled, -1 where the walk took more than `most` distances.
    """
    distances = np.empty(width + 1, np.float32)
    keys = np.empty(width + 1, np.int64)
    visited = np.zeros(rows.shape[0], np.bool_)
    touched = np.empty(rows.shape[0], np.int64)
    for i in range(coded.shape[0]):
        near = descend(rows, coded[i], whole, upper, first, entry, top, 0)
        size = beam(
            rows, coded[i], whole, bottom, first, 0, near, width,
            distances, keys, visited, touched, most,
        )  # fmt: skip
        count = 0
        for j in range(size):
            if count >= found.shape[1]:
                break
            owner = int(owners[keys[j] >> 1])
            if 0 <= owner < allowed.shape[0] and allowed[owner]:
                found[i, count] = owner
                count += 1
        counts[i] = count if size >= 0 else -1


def in_parts(answer: Callable[[slice], None], queries: int, threads: int) -> None:
    """Share queries out among threads and return when all are answered."""
    edges = np.linspace(0, queries, max(1, min(threads, queries)) + 1).astype(int).tolist()
    parts = [slice(a, b) for a, b in pairwise(edges)]
    if len(parts) == 1:
        answer(parts[0])
        return
    with ThreadPoolExecutor(len(parts)) as workers:
        list(workers.map(answer, parts))


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
