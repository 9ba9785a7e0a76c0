"""count and query."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), 3),
        (("--namespace", "n"), 2),
        (("-A",), 5),
        (("--filter", '{"price": {"$gt": 1}}'), 1),
        (("--filter", '{"tags": {"$exists": false}}', "-A"), 4),
        (("--filter", '{"at": {"$lt": {"$datetime": "2024-06-01T00:00:00+00:00"}}}'), 1),
    ],
)
def test_count(run: Run, url: str, options: tuple[str, ...], expected: int) -> None:
    assert run("count", url, "docs", *options, "--json").json() == {"count": expected}
    assert run("count", url, "docs", *options).out == f"{expected}\n"


def test_query_by_vector(run: Run, url: str) -> None:
    document = run("query", url, "docs", "--vector", "[1, 0]", "-k", 2, "--json").json()
    assert document == {
        "hits": [
            {
                "score": 2.0,
                "distance": -2.0,
                "id": "b",
                "metadata": {"price": 2.5},
                "text": "second\x1b[31m",
            },
            {
                "score": 1.0,
                "distance": -1.0,
                "id": "a",
                "metadata": {"price": 1, "at": {"$datetime": "2024-01-01T00:00:00+00:00"}},
                "text": "first [bold]not markup[/]",
            },
        ]
    }


def ids(done: Any) -> list[str]:
    assert done.code == 0, done.err
    return [hit["id"] for hit in done.json()["hits"]]


def test_query_by_the_vector_of_a_record(run: Run, url: str) -> None:
    assert ids(run("query", url, "docs", "--id", "c", "--json")) == ["c", "a", "b"]
    assert ids(run("query", url, "docs", "--id", "z", "-n", "n", "--json")) == ["z", "a"]


def test_query_options(run: Run, url: str) -> None:
    base = ("query", url, "docs", "--vector", "[1, 0]", "--json")
    assert ids(run(*base, "--filter", '{"price": {"$exists": true}}')) == ["b", "a"]
    assert ids(run(*base, "--min-score", "1.5")) == ["b"]
    assert ids(run(*base, "--exact", "--top-k", "1")) == ["b"]
    [hit] = run(*base, "--include", "vector", "-k", 1).json()["hits"]
    assert hit == {"score": 2.0, "distance": -2.0, "id": "b", "vector": [2.0, 0.0]}
    [hit] = run(*base, "--include", "", "-k", 1).json()["hits"]
    assert set(hit) == {"score", "distance", "id"}


def test_vectors_come_from_files_and_standard_input(run: Run, url: str, tmp_path: Path) -> None:
    base = ("query", url, "docs", "--json", "-k", 1, "--vector")
    np.save(tmp_path / "v.npy", np.array([0, 1], dtype=np.float32))
    (tmp_path / "v.json").write_text("[0, 1]")
    assert ids(run(*base, f"@{tmp_path}/v.npy")) == ["c"]
    assert ids(run(*base, f"@{tmp_path}/v.json")) == ["c"]
    assert ids(run(*base, "-", stdin="[0, 1]\n")) == ["c"]


def test_stored_text_is_shown_and_not_obeyed(run: Run, url: str) -> None:
    out = run("query", url, "docs", "--vector", "[1, 0]").out
    assert "first [bold]not markup[/]" in out
    assert r"second\x1b[31m" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "--id and --vector"),
        (("--id", "a", "--vector", "[1, 0]"), "--id and --vector"),
        (("--id", "nope"), "no record 'nope'"),
        (("--vector", "[1]"), "1 dimension"),
        (("--vector", '["x", 1]'), "dtype"),
        (("--vector", "{}"), "expected"),
        (("--vector", "[1, "), "not JSON"),
        (("--vector", "[NaN, 1]"), "nan"),
        (("--vector", "@/no/such/file.npy"), "No such file"),
        (("--vector", "[1, 0]", "-k", "0"), "top_k"),
        (("--vector", "[1, 0]", "-k", "x"), "integer"),
        (("--vector", "[1, 0]", "--include", "nope"), "nope"),
        (("--vector", "[1, 0]", "--filter", "{"), "not JSON"),
        (("--vector", "[1, 0]", "--filter", "[]"), "JSON object"),
        (("--vector", "[1, 0]", "--filter", '{"a": {"$nope": 1}}'), "$nope"),
    ],
)
def test_bad_queries(run: Run, url: str, options: tuple[str, ...], expected: str) -> None:
    done = run("query", url, "docs", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert expected.lower() in done.err.lower()


def test_a_pickle_is_not_loaded(run: Run, url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([{}, {}]), allow_pickle=True)
    done = run("query", url, "docs", "--vector", f"@{tmp_path}/v.npy")
    assert done.code == 2
    assert "holds no vector" in done.err
