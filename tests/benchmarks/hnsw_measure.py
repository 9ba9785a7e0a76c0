"""Recall against speed: CPU time of interleaved passes, and what is read from the points."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from hnsw_data import Data, Floats, Numbers
from hnsw_peers import Effort, Peer

Point: TypeAlias = dict[str, Any]
"""`effort` (list of numbers), `recall` (0 to 1), `qps` (queries per second of CPU time)."""

ENOUGH: Final = 0.9985
"""Recall from which no greater effort is tried."""

SLOW_S: Final = 12.0
"""CPU seconds of a pass over the queries from which no greater effort is tried."""


def recall(found: Numbers, truth: Numbers, k: int) -> float:
    """Return the share of the true `k` that were found; -1 in the truth is no answer."""
    hits = sum(
        len(set(mine[:k]) & set(true[:k].tolist()) - {-1})
        for mine, true in zip(found.tolist(), truth, strict=True)
    )
    return float(hits / max(1, int((truth[:, :k] >= 0).sum())))


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of the process for a piece of work, and what it returned."""
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


def curves(
    peers: Mapping[str, Peer], data: Data, k: int, passes: int, queries: int
) -> dict[str, list[Point]]:
    """Return the points of each index, medians of `passes` in which they take turns."""
    asked, truth = data.queries[:queries], data.truth[:queries]
    spent: dict[tuple[str, Effort], list[float]] = {}
    reached: dict[tuple[str, Effort], float] = {}
    for at in range(passes):
        done: set[str] = set()
        longest = max(len(peer.efforts(k)) for peer in peers.values())
        for step in range(longest):
            for name, peer in peers.items():
                efforts = peer.efforts(k)
                if step >= len(efforts) or (at == 0 and name in done):
                    continue
                key = (name, efforts[step])
                if at and key not in spent:
                    continue
                took, found = cpu(partial(peer.search, asked, k, efforts[step]))
                spent.setdefault(key, []).append(max(took, 1e-6))
                if at == 0:
                    reached[key] = recall(found, truth, k)
                    if reached[key] >= ENOUGH or took > SLOW_S:
                        done.add(name)
    points: dict[str, list[Point]] = {name: [] for name in peers}
    for (name, effort), times in spent.items():
        qps = len(asked) / statistics.median(times)
        points[name].append(
            {"effort": list(effort), "recall": reached[name, effort], "qps": qps, "runs": times}
        )
    return points


def _speed(point: Point) -> float:
    return float(point["qps"])


def frontier(points: Iterable[Point], speed: Callable[[Point], float] = _speed) -> list[Point]:
    """Return the points that no other beats in both recall and speed, by rising recall."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (-one["recall"], -speed(one))):
        if not best or speed(point) > speed(best[-1]):
            best.append(point)
    return best[::-1]


def qps_at(points: Sequence[Point], target: float) -> tuple[float, str] | None:
    """Return queries per second at a recall, by the logarithm between neighbours.

    Returns
    -------
    tuple or None
        With `"≥"` where the least effort already reaches more, so that a lesser one would be
        faster; None where no effort reaches it.
    """
    line = frontier(points)
    if not line or line[-1]["recall"] < target:
        return None
    if line[0]["recall"] >= target:
        return float(line[0]["qps"]), "≥" if line[0]["recall"] > target else ""
    at = next(i for i, point in enumerate(line) if point["recall"] >= target)
    low, high = line[at - 1], line[at]
    share = (target - low["recall"]) / (high["recall"] - low["recall"])
    mixed = (1 - share) * math.log(low["qps"]) + share * math.log(high["qps"])
    return math.exp(mixed), ""


def effort_for(points: Sequence[Point], target: float) -> Effort | None:
    """Return the effort of the fastest point that reaches a recall."""
    fit = [point for point in points if point["recall"] >= target]
    return tuple(max(fit, key=lambda one: one["qps"])["effort"]) if fit else None


def worth(points: Sequence[Point], targets: Sequence[float]) -> tuple[int, float]:
    """Return what settings are compared by: targets reached, then the mean of log speeds."""
    speeds = [found[0] for target in targets if (found := qps_at(points, target))]
    return len(speeds), sum(map(math.log, speeds)) / max(1, len(speeds))


def single_calls(ask: Callable[[Floats], Any], queries: Floats, *, calls: int) -> dict[str, float]:
    """Return the wall time of one call with one query, in microseconds: median, 99th percent."""
    times: list[float] = []
    for at in range(calls):
        query = queries[at % len(queries)][None]
        began = time.perf_counter()
        ask(query)
        times.append(time.perf_counter() - began)
    return {
        "median_us": 1e6 * statistics.median(times),
        "p99_us": 1e6 * float(np.percentile(times, 99)),
    }
