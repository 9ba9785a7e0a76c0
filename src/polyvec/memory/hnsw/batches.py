"""Inserting rows in batches, with as many threads as wanted; the graph is the same with any number.

A batch has a barrier in its middle: first every new node finds its neighbours, all of them in the
graph as it was, then every node that was chosen is linked back. Nobody writes what another thread
reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from polyvec.memory.hnsw.kernels import Keys, Links, Places, Rows
from polyvec.memory.hnsw.linking import find, link

BATCH: Final = 512
"""Nodes of a batch. All its pairs are compared, 256 distances a node, where a search takes 2,000;
and a barrier costs 0.1 ms of 30."""


class Parts(NamedTuple):
    """The arrays of a graph that inserting reads and writes; see `Graph`."""

    rows: Rows
    offsets: Places
    bottom: Links
    upper: Links
    first: Keys
    levels: Keys


def insert_batches(parts: Parts, begin: int, end: int, entry: int, width: int, threads: int) -> int:
    """Insert the rows `begin` to `end`: algorithm 1. Returns the entry.

    Parameters
    ----------
    parts
        Of the graph.
    entry
        Where searches begin, -1 in an empty graph.
    width
        ef of the search for neighbours.
    threads
        How many work.
    """
    with ThreadPoolExecutor(threads) as workers:
        for start in range(begin, end, BATCH):
            batch = np.arange(start, min(start + BATCH, end), dtype=np.int32)
            _insert(parts, batch, entry, width, workers, threads)
            tallest = int(batch[np.argmax(parts.levels[batch])])
            if entry < 0 or parts.levels[tallest] > parts.levels[entry]:
                entry = tallest
    return entry


def _insert(
    parts: Parts, batch: Places, entry: int, width: int, workers: ThreadPoolExecutor, threads: int
) -> None:
    rows, offsets, bottom, upper, first, levels = parts
    start, stop = int(batch[0]), int(batch[-1]) + 1

    def finding(begin: int, end: int) -> None:
        find(
            rows, offsets, bottom, upper, first, levels, batch, begin, end, start, entry, width
        )  # fmt: skip

    _share(finding, np.linspace(start, stop, threads + 1).astype(int).tolist(), workers)
    for links, (places, owners, news) in (
        (bottom, _pairs(bottom, batch, batch.astype(np.int64), 0, parts)),
        *((upper, _of_layer(parts, batch, layer)) for layer in range(1, _top(levels, batch) + 1)),
    ):

        def linking(
            begin: int,
            end: int,
            links: Links = links,
            places: Keys = places,
            owners: Places = owners,
            news: Places = news,
        ) -> None:
            link(rows, offsets, links, places, owners, news, begin, end)

        if len(places):
            _share(linking, _cuts(places, threads), workers)


def _top(levels: Keys, batch: Places) -> int:
    return int(levels[batch].max())


def _of_layer(parts: Parts, batch: Places, layer: int) -> tuple[Keys, Places, Places]:
    nodes = batch[parts.levels[batch] >= layer]
    return _pairs(parts.upper, nodes, parts.first[nodes] + layer - 1, layer, parts)


def _pairs(
    links: Links, nodes: Places, places: Keys, layer: int, parts: Parts
) -> tuple[Keys, Places, Places]:
    """Return the links that lead from `nodes`, turned round: row of the owner, owner, node."""
    chosen = links[places]
    news = np.repeat(nodes, chosen.shape[1]).reshape(chosen.shape)[chosen >= 0]
    owners = chosen[chosen >= 0]
    at = owners.astype(np.int64) if layer == 0 else parts.first[owners] + layer - 1
    order = np.argsort(at, kind="stable")
    return at[order], owners[order], news[order]


def _cuts(places: Keys, threads: int) -> list[int]:
    """Return where to cut into about equal parts, equal places never apart."""
    wanted = np.linspace(0, len(places), threads + 1).astype(int)
    starts = np.searchsorted(places, places[np.minimum(wanted, len(places) - 1)])
    return [*starts[:-1].tolist(), len(places)]


def _share(
    work: Callable[[int, int], None], edges: Sequence[int], workers: ThreadPoolExecutor
) -> None:
    """Do the parts between the edges, and return when all are done."""
    parts = [(begin, end) for begin, end in pairwise(edges) if end > begin]
    if len(parts) == 1:
        work(*parts[0])
    else:
        for done in [workers.submit(work, begin, end) for begin, end in parts]:
            done.result()
