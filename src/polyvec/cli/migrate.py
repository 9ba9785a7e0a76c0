"""The command that moves a collection from any store to any other."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyvec.cli import json_lines
from polyvec.cli.arguments import JsonOption, read_filter
from polyvec.cli.migrate_output import print_plan, print_report, print_verification
from polyvec.cli.output import print_json, stderr

if TYPE_CHECKING:
    from collections.abc import Generator

    from polyvec.migrate import Progress

SourceArgument = Annotated[
    str, typer.Argument(metavar="SRC", help="The source: a URL or the name of a profile.")
]
TargetArgument = Annotated[
    str, typer.Argument(metavar="DST", help="The target: a URL or the name of a profile.")
]
CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", "-c", help="The collection in the source, or an alias."),
]
ToOption = Annotated[str | None, typer.Option("--to", help="Its name in the target.")]
WhereOption = Annotated[
    str | None,
    typer.Option("--where", metavar="JSON", help="Move the records that match this filter."),
]
RenameOption = Annotated[
    list[str] | None,
    typer.Option("--rename", metavar="OLD=NEW", help="Rename a metadata field; repeatable."),
]
DropOption = Annotated[
    list[str] | None,
    typer.Option("--drop", metavar="FIELD", help="Leave a metadata field behind; repeatable."),
]
NamespaceMapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace-map", metavar="OLD=NEW", help="Rename a namespace; repeatable. '=x' is ''."
    ),
]
MergeOption = Annotated[
    bool, typer.Option("--merge", help="Write into a collection that holds records already.")
]
FidelityOption = Annotated[
    str,
    typer.Option(
        "--fidelity",
        metavar="full|sample|none",
        help="How much of the source the plan reads to find what the target cannot hold.",
    ),
]
PlanOption = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Write the plan to a file, and stop."),
]
FromPlanOption = Annotated[
    Path | None,
    typer.Option("--from-plan", metavar="FILE", help="Run a plan that --plan wrote."),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal", metavar="DIR", help="The journal's directory [default: polyvec-migrations/…]"
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with a migration that was interrupted.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", help="Ranges that are copied side by side.", min=1)
]
BatchOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size", help="Records read and written at a time [default: about 8 MB]", min=1
    ),
]
ErrorsOption = Annotated[
    int,
    typer.Option("--max-errors", help="Records that may be left out, as dead letters.", min=0),
]
PatienceOption = Annotated[
    float, typer.Option("--patience", help="Seconds that a store may fail.", min=0)
]
VerifyOption = Annotated[
    str,
    typer.Option(
        "--verify", metavar="full|sample|none", help="How much is compared after the copy."
    ),
]
VerifyOnlyOption = Annotated[
    bool, typer.Option("--verify-only", help="Compare again, by the journal; copy nothing.")
]
QueriesOption = Annotated[
    int, typer.Option("--queries", help="Queries that both stores answer, to compare.", min=0)
]
ReembedOption = Annotated[
    str | None,
    typer.Option(
        "--reembed", metavar="MODULE:FUNCTION", help="Make new vectors of the texts by a function."
    ),
]
TouchedOption = Annotated[
    Path | None,
    typer.Option(
        "--touched-log", metavar="FILE", help="The log of writers that are active meanwhile."
    ),
]
EngineOption = Annotated[
    str,
    typer.Option("--engine", metavar="local|ray", help="Where the ranges are copied."),
]
LogOption = Annotated[
    str | None,
    typer.Option("--log", metavar="json", help="Write events to stderr, one JSON line each."),
]


def migrate(
    source: SourceArgument,
    target: TargetArgument,
    collection: CollectionOption = None,
    to: ToOption = None,
    where: WhereOption = None,
    rename: RenameOption = None,
    drop: DropOption = None,
    namespace_map: NamespaceMapOption = None,
    reembed: ReembedOption = None,
    merge: MergeOption = False,
    fidelity: FidelityOption = "full",
    plan: PlanOption = None,
    from_plan: FromPlanOption = None,
    journal: JournalOption = None,
    resume: ResumeOption = False,
    workers: WorkersOption = 4,
    engine: EngineOption = "local",
    batch_size: BatchOption = None,
    max_errors: ErrorsOption = 0,
    patience: PatienceOption = 60.0,
    verify: VerifyOption = "full",
    verify_only: VerifyOnlyOption = False,
    queries: QueriesOption = 20,
    touched: TouchedOption = None,
    log: LogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a collection with all its namespaces from one store to another, and prove it.

    Plans, copies and verifies. The source is only read.
    """
    if sum((plan is not None, from_plan is not None, resume, verify_only)) > 1:
        raise typer.BadParameter("--plan, --from-plan, --resume and --verify-only exclude another")
    if collection is None and from_plan is None and journal is None:
        raise typer.BadParameter("--collection is missing")
    what: dict[str, Any] = {
        "to": to,
        "where": read_filter(where, "--where"),
        "rename": _pairs("--rename", rename),
        "drop": drop or (),
        "namespace_map": _pairs("--namespace-map", namespace_map),
        "reembed": reembed,
        "merge": merge,
        "fidelity": fidelity,
    }
    how: dict[str, Any] = {"patience_s": patience, "journal": journal, "queries": queries}
    how["touched"] = touched
    with _told(log) as told:
        told["workers"] = workers
        if plan is not None:
            _plan(source, target, _named(collection), plan, {**what, **told}, as_json=as_json)
        elif verify_only:
            how.update(to=to, mode=verify, **told)
            _verify(source, target, collection, how, as_json=as_json)
        else:
            how.update(plan=from_plan, resume=resume, batch_size=batch_size, verify=verify)
            how.update(max_errors=max_errors, engine=engine, **what, **told)
            _run(source, target, collection, how, as_json=as_json)


def _plan(
    source: str, target: str, collection: str, file: Path, options: Any, *, as_json: bool
) -> None:
    """Make a plan, write it and print it; fail when it could not be run as it is."""
    from polyvec.migrate import make_plan

    made = make_plan(source, target, collection, **options)
    made.save(file)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        print_plan(made)
    if made.fidelity.refused:
        raise typer.Exit(1)


def _verify(
    source: str, target: str, collection: str | None, options: Any, *, as_json: bool
) -> None:
    from polyvec.migrate import verify

    found = verify(source, target, collection, **options)
    if as_json:
        print_json(found.as_json())
    else:
        print_verification(found)
    if not found.ok:
        raise typer.Exit(1)


def _run(source: str, target: str, collection: str | None, options: Any, *, as_json: bool) -> None:
    from polyvec.migrate import migrate

    report = migrate(source, target, collection, **options)
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report)
    if not report.ok:
        raise typer.Exit(1)


def _named(collection: str | None) -> str:
    if collection is None:
        raise typer.BadParameter("--plan needs --collection")
    return collection


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """Return what `OLD=NEW` options say; `OLD` ends at the first `=`."""
    found: dict[str, str] = {}
    for text in texts or ():
        old, equals, new = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option} {text!r}: expected OLD=NEW")
        if old in found:
            raise typer.BadParameter(f"{option} names {old!r} twice")
        found[old] = new
    return found


@contextmanager
def _told(log: str | None) -> Generator[dict[str, Any]]:
    """Give the callbacks that show progress: a bar on a terminal, or JSON lines."""
    if log not in (None, "json"):
        raise typer.BadParameter(f"--log {log!r}: expected json")
    if log == "json":
        with json_lines.logged():
            yield {"log": json_lines.write}
        return
    from polyvec.cli.progress import bars

    with bars(stderr()) as show:

        def tell(step: Progress) -> None:
            show(step.phase, step.done, step.total)

        yield {"progress": tell}
