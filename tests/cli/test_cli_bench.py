from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Run
from tests.services import server

import polyvec
from polyvec import Collection

pa: Any = importlib.import_module("pyarrow")  # it ships no type information
pq: Any = importlib.import_module("pyarrow.parquet")

SMALL = ("--records", 300, "--queries", 12, "--json")


def terms(document: dict[str, Any]) -> list[str]:
    return [f"{row['verb']} {row['terms']}" for row in document["rows"]]


def collections(url: str) -> list[str]:
    with polyvec.connect(url) as store:
        return [name for name in store.list_collections() if name.startswith("polyvec_bench")]


def test_every_verb_is_measured(run: Run, tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/store"
    done = run("bench", url, *SMALL, "--ef", "5,20,40")
    document = done.json()
    assert done.code == 0
    assert terms(document) == [
        "upsert 500 records a call",
        "query as the store does",
        "query ef_search 20",  # a pool below --top-k is none
        "query ef_search 40",
        "query exact",
        "query 50% pass",
        "query 10% pass",
        "query 1% pass",
        "get 10 ids",
        "count 10% pass",
        "scan all, metadata and text",
    ]
    for row in document["rows"]:
        assert 0 < row["median_ms"] <= row["p99_ms"]
        assert row["rate"] > 0
        assert row["recall"] == (1.0 if row["verb"] == "query" else None)
    wanted = (
        r"writing 300 records into collection 'polyvec_bench_[0-9a-f]{12}' of memory, which is dr"
    )
    assert re.match(wanted, done.err)
    assert collections(url) == []


def test_a_server_is_measured_as_well(run: Run) -> None:
    url = server("pgvector").url
    before = collections(url)
    done = run("bench", url, *SMALL, "--dimension", 16, "--ef", "40")
    assert done.code == 0, done.err
    rows = {f"{row['verb']} {row['terms']}": row for row in done.json()["rows"]}
    assert rows["query exact"]["recall"] == 1.0
    assert rows["query ef_search 40"]["recall"] >= 0.8
    assert collections(url) == before


def test_a_table_for_people(run: Run) -> None:
    done = run("bench", "memory://", "--records", 100, "--queries", 3)
    assert done.code == 0
    assert "mixtures of two of the sample's embeddings" in done.out
    assert "ef_search 200" in done.out


def test_vectors_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    rows = np.random.default_rng(0).normal(size=(120, 4)).tolist()
    pq.write_table(pa.table({"vector": rows}), path)
    done = run("bench", "memory://", *SMALL, "--data", path)
    assert (done.code, done.json()["records"]) == (0, 108)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"name": ["a"]}), other)
    refused = run("bench", "memory://", "--data", other)
    assert refused.code == 2
    assert "has none of the columns vector, vector_int8" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ef", "a"), "expected numbers of at least 1, with commas"),
        (("--ef", "0,4"), "expected numbers of at least 1, with commas"),
        (("--top-k", 200, "--records", 100), "--top-k is 200, and there are 100 records"),
    ],
)
def test_what_cannot_be_measured_is_usage(run: Run, arguments: tuple[Any, ...], words: str) -> None:
    done = run("bench", "memory://", *arguments)
    assert done.code == 2
    assert words in done.err


def test_the_collection_is_dropped_on_interrupt(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"memory://{tmp_path}/store"
    with polyvec.connect(url) as store:
        store.create_collection("polyvec_bench_1", dimension=2)

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "scan", interrupted)
    done = run("bench", url, *SMALL)
    assert done.code == 130
    assert done.out == ""
    assert re.search(r"into collection 'polyvec_bench_[0-9a-f]{12}' of memory", done.err)
    assert collections(url) == ["polyvec_bench_1"], "the user's own"
