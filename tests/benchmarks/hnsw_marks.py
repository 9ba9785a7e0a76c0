"""The marks that the index is held to, and by how much each is reached or missed."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hnsw_measure import frontier, qps_at

TARGETS: Final = (0.95, 0.99)
USUAL: Final = ("hnswlib", "usearch", "faiss")
FILTER_RECALL: Final = 0.99
EQUAL: Final = 0.001
"""Recall by which two graphs may differ and still count as equal."""

LONGEST_MS: Final = 50.0
"""That a search may take while the graph is built anew."""


class Mark(NamedTuple):
    """One line of the table.

    Parameters
    ----------
    what, against
        What is compared with what.
    wanted
        The mark.
    got
        What was measured.
    reached
        None where it could not be measured.
    """

    what: str
    against: str
    wanted: str
    got: str
    reached: bool | None


def all_marks(work: dict[str, Any]) -> list[Mark]:
    """Return every mark that there are results for."""
    parts = (_search, _build, _filter, _memory, _churn, _rebuild)
    return [mark for part in parts for mark in part(work)]


def _at_least(what: str, against: str, wanted: float, ratio: float, sign: str = "") -> Mark:
    by = "" if ratio >= wanted else f" (missed by {1 - ratio / wanted:.0%})"
    return Mark(
        what, against, f"≥ {wanted:g} times", f"{sign}{ratio:.2f} times{by}", ratio >= wanted
    )


def _search(work: dict[str, Any]) -> list[Mark]:
    marks: list[Mark] = []
    for data, by_k in work.get("search", {}).items():
        for k, points in by_k.items():
            for target in TARGETS:
                marks += _search_one(f"QPS, {data}, k = {k}, recall {target}", points, target)
    return marks


def _search_one(what: str, points: dict[str, Any], target: float) -> list[Mark]:
    speeds = {name: qps_at(line, target) for name, line in points.items()}
    ours = speeds.get("polyvec")
    reached = {name: found for name, found in speeds.items() if found and name != "polyvec"}
    usual = {name: found for name, found in reached.items() if name.startswith(USUAL)}
    marks: list[Mark] = []
    if ours is None:
        return [Mark(what, "any", "", "polyvec does not reach it", False)]
    if usual:
        best = max(usual, key=lambda name: usual[name][0])
        marks.append(_against(what, best, ours, usual[best], 2.5))
    if "SVS float16" in reached:
        marks.append(_against(what, "SVS float16", ours, reached["SVS float16"], 1.5))
    return marks


def _against(
    what: str, name: str, ours: tuple[float, str], theirs: tuple[float, str], wanted: float
) -> Mark:
    """Compare; a `≥` on either side means that the ratio is not one at equal recall."""
    sign = "about " if ours[1] or theirs[1] else ""
    return _at_least(what, name, wanted, ours[0] / theirs[0], sign)


def _build(work: dict[str, Any]) -> list[Mark]:
    """Compare the cheapest settings whose graphs have equal recall with a pool of 64.

    Settings of either side that another one of the same side beats in both count for nothing.
    """
    marks: list[Mark] = []
    for size in work.get("build", []):
        ours, theirs = (
            frontier((one for one in size["tried"].values() if one["peer"] == name), _cheapness)
            for name in ("polyvec", "hnswlib")
        )
        ratios: list[tuple[float, str]] = []
        for other in theirs:
            equal = [one for one in ours if one["recall"] >= other["recall"] - EQUAL]
            if equal:
                mine = max(equal, key=_cheapness)
                words = f"{_short(mine)} for {_short(other)}"
                ratios.append((other["cpu_s"] / mine["cpu_s"], words))
        if ratios:
            ratio, words = min(ratios)
            beyond = len(theirs) - len(ratios)
            more = f", {beyond} of a recall beyond ours" if beyond else ""
            what = f"build, {size['rows']:,} rows, the least of {len(ratios)}{more}: {words}"
            marks.append(_at_least(what, "hnswlib", 3, ratio))
    return marks


def _cheapness(built: dict[str, Any]) -> float:
    return -float(built["cpu_s"])


def _short(one: dict[str, Any]) -> str:
    return f"m/efc {one['settings'][0]}/{one['settings'][1]} (recall {one['recall']:.4f})"


def filter_best(work: dict[str, Any]) -> dict[tuple[str, float], dict[str, dict[str, Any]]]:
    """Return, for each mask and way, the fastest point that reaches the recall."""
    found: dict[tuple[str, float], dict[str, dict[str, Any]]] = {}
    for one in work.get("filter", {}).get("points", []):
        ways = found.setdefault((one["kind"], one["share"]), {})
        old = ways.get(one["way"])
        if one["recall"] >= FILTER_RECALL and (old is None or one["us"] < old["us"]):
            ways[one["way"]] = one
    return found


def _filter(work: dict[str, Any]) -> list[Mark]:
    marks: list[Mark] = []
    for (kind, share), ways in filter_best(work).items():
        what = f"filter, {kind} {share:.1%}"
        ours = ways.get("polyvec graph")
        peers = {name: one for name, one in ways.items() if not name.startswith("polyvec")}
        if ours is None:
            marks.append(Mark(what, "any", "", f"recall {FILTER_RECALL} not reached", False))
            continue
        if "hnswlib callback" in peers:
            ratio = peers["hnswlib callback"]["us"] / ours["us"]
            marks.append(_at_least(what, "hnswlib callback", 5, ratio))
        if peers:
            best = min(peers, key=lambda name: peers[name]["us"])
            marks.append(_at_least(what, f"best: {best}", 1, peers[best]["us"] / ours["us"]))
    return marks


def _memory(work: dict[str, Any]) -> list[Mark]:
    marks: list[Mark] = []
    for data, held in work.get("builds", {}).items():
        said = work["sets"][data]
        if "polyvec" in held:
            most = 1.6 * said["dimension"] + 200
            each = held["polyvec"]["bytes"] / said["rows"]
            by = "" if each <= most else f" (missed by {each / most - 1:.0%})"
            words = f"{each:.0f}{by}"
            what = f"bytes a row beyond float32, {data}"
            marks.append(Mark(what, "1.6 d + 200", f"≤ {most:.0f}", words, each <= most))
    return marks


def _churn(work: dict[str, Any]) -> list[Mark]:
    recalls = work.get("churn", {}).get("recall")
    if not recalls:
        return []
    fresh = recalls["polyvec, fresh"]
    marks: list[Mark] = []
    for name in ("polyvec, built anew when worn", "polyvec, tombstones only"):
        lost = max(fresh[ef] - recalls[name][ef] for ef in fresh)
        by = "" if lost <= 0.005 else f" (missed by {lost - 0.005:.4f})"
        what = f"recall lost by churn: {name.partition(', ')[2]}"
        marks.append(Mark(what, "fresh graph", "≤ .005", f"{lost:.4f}{by}", lost <= 0.005))
    return marks


def _rebuild(work: dict[str, Any]) -> list[Mark]:
    if "rebuild" not in work:
        return []
    most = work["rebuild"]["beside"]["most"]
    by = "" if most <= LONGEST_MS else f" (missed by {most / LONGEST_MS - 1:.0%})"
    what = f"longest of {work['rebuild']['beside']['calls']:,} searches beside a rebuild"
    words = f"{most:.1f} ms{by}"
    return [Mark(what, "a wait", f"≤ {LONGEST_MS:g} ms", words, most <= LONGEST_MS)]


def load_of(work: dict[str, Any]) -> float:
    """Return the highest load average at the beginning or end of a stage."""
    stages = work.get("stages", {}).values()
    return max((max(one["load_before"], one["load_after"]) for one in stages), default=0.0)
