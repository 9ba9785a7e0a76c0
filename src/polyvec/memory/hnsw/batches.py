"""Inserting rows in batches, with as many threads as wanted; the graph is the same with any number.

A batch has a barrier in its middle: first every new node finds its neighbours, all of them in the
graph as it was, then every node that was chosen is linked back. Nobody writes what another thread
reads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np

from polyvec.memory.hnsw.kernels import Keys, Links, Places, Rows
from polyvec.memory.hnsw.linking import find, link
from polyvec.memory.hnsw.threads import edges, share

BATCH: Final = 512
"""Nodes of a batch. All its pairs are compared, 256 distances a node, where a search takes 2,000;
and a barrier costs 0.1 ms of 30."""


class Parts(NamedTuple):
    """The arrays of a graph that inserting reads and writes, in the order `find` takes them."""

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
    start, stop = int(batch[0]), int(batch[-1]) + 1

    def choose(begin: int, end: int) -> None:
        find(*parts, batch, begin, end, start, entry, width)

    share(choose, edges(start, stop, threads), workers)
    for layer in range(int(parts.levels[batch].max()) + 1):
        _link_back(parts, batch, layer, workers, threads)


def _link_back(
    parts: Parts, batch: Places, layer: int, workers: ThreadPoolExecutor, threads: int
) -> None:
    """Turn the links of a batch round: every chosen node is linked to those that chose it."""
    links = parts.upper if layer else parts.bottom
    nodes = batch[parts.levels[batch] >= layer]
    chosen = links[_places(parts, nodes, layer)]
    news = np.repeat(nodes, chosen.shape[1]).reshape(chosen.shape)[chosen >= 0]
    owners = chosen[chosen >= 0]
    places = _places(parts, owners, layer)
    order = np.argsort(places, kind="stable")
    places, owners, news = places[order], owners[order], news[order]

    def work(begin: int, end: int) -> None:
        link(parts.rows, parts.offsets, links, places, owners, news, begin, end)

    if len(places):
        share(work, _cuts(places, threads), workers)


def _places(parts: Parts, nodes: Places, layer: int) -> Keys:
    """Return the rows of links that nodes have in a layer."""
    return parts.first[nodes] + layer - 1 if layer else nodes.astype(np.int64)


def _cuts(places: Keys, threads: int) -> list[int]:
    """Return where to cut into about equal parts, equal places never apart."""
    wanted = np.minimum(edges(0, len(places), threads), len(places) - 1)
    starts = np.searchsorted(places, places[wanted])
    return [*starts[:-1].tolist(), len(places)]
