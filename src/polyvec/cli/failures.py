"""From exceptions to one line on stderr and an exit code."""

from __future__ import annotations

import sys
from typing import Any, Final

import typer

from polyvec.cli.output import printable
from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    CollectionNotFoundError,
    MigrationError,
    PolyvecError,
    SearchBudgetError,
    StoreError,
)

FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3

# Typer carries its own copy of click, whose place differs between versions.
_UsageError: Final[Any] = typer.BadParameter.__mro__[1]


def exit_code(error: PolyvecError) -> int:
    """Return the exit code that belongs to an error.

    What a repetition may cure, and a refused login, mean that the store cannot
    be reached. Other failures of a store mean that the work failed, unless the
    caller named a collection wrongly. The rest is usage.
    """
    match error:
        case CollectionNotFoundError() | CollectionExistsError():
            return USAGE
        case AccessError():
            return UNREACHABLE
        case StoreError():
            return UNREACHABLE if error.retryable else FAILED
        case SearchBudgetError() | MigrationError():
            return FAILED
        case _:
            return USAGE


def report(error: Exception) -> int:
    """Print one line and return the exit code; raise again what is a bug."""
    if isinstance(error, PolyvecError):
        say(str(error))
        return exit_code(error)
    if isinstance(error, typer.Abort):
        say("aborted")
        return 130
    if isinstance(error, _UsageError):
        return _usage(error)
    raise error


def say(message: str) -> None:
    """Print one line on stderr."""
    line = " ".join(message.split())
    sys.stderr.write(f"polyvec: error: {printable(line)}\n")


def _usage(error: Any) -> int:
    context = error.ctx
    message = error.format_message().strip().rstrip(".")
    hint = "" if context is None else f" (see '{context.command_path} --help')"
    say(f"{message}{hint}")
    return USAGE
