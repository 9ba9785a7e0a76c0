"""Writers that never stop: the stores end equal, nothing is lost and nothing comes back."""

from __future__ import annotations

import importlib
import random
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from tests.migrate.faulty import Faulty, faulty
from tests.migrate.records import everything

from polyvec import (
    Collection,
    F,
    MigrationError,
    NotSupportedError,
    RecordBatch,
    RejectedError,
    UnavailableError,
    VectorStore,
)
from polyvec.capabilities import Consistency, ScanStability
from polyvec.migrate import (
    DualWriteStore,
    cutover,
    dual_write_async,
    make_plan,
    migrate,
    verify,
)
from polyvec.migrate.touched import TouchedLog

DIMENSION: Final = 4
NAMES: Final = ("", "n")


def write_some(docs: Collection[Any], chance: random.Random, at: int, count: int) -> str:
    """Do one random write; return its kind."""
    space = docs.namespace(chance.choice(NAMES))
    ids = [f"r{chance.randrange(count)}" for _ in range(3)]
    kind = chance.choice(("upsert", "upsert", "update", "delete", "where", "change"))
    if kind == "upsert":
        vectors = np.full((3, DIMENSION), 1.0 + at)
        space.upsert(ids=ids, vectors=vectors, metadata=[{"at": at}] * 3, texts=[str(at)] * 3)
    elif kind == "update":
        space.update(ids, set={"changed": at})
    elif kind == "delete":
        space.delete(ids)
    elif kind == "where":
        space.delete(filter=F("at") == at - 50)
    else:
        space.update(filter=F("at") == at - 20, set={"found": at})
    return kind


def fill(store: VectorStore, count: int, name: str = "docs") -> Collection[Any]:
    docs = store.create_collection(name, dimension=DIMENSION)
    for space in NAMES:
        docs.namespace(space).upsert(
            ids=[f"r{at}" for at in range(count)],
            vectors=np.arange(1, 1 + count * DIMENSION).reshape(count, DIMENSION),
            metadata=[{"at": -1}] * count,
        )
    return docs


class Writers:
    """Threads that write at random until they are told to stop."""

    def __init__(self, stores: list[VectorStore], count: int) -> None:
        self.stop = threading.Event()
        self.kinds: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._write, args=(store, seed, count))
            for seed, store in enumerate(stores)
        ]
        for thread in self._threads:
            thread.start()

    def _write(self, store: VectorStore, seed: int, count: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a test
        docs = store.collection("docs")
        at = 0
        try:
            while not self.stop.is_set():
                self.kinds[write_some(docs, chance, at, count)] += 1
                at += 1
        except BaseException as exc:
            self.errors.append(exc)
            raise

    def end(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.errors
        assert len(self.kinds) == 5


def test_a_source_whose_scan_needs_quiet_is_refused(target: VectorStore, tmp_path: Path) -> None:
    source, adapter = faulty()
    adapter.changed["scan_stability"] = ScanStability.QUIESCENT
    fill(source, 3)
    log, journal = tmp_path / "touched.sqlite", tmp_path / "j"
    with pytest.raises(NotSupportedError, match="memory may miss records while others write"):
        migrate(source, target, "docs", touched=log, journal=journal)
    assert not log.exists()
    assert not journal.exists()


@pytest.mark.parametrize("round_", range(3))
def test_two_writers_and_a_migration_in_between(
    round_: int, source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    count = 400
    fill(source, count)
    log = tmp_path / "touched.sqlite"
    duals = [DualWriteStore(source, target, log=log, collections=["docs"]) for _ in range(2)]
    writers = Writers(list(duals), count)
    try:
        report = migrate(source, target, "docs", touched=log, batch_size=20, journal="j")
        assert report.ok, report.verification
        # While they still write: differences are looked at again.
        assert verify(source, target, journal="j", touched=log).ok
        cutover("j", target, alias="live")
    finally:
        writers.end()
        for dual in duals:
            dual.close()
    found, wanted = (everything(store.collection("docs")) for store in (target, source))
    assert found == wanted
    assert verify(source, target, journal="j").ok


def test_a_copier_that_writes_an_older_state(source: VectorStore, tmp_path: Path) -> None:
    """Between the copier's read and its write a record is changed, and another one deleted."""
    target, adapter = faulty()
    fill(source, 10)
    log = tmp_path / "touched.sqlite"
    dual = DualWriteStore(source, target, log=log, collections=["docs"])
    raced: list[bool] = []

    def race(batch: RecordBatch) -> None:
        if raced or "r3" not in batch.ids or len(batch) < 5:
            return
        raced.append(True)
        docs = dual.collection("docs")
        docs.delete(["r3"])
        docs.update(["r4"], set={"late": True})
        docs.upsert(ids=["new"], vectors=[[1.0] * DIMENSION])

    adapter.before_upsert = race
    assert migrate(source, target, "docs", touched=log, workers=1, verify="none").ok
    dual.close()
    assert raced
    found = everything(target.collection("docs"))
    assert found == everything(source.collection("docs"))
    assert ("", "r3") not in found
    assert found["", "r4"].metadata["late"] is True
    assert ("", "new") in found


def test_the_outbox_outlives_a_secondary_that_is_away(source: VectorStore, tmp_path: Path) -> None:
    target, adapter = faulty()
    fill(source, 5)
    fill(target, 5)
    log = tmp_path / "touched.sqlite"

    def away(batch: RecordBatch) -> None:
        raise UnavailableError("away")

    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        adapter.before_upsert = away
        docs = dual.collection("docs")
        docs.upsert(ids=["a"], vectors=[[1.0] * DIMENSION], metadata=[{"v": 1}])
        docs.upsert(ids=["a"], vectors=[[2.0] * DIMENSION], metadata=[{"v": 2}])
        docs.namespace("n").update(["r1"], set={"x": 1})
        assert target.collection("docs").get(["a"]) == []
    adapter.before_upsert = lambda _: None
    # Another process, later.
    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        assert dual.replay() == 3
        assert dual.replay() == 0
    assert everything(target.collection("docs")) == everything(source.collection("docs"))


def test_a_later_write_brings_the_outbox_along(source: VectorStore, tmp_path: Path) -> None:
    target, adapter = faulty()
    fill(source, 5)
    fill(target, 5)
    failing = [True]

    def sometimes(batch: RecordBatch) -> None:
        if failing[0]:
            raise UnavailableError("away")

    adapter.before_upsert = sometimes
    with DualWriteStore(source, target, log=tmp_path / "t", collections=["docs"]) as dual:
        docs = dual.collection("docs")
        docs.update(["r1"], set={"x": 1})
        failing[0] = False
        docs.update(["r2"], set={"x": 2})
    assert everything(target.collection("docs")) == everything(source.collection("docs"))


def test_a_write_that_was_begun_by_a_process_that_died(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    fill(source, 5)
    fill(target, 5)
    log = TouchedLog(tmp_path / "t")
    log.begin("docs", "", ["r1"])
    source.collection("docs").update(["r1"], set={"written": True})  # and then it died
    log.close()
    with closing(sqlite3.connect(tmp_path / "t", isolation_level=None)) as base:
        base.execute("UPDATE events SET process = 999999999")
    with DualWriteStore(source, target, log=tmp_path / "t", collections=["docs"]) as dual:
        assert dual.replay() == 1
    assert target.collection("docs").get(["r1"])[0].metadata["written"] is True


def test_a_failed_primary_write_is_looked_up(target: VectorStore, tmp_path: Path) -> None:
    source, adapter = faulty()
    fill(source, 5)
    fill(target, 5)

    def fail(batch: RecordBatch) -> None:
        raise UnavailableError("no answer")

    with DualWriteStore(source, target, log=tmp_path / "t", collections=["docs"]) as dual:
        adapter.before_upsert = fail
        with pytest.raises(UnavailableError):
            dual.collection("docs").upsert(ids=["a"], vectors=[[1.0] * DIMENSION])
        adapter.before_upsert = lambda _: None
        dual.replay()
    assert target.collection("docs").get(["a"]) == []
    assert everything(target.collection("docs")) == everything(source.collection("docs"))


def test_other_collections_pass_through(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    fill(source, 3)
    with DualWriteStore(source, target, log=tmp_path / "t", collections={"docs": "d2"}) as dual:
        made = dual.create_collection("other", dimension=2)
        made.upsert(ids=["a"], vectors=[[1, 0]])
        assert target.list_collections() == []
        fill(target, 3, "d2")
        dual.collection("docs").delete(["r1"])
        dual.collection("docs").namespace("n").clear()
    assert everything(target.collection("d2")) == everything(source.collection("docs"))


def test_the_asynchronous_form(source: VectorStore, target: VectorStore, tmp_path: Path) -> None:
    import asyncio

    fill(source, 3)
    fill(target, 3)

    async def run() -> None:
        async with dual_write_async(
            source, target, log=tmp_path / "t", collections=["docs"]
        ) as dual:
            docs = await dual.collection("docs")
            await docs.upsert(ids=["a"], vectors=[[1.0] * DIMENSION])
            await docs.delete(filter=F("at") == -1)

    asyncio.run(run())
    assert everything(target.collection("docs")) == everything(source.collection("docs"))
    assert target.collection("docs").count() == 1


def test_a_plan_with_transforms_is_mirrored(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    fill(source, 20)
    plan = make_plan(
        source,
        target,
        "docs",
        to="d2",
        rename={"at": "when"},
        where=F("gone") != True,  # noqa: E712 - a filter
    )
    log = tmp_path / "t"
    with DualWriteStore(source, target, log=log, collections={"docs": "d2"}, plan=plan) as dual:
        docs = dual.collection("docs")
        docs.update(["r1"], set={"gone": True})
        assert migrate(source, target, plan=plan, touched=log).ok
        docs.update(["r2"], set={"gone": True})
        docs.update(["r3"], set={"at": 7})
        assert verify(source, target, "docs", to="d2", touched=log).ok
    moved = target.collection("d2")
    assert moved.count() == 18
    assert moved.get(["r3"])[0].metadata == {"when": 7}


def test_a_primary_that_shows_writes_later_is_refused(target: VectorStore, tmp_path: Path) -> None:
    source, adapter = faulty()
    fill(source, 3)
    adapter.changed["consistency"] = Consistency.EVENTUAL
    with pytest.raises(NotSupportedError, match="only later, and does not tell when"):
        DualWriteStore(source, target, log=tmp_path / "t", collections=["docs"])


def test_shadow_reads(source: VectorStore, target: VectorStore, tmp_path: Path) -> None:
    fill(source, 50)
    fill(target, 50)
    other = target.collection("docs")
    with DualWriteStore(source, target, log=tmp_path / "t", collections=["docs"]) as dual:
        with dual.shadow("docs") as reader:
            vector = [1.0, 2.0, 3.0, 4.5]
            hits = reader.query(vector, top_k=5, filter=F("at") == -1)
            assert hits == source.collection("docs").query(vector, top_k=5, filter=F("at") == -1)
        assert (reader.report().asked_both, reader.report().overlap) == (1, 1.0)
        other.delete([hits[0].id])
        with dual.shadow("docs") as reader:
            for _ in range(4):
                reader.query(vector, top_k=5)
        report = reader.report()
        assert (report.queries, report.asked_both, report.overlap) == (4, 4, 0.8)
        assert report.primary_p50_ms > 0
        with dual.shadow("docs", share=0.0) as reader:
            reader.query(vector, top_k=1)
        assert (reader.report().queries, reader.report().asked_both) == (1, 0)


def test_it_is_the_verification_that_sees_a_lost_record_while_writers_write(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    fill(source, 100)
    log = tmp_path / "t"
    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        assert migrate(source, target, "docs", touched=log, journal="j").ok
        target.collection("docs").delete(["r7"])
        target.collection("docs").upsert(ids=["ghost"], vectors=[[1.0] * DIMENSION])
        dual.collection("docs").update(["r8"], set={"x": 1})
        found = verify(source, target, journal="j", touched=log)
    assert found.counts == {"missing": 1, "extra": 1, "differing": 0}


def test_a_namespace_that_neither_the_plan_nor_the_log_saw(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    """Somebody without the log began it: that is a difference, also while writers write."""
    fill(source, 5)
    log = tmp_path / "t"
    plan = make_plan(source, target, "docs")
    source.collection("docs").namespace("later").upsert(ids=["a", "b"], vectors=np.ones((2, 4)))
    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        dual.collection("docs").namespace("later").update(["b"], set={"x": 1})
        dual.collection("docs").namespace("ours").upsert(ids=["c"], vectors=np.ones((1, 4)))
        report = migrate(source, target, plan=plan, touched=log)
    assert report.verification is not None
    assert [(one.namespace, one.id) for one in report.verification.missing] == [("later", "a")]
    assert not report.ok


def test_the_log_keeps_nothing_when_nothing_is_copied(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    fill(source, 5)
    log = tmp_path / "t"
    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        dual.collection("docs").update(["r1", "r2"], set={"x": 1})
        assert len(dual.mirror.log.outbox()) == 2, "the secondary is not there yet"
        assert migrate(source, target, "docs", touched=log).ok
        assert dual.mirror.log.touched("docs", 10**9) == []
        dual.collection("docs").update(["r3"], set={"x": 1})
        assert dual.mirror.log.touched("docs", 10**9) == []
        dual.mirror.log.copying(now=True)
        dual.collection("docs").update(["r3"], set={"x": 2})
        dual.collection("docs").update(["r3"], set={"x": 3})
        assert [event.id for event in dual.mirror.log.touched("docs", 10**9)] == ["r3"]
    assert everything(target.collection("docs")) == everything(source.collection("docs"))


def refusing(names: set[str]) -> tuple[VectorStore, Faulty]:
    """Return a store that refuses every batch with a record of these texts."""
    target, adapter = faulty()

    def refuse(batch: RecordBatch) -> None:
        if names & set(batch.texts or ()):
            raise RejectedError("too odd")

    adapter.before_upsert = refuse
    return target, adapter


def test_what_the_catch_up_cannot_bring_over_is_a_dead_letter(
    source: VectorStore, tmp_path: Path
) -> None:
    """While it copies, a writer makes records of which the target refuses two."""
    target, adapter = refusing({"odd"})
    fill(source, 10)
    log, journal = tmp_path / "touched.sqlite", tmp_path / "j"
    refuse = adapter.before_upsert
    raced: list[bool] = []

    def race(batch: RecordBatch) -> None:
        if not raced and "r4" in batch.ids and len(batch) == 10:
            raced.append(True)
            vectors = [[1.0] * DIMENSION] * 4
            texts = ["odd", "fine", "odd", "fine"]
            dual.collection("docs").upsert(
                ids=["r4", "r5", "new", "other"], vectors=vectors, texts=texts
            )
        refuse(batch)

    adapter.before_upsert = race
    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        with pytest.raises(MigrationError, match="1 may be left out: too odd; see the dead"):
            migrate(source, target, "docs", touched=log, journal=journal, workers=1, max_errors=1)
        assert raced
        assert letters(journal) == {("", "r4"), ("", "new")}
        report = migrate(
            source, target, "docs", touched=log, journal=journal, max_errors=2, resume=True
        )
        assert report.left_out == 2
        assert report.verification is not None
        assert not any(report.verification.counts.values()), report.verification
        found, wanted = (everything(store.collection("docs")) for store in (target, source))
        assert ("", "r4") not in found, "an older state would be left"
        assert found == {
            key: one for key, one in wanted.items() if key not in {("", "r4"), ("", "new")}
        }
        assert letters(journal) == {("", "r4"), ("", "new")}


def test_a_dead_letter_that_a_writer_mends_is_none(source: VectorStore, tmp_path: Path) -> None:
    target, _ = refusing({"odd"})
    fill(source, 10)
    log, journal = tmp_path / "touched.sqlite", tmp_path / "j"
    docs = source.collection("docs")
    docs.upsert(ids=["r4"], vectors=[[1.0] * DIMENSION], texts=["odd"])
    docs.upsert(ids=["r5"], vectors=[[1.0] * DIMENSION], texts=["odd"])
    with DualWriteStore(source, target, log=log, collections=["docs"]) as dual:
        report = migrate(source, target, "docs", touched=log, journal=journal, max_errors=2)
        assert report.left_out == 2
        dual.collection("docs").upsert(ids=["r4"], vectors=[[1.0] * DIMENSION], texts=["mended"])
        dual.replay()
        found = verify(source, target, journal=journal, touched=log)
        assert found.left_out == 1
        assert not any(found.counts.values()), found
        dual.collection("docs").delete(["r5"])
        dual.replay()
        assert verify(source, target, journal=journal, touched=log).ok


def letters(journal: Path) -> set[tuple[str, str]]:
    pq: Any = importlib.import_module("pyarrow.parquet")
    table = pq.read_table(journal / "dead-letters.parquet")
    return {(row["namespace"], row["id"]) for row in table.to_pylist()}
