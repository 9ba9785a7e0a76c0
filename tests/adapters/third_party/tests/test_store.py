"""What the conformance suite cannot know of: SQLite's errors, files, changes by other stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import polyvec
from polyvec import F, VectorRecord, errors
from polyvec.errors import StoreError
from polyvec.evaluate import matches
from polyvec_sqlite import SqliteConfig
from polyvec_sqlite._compile import MAX_OPERANDS
from polyvec_sqlite._errors import map_error


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path / 'store.db'}"


def locked(file: Path) -> None:
    first = sqlite3.connect(file, isolation_level=None)
    second = sqlite3.connect(file, isolation_level=None, timeout=0)
    try:
        first.execute("BEGIN IMMEDIATE")
        second.execute("BEGIN IMMEDIATE")
    finally:
        first.close()
        second.close()


def provoke(file: Path, *statements: str, uri: str = "") -> None:
    sqlite3.connect(file).close()
    connection = sqlite3.connect(f"file:{file}{uri}", uri=True)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def read_only(file: Path) -> None:
    provoke(file, "CREATE TABLE t (x)")
    provoke(file, "CREATE TABLE u (x)", uri="?mode=ro")


def full(file: Path) -> None:
    provoke(
        file,
        "CREATE TABLE t (x)",
        "PRAGMA max_page_count = 2",
        "INSERT INTO t VALUES (zeroblob(100000))",
    )


def not_a_database(file: Path) -> None:
    file.write_bytes(b"no database" * 100)
    provoke(file, "SELECT * FROM sqlite_master")


def nowhere(file: Path) -> None:
    sqlite3.connect(file / "absent" / "x.db")


def too_big(file: Path) -> None:
    provoke(file, "SELECT zeroblob(2000000000)")


def interrupted(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.set_progress_handler(lambda: True, 1)
    try:
        connection.execute("CREATE TABLE t (x)")
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("cause", "expected", "retryable"),
    [
        (locked, errors.UnavailableError, True),
        (nowhere, errors.UnavailableError, True),
        (interrupted, errors.DeadlineError, True),
        (read_only, errors.AccessError, False),
        (full, errors.RejectedError, False),
        (too_big, errors.RejectedError, False),
        (not_a_database, errors.RejectedError, False),
    ],
)
def test_errors_are_told_apart_by_their_code(
    tmp_path: Path, cause: Callable[[Path], None], expected: type[StoreError], retryable: bool
) -> None:
    with pytest.raises(sqlite3.Error) as caught:
        cause(tmp_path / "x.db")
    mapped = map_error(caught.value, "upsert")
    assert mapped is not None
    assert type(mapped) is expected
    assert mapped.retryable is retryable
    assert mapped.operation == "upsert"
    assert str(tmp_path) not in str(mapped)


def test_what_is_a_bug_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        provoke(tmp_path / "x.db", "SELECT nothing FROM nowhere")
    assert map_error(caught.value, "scan") is None
    assert map_error(ValueError("no error of SQLite"), "scan") is None


def test_urls_name_a_file_or_memory(tmp_path: Path) -> None:
    assert polyvec.connect(f"sqlite://{tmp_path / 'a b.db'}").config == SqliteConfig(
        file=tmp_path / "a b.db"
    )
    assert polyvec.connect("sqlite:///:memory:").config == SqliteConfig(in_memory=True)


@pytest.mark.parametrize("bad", ["sqlite://", "sqlite://host/x.db", "sqlite:///x.db?mode=ro"])
def test_other_urls_are_refused(bad: str) -> None:
    with pytest.raises(errors.ConfigError):
        polyvec.connect(bad)


def test_a_collection_that_another_store_made_anew_is_opened_again(url: str) -> None:
    with polyvec.connect(url) as ours, polyvec.connect(url) as theirs:
        ours.create_collection("a", dimension=2)
        collection = ours.collection("a")
        collection.upsert([VectorRecord(id="old", vector=np.ones(2, dtype=np.float32))])
        theirs.drop_collection("a")
        with pytest.raises(errors.CollectionNotFoundError):
            collection.count()
        theirs.create_collection("a", dimension=2)
        theirs.collection("a").upsert([VectorRecord(id="new", vector=np.ones(2, dtype=np.float32))])
        assert [record.id for record in collection.get(["old", "new"])] == ["new"]


def test_a_database_with_texts_in_utf_16_is_refused(tmp_path: Path, url: str) -> None:
    provoke(tmp_path / "store.db", "PRAGMA encoding = 'UTF-16le'", "CREATE TABLE t (x)")
    with polyvec.connect(url) as store, pytest.raises(errors.RejectedError, match="UTF-16le"):
        store.ping()


def test_foreign_tables_are_neither_listed_nor_opened(tmp_path: Path, url: str) -> None:
    provoke(tmp_path / "store.db", "CREATE TABLE theirs (x)")
    with polyvec.connect(url) as store:
        assert store.list_collections() == []
        with pytest.raises(errors.CollectionNotFoundError):
            store.collection("theirs").count()


VALUES: list[object] = [None, *range(0, 3 * MAX_OPERANDS, 7), -1, 0.5, True, "x", "", "y", [3], []]
FEW_MISSING: list[object] = [*range(1, 2 * MAX_OPERANDS, 2), "x", 0.5]


@pytest.mark.parametrize(
    "where",
    [
        F("a").is_in(FEW_MISSING),
        ~F("a").is_in(FEW_MISSING),
        F("a").is_in([*FEW_MISSING, [3]]),
        F("a") == [3],
        ~(F("a") == [3]),
        F("l").contains_any(FEW_MISSING),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # all are scalars
        ~F("l").contains_all(FEW_MISSING),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # all are scalars
    ],
    ids=lambda where: repr(where)[:30],
)
def test_bounded_filters_find_what_they_mean(url: str, where: polyvec.Filter) -> None:
    stored: dict[str, dict[str, object]] = {
        str(at): {"a": value, "l": [value, "k"]} for at, value in enumerate(VALUES)
    }
    stored["all"] = {"a": "none", "l": [*FEW_MISSING]}
    expected = {record_id for record_id, metadata in stored.items() if matches(where, metadata)}
    assert 0 < len(expected) < len(stored)
    with polyvec.connect(url) as store:
        collection = store.create_collection("a", dimension=1)
        collection.upsert(
            [
                VectorRecord(id=i, vector=np.ones(1, dtype=np.float32), metadata=metadata)
                for i, metadata in stored.items()
            ]
        )
        assert {
            record_id for batch in collection.scan(where) for record_id in batch.ids
        } == expected
        assert collection.count(where) == len(expected)
        assert collection.explain(where).residual is not None
