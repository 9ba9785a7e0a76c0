"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console
from rich.table import Table

from polyvec.metadata import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polyvec.records import VectorRecord

PIPED_WIDTH: Final = 120
"""Columns of a table that goes to a file or a pipe."""


def stdout(*, markup: bool = False) -> Console:
    """Return a console for results; with `markup` for a table that styles its own cells."""
    return _console(stderr=False, markup=markup)


def stderr() -> Console:
    """Return a console for progress."""
    return _console(stderr=True, markup=False)


def _console(*, stderr: bool, markup: bool) -> Console:
    # Without markup, stored text is shown as it is.
    console = Console(stderr=stderr, markup=markup, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


def printable(text: str) -> str:
    """Return text without control characters, which a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Return a table; numbers are right-aligned."""
    rows = [list(row) for row in rows]
    made = Table(title=title or None, title_justify="left")
    for at, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[at], (int, float)) for row in rows)
        made.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(cell, row))
    return made


def cell(value: object) -> str:
    """Return a value as it is shown in a table."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4f}"
        case int():
            return f"{value:,}"
        case dict():
            fields = cast("dict[str, object]", value).items()
            return ", ".join(f"{name}={cell(item)}" for name, item in fields) or "-"
        case list():
            return ", ".join(map(cell, cast("list[object]", value))) or "-"
        case _:
            return printable(str(value))


def print_json(value: object) -> None:
    """Print one JSON document on stdout, and nothing else."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write(f"{text}\n")


def record_json(record: VectorRecord[Any]) -> dict[str, Any]:
    """Return a record with the columns it was read with; datetimes as `{"$datetime": ...}`."""
    fields = record.model_fields_set
    document: dict[str, Any] = {"id": record.id}
    if "metadata" in fields:
        document["metadata"] = json.loads(to_json(record.metadata))
    if "text" in fields:
        document["text"] = record.text
    if "vector" in fields:
        document["vector"] = record.vector.tolist()
    return document
