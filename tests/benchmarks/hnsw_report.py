"""The generated part of docs/benchmarks/hnsw.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hnsw_marks import TARGETS, all_marks, filter_best, load_of
from hnsw_measure import frontier, qps_at

QUIET: Final = 2.5
"""Load average above which the figures say nothing."""


def page(work: dict[str, Any], command: str) -> str:
    """Return marks, plots and details, in this order."""
    parts = [
        _head(work, command), _marks(work), _plots(work), _speeds(work), _latency(work),
        _builds(work), _filter(work), _churn(work), _rebuild(work),
        _settings(work), _points(work),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def rows_of(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    heads = list(heads)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def processor() -> str:
    """Return the name of the processor and what of its instructions matters here."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = info.read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16")
    return f"{names[0] if names else '?'}, {' '.join(flag for flag in wanted if flag in flags)}"


def _head(work: dict[str, Any], command: str) -> str:
    stages = work.get("stages", {})
    spent = ", ".join(f"{name} {one['seconds']:.0f} s" for name, one in stages.items())
    load = load_of(work)
    versions = ", ".join(f"{name} {text}" for name, text in work.get("versions", {}).items())
    lines = [
        f"`{command}`; Python {platform.python_version()}, {os.cpu_count()} cores, {processor()}.",
        f"Stages: {spent}. Load average at their ends: {load:.1f} at most.",
    ]
    if load > QUIET:
        lines.append("**The machine was busy: these figures are no result.**")
    lines += [f"- {name}: {one['words']}" for name, one in work.get("sets", {}).items()]
    lines += [f"- Peers: {versions}."]
    lines += [
        f"- Not measured, {name}: {why.rstrip('.')}."
        for name, why in work.get("missing", {}).items()
    ]
    return "\n".join(lines)


def _marks(work: dict[str, Any]) -> str:
    rows = [
        (one.what, one.against, one.wanted, one.got, "reached" if one.reached else "**missed**")
        for one in all_marks(work)
    ]  # fmt: skip
    return "### Marks\n\n" + rows_of(("what", "against", "mark", "measured", ""), rows)


def _plots(work: dict[str, Any]) -> str:
    shown = [f"![recall and speed, {name}](hnsw-{name}.png)" for name in work.get("search", {})]
    if "filter" in work:
        shown.append("![filtered search](hnsw-filter.png)")
    return "### Plots\n\n" + "\n\n".join(shown) if shown else ""


def _speeds(work: dict[str, Any]) -> str:
    parts: list[str] = []
    for data, by_k in work.get("search", {}).items():
        for k, points in by_k.items():
            rows = [[name, *(_speed(line, at) for at in TARGETS)] for name, line in points.items()]
            heads = (f"{data}, k = {k}", *(f"recall {at}" for at in TARGETS))
            parts.append(rows_of(heads, rows))
    words = "Queries per second of CPU time, one thread; `≥`: the least effort reaches more."
    return "\n\n".join([f"### Speed at equal recall\n\n{words}", *parts]) if parts else ""


def _speed(line: list[dict[str, Any]], target: float) -> str:
    found = qps_at(line, target)
    return "not reached" if found is None else f"{found[1]}{found[0]:,.0f}"


def _latency(work: dict[str, Any]) -> str:
    rows = [
        [name, *(_call(by.get(str(at))) for at in TARGETS)]
        for name, by in work.get("latency", {}).items()
    ]
    heads = ("median (99th percentile), µs", *(f"recall ≥ {at}" for at in TARGETS))
    words = "One query a call through Python, wall time, embeddings, k = 10."
    return f"### Single calls\n\n{words}\n\n{rows_of(heads, rows)}" if rows else ""


def _call(one: dict[str, Any] | None) -> str:
    return f"{one['median_us']:.0f} ({one['p99_us']:.0f})" if one else "not reached"


def _builds(work: dict[str, Any]) -> str:
    parts: list[str] = []
    for data, held in work.get("builds", {}).items():
        said = work["sets"][data]
        plain = 4 * said["dimension"]
        rows: list[list[str]] = []
        for name, one in held.items():
            each = one["bytes"] / said["rows"]
            keeps = name not in HOLDS_NO_ROWS
            beyond = each - plain if keeps else each
            shown = "/".join(map(str, one["settings"]))
            rows.append([name, shown, f"{one['cpu_s']:.1f}", f"{each:.0f}", f"{beyond:.0f}"])
        heads = (data, "settings", "build, CPU s", "bytes a row", "beyond the float32 rows")
        parts.append(rows_of(heads, rows))
    for size in work.get("build", []):
        times = "one run" if size["rounds"] == 1 else f"medians of {size['rounds']}"
        what = f"m/efc, {size['rows']:,} rows, built in turn, {times}"
        rows = [
            [name, f"{one['cpu_s']:.2f}", f"{one['recall']:.4f}"]
            for name, one in size["tried"].items()
        ]
        parts.append(rows_of((what, "CPU s", "recall@10, pool 64"), rows))
    words = (
        "Sizes are of the saved file, for polyvec of the arrays beyond the rows, which the store "
        "has anyway. Settings: m/ef_construction, degree/window, or edges."
    )
    return "\n\n".join([f"### Building and memory\n\n{words}", *parts]) if parts else ""


HOLDS_NO_ROWS: Final = (
    "polyvec", "usearch bf16", "usearch i8", "faiss HNSW SQ8", "SVS float16", "SVS LVQ8",
    "SVS LVQ4x8",
)  # fmt: skip


def _filter(work: dict[str, Any]) -> str:
    best = filter_best(work)
    if not best:
        return ""
    ways = list(dict.fromkeys(one["way"] for one in work["filter"]["points"]))
    rows = [
        [f"{kind} {share:.1%}", *(_filter_cell(found.get(way)) for way in ways)]
        for (kind, share), found in best.items()
    ]
    words = (
        "CPU µs a query, one a call, at the fastest pool that reaches recall .99 (in brackets, "
        f"`-` where none does). The store searched by: {work['filter']['store']}; its figures are "
        "of `query(filter=...)`. usearch: " + work["filter"]["no"]["usearch"] + "."
    )
    return f"### Filtered search\n\n{words}\n\n{rows_of(('rows that pass', *ways), rows)}"


def _filter_cell(one: dict[str, Any] | None) -> str:
    return f"{one['us']:,.0f} ({one['ef']})" if one else "-"


def _churn(work: dict[str, Any]) -> str:
    said = work.get("churn")
    if not said:
        return ""
    pools = list(next(iter(said["recall"].values())))
    rows = [[name, *(f"{by[ef]:.4f}" for ef in pools)] for name, by in said["recall"].items()]
    words = (
        f"{said['replaced']:,} of {said['rows']:,} rows replaced in five steps, m 16, "
        f"ef_construction 100; built anew {said['renewals']} times where worn."
    )
    heads = ("recall@10", *(f"ef {ef}" for ef in pools))
    return f"### Churn\n\n{words}\n\n{rows_of(heads, rows)}"


def _rebuild(work: dict[str, Any]) -> str:
    said = work.get("rebuild")
    if not said:
        return ""
    rows = [
        [name, f"{one['calls']:,}", *(f"{one[key]:.2f}" for key in ("median", "p99", "most"))]
        for name, one in (("alone", said["alone"]), ("beside the rebuild", said["beside"]))
    ]
    words = (
        f"Single calls of the store, top 10, `include=()`, wall time. A collection of "
        f"{said['rows']:,} records loses {said['gone']:,}; its graph was built anew in "
        f"{said['seconds']:.0f} s beside the searches, on {os.cpu_count()} cores."
    )
    heads = ("searches", "calls", "median, ms", "99th percentile, ms", "longest, ms")
    return f"### Searches beside a rebuild\n\n{words}\n\n{rows_of(heads, rows)}"


def _settings(work: dict[str, Any]) -> str:
    rows: list[list[str]] = []
    for name, one in work.get("tune", {}).items():
        for tried in one["tried"]:
            chosen = "**chosen**" if tried["settings"] == one["best"] else ""
            shown = "/".join(map(str, tried["settings"]))
            speeds = [_speed(tried["points"], at) for at in TARGETS]
            rows.append([name, shown, f"{tried['build_cpu_s']:.1f}", *speeds, chosen])
    heads = ("peer", "settings", "build, CPU s", *(f"QPS at {at}" for at in TARGETS), "")
    words = (
        "Every peer, polyvec too, was built with each of these on a part of the "
        "embeddings. Used above is the one that reaches more of the two recalls, then the one "
        "that is faster in the geometric mean of both."
    )
    return f"### Tuning\n\n{words}\n\n{rows_of(heads, rows)}" if rows else ""


def _points(work: dict[str, Any]) -> str:
    parts: list[str] = []
    for data, by_k in work.get("search", {}).items():
        for k, points in by_k.items():
            rows = [
                [name, "; ".join(f"{p['recall']:.4f} / {p['qps']:,.0f}" for p in frontier(line))]
                for name, line in points.items()
            ]
            parts.append(rows_of((f"{data}, k = {k}", "recall / QPS"), rows))
    return "\n\n".join(["### All points", *parts]) if parts else ""
