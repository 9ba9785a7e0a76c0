"""The query that the page of snapshots shows, run by DuckDB, which knows nothing of polyvec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import polyvec

PAGE: Final = Path(__file__).parents[3] / "docs" / "adapters" / "parquet.md"


def the_query() -> str:
    [query] = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(query)


def test_the_query_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    with polyvec.connect("parquet:./.") as store:
        docs = store.create_collection("articles", dimension=2)
        docs.upsert(
            ids=["a", "b", "c"],
            vectors=[[1, 0], [0, 1], [1, 1]],
            metadata=[{"category": "x"}, {"category": "y"}, {}],
            texts=["first", None, "third"],
        )
        docs.namespace("n").upsert(ids=["a"], vectors=[[5, 5]], metadata=[{"category": "z"}])
        docs.update(["b"], set={"category": "changed"})
        docs.delete(["c"])
    rows = duckdb.sql(the_query()).fetchall()
    found = {(row[1], row[0]): row[2:] for row in rows}
    assert len(rows) == len(found)
    assert found.keys() == {("", "a"), ("", "b"), ("n", "a")}
    assert [found["", "a"][:2], found["", "b"][:2]] == [("first", "x"), (None, "changed")]
    assert np.array_equal(found["n", "a"][2], [5, 5])
