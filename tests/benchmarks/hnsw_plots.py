"""The plots of docs/benchmarks/hnsw.md; matplotlib is in the environment of the peers only."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from hnsw_marks import filter_best
from hnsw_measure import frontier

OURS: Final = "#d62728"
THEIRS: Final = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22",
    "#17becf", "#000000", "#98df8a", "#c5b0d5",
)  # fmt: skip
"""A colour for each peer, none like ours."""

SIZE: Final = (11, 5.2)
LEAST_RECALL: Final = 0.85


def draw(work: dict[str, Any], folder: Path) -> None:
    """Write a PNG for each set, and one of the filtered search."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    plt: Any = importlib.import_module("matplotlib.pyplot")
    for name, by_k in work.get("search", {}).items():
        figure, axes = plt.subplots(1, len(by_k), figsize=SIZE, squeeze=False)
        for axis, (k, points) in zip(axes[0], by_k.items(), strict=True):
            _curves(axis, points, f"{name}, k = {k}", k)
        axes[0][-1].legend(fontsize=7, loc="lower left")
        _finish(figure, plt, folder / f"hnsw-{name}.png")
    best = filter_best(work)
    if best:
        figure, axes = plt.subplots(1, 2, figsize=SIZE, sharey=True)
        for axis, kind in zip(axes, ("random", "half-space"), strict=True):
            _filtered(axis, best, kind)
        axes[1].legend(fontsize=7)
        _finish(figure, plt, folder / "hnsw-filter.png")


def _finish(figure: Any, plt: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _curves(axis: Any, points: dict[str, Any], title: str, k: str) -> None:
    axis.set_prop_cycle(color=THEIRS)
    for name, line in points.items():
        shown = [one for one in frontier(line) if one["recall"] >= LEAST_RECALL]
        if shown:
            xs, ys = [one["recall"] for one in shown], [one["qps"] for one in shown]
            axis.plot(xs, ys, label=name, marker=".", **_style(name))
    axis.set(title=title, xlabel=f"recall@{k}", ylabel="queries/s of CPU time, one thread")
    axis.set_yscale("log")
    axis.grid(visible=True, which="both", alpha=0.25)


def _style(name: str) -> dict[str, Any]:
    if name.startswith("polyvec"):
        dashed = "--" if name.endswith("store") else "-"
        return {"color": OURS, "linewidth": 2.5, "linestyle": dashed, "zorder": 5}
    return {"linewidth": 1.3}


def _filtered(axis: Any, best: dict[tuple[str, float], dict[str, Any]], kind: str) -> None:
    ways = list(dict.fromkeys(way for found in best.values() for way in found))
    axis.set_prop_cycle(color=THEIRS)
    for way in ways:
        shown = [(s, f[way]["us"]) for (of, s), f in best.items() if of == kind and way in f]
        if shown:
            xs, ys = zip(*shown, strict=True)
            axis.plot([100 * x for x in xs], ys, label=way, marker="o", **_style(way))
    axis.set(
        title=f"{kind} mask, recall ≥ .99", xlabel="rows that pass, %", ylabel="CPU µs a query"
    )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.grid(visible=True, which="both", alpha=0.25)
