"""Away from a store that shows writes only later, beside writers: nothing lost, nothing back.

The gateway shows a write a moment after it has acknowledged it, so that whoever reads
a record right after writing it reads what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from tests.migrate.records import everything
from tests.migrate.test_online import DIMENSION, Writers, fill
from tests.migrate.there_and_back import opened
from tests.services.pinecone import Gateway

import polyvec
from polyvec import Collection, InvalidRecordError, VectorStore
from polyvec.migrate import DualWriteStore, cutover, migrate, verify

LATE_S: Final = 0.15
ONES: Final = [1.0] * DIMENSION


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    running = Gateway(visibility_delay_s=LATE_S)
    yield running
    running.stop()


@pytest.fixture
def late(gateway: Gateway) -> Iterator[VectorStore]:
    with polyvec.connect(gateway.url) as store:
        yield store
        for name in store.list_collections():
            store.drop_collection(name)


def filled(store: VectorStore, count: int) -> Collection[Any]:
    docs = fill(store, count)
    for space in docs.namespaces() or ("", "n"):
        docs.namespace(space).wait_for_writes()
    return docs


def test_two_writers_and_a_migration_in_between(
    gateway: Gateway, late: VectorStore, tmp_path: Path
) -> None:
    count, log = 200, tmp_path / "touched.sqlite"
    fill(late, count)
    with opened("pgvector", tmp_path) as target:
        name = f"online_{uuid4().hex[:8]}"
        names = {"docs": name}
        with polyvec.connect(gateway.url) as another:  # its writes are news to the first store
            duals = [
                DualWriteStore(store, target, log=log, collections=names)
                for store in (late, another)
            ]
            writers = Writers(list(duals), count)
            try:
                report = migrate(
                    gateway.url, target, "docs", to=name, touched=log, batch_size=20, journal="j"
                )
                assert report.ok, report.verification
                assert verify(gateway.url, target, journal="j", touched=log).ok
                cutover("j", target, alias=f"{name}_live")
            finally:
                writers.end()
                duals[0].replay()
                for dual in duals:
                    dual.close()
        docs = late.collection("docs")
        for space in docs.namespaces():
            docs.namespace(space).wait_for_writes()
        found, wanted = everything(target.collection(name)), everything(docs)
        verified = verify(gateway.url, target, journal="j")
        target.drop_alias(f"{name}_live")
        target.drop_collection(name)
    assert found == wanted
    assert verified.ok
    assert any("changed" in record.metadata for record in found.values())
    assert len(found) != 2 * count, "the writers deleted nothing"


def test_what_is_read_is_what_was_written_last(
    late: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    docs = filled(late, 5)
    moved = fill(target, 5)
    with DualWriteStore(late, target, log=tmp_path / "t", collections=["docs"]) as dual:
        here = dual.collection("docs")
        here.upsert(ids=["r1", "new"], vectors=[ONES, ONES], metadata=[{"v": 2}] * 2)
        here.delete(["r2"])
        here.namespace("n").delete(["r0"])
        here.namespace("begun").upsert(ids=["first"], vectors=[ONES])
        dual.replay()
        assert [record.metadata for record in moved.get(["r1", "new"])] == [{"v": 2}] * 2
        assert moved.get(["r2"]) == moved.namespace("n").get(["r0"]) == []
        assert len(moved.namespace("begun").get(["first"])) == 1
        assert dual.replay() == 0
    assert everything(moved) == everything(docs)


def test_another_process_brings_over_what_a_writer_left(
    gateway: Gateway, late: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    """It has written nothing itself, so it knows no sequence number to wait for."""
    filled(late, 5)
    moved = fill(target, 5)
    writer = DualWriteStore(late, "memory://", log=tmp_path / "t", collections=["docs"])
    here = writer.collection("docs")
    here.upsert(ids=["r1"], vectors=[ONES], metadata=[{"v": 2}])
    here.delete(["r2"])
    writer.close()
    with DualWriteStore(gateway.url, target, log=tmp_path / "t", collections=["docs"]) as dual:
        dual.replay()
        assert moved.get(["r1"])[0].metadata == {"v": 2}
        assert moved.get(["r2"]) == []


def test_the_thread_brings_over_without_being_asked(
    late: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    filled(late, 3)
    moved = fill(target, 3)
    with DualWriteStore(late, target, log=tmp_path / "t", collections=["docs"]) as dual:
        dual.collection("docs").delete(["r0"])
        moved.wait_until_visible(["r0"], absent=True)
        dual.collection("docs").upsert(ids=["later"], vectors=[ONES])
        for _ in range(200):
            if moved.get(["later"]):
                break
            late.collection("docs").wait_for_writes()
        assert moved.get(["later"])


def test_a_record_that_the_secondary_refuses_keeps_no_other_waiting(
    late: VectorStore, tmp_path: Path
) -> None:
    filled(late, 3)
    with polyvec.connect("memory://?max_metadata_bytes=100") as target:
        moved = fill(target, 3)
        with DualWriteStore(late, target, log=tmp_path / "t", collections=["docs"]) as dual:
            here = dual.collection("docs")
            ids = [f"new{at}" for at in range(20)]
            long = [{"v": "x" * (200 if at == 7 else 2)} for at in range(20)]
            here.upsert(ids=ids, vectors=[ONES] * 20, metadata=long)
            with pytest.raises(InvalidRecordError, match="new7"):
                dual.replay()
            assert moved.count() == 3 + 19
            here.update(["new7"], set={"v": "short"})
            dual.replay()
            assert moved.get(["new7"])[0].metadata == {"v": "short"}
            assert dual.replay() == 0


def test_what_was_written_just_before_the_migration(
    late: VectorStore, gateway: Gateway, target: VectorStore, tmp_path: Path
) -> None:
    """By a writer that had no log yet."""
    docs = filled(late, 5)
    docs.upsert(ids=["r1", "r9"], vectors=[ONES, ONES], metadata=[{"v": 2}] * 2)
    docs.delete(["r2"])
    report = migrate(gateway.url, target, "docs", touched=tmp_path / "t", verify="none")
    assert report.ok
    moved = target.collection("docs")
    assert [record.metadata for record in moved.get(["r1", "r9"])] == [{"v": 2}] * 2
    assert moved.get(["r2"]) == []
