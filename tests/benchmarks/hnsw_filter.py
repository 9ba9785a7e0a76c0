"""Filtered search: random masks, and half-spaces, which the nearness of rows goes along with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from hnsw_bench import Bench
from hnsw_data import Data, Flags, Floats, Numbers, nearest
from hnsw_measure import recall
from hnsw_peers import Peer

import polyvec
from polyvec import HNSW, Collection, F
from polyvec.memory.hnsw.graph import Graph

SHARES: Final = (0.5, 0.1, 0.01, 0.001)
KINDS: Final = ("random", "half-space")
POOLS: Final = (32, 64, 128, 256, 512)
NO_PREDICATE: Final = {"usearch": "its Python search takes no predicate"}
BUDGET_S: Final = 4.0
"""CPU seconds for a peer at one mask and effort; at least `LEAST` queries are asked."""

LEAST: Final = 10
UPSERT: Final = 2_000


def places(data: Data) -> dict[str, Numbers]:
    """Return the rank of each row in the two orders that masks cut: a row passes below a number.

    The half-space lies along the difference of two rows, so that it goes along with the topics.
    """
    rng = np.random.default_rng(11)
    one, other = rng.integers(0, len(data.rows), 2)
    along = data.rows @ (data.rows[one] - data.rows[other])
    rank = np.empty(len(along), np.int64)
    rank[np.argsort(-along)] = np.arange(len(along))
    return {"random": rng.permutation(len(along)), "half-space": rank}


def timed(ask: Callable[[Floats], Numbers], queries: Floats) -> tuple[float, Numbers]:
    """Ask one by one until the budget is spent; return CPU microseconds a query, and the rows."""
    found: list[Numbers] = []
    ask(queries[:1])
    began = time.process_time()
    for at in range(len(queries)):
        found.append(ask(queries[at : at + 1])[0])
        if at + 1 >= LEAST and time.process_time() - began > BUDGET_S:
            break
    took = time.process_time() - began
    return 1e6 * took / len(found), np.array(found)


def askers(
    built: dict[str, Peer], data: Data, mask: Flags
) -> Iterator[tuple[str, int, Callable[[Floats], Numbers]]]:
    """Yield name, pool and call of each way to search with a mask."""
    for ef in POOLS:
        if "polyvec" in built:
            yield "polyvec graph", ef, _with_mask(built["polyvec"].index, mask, ef)
        if "hnswlib" in built:
            yield "hnswlib callback", ef, _with_callback(built["hnswlib"].index, mask, ef)
        for name in ("faiss HNSW flat", "faiss HNSW SQ8"):
            if name in built:
                yield f"{name} bitmap", ef, _with_bitmap(built[name], mask, ef)
    yield "numpy gather", 0, lambda q: nearest(data.rows, q, 10, mask)


def _with_mask(graph: Graph, mask: Flags, ef: int) -> Callable[[Floats], Numbers]:
    return lambda queries: graph.search(queries, 10, ef, mask, 1)[0]


def _with_callback(index: Any, mask: Flags, ef: int) -> Callable[[Floats], Numbers]:
    passes = mask.tolist().__getitem__  # the cheapest callable

    def ask(queries: Floats) -> Numbers:
        index.set_ef(ef)
        try:
            labels = index.knn_query(queries, k=10, filter=passes)[0]
        except RuntimeError:  # it found fewer than k, which it calls an error
            return np.full((len(queries), 10), -1, np.int64)
        found: Numbers = labels.astype(np.int64)
        return found

    return ask


def _with_bitmap(peer: Any, mask: Flags, ef: int) -> Callable[[Floats], Numbers]:
    bits = np.packbits(mask, bitorder="little")
    chosen = peer.faiss.IDSelectorBitmap(bits)
    terms = peer.faiss.SearchParametersHNSW(efSearch=ef, sel=chosen)

    def ask(queries: Floats) -> Numbers:
        found: Numbers = peer.index.search(queries, 10, params=terms)[1]
        return found

    return ask


@contextmanager
def filled_store(data: Data, ranks: dict[str, Numbers]) -> Generator[Collection[Any]]:
    """Give a collection of the memory store with the rows, its graph built."""
    with polyvec.connect("memory://") as store:
        made = store.create_collection("bench", dimension=data.rows.shape[1], index=HNSW())
        for start in range(0, len(data.rows), UPSERT):
            numbers = range(start, min(start + UPSERT, len(data.rows)))
            made.upsert(
                ids=[str(at) for at in numbers],
                vectors=data.rows[start : start + UPSERT],
                metadata=[
                    {"random": int(ranks["random"][at]), "half": int(ranks["half-space"][at])}
                    for at in numbers
                ],
            )
        made.query(data.queries[0], top_k=1)  # begins the graph
        for thread in threading.enumerate():
            if thread.name == "polyvec-hnsw":
                thread.join()
        yield made


def filtered(bench: Bench) -> None:
    """Measure each way at each mask: CPU time a query, called one by one."""
    data = bench.embeddings()
    ranks = places(data)
    wanted = ("polyvec", "hnswlib", "faiss HNSW flat", "faiss HNSW SQ8")
    built = {one.name: bench.ready(data, one) for one in bench.peers() if one.name in wanted}
    queries = data.queries[: bench.sizes.filter_queries]
    out: list[dict[str, Any]] = []
    bench.say("filter: filling a memory store")
    with filled_store(data, ranks) as made:
        details = dict(made.describe().details)
        for kind in KINDS:
            for share in SHARES:
                bench.say(f"filter: {kind} {share:.1%}")
                limit = max(10, int(share * len(data.rows)))
                mask = ranks[kind] < limit
                truth = nearest(data.rows, queries, 10, mask)
                ways = [*askers(built, data, mask), *_through_store(made, kind, limit)]
                for name, ef, ask in ways:
                    if _hopeless(out, kind, share, name):
                        continue
                    took, found = timed(ask, queries)
                    hits = recall(found, truth[: len(found)], 10)
                    said = {"kind": kind, "share": share, "allowed": limit, "way": name, "ef": ef}
                    out.append({**said, "us": took, "recall": hits, "queries": len(found)})
    bench.work["filter"] = {"points": out, "store": str(details.get("search")), "no": NO_PREDICATE}


def _hopeless(out: list[dict[str, Any]], kind: str, share: float, name: str) -> bool:
    """Tell whether a greater pool cannot give more: recall was full before."""
    return any(
        (one["kind"], one["share"], one["way"]) == (kind, share, name) and one["recall"] >= 0.9995
        for one in out
    )


def _through_store(
    made: Collection[Any], kind: str, limit: int
) -> Iterator[tuple[str, int, Callable[[Floats], Numbers]]]:
    where = F("half" if kind == "half-space" else "random") < limit
    for ef in POOLS:

        def ask(queries: Floats, ef: int = ef) -> Numbers:
            hits = made.query(
                queries[0], top_k=10, filter=where, include=(), search=HNSW(ef_search=ef)
            )
            rows = [int(hit.id) for hit in hits]
            return np.array([rows + [-1] * (10 - len(rows))])

        yield "polyvec store", ef, ask
