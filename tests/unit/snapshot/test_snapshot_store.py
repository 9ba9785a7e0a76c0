"""A snapshot as a store: what lasts, what is refused, what a directory looks like."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyvec
from polyvec import F
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    InvalidRequestError,
    NotSupportedError,
    UnavailableError,
)
from polyvec.records import RecordBatch

Opener = Callable[[], polyvec.VectorStore]

RICH: dict[str, Any] = {
    "text": 'quotes " \\ and \0 and \n',
    "unicode": "日本語 🦆 é",
    "int": 2**63 - 1,
    "float": 1.0,
    "true": True,
    "none": None,
    "when": datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-3.5))),
    "utc": datetime(1, 1, 1, tzinfo=UTC),
    "nested": {"list": [1, 1.0, True, None, "x", {"deep": []}], "empty": {}},
}


def vectors(n: int, dimension: int = 4) -> Any:
    return np.random.default_rng(n).standard_normal((n, dimension)).astype(np.float32)


def test_everything_reads_back_after_reopening(connect: Opener) -> None:
    block = vectors(3)
    ids = ["a/b", "日本語 🦆", "x" * 512]
    texts = ["NUL \0 inside", None, ""]
    connect().create_collection("c", dimension=4, metric="dot").namespace("n/1 é").upsert(
        ids=ids, vectors=block, metadata=[RICH, {}, {"k": 1}], texts=texts
    )
    collection = connect().collection("c")
    records = collection.namespace("n/1 é").get(ids)
    assert [record.id for record in records] == ids
    assert [record.text for record in records] == texts
    assert np.array_equal(np.stack([record.vector for record in records]), block)
    assert records[0].metadata == RICH
    assert type(records[0].metadata["float"]) is float
    assert records[0].metadata["true"] is True
    assert records[0].metadata["when"].utcoffset() == timedelta(hours=-3.5)
    assert collection.metric == "dot"
    assert collection.namespaces() == {"n/1 é": 3}


def test_reading_makes_no_directory(connect: Opener, folder: Path) -> None:
    store = connect()
    assert store.list_collections() == []
    assert not store.has_collection("c")
    with pytest.raises(CollectionNotFoundError, match="snap"):
        store.collection("c")
    assert not folder.exists()


def test_ping_makes_the_directory(connect: Opener, folder: Path) -> None:
    connect().ping()
    assert folder.is_dir()


@pytest.mark.parametrize("name", ["..", ".", "../other", "a/b", "/etc", ".hidden", "x" * 300])
def test_a_name_leads_nowhere_else(connect: Opener, folder: Path, name: str) -> None:
    store = connect()
    store.create_collection("c", dimension=2)
    other = folder.parent / "other"
    shutil.copytree(folder / "c", other)
    assert not store.has_collection(name)
    with pytest.raises(CollectionNotFoundError):
        store.drop_collection(name)
    assert (other / "manifest.json").exists()


def test_a_copied_folder_is_a_copied_collection(connect: Opener, folder: Path) -> None:
    connect().create_collection("c", dimension=2).upsert(ids=["a"], vectors=[[1, 2]])
    connect().close()
    shutil.copytree(folder / "c", folder / "my snapshot 1.0")
    store = connect()
    assert store.list_collections() == ["c", "my snapshot 1.0"]
    copy = store.collection("my snapshot 1.0")
    copy.upsert(ids=["b"], vectors=[[3, 4]])
    assert (copy.name, copy.count(), store.collection("c").count()) == ("my snapshot 1.0", 2, 1)


def test_a_folder_in_the_way_is_not_overwritten(connect: Opener, folder: Path) -> None:
    (folder / "c").mkdir(parents=True)
    (folder / "c" / "mine.txt").write_text("keep")
    store = connect()
    assert store.list_collections() == []
    with pytest.raises(CollectionExistsError, match="another name"):
        store.create_collection("c", dimension=2)
    assert (folder / "c" / "mine.txt").read_text() == "keep"


def test_a_second_store_is_kept_out_until_the_first_is_closed(folder: Path) -> None:
    url = f"parquet://{folder}?max_attempts=1"
    with polyvec.connect(url) as first:
        first.ping()
        with (
            polyvec.connect(url) as second,
            pytest.raises(UnavailableError, match="another store of this process"),
        ):
            second.list_collections()
    with polyvec.connect(url) as second:
        assert second.list_collections() == []


def test_replacing_keeps_the_place_in_a_scan_and_reinserting_does_not(connect: Opener) -> None:
    collection = connect().create_collection("c", dimension=2)
    collection.upsert(ids=["a", "b", "c"], vectors=[[1, 1]] * 3)
    scan = collection.scan(batch_size=1)
    first = next(scan)
    collection.upsert(ids=["a", "b"], vectors=[[2, 2]] * 2)
    collection.delete(["c"])
    collection.upsert(ids=["d", "c"], vectors=[[3, 3]] * 2)
    assert [first.ids, *(batch.ids for batch in scan)] == [["a"], ["b"], ["d"], ["c"]]
    reopened = connect().collection("c")
    rest = [batch.ids for batch in reopened.scan(batch_size=2, after=first.cursor)]
    assert rest == [["b", "d"], ["c"]]


def test_a_foreign_cursor_is_refused() -> None:
    from polyvec.snapshot.search import position

    for text in ("", "-1", "x", "\u0661", "9" * 30):
        with pytest.raises(InvalidRequestError, match="cursor"):
            position(text)


def test_records_without_a_vector_are_counted_and_never_found(connect: Opener) -> None:
    collection = connect().create_collection("c", dimension=2)
    batch = RecordBatch(
        ids=["with", "without"],
        vectors=np.array([[1, 0], [0, 0]], dtype=np.float32),
        metadata=[{}, {"k": 1}],
        texts=["a", "b"],
        present=np.array([True, False]),
    )
    collection.upsert(batch)
    collection = connect().collection("c")
    assert collection.count() == 2
    assert [hit.id for hit in collection.query([1, 0], top_k=10)] == ["with"]
    assert collection.query([1, 0], filter=F("k") == 1) == []
    [record] = collection.get(["without"])
    assert (record.text, "vector" in record.model_fields_set) == ("b", False)


def test_an_index_is_refused_unless_it_is_a_wish(connect: Opener) -> None:
    store = connect()
    with pytest.raises(NotSupportedError, match="hnsw"):
        store.create_collection("c", dimension=2, index=polyvec.HNSW(m=8))
    assert not store.has_collection("c")
    wish = polyvec.HNSW(m=8, best_effort=True)
    assert store.create_collection("c", dimension=2, index=wish).describe().index == polyvec.Flat()


def test_aliases_are_not_supported(connect: Opener) -> None:
    with pytest.raises(NotSupportedError, match="aliases"):
        connect().set_alias("live", "c")


def test_metadata_of_a_megabyte(folder: Path) -> None:
    big = {"words": ["lorem ipsum é"] * 50_000, "k": 1}
    with polyvec.connect(f"parquet://{folder}?max_metadata_bytes=2000000") as store:
        collection = store.create_collection("c", dimension=2)
        collection.upsert(ids=["a", "b"], vectors=[[1, 2]] * 2, metadata=[big, {}])
    with polyvec.connect(f"parquet://{folder}") as store:
        assert store.collection("c").get(["a"])[0].metadata == big
        assert store.collection("c").count(F("k") == 1) == 1


def test_ranges_cover_all_records_also_those_that_come_later(connect: Opener) -> None:
    from polyvec.primitives import KeyRange, Target
    from polyvec.snapshot.store import SnapshotAdapter

    store = connect()
    collection = store.create_collection("c", dimension=2)
    collection.upsert(ids=[f"r{i}" for i in range(10)], vectors=[[1, 1]] * 10)
    adapter = store._adapter  # pyright: ignore[reportPrivateUsage]  # no verb uses `split` yet
    assert isinstance(adapter, SnapshotAdapter)
    target = Target(adapter.open_collection("c", None, timeout_s=None), "")
    ranges = adapter.split(target, 3, timeout_s=None)
    assert [ranges[0].start, ranges[-1].stop, len(ranges)] == [None, None, 3]
    assert all(a.stop == b.start for a, b in pairwise(ranges))
    collection.upsert(ids=["late"], vectors=[[1, 1]])

    def ids(span: KeyRange) -> list[str]:
        none: frozenset[Any] = frozenset()
        page = adapter.scan(target, None, span, None, 100, none, consistency=None, timeout_s=None)
        return page.batch.ids

    found = [ids(span) for span in ranges]
    assert [len(part) for part in found] == [3, 3, 5]
    assert sorted(chain.from_iterable(found)) == sorted([*(f"r{i}" for i in range(10)), "late"])
