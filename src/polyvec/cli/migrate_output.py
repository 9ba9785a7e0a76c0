"""Tables of a migration: its plan, its outcome, its verification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyvec.cli.output import printable, stdout, table

if TYPE_CHECKING:
    from polyvec.migrate import MigrationReport, Plan, VerifyReport
    from polyvec.migrate.plan import Example, Finding

MOST_ROWS = 20
"""Rows of a table; the files have all of them."""


def print_plan(plan: Plan) -> None:
    """Print what a migration would do."""
    console = stdout()
    spec, size = plan.spec, plan.estimate
    rows: list[tuple[str, Any]] = [
        ("source", f"{plan.source.shown} {plan.source.collection}"),
        ("target", f"{plan.target.shown} {plan.target.collection}"),
        ("target collection", "exists" if spec.exists else "will be created"),
        ("dimension, metric", f"{spec.dimension}, {spec.metric.value}"),
        ("records", size.records),
        ("namespaces, ranges", f"{len(plan.namespaces)}, {_ranges(plan)}"),
        ("bytes, about", size.bytes),
        ("seconds to read once", size.read_s),
        *((f"rights on the {end}", ", ".join(rights)) for end, rights in plan.rights.items()),
    ]
    console.print(table(("plan", ""), rows))
    found = plan.fidelity
    if found.fields:
        fields = [
            (f.path, f.classes, ", ".join(_example(e) for e in [*f.examples.values()][:2]))
            for f in found.fields[:MOST_ROWS]
        ]
        console.print(table(("field", "classes", "examples"), fields))
        more = len(found.fields) - len(fields) + found.more_fields
        if more:
            console.print(f"and {more} more fields")
    if found.changes:
        console.print(table(("what changes", "records", "examples"), _findings(found.changes)))
    if found.refused:
        title = ("the target cannot hold", "records", "examples")
        console.print(table(title, _findings(found.refused)))
    read = "every record was" if found.complete else f"{found.read:,} records were"
    console.print(f"{read} read; {found.refused_count:,} cannot be stored in the target")


def print_report(report: MigrationReport) -> None:
    """Print the outcome of a migration."""
    console = stdout()
    state = "not verified"
    if report.verification is not None:
        state = "equal" if report.verification.ok else "DIFFERS"
    row = (
        report.collection,
        report.to,
        report.count,
        len(report.copied),
        f"{report.ranges_skipped}+{report.ranges_resumed} of {report.ranges}",
        report.left_out,
        state,
    )
    columns = ("collection", "to", "records", "namespaces", "ranges before", "left out", "verified")
    console.print(table(columns, [row]))
    if report.without_vector:
        console.print(f"{report.without_vector} records have no vector; no query finds them")
    if report.left_out:
        console.print(f"left out: {printable(str(report.journal / 'dead-letters.parquet'))}")
    if report.verification is not None:
        print_verification(report.verification)


def print_verification(found: VerifyReport) -> None:
    """Print what a verification found."""
    console = stdout()
    spaces = [
        (name, count.source, count.target, "equal" if count.source == count.target else "DIFFERS")
        for name, count in found.namespaces.items()
    ]
    title = ("namespace", "expected", "in the target", "")
    console.print(table(title, spaces[:MOST_ROWS]))
    if len(spaces) > MOST_ROWS:
        console.print(f"and {len(spaces) - MOST_ROWS} more namespaces")
    kinds = ("missing", "extra", "differing")
    listed = [one for kind in kinds for one in getattr(found, kind)]
    if listed:
        rows = [(one.namespace, one.id, one.what) for one in listed[:MOST_ROWS]]
        console.print(table(("namespace", "id", "difference"), rows))
    counts = ", ".join(f"{found.counts[kind]:,} {kind}" for kind in kinds)
    console.print(f"{found.mode}: {found.compared:,} records compared; {counts}")
    if found.mode == "sample":
        console.print(
            f"of {found.population:,} records, seed {found.seed}; one that differs is among them "
            f"with probability {found.chance():.3g}, one of 1,000 with {found.chance(1000):.3g}"
        )
    if (asked := found.queries) is not None:
        console.print(
            f"{asked.queries} queries, top {asked.top_k}: overlap {asked.overlap:.3f}, recall "
            f"{asked.source_recall:.3f} in the source, {asked.target_recall:.3f} in the target"
        )


def _ranges(plan: Plan) -> int:
    return sum(len(namespace.ranges) for namespace in plan.namespaces)


def _findings(found: list[Finding]) -> list[tuple[str, Any, str]]:
    return [(f.what, f.count, ", ".join(map(_example, f.examples)) or "-") for f in found]


def _example(example: Example) -> str:
    return f"{example.namespace}/{example.id}" if example.namespace else example.id
