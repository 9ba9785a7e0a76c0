"""The command that runs the conformance suite against a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyvec.cli.arguments import StoreArgument
from polyvec.cli.output import stderr, stdout


def conformance(
    store: StoreArgument,
    tier: Annotated[
        list[str] | None,
        typer.Option("--tier", help="core, extended, stress or recall; may be repeated."),
    ] = None,
    select: Annotated[
        str | None, typer.Option("--select", help="Part of the tests, as pytest's -k takes it.")
    ] = None,
    stress: Annotated[
        int | None, typer.Option("--stress", help="Random cases per test of the stress tier.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the report here.")] = None,
) -> None:
    """Check that a store keeps the contract; makes and drops collections of its own in it."""
    from polyvec.cli.progress import bars
    from polyvec.testing import runner

    with bars(stderr()) as show:
        report = runner.run(
            store,
            tiers=tier or runner.DEFAULT_TIERS,
            select=select,
            stress=runner.DEFAULT_STRESS if stress is None else stress,
            junit=junit,
            json=json,
            progress=lambda done, total: show("conformance", done, total),
        )
    runner.show(report, stdout(markup=True))
    if not report.ok:
        raise typer.Exit(1)
