"""A condition as SQL over the tables of one collection, every value a bound parameter.

SQLite's parser overflows at about a hundred nested parentheses, and its expressions may be a
thousand operators deep. So nothing is nested: an inner `Joint` becomes a common table expression
with the keys of its records, and a long chain of operators is cut into groups.
"""

# ruff: noqa: S608 - names of tables are made of a number, values are bound

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from polyvec_sqlite._compile import Condition, Has, Joint
from polyvec_sqlite._schema import Tables

GROUP: Final = 500
"""Operators in one chain."""


@dataclass(frozen=True, slots=True)
class Clause:
    """The part of a statement that chooses records.

    Parameters
    ----------
    ahead
        What stands before the statement: empty, or common table expressions.
    where
        What stands after `WHERE`, for the table of records.
    parameters
        For both, in order.
    """

    ahead: str
    where: str
    parameters: tuple[str | int | float, ...]


def choose(tables: Tables, namespace: str, condition: Condition | None) -> Clause:
    """Return the clause for the records of a namespace that satisfy a condition, None for all."""
    if condition is None:
        return Clause("", "namespace = ?", (namespace,))
    writer = _Writer(tables, namespace)
    where, parameters = writer.rows_with(condition)
    ahead = f"WITH {', '.join(writer.expressions)} " if writer.expressions else ""
    return Clause(ahead, where, (*writer.parameters, *parameters))


def readable(condition: Condition) -> str:
    """Return a condition in one line, values in place, for people to read."""
    if isinstance(condition, Joint):
        return "(" + f" {condition.word} ".join(map(readable, condition.parts)) + ")"
    pieces = condition.sql.split("?")
    values = [*map(repr, condition.parameters), ""]
    sql = "".join(piece + value for piece, value in zip(pieces, values, strict=True))
    return f"{'NOT ' if condition.negated else ''}EXISTS({sql})"


class _Writer:
    def __init__(self, tables: Tables, namespace: str) -> None:
        self._tables = tables
        self._namespace = namespace
        self.expressions: list[str] = []
        self.parameters: list[str | int | float] = []

    def rows_with(self, condition: Condition) -> tuple[str, list[str | int | float]]:
        """Return the text after WHERE, and its parameters."""
        joint = condition if isinstance(condition, Joint) else Joint("AND", (condition,))
        texts: list[str] = []
        parameters: list[str | int | float] = [self._namespace]
        for part in joint.parts:
            if isinstance(part, Has):
                sign = "NOT IN" if part.negated else "IN"
                facts = f"SELECT record FROM {self._tables.facts} WHERE {part.sql}"
                texts.append(f"key {sign} ({facts})")
                parameters += part.parameters
            else:
                texts.append(f"key IN {self._expression(part)}")
        return f"namespace = ? AND ({_chain(joint.word, texts)})", parameters

    def _expression(self, joint: Joint) -> str:
        """Add a common table expression and return its name; those it needs come before it."""
        where, parameters = self.rows_with(joint)
        name = f"part_{len(self.expressions)}"
        self.expressions.append(
            f"{name}(key) AS MATERIALIZED (SELECT key FROM {self._tables.records} WHERE {where})"
        )
        self.parameters += parameters
        return name


def _chain(word: str, texts: Sequence[str]) -> str:
    if len(texts) <= GROUP:
        return f" {word} ".join(texts)
    groups = [texts[start : start + GROUP] for start in range(0, len(texts), GROUP)]
    return _chain(word, [f"({_chain(word, group)})" for group in groups])
