"""The truth table of docs/reference/filters.md is what `matches` answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from polyvec.evaluate import compile_predicate, matches
from polyvec.filters import And, F, Filter, Or

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "filters.md"
NAMES: Final = {"F": F, "And": And, "Or": Or, "T": datetime(2024, 1, 1, tzinfo=UTC)}


def _rows() -> list[list[str]]:
    _, _, after = PAGE.read_text(encoding="utf-8").partition("<!-- truth table -->")
    lines = [line for line in after.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


ROWS: Final = _rows()
COLUMNS: Final = ROWS[0][1:]


def _metadata(column: str) -> dict[str, Any]:
    return {} if column == "absent" else {"a": eval(column, NAMES)}  # noqa: S307 - our own page


@pytest.mark.parametrize("row", ROWS[2:], ids=lambda row: row[0])
def test_each_cell_is_what_matches_answers(row: list[str]) -> None:
    found: Filter = eval(row[0], NAMES)  # noqa: S307 - our own page
    expected = {"yes": True, "·": False}
    table = {column: expected[cell] for column, cell in zip(COLUMNS, row[1:], strict=True)}

    assert {column: matches(found, _metadata(column)) for column in COLUMNS} == table
    predicate = compile_predicate(found)
    assert {column: predicate(_metadata(column)) for column in COLUMNS} == table


def test_the_table_has_all_its_rows_and_columns() -> None:
    assert len(COLUMNS) == 11
    assert len(ROWS) - 2 == 35
    assert ROWS[1] == ["---|" * 11 + "---"]
    shown = " ".join(row[0] for row in ROWS[2:])
    for method in ("is_in", "not_in", "contains(", "contains_any", "contains_all", "starts_with"):
        assert method in shown
