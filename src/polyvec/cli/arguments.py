"""Arguments that several commands share, and how their text is read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, cast

import numpy as np
import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.types import Include

StoreArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="STORE", help="A URL or the name of a profile.")
]
CollectionArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="COLLECTION", help="Name of the collection, or an alias.")
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of a table.")
]
NamespaceOption: TypeAlias = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace; the default one is ''.")
]
FilterOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--filter",
        "-f",
        metavar="JSON",
        help='Mongo-style filter: \'{"price": {"$lt": 50}}\'. '
        'A datetime is {"$datetime": "2026-01-31T12:00:00+00:00"}.',
    ),
]

_COLUMNS: Final = ("metadata", "text", "vector")


def read_filter(text: str | None, option: str = "--filter") -> dict[str, Any] | None:
    """Return the filter that a JSON text stands for, None for none; the core checks its words."""
    from polyvec.metadata import from_json

    if text is None:
        return None
    try:
        value = cast("object", from_json(text))
    except (ValueError, RecursionError) as exc:
        raise typer.BadParameter(f"{option} is not JSON: {exc}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{option} is {text!r}; expected a JSON object")
    return cast("dict[str, Any]", value)


def read_vector(text: str) -> Any:
    """Return the numbers behind `--vector`: JSON, `@file.npy`, `@file.json`, or `-` for stdin."""
    if text.startswith("@"):
        return _vector_file(Path(text[1:]))
    source = sys.stdin.read() if text == "-" else text
    return _numbers(source, "standard input" if text == "-" else "--vector")


def _vector_file(path: Path) -> Any:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return _numbers(path.read_text(encoding="utf-8"), str(path))
    except OSError as exc:
        raise typer.BadParameter(f"--vector: {path}: {exc.strerror}") from None
    except ValueError as exc:
        raise typer.BadParameter(f"--vector: {path} holds no vector: {exc}") from None


def _numbers(text: str, where: str) -> Any:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise typer.BadParameter(f"{where} is not JSON: {exc}") from None
    if not isinstance(value, list):
        raise typer.BadParameter(f"{where} is {text.strip()[:40]!r}; expected [0.1, 0.2, ...]")
    return cast("list[object]", value)


def read_include(text: str) -> Sequence[Include]:
    """Return the columns of a comma-separated list; an empty text means the ids alone."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in _COLUMNS:
            raise typer.BadParameter(f"--include has {name!r}; expected any of {_COLUMNS}")
    return cast("list[Include]", names)
