"""Commands that send readers to the target of a migration, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyvec.cli.output import stdout

JournalArgument = Annotated[
    Path,
    typer.Argument(
        metavar="JOURNAL", help="The migration's journal.", exists=True, file_okay=False
    ),
]


def cutover(
    journal: JournalArgument,
    target: Annotated[
        str, typer.Argument(metavar="DST", help="The target; with --profile, its profile's name.")
    ],
    alias: Annotated[
        str | None, typer.Option("--alias", help="An alias to point at the new collection.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", help="A profile of polyvec.toml that becomes like DST's."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also without a full verification.")
    ] = False,
) -> None:
    """Send readers to the target of a verified migration, by an alias or by a profile."""
    from polyvec.migrate.cutover import cutover as run

    run(journal, target, alias=alias, profile=profile, force=force)
    what = f"alias {alias}" if alias is not None else f"profile {profile}"
    stdout().print(f"{what} now leads to the target; 'polyvec rollback {journal}' undoes it")


def rollback(
    journal: JournalArgument,
    target: Annotated[
        str | None,
        typer.Argument(metavar="DST", help="The target's store, where an alias was switched."),
    ] = None,
) -> None:
    """Undo a cutover."""
    from polyvec.migrate.cutover import rollback as run

    run(journal, target)
    stdout().print("rolled back")
