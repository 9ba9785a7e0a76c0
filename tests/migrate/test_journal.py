from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.migrate.faulty import faulty
from tests.migrate.records import DIMENSION, adversarial, assert_equal, everything

import polyvec
from polyvec import MigrationError, RecordBatch, RejectedError, VectorStore
from polyvec.migrate import make_plan, migrate
from polyvec.migrate.journal import Journal

SAMPLE = adversarial(300)


class Crash(BaseException):
    """What no `except Exception` sees."""


def crash_after(writes: int) -> Any:
    left = [writes]

    def hook(batch: RecordBatch) -> None:
        if not left[0]:
            raise Crash
        left[0] -= 1

    return hook


@pytest.mark.parametrize("writes", [0, 1, 2, 7, 20])
@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_copy_goes_on_where_it_was(writes: int, workers: int) -> None:
    source, reading = faulty()
    target, writing = faulty()
    SAMPLE.load(source, "docs")
    writing.before_upsert = crash_after(writes)
    with pytest.raises(Crash):
        migrate(source, target, "docs", batch_size=10, workers=workers, journal="j")
    writing.before_upsert = lambda _: None
    writing.written.clear()
    reading.scanned.clear()
    report = migrate(
        source, target, resume=True, batch_size=10, workers=workers, journal="j", verify="none"
    )
    assert report.count == 300
    assert_equal(SAMPLE, target.collection("docs"), 0.0)
    # At most one batch per worker is written again.
    assert sum(writing.written) <= 300 - 10 * (writes - workers)


def test_finished_ranges_are_not_read_again() -> None:
    source, reading = faulty()
    target, writing = faulty()
    sample = adversarial(4_000)
    sample.load(source, "docs")
    plan = make_plan(source, target, "docs", workers=2)
    assert sum(len(space.ranges) for space in plan.namespaces) > 3
    writing.before_upsert = crash_after(12)
    with pytest.raises(Crash):
        migrate(source, target, plan=plan, batch_size=200, workers=1, journal="j")
    journal = Journal.resume(Path("j"))
    done = {(task.source, task.span) for task in journal.tasks()} - {
        (task.source, task.span) for task in journal.open_tasks()
    }
    begun = [task for task in journal.open_tasks() if task.cursor is not None]
    journal.close()
    assert done
    writing.before_upsert = lambda _: None
    reading.scanned.clear()
    report = migrate(source, target, resume=True, journal="j", verify="none", workers=1)
    assert (report.ranges_skipped, report.ranges_resumed) == (len(done), len(begun))
    spans = {span for span, _ in reading.scanned}
    assert not spans & {span for _, span in done} - {t.span for t in begun}
    assert_equal(sample, target.collection("docs"), 0.0)


def test_a_second_run_is_refused_while_the_first_goes_on(
    source: VectorStore, target: VectorStore
) -> None:
    SAMPLE.load(source, "docs")
    refused: list[str] = []

    def second(event: dict[str, Any]) -> None:
        if event["event"] == "start" and event["phase"] == "copy":
            with pytest.raises(MigrationError) as caught:
                migrate(source, target, "docs", resume=True)
            refused.append(str(caught.value))

    assert migrate(source, target, "docs", log=second).ok
    assert len(refused) == 1
    assert "a run is under way with this journal" in refused[0]


def test_a_second_process_is_refused(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    plan = make_plan(source, target, "docs")
    journal = Journal.create(Path("j"), plan)
    code = (
        "from pathlib import Path; from polyvec.migrate.journal import Journal; "
        "Journal.resume(Path('j'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    journal.close()
    assert done.returncode == 1
    assert "a run is under way with this journal" in done.stderr


def test_a_journal_is_not_begun_twice(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    migrate(source, target, "docs")
    target.drop_collection("docs")
    with pytest.raises(MigrationError, match="holds the journal of a migration"):
        migrate(source, target, "docs")
    with pytest.raises(MigrationError, match="emptied or made anew"):
        migrate(source, target, "docs", resume=True)
    assert migrate(source, target, "docs", journal="another").ok


def test_nothing_to_resume(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    with pytest.raises(MigrationError, match="holds no journal"):
        migrate(source, target, "docs", resume=True)


def test_a_journal_that_was_made_by_half_counts_for_nothing(
    source: VectorStore, target: VectorStore
) -> None:
    SAMPLE.load(source, "docs")
    Path("j").mkdir()
    (Path("j") / "journal.sqlite").write_bytes(b"")
    with pytest.raises(MigrationError, match="holds no journal"):
        migrate(source, target, "docs", resume=True, journal="j")
    assert migrate(source, target, "docs", journal="j").ok


def test_a_wrong_pairing_is_refused(tmp_path: Path) -> None:
    urls = [f"memory://{tmp_path}/{name}" for name in ("a", "b", "c")]
    for url in urls[:2]:
        with polyvec.connect(url) as store:
            SAMPLE.load(store, "docs")
            SAMPLE.load(store, "more")
    assert migrate(urls[0], urls[2], "docs", journal="j").ok
    for wrong, match in (
        ({"source": urls[1], "target": urls[2], "collection": "docs"}, "another source"),
        ({"source": urls[0], "target": urls[1], "collection": "docs"}, "another target"),
        ({"source": urls[0], "target": urls[2], "collection": "more"}, "another collection"),
        ({"source": urls[0], "target": urls[2], "to": "x"}, "another target collection"),
    ):
        with pytest.raises(MigrationError, match=match):
            migrate(**wrong, journal="j", resume=True)  # type: ignore[arg-type]  # texts all


def test_two_migrations_of_equal_names_do_not_meet(tmp_path: Path) -> None:
    """A peer keeps its progress under the source collection's name alone."""
    urls = [f"memory://{tmp_path}/{name}" for name in ("a", "b", "c", "d")]
    samples = [adversarial(50), adversarial(90)]
    for url, sample in zip(urls, samples, strict=False):
        with polyvec.connect(url) as store:
            sample.load(store, "docs")
    reports = [migrate(urls[0], urls[2], "docs"), migrate(urls[1], urls[3], "docs")]
    assert reports[0].journal != reports[1].journal
    for url, sample in zip(urls[2:], samples, strict=True):
        with polyvec.connect(url) as store:
            assert_equal(sample, store.collection("docs"), 0.0)


def test_a_resumed_dead_letter_is_counted_once() -> None:
    source, _ = faulty()
    target, writing = faulty()
    docs = source.create_collection("docs", dimension=DIMENSION)
    docs.upsert(ids=[f"r{at}" for at in range(40)], vectors=[[1.0] * DIMENSION] * 40)
    crash = crash_after(3)

    def hook(batch: RecordBatch) -> None:
        if "r1" in batch.ids:
            raise RejectedError("no")
        crash(batch)

    writing.before_upsert = hook
    options: dict[str, Any] = {"journal": "j", "max_errors": 1, "workers": 1, "batch_size": 4}
    with pytest.raises(Crash):
        migrate(source, target, "docs", **options)
    crash = crash_after(1_000)
    report = migrate(source, target, "docs", resume=True, **options)
    assert (report.left_out, report.count) == (1, 39)
    assert len(everything(target.collection("docs"))) == 39


def test_no_secret_is_in_the_journal(tmp_path: Path) -> None:
    from polyvec.migrate.sides import identity_of
    from polyvec_pgvector._config import PgvectorConfig

    def config(dbname: str, password: str) -> PgvectorConfig:
        return PgvectorConfig.model_validate({"host": "h", "dbname": dbname, "password": password})

    one, two, three = config("d", "hunter2"), config("d", "other"), config("e", "hunter2")
    assert identity_of(one) == identity_of(two) != identity_of(three)
    assert identity_of(one.model_copy(update={"timeout_s": 3.0})) == identity_of(one)
