"""SQL in pieces: fixed text with `%s` for each value, and the values. Pure.

Text comes from this package and from quoted identifiers only. Every value of a
user is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString

from polyvec.types import as_any


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of a statement.

    Parameters
    ----------
    text
        With psycopg's placeholders `%s` and `%b`; a literal `%` is doubled.
    params
        One value for each placeholder.
    """

    text: str
    params: tuple[Any, ...] = ()

    def __str__(self) -> str:
        """Return readable SQL: values in place of placeholders, quoted; not for execution."""
        shown = iter(self.params)
        parts = self.text.replace("%b", "%s").split("%s")
        text = parts[0] + "".join(f"{_literal(next(shown))}{part}" for part in parts[1:])
        return text.replace("%%", "%")


def trusted(text: str) -> LiteralString:
    """Tell the type checker this module's rule: no text of a user is in a statement."""
    literal: LiteralString = as_any(text)
    return literal


@lru_cache(maxsize=1024)  # a statement names a handful, and each search makes its statement
def identifier(name: str) -> str:
    """Return a quoted identifier for the text of a statement that has parameters."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


@lru_cache(maxsize=1024)
def qualified(schema: str, name: str) -> str:
    """Return `"schema"."name"`."""
    return f"{identifier(schema)}.{identifier(name)}"


def string(value: str) -> str:
    """Return a quoted string for what takes no parameters (index expressions)."""
    quoted = "'" + value.replace("'", "''").replace("%", "%%") + "'"
    # With a backslash the E form is safe whatever standard_conforming_strings says.
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def join(word: str, pieces: Iterable[Sql]) -> Sql:
    """Join pieces with AND or OR, in brackets."""
    parts = list(pieces)
    text = f" {word} ".join(part.text for part in parts)
    return Sql(f"({text})", tuple(value for part in parts for value in part.params))


def also(condition: Sql, extra: Sequence[Sql | None]) -> Sql:
    """Return a condition and further ones, those that are not None."""
    parts = [condition, *(piece for piece in extra if piece is not None)]
    return condition if len(parts) == 1 else join("AND", parts)


def _literal(value: object) -> str:
    match value:
        case str():
            return "'" + value.replace("'", "''") + "'"
        case list():
            return f"ARRAY[{', '.join(map(_literal, value))}]"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # of whatever it holds
        case _:
            return str(value)
