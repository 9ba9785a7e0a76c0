"""Targets and sources that slow down, refuse sizes, refuse records, or go away for a while."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.migrate.faulty import failing_times, faulty
from tests.migrate.records import adversarial, assert_equal, everything

from polyvec import (
    AccessError,
    MigrationError,
    NotSupportedError,
    RateLimitedError,
    RecordBatch,
    RejectedError,
    UnavailableError,
    VectorStore,
)
from polyvec.migrate import make_plan, migrate
from polyvec.snapshot._arrow import pq

SAMPLE = adversarial(200)
LETTERS = "dead-letters.parquet"


def test_a_target_that_asks_for_less(source: VectorStore) -> None:
    target, adapter = faulty()
    SAMPLE.load(source, "docs")

    def only_ten(batch: RecordBatch) -> None:
        if len(batch) > 10:
            raise RateLimitedError("slow down", retry_after_s=0.0)

    adapter.before_upsert = only_ten
    events: list[dict[str, Any]] = []
    assert migrate(source, target, "docs", log=events.append).ok
    assert_equal(SAMPLE, target.collection("docs"), 0.0)
    assert max(adapter.written) <= 10
    assert {event["event"] for event in events} >= {"smaller", "retry"}


def test_a_target_that_refuses_large_payloads(source: VectorStore) -> None:
    target, adapter = faulty()
    SAMPLE.load(source, "docs")

    def only_seven(batch: RecordBatch) -> None:
        if len(batch) > 7:
            raise RejectedError("413: payload too large")

    adapter.before_upsert = only_seven
    report = migrate(source, target, "docs")
    assert (report.ok, report.left_out) == (True, 0)
    assert_equal(SAMPLE, target.collection("docs"), 0.0)


def test_the_size_grows_again(source: VectorStore) -> None:
    target, adapter = faulty()
    SAMPLE.load(source, "docs")
    adapter.before_upsert = failing_times(2, lambda: RateLimitedError("now", retry_after_s=0.0))
    assert migrate(source, target, "docs", batch_size=8, workers=1).ok
    assert adapter.written[0] == 2
    assert 8 in adapter.written[8:]


def test_a_server_that_is_away_for_a_while(source: VectorStore) -> None:
    target, adapter = faulty()
    SAMPLE.load(source, "docs")
    adapter.before_upsert = failing_times(3, lambda: UnavailableError("refused"))
    assert migrate(source, target, "docs").ok
    assert_equal(SAMPLE, target.collection("docs"), 0.0)


def test_a_source_that_is_away_for_a_while(target: VectorStore) -> None:
    source, adapter = faulty()
    SAMPLE.load(source, "docs")
    calls = [0]

    def every_fifth() -> None:
        calls[0] += 1
        if calls[0] % 5 == 0:
            raise UnavailableError("reset")

    adapter.before_scan = every_fifth
    report = migrate(source, target, "docs", batch_size=10, fidelity="none", workers=1)
    assert report.ok
    assert_equal(SAMPLE, target.collection("docs"), 0.0)


def test_patience_ends(source: VectorStore) -> None:
    target, adapter = faulty()
    SAMPLE.load(source, "docs")

    def away(batch: RecordBatch) -> None:
        raise UnavailableError("refused")

    adapter.before_upsert = away
    with pytest.raises(UnavailableError, match="refused"):
        migrate(source, target, "docs", patience_s=0.3)
    adapter.before_upsert = lambda _: None
    assert migrate(source, target, "docs", resume=True).ok
    assert_equal(SAMPLE, target.collection("docs"), 0.0)


def test_a_refused_login_is_final(source: VectorStore) -> None:
    target, adapter = faulty()
    SAMPLE.load(source, "docs")
    adapter.before_upsert = failing_times(1, lambda: AccessError("no"))
    with pytest.raises(AccessError):
        migrate(source, target, "docs")
    report = migrate(source, target, "docs", resume=True)
    assert (report.ok, report.left_out) == (True, 0)


def poisoned(ids: set[str]) -> Any:
    def hook(batch: RecordBatch) -> None:
        bad = ids & set(batch.ids)
        if bad:
            raise RejectedError(f"cannot take {min(bad)!r}")

    return hook


def test_single_records_that_the_server_refuses(source: VectorStore) -> None:
    target, adapter = faulty()
    docs = source.create_collection("docs", dimension=2)
    ids = [f"r{at}" for at in range(100)]
    docs.upsert(ids=ids, vectors=np.ones((100, 2)), texts=ids, metadata=[{"a": 1}] * 100)
    adapter.before_upsert = poisoned({"r17", "r18", "r99"})
    with pytest.raises(MigrationError, match="2 records cannot be stored, 0 may be left out"):
        migrate(source, target, "docs", batch_size=20, workers=1, journal="j")
    assert pq.read_table(Path("j") / LETTERS).num_rows > 0
    with pytest.raises(MigrationError, match="raise max_errors"):
        migrate(source, target, "docs", resume=True, max_errors=2, workers=1, journal="j")
    report = migrate(source, target, "docs", resume=True, max_errors=3, journal="j", workers=1)
    assert (report.count, report.left_out, report.ok) == (97, 3, False)
    assert report.verification is not None
    assert report.verification.counts == {"missing": 0, "extra": 0, "differing": 0}
    assert everything(target.collection("docs")).keys() == {
        ("", name) for name in ids if name not in ("r17", "r18", "r99")
    }
    letters: list[dict[str, Any]] = pq.read_table(Path("j") / LETTERS).to_pylist()
    assert [letter["id"] for letter in letters] == ["r17", "r18", "r99"]
    assert letters[0] == {
        "namespace": "",
        "id": "r17",
        "reason": "cannot take 'r17'",
        "text": "r17",
        "metadata": '{"a":1}',
        "vector": [1.0, 1.0],
    }


def test_records_that_do_not_fit_are_named_before_anything_is_written(
    source: VectorStore,
) -> None:
    target, adapter = faulty()
    limits = adapter.capabilities.limits
    adapter.changed["limits"] = replace(limits, text_bytes=50, record_bytes=500)
    docs = source.create_collection("docs", dimension=2)
    texts = ["x" * (51 if at in (3, 60) else 10) for at in range(80)]
    metadata: list[dict[str, Any]] = [{"b": "y" * 500} if at == 7 else {} for at in range(80)]
    ids = [f"r{at}" for at in range(80)]
    docs.upsert(ids=ids, vectors=np.ones((80, 2)), texts=texts, metadata=metadata)
    with pytest.raises(MigrationError, match="3 of the 80 records"):
        migrate(source, target, "docs")
    assert target.list_collections() == []
    assert not Path("polyvec-migrations").exists()
    plan = make_plan(source, target, "docs")
    refused = {finding.what: finding for finding in plan.fidelity.refused}
    assert [finding.count for finding in refused.values()] == [1, 2]
    assert [example.id for example in plan.fidelity.refused[1].examples] == ["r3", "r60"]
    report = migrate(source, target, "docs", max_errors=3)
    assert (report.count, report.left_out) == (77, 3)


def test_what_only_the_collection_itself_refuses(source: VectorStore) -> None:
    """An adapter's own check needs the collection: extreme records are tried before the copy."""
    target, adapter = faulty()
    docs = source.create_collection("docs", dimension=2)
    docs.upsert(ids=[f"r{at}" for at in range(50)], vectors=np.ones((50, 2)))
    docs.upsert(
        RecordBatch(
            ids=["bare"],
            vectors=np.zeros((1, 2), dtype=np.float32),
            metadata=[{}],
            texts=[None],
            present=np.zeros(1, dtype=np.bool_),
        )
    )

    def sizes(place: Any, batch: RecordBatch) -> None:
        if batch.present is not None:
            raise NotSupportedError("record has no vector")

    adapter.record_sizes = sizes  # type: ignore[method-assign, assignment]  # a target with a check of its own
    limits = adapter.capabilities.limits
    adapter.changed["limits"] = replace(limits, batch_bytes=10**9)
    with pytest.raises(MigrationError, match=r"records like .bare.*nothing was written"):
        migrate(source, target, "docs", journal="a")
    assert target.collection("docs").count() == 0
    report = migrate(source, target, "docs", max_errors=1, journal="b")
    assert (report.count, report.left_out) == (50, 1)
