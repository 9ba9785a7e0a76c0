"""The stages of `make bench-hnsw` without filter and writes: tuning, search, latency, building."""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

from hnsw_bench import Bench
from hnsw_data import Data, Floats, Numbers
from hnsw_measure import cpu, curves, effort_for, recall, single_calls, worth
from hnsw_peers import Effort, Peer, Settings

TARGETS: Final = (0.95, 0.99)
EQUAL_EF: Final = 64
BUILD_PEERS: Final = ("polyvec", "hnswlib", "usearch f32", "faiss HNSW flat", "SVS float16")


def tune(bench: Bench) -> None:
    """Try the settings of each peer on a part, and keep those that are fastest at the targets."""
    data = bench.part(bench.sizes.tune_rows)
    tried: dict[str, list[dict[str, Any]]] = bench.work.setdefault("tuning", {})
    for peer in bench.peers():
        if peer.kept_as or peer.name in tried:
            continue
        for settings in peer.grid:
            bench.say(f"tuning {peer.name} {settings}")
            built = peer(data.rows)
            seconds, _ = cpu(partial(built.build, settings))
            group = {peer.name: built, **_wrapped(bench, built, data)}
            points = curves(group, data, 10, 1, bench.sizes.queries // 2)
            for name, line in points.items():
                entry = {"settings": list(settings), "build_cpu_s": seconds, "points": line}
                tried.setdefault(name, []).append(entry)
        bench.keep()
    chosen: dict[str, Any] = {}
    for name, entries in tried.items():
        best = max(entries, key=lambda one: worth(one["points"], TARGETS))
        chosen[name] = {"best": best["settings"], "tried": entries}
    bench.work["tune"] = chosen
    del bench.work["tuning"]


def _wrapped(bench: Bench, built: Peer, data: Data) -> dict[str, Peer]:
    """Return the peers that search the same built index in another way."""
    found: dict[str, Peer] = {}
    for peer in bench.peers():
        if peer.kept_as == built.name:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "index"
                built.save(path)
                other = peer(data.rows)
                other.load(path)
            found[peer.name] = other
    return found


def search(bench: Bench) -> None:
    """Measure recall against speed on the embeddings."""
    _search(bench, bench.embeddings())


def wide(bench: Bench) -> None:
    """Measure recall against speed on the set of many dimensions."""
    _search(bench, bench.wide())
    bench.let_go(bench.wide())


def _search(bench: Bench, data: Data) -> None:
    sizes = bench.sizes
    ready = {peer.name: bench.ready(data, peer) for peer in bench.peers()}
    out: dict[str, Any] = {}
    for k, passes, queries in ((10, sizes.passes, sizes.queries), (100, 2, sizes.deep_queries)):
        bench.say(f"{data.name}: searching for {k}")
        out[str(k)] = curves(ready, data, k, passes, queries)
        bench.work.setdefault("search", {})[data.name] = out
        bench.keep()


def latency(bench: Bench) -> None:
    """Measure single calls at the efforts that reached the targets."""
    data = bench.embeddings()
    points = bench.work["search"][data.name]["10"]
    out: dict[str, Any] = {}
    for target in TARGETS:
        for peer in bench.peers():
            effort = effort_for(points.get(peer.name, []), target)
            if effort is None:
                continue
            built = bench.ready(data, peer)
            told = single_calls(
                partial(_ask, built, effort),
                data.queries,
                calls=bench.sizes.calls,
            )
            out.setdefault(peer.name, {})[str(target)] = {**told, "effort": list(effort)}
    bench.work["latency"] = out


def _ask(built: Peer, effort: Effort, queries: Floats) -> Numbers:
    return built.search(queries, 10, effort)


def build(bench: Bench) -> None:
    """Build in turn, and tell the recall that each graph has with a pool of 64.

    All on the part that is tuned; the two that the mark compares on all rows, too, once.
    """
    wanted: list[tuple[type[Peer], Settings]] = []
    compared: list[tuple[type[Peer], Settings]] = []
    for peer in bench.peers():
        if peer.name in ("polyvec", "hnswlib"):
            compared += [(peer, settings) for settings in peer.grid]
        elif peer.name in BUILD_PEERS:
            wanted.append((peer, bench.settings(peer)))
    part = bench.part(bench.sizes.tune_rows)
    bench.work["build"] = [
        _built(bench, part, compared + wanted, bench.sizes.passes),
        _built(bench, bench.embeddings(), compared, 1),
    ]


def _built(
    bench: Bench, data: Data, wanted: list[tuple[type[Peer], Settings]], rounds: int
) -> dict[str, Any]:
    spent: dict[str, list[float]] = {}
    found: dict[str, dict[str, Any]] = {}
    for at in range(rounds):
        bench.say(f"building {len(data.rows):,} rows, round {at + 1} of {rounds}")
        for peer, settings in wanted:
            name = f"{peer.name} {settings[0]}/{settings[1]}"
            built = peer(data.rows)
            seconds, _ = cpu(partial(built.build, settings))
            spent.setdefault(name, []).append(seconds)
            if at == 0:
                hits = built.search(data.queries, 10, (float(EQUAL_EF),))
                said = {"peer": peer.name, "settings": list(settings)}
                found[name] = {**said, "recall": recall(hits, data.truth, 10)}
    tried = {
        name: {**entry, "cpu_s": statistics.median(spent[name]), "runs": spent[name]}
        for name, entry in found.items()
    }
    return {"rows": len(data.rows), "rounds": rounds, "tried": tried}
