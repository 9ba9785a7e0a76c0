"""Commands that copy collections to and from Parquet snapshots: export, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyvec.cli.arguments import FilterOption, JsonOption, StoreArgument, read_filter
from polyvec.cli.output import print_json, stderr, stdout, table

if TYPE_CHECKING:
    from polyvec.migrate import CopyReport, Progress
    from polyvec.store import VectorStore

CollectionsOption = Annotated[
    list[str] | None,
    typer.Option("--collection", "-c", help="May be repeated; all collections by default."),
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="Another name in the target, for one collection.")
]
MergeOption = Annotated[
    bool, typer.Option("--merge", help="Write into a collection that holds records already.")
]
VerifyOption = Annotated[
    bool, typer.Option("--verify/--no-verify", help="Read the copy back and compare it.")
]
BatchOption = Annotated[
    int, typer.Option("--batch-size", help="Records read and written at a time.", min=1)
]


def export(
    source: StoreArgument,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the snapshot goes.")],
    collection: CollectionsOption = None,
    to: ToOption = None,
    filter: FilterOption = None,
    merge: MergeOption = False,
    verify: VerifyOption = True,
    batch_size: BatchOption = 1000,
    as_json: JsonOption = False,
) -> None:
    """Copy collections into a Parquet snapshot, with all their namespaces."""
    import polyvec
    from polyvec.snapshot._config import ParquetConfig

    settings = _settings(filter, merge=merge, verify=verify, batch_size=batch_size)
    with (
        polyvec.connect(source) as origin,
        polyvec.connect(ParquetConfig(dir=directory)) as goal,
    ):
        reports = _copy_all(origin, goal, collection, to, settings)
    _finish(reports, as_json=as_json)


def import_(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The snapshot.", exists=True, file_okay=False),
    ],
    target: StoreArgument,
    collection: CollectionsOption = None,
    to: ToOption = None,
    filter: FilterOption = None,
    merge: MergeOption = False,
    verify: VerifyOption = True,
    batch_size: BatchOption = 1000,
    as_json: JsonOption = False,
) -> None:
    """Copy collections from a Parquet snapshot into a store."""
    import polyvec
    from polyvec.snapshot._config import ParquetConfig

    settings = _settings(filter, merge=merge, verify=verify, batch_size=batch_size)
    with (
        polyvec.connect(ParquetConfig(dir=directory)) as origin,
        polyvec.connect(target) as goal,
    ):
        reports = _copy_all(origin, goal, collection, to, settings)
    _finish(reports, as_json=as_json)


def _settings(filter: str | None, **others: Any) -> dict[str, Any]:
    return {"where": read_filter(filter), **others}


def _copy_all(
    origin: VectorStore,
    goal: VectorStore,
    names: list[str] | None,
    to: str | None,
    settings: dict[str, Any],
) -> list[CopyReport]:
    names = names or origin.list_collections()
    if to is not None and len(names) != 1:
        raise typer.BadParameter(f"--to names one collection, but {len(names)} are to be copied")
    if not names:
        raise typer.BadParameter("the source has no collections")
    return [_copy(origin, goal, name, to, settings) for name in names]


def _copy(
    origin: VectorStore, goal: VectorStore, name: str, to: str | None, settings: dict[str, Any]
) -> CopyReport:
    from polyvec.cli.progress import bars
    from polyvec.migrate import copy_collection

    with bars(stderr()) as show:

        def tell(progress: Progress) -> None:
            show(f"{progress.phase} {name}", progress.done, progress.total)

        return copy_collection(origin, goal, name, to=to, progress=tell, **settings)


def _finish(reports: list[CopyReport], *, as_json: bool) -> None:
    """Print what was copied, and fail when a copy is not like its source."""
    if as_json:
        print_json({"collections": [_report_json(report) for report in reports]})
    else:
        _print(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _report_json(report: CopyReport) -> dict[str, Any]:
    return {
        "collection": report.collection,
        "to": report.to,
        "count": report.count,
        "namespaces": report.copied,
        "without_vector": report.without_vector,
        "verified": report.verified,
        "differences": [
            {"namespace": found.namespace, "id": found.id, "what": found.what}
            for found in report.differences
        ],
    }


def _print(reports: list[CopyReport]) -> None:
    console = stdout()
    rows = [
        (
            report.collection,
            report.to,
            report.count,
            len(report.copied),
            ("equal" if report.ok else "DIFFERS") if report.verified else "not checked",
        )
        for report in reports
    ]
    console.print(table(("collection", "to", "records", "namespaces", "verified"), rows))
    found = [(r.to, d.namespace, d.id, d.what) for r in reports for d in r.differences]
    if found:
        console.print(table(("collection", "namespace", "id", "difference"), found))
    for report in reports:
        if report.without_vector:
            console.print(
                f"{report.to}: {report.without_vector} records have no vector; no query finds them"
            )
