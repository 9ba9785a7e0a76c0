"""Upsert and delete: cut by count and bytes, last of duplicates, partial failure told exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, FakeConfig, NativeError, able
from tests.unit.core.samples import fill, names, vectors

from polyvec import F, PartialWriteError, RejectedError, StoreError, VectorRecord
from polyvec.capabilities import Feature, ScanStability
from polyvec.errors import InvalidRecordError, RateLimitedError, UnavailableError
from polyvec.primitives import StaleLayout, Target
from polyvec.records import RecordBatch


def limited(limit: str, value: int) -> dict[str, Any]:
    return {limit: value}


def written(fake: FakeAdapter) -> list[list[str]]:
    return [call.args[0].ids for call in fake.of("upsert")]


def test_upsert_is_cut_by_count(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    fill(driver.collection(fake), 7)
    assert written(fake) == [["r00", "r01", "r02"], ["r03", "r04", "r05"], ["r06"]]
    assert fake.operations() == ["upsert"] * 3


def test_upsert_is_cut_by_bytes_vectors_included(driver: Driver) -> None:
    # 12 bytes of vector, 2 of id, 2 of "{}": 16, and 10 more for the text of b.
    fake = FakeAdapter(able(concurrency=1, batch_records=100, batch_bytes=40))
    driver.collection(fake).upsert(
        ids=["a0", "b0", "c0", "d0", "e0"],
        vectors=vectors(5),
        texts=[None, "0123456789", None, None, None],
    )
    assert written(fake) == [["a0"], ["b0"], ["c0", "d0"], ["e0"]]


def test_a_record_above_the_bytes_of_a_batch_goes_alone(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1, batch_records=100, batch_bytes=20))
    driver.collection(fake).upsert(
        ids=["a", "b", "c"], vectors=vectors(3), texts=[None, "x" * 50, None]
    )
    assert written(fake) == [["a"], ["b"], ["c"]]


def test_the_adapter_may_know_sizes_better(driver: Driver) -> None:
    class Sized(FakeAdapter):
        def record_sizes(self, target: Target, batch: RecordBatch) -> list[int]:
            assert target.namespace == "n"
            return [100 for _ in batch.ids]

    fake = Sized(able(record_bytes=99))
    collection = driver.collection(fake)
    with pytest.raises(InvalidRecordError, match=r"record 'a' has 100 bytes.*at most 99"):
        collection.namespace("n").upsert(ids=["a"], vectors=vectors(1))
    assert fake.calls == []


def test_bytes_of_a_record_count_its_namespace_in_utf8(driver: Driver) -> None:
    fake = FakeAdapter(able(record_bytes=20))
    space = driver.collection(fake).namespace("éé")  # 4 bytes, 1 of id, 2 of "{}", 13 of text
    space.upsert(ids=["a"], vectors=vectors(1), texts=["x" * 13])
    with pytest.raises(InvalidRecordError, match="21 bytes"):
        space.upsert(ids=["b"], vectors=vectors(1), texts=["x" * 14])
    assert list(fake.rows(namespace="éé")) == ["a"]


@pytest.mark.parametrize(
    ("limit", "record"),
    [
        ("id_bytes", {"ids": ["éé"]}),
        ("text_bytes", {"ids": ["a"], "texts": ["éé"]}),
        ("namespace_bytes", {"ids": ["a"]}),
    ],
)
def test_limits_count_bytes_not_characters(
    driver: Driver, limit: str, record: dict[str, Any]
) -> None:
    fake = FakeAdapter(able(**limited(limit, 3)))
    space = driver.collection(fake).namespace("éé" if limit == "namespace_bytes" else "")
    with pytest.raises(InvalidRecordError, match=r"4 bytes of UTF-8; fake holds 3"):
        space.upsert(vectors=vectors(1), **record)
    assert fake.calls == []
    exact = FakeAdapter(able(**limited(limit, 4)))
    space = driver.collection(exact).namespace("éé" if limit == "namespace_bytes" else "")
    space.upsert(vectors=vectors(1), **record)
    assert exact.operations() == ["upsert"]


def test_the_last_of_equal_ids_wins(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    collection.upsert(ids=["a", "b", "a", "c", "a", "b"], vectors=vectors(6), texts=list("012345"))
    assert {key: row.text for key, row in fake.rows().items()} == {"c": "3", "a": "4", "b": "5"}
    assert sum(len(ids) for ids in written(fake)) == 3


def test_records_and_columns_write_the_same(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    block = vectors(2)
    collection.upsert(
        [
            VectorRecord(id="a", vector=block[0], metadata={"n": 1}, text="t"),
            VectorRecord(id="b", vector=block[1].tolist()),
        ]
    )
    collection.namespace("x").upsert(
        ids=("a", "b"), vectors=block.tolist(), metadata=[{"n": 1}, None], texts=["t", None]
    )
    assert collection.get(["a", "b"]) == collection.namespace("x").get(["a", "b"])
    assert len(collection.get(["a", "b"])) == 2


def test_a_scanned_batch_can_be_written_vectorless_records_too(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 2)
    fake.rows()["r01"].present = False
    (batch,) = collection.scan(include=("vector", "metadata", "text"))
    assert batch.present is not None
    collection.namespace("copy").upsert(batch)
    copied = fake.rows(namespace="copy")
    assert [row.present for row in copied.values()] == [True, False]
    assert [row.metadata for row in copied.values()] == [{"n": 0}, {"n": 1}]
    assert collection.namespace("copy").count() == 2


@pytest.mark.parametrize("empty", [{"records": []}, {"ids": [], "vectors": []}])
def test_nothing_to_write_asks_nothing(driver: Driver, empty: dict[str, Any]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    collection.upsert(**empty)
    collection.upsert(ids=[], vectors=np.empty((0, 3)))
    collection.delete([])
    collection.delete([], filter=F("n") == 1)
    collection.update([], set={"a": 1})
    assert collection.get([]) == []
    collection.wait_until_visible([])
    assert fake.calls == []


def test_a_write_that_fails_whole_raises_the_error_itself(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fake.script("upsert", NativeError(400))
    with pytest.raises(StoreError, match="no") as caught:
        fill(collection, 7)
    assert not isinstance(caught.value, PartialWriteError)
    assert isinstance(caught.value.__cause__, NativeError)
    assert len(fake.calls) == 1
    assert fake.rows() == {}


def test_a_write_that_fails_in_part_names_ids_and_causes(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    cause = RejectedError("disk full", store="fake", operation="upsert")
    fake.script("upsert", None, cause)
    with pytest.raises(PartialWriteError, match=r"6 of 9 records were not written") as caught:
        fill(collection, 9)
    assert caught.value.failed == dict.fromkeys(names(9)[3:], cause)
    assert caught.value.__cause__ is cause
    assert (caught.value.store, caught.value.operation) == ("fake", "upsert")
    assert len(fake.calls) == 2, "something was sent after the failure"
    assert list(fake.rows()) == names(3)


def test_what_was_under_way_when_another_call_failed_counts_as_written(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=2))
    collection = driver.collection(fake, in_threads=True)
    fake.script("upsert", RejectedError("no"))
    with pytest.raises((PartialWriteError, RejectedError)) as caught:
        fill(collection, 30)
    failed = getattr(caught.value, "failed", dict.fromkeys(names(30)))
    assert set(failed) == set(names(30)) - set(fake.rows())


def test_an_adapter_can_say_itself_which_records_failed(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    cause = RejectedError("too long")
    fake.script("upsert", PartialWriteError("one", failed={"r01": cause}))
    with pytest.raises(PartialWriteError) as caught:
        fill(collection, 3)
    assert caught.value.failed == {"r01": cause}


@pytest.mark.parametrize(
    ("causes", "retryable", "pause_s"),
    [
        ([UnavailableError("refused")], True, None),
        ([RateLimitedError("slow", retry_after_s=2), UnavailableError("refused")], True, 2),
        ([UnavailableError("refused"), RejectedError("too long")], False, None),
        ([UnavailableError("refused"), ValueError("a bug")], False, None),
        ([], False, None),
    ],
)
def test_a_write_in_part_is_worth_repeating_when_all_its_causes_are(
    causes: list[Exception], retryable: bool, pause_s: float | None
) -> None:
    failed = {f"r{at}": cause for at, cause in enumerate(causes)}
    error = PartialWriteError("some", failed=failed)
    assert error.retryable is retryable
    assert error.retry_after_s == pause_s


def test_a_write_cut_off_in_the_middle_is_worth_repeating(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake, FakeConfig(max_attempts=1))
    fake.script("upsert", None, UnavailableError("gone"))
    with pytest.raises(PartialWriteError, match="6 of 9") as caught:
        fill(collection, 9)
    assert caught.value.retryable


def test_delete_in_part_names_ids_and_causes(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fill(collection, 9)
    cause = RejectedError("no")
    fake.script("delete_ids", None, cause)
    with pytest.raises(PartialWriteError, match="5 of 9") as caught:
        collection.delete(names(9))
    assert caught.value.failed == dict.fromkeys(names(9)[4:], cause)
    assert caught.value.operation == "delete"
    assert list(fake.rows()) == names(9)[4:]


@pytest.mark.parametrize("native", [True, False])
def test_update_in_part_names_ids_and_causes(driver: Driver, native: bool) -> None:
    without = [] if native else [Feature.SERVER_SIDE_UPDATE]
    fake = FakeAdapter(able(concurrency=4, without=without))
    collection = driver.collection(fake)
    fill(collection, 9)
    cause = RejectedError("no")
    # The first chunk of three is written, the second fails, the third is never sent.
    fake.forget()
    fake.script("update" if native else "upsert", None, cause)
    with pytest.raises(PartialWriteError, match="6 of 9") as caught:
        collection.update(names(9), set={"new": 1})
    assert caught.value.failed == dict.fromkeys(names(9)[3:], cause)
    assert caught.value.operation == "update"
    assert [key for key, row in fake.rows().items() if "new" in row.metadata] == names(3)
    assert len(fake.of("update" if native else "upsert")) == 2


def test_a_stale_layout_in_one_part_repeats_the_write(driver: Driver) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fake.script("upsert", None, StaleLayout())
    fill(collection, 7)
    assert list(fake.rows()) == names(7)
    assert fake.operations().count("open_collection") == 1


def test_delete_by_ids_and_filter_deletes_what_satisfies_both(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 9)
    collection.delete(["r01", "r05", "r07", "absent"], filter=F("n") > 4)
    assert sorted(fake.rows()) == ["r00", "r01", "r02", "r03", "r04", "r06", "r08"]


@pytest.mark.parametrize("stability", list(ScanStability))
@pytest.mark.parametrize("by_filter", [True, False])
def test_delete_by_filter_and_clear(
    driver: Driver, stability: ScanStability, by_filter: bool
) -> None:
    without = [] if by_filter else [Feature.DELETE_BY_FILTER]
    fake = FakeAdapter(able(scan_stability=stability, without=without))
    collection = driver.collection(fake)
    fill(collection, 13)
    fill(collection.namespace("other"), 2)
    collection.delete(filter=F("n") >= 2)
    assert list(fake.rows()) == ["r00", "r01"]
    assert bool(fake.of("delete_where")) is by_filter
    collection.drop_namespace("")
    assert collection.namespaces() == {"other": 2}
    collection.namespace("other").clear()
    assert collection.namespaces() == {}


def test_a_scan_that_deletes_disturb_is_finished_before_the_first_delete(driver: Driver) -> None:
    fake = FakeAdapter(
        able(scan_stability=ScanStability.QUIESCENT, without=[Feature.DELETE_BY_FILTER])
    )
    collection = driver.collection(fake)
    fill(collection, 13)
    fake.forget()
    collection.delete(filter=F("n") >= 2)
    assert fake.operations() == ["scan"] * 3 + ["delete_ids"] * 3


def test_a_lost_answer_of_a_write_is_harmless(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)

    def lose(answer: object) -> None:
        raise UnavailableError("reset")

    fake.script("upsert", lose)
    fill(collection, 3)
    assert list(fake.rows()) == names(3)
    assert len(slept) == 1
