"""The commands and what they have in common."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from polyvec._version import __version__
from polyvec.cli import bench, conformance, cutover, demo, migrate, records, serve, stores, transfer
from polyvec.cli.failures import report


class OneLineErrors(TyperGroup):
    """A group whose failures are one line on stderr and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except Exception as exc:  # noqa: BLE001 - `report` raises what it does not know
            code = report(exc)
        if standalone_mode:
            sys.exit(code or 0)
        return code


app = typer.Typer(
    cls=OneLineErrors,
    help="One API over six vector databases, from the command line.\n\n"
    "STORE is a URL ('memory:///dir', 'qdrant://host:6333') or the name of a profile in "
    "polyvec.toml. Exit codes: 0 ok, 1 the check failed, 2 usage, 3 the store is unreachable.",
    pretty_exceptions_enable=False,  # a bug shows Python's own traceback, without local values
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"polyvec {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


# The order of the help.
app.command("demo")(demo.demo)
app.command("ping")(stores.ping)
app.command("ls")(stores.ls)
app.command("describe")(stores.describe)
app.command("capabilities")(stores.capabilities)
app.command("count")(records.count)
app.command("query")(records.query)
app.command("export")(transfer.export)
app.command("import")(transfer.import_)
app.command("migrate")(migrate.migrate)
app.command("cutover")(cutover.cutover)
app.command("rollback")(cutover.rollback)
app.command("conformance")(conformance.conformance)
app.command("bench")(bench.bench)
app.command("serve")(serve.serve)
