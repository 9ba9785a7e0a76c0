"""Update: merged, checked before the first write, nothing lost to writers of the same store."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.drivers import Driver, Verb
from tests.unit.core.fake import FakeAdapter, able
from tests.unit.core.samples import fill, names, vectors

from polyvec import F, InvalidRecordError, Metadata
from polyvec.capabilities import Feature, UpdateAtomicity

RMW = UpdateAtomicity.READ_MODIFY_WRITE
WAYS = [
    pytest.param(able(concurrency=4), id="in one step"),
    pytest.param(able(concurrency=4, update_atomicity=RMW), id="by the server"),
    pytest.param(
        able(concurrency=4, update_atomicity=RMW, without=[Feature.SERVER_SIDE_UPDATE]),
        id="by get and upsert",
    ),
]


@pytest.fixture(params=WAYS)
def fake(request: pytest.FixtureRequest) -> FakeAdapter:
    """Return a fake for each way of updating."""
    return FakeAdapter(request.param)


def test_top_level_keys_are_merged_and_the_rest_is_kept(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake)
    fill(collection, 3, [{"a": {"x": 1}, "b": 2}, {"a": 1}, {"b": 2}])
    collection.update(["r00", "r02", "gone"], set={"a": {"y": 2}}, unset=["b", "never"])
    records = collection.get(names(3))
    assert [record.metadata for record in records] == [{"a": {"y": 2}}, {"a": 1}, {"a": {"y": 2}}]
    assert [record.text for record in records] == ["text 0", "text 1", "text 2"]
    assert [record.vector.tolist() for record in records] == vectors(3).tolist()


def test_vectors_and_texts_are_parallel_to_ids(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake)
    fill(collection, 6)
    other = vectors(5, seed=9)
    asked = ["r04", "gone", "r01", "r00", "r05"]
    collection.update(asked, vectors=other, texts=["four", "no", None, "zero", "five"])
    records = {record.id: record for record in collection.get(names(6))}
    assert {key: record.text for key, record in records.items()} == {
        "r00": "zero",
        "r01": None,
        "r02": "text 2",
        "r03": "text 3",
        "r04": "four",
        "r05": "five",
    }
    for row, key in enumerate(asked):
        if key in records:
            assert records[key].vector.tolist() == other[row].tolist()
    assert records["r02"].vector.tolist() == vectors(6)[2].tolist()
    assert [record.metadata for record in records.values()] == [{"n": n} for n in range(6)]


def test_of_equal_ids_the_last_value_wins(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake)
    fill(collection, 2)
    collection.update(["r00", "r01", "r00"], texts=["first", "other", "last"])
    assert [record.text for record in collection.get(names(2))] == ["last", "other"]


def test_ids_and_filter_take_the_right_rows_of_texts(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake)
    fill(collection, 4)
    collection.update(names(4)[::-1], filter=F("n").is_in([1, 2]), texts=["3", "2", "1", "0"])
    assert [record.text for record in collection.get(names(4))] == ["text 0", "1", "2", "text 3"]


def test_a_record_gets_its_first_vector(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake)
    fill(collection, 2)
    fake.rows()["r00"].present = False
    collection.update(["r00", "r01"], set={"a": 1})
    assert [row.present for row in fake.rows().values()] == [False, True]
    collection.update(["r00"], vectors=[[7.0, 8.0, 9.0]])
    assert fake.rows()["r00"].present
    assert collection.get(["r00"])[0].vector.tolist() == [7.0, 8.0, 9.0]


def test_all_are_checked_before_the_first_is_written(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake)
    fill(collection, 9, [{"big": "x" * (30_000 if n == 8 else 10)} for n in range(9)])
    fake.forget()
    with pytest.raises(InvalidRecordError, match="record 'r08': metadata has 5"):
        collection.update(names(9), set={"more": "y" * 20_000})
    with pytest.raises(InvalidRecordError, match="record 'r08'"):
        collection.update(filter=F("big").exists(), set={"more": "y" * 20_000})
    assert set(fake.operations()) <= {"get", "scan"}
    assert all("more" not in row.metadata for row in fake.rows().values())


def test_the_store_s_own_limits_hold_for_the_merged_record(
    driver: Driver, fake: FakeAdapter
) -> None:
    collection = driver.collection(fake)
    fill(collection, 2)
    fake.can = able(record_bytes=60, text_bytes=20)
    with pytest.raises(InvalidRecordError, match="at most 60"):
        collection.update(["r00"], set={"a": "x" * 60})
    with pytest.raises(InvalidRecordError, match="text has 30 bytes"):
        collection.update(["r00"], texts=["x" * 30])
    assert [row.metadata for row in fake.rows().values()] == [{"n": 0}, {"n": 1}]


class Article(Metadata):
    category: str
    price: float | None = None


def test_a_typed_collection_checks_the_outcome(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake, metadata=Article)
    collection.upsert(ids=["a"], vectors=vectors(1), metadata=[Article(category="x", price=1.0)])
    collection.update(["a"], set={"price": 2})
    assert collection.get(["a"])[0].metadata == Article(category="x", price=2.0)
    assert type(fake.rows()["a"].metadata["price"]) is float
    bad: dict[str, Any]
    for bad in ({"set": {"prise": 2}}, {"set": {"price": "dear"}}, {"unset": ["category"]}):
        with pytest.raises(InvalidRecordError, match=r"Article|price"):
            collection.update(["a"], **bad)
    assert collection.get(["a"])[0].metadata == Article(category="x", price=2.0)


def test_a_change_that_leaves_its_filter_reaches_every_match_once(
    driver: Driver, fake: FakeAdapter
) -> None:
    collection = driver.collection(fake)
    fill(collection, 13, [{"state": "new", "n": n} for n in range(13)])
    collection.update(filter=F("state") == "new", set={"state": "old"})
    assert collection.count(F("state") == "old") == 13


def test_concurrent_updates_of_one_record_all_arrive(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 3)

    def setting(key: str) -> Verb:
        return lambda c: c.update(["r00", "r01"], set={key: 1})

    keys = [f"k{number}" for number in range(12)]
    assert driver.together([setting(key) for key in keys], collection) == [None] * 12
    for row in ("r00", "r01"):
        assert set(fake.rows()[row].metadata) == {"n", *keys}


def test_an_update_never_brings_back_what_an_upsert_replaced(
    driver: Driver, fake: FakeAdapter
) -> None:
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 1, [{"generation": 0}])

    def replacing(number: int) -> Verb:
        return lambda c: c.upsert(
            ids=["r00"], vectors=vectors(1, number), metadata=[{"generation": number}]
        )

    def updating(number: int) -> Verb:
        return lambda c: c.update(["r00"], set={"seen": number})

    verbs: list[Verb] = [make(number) for number in range(1, 8) for make in (replacing, updating)]
    assert driver.together(verbs, collection) == [None] * len(verbs)
    # Whatever the order was: vector and generation were written together, and stay together.
    row = fake.rows()["r00"]
    assert row.vector.tolist() == vectors(1, row.metadata["generation"])[0].tolist()
    writes = [
        call.args[0].metadata[0]["generation"]
        for call in fake.of("upsert")[1:]
        if "seen" not in call.args[0].metadata[0]
    ]
    assert row.metadata["generation"] == writes[-1], "an update wrote an older record over a newer"


def test_an_update_never_brings_back_what_a_delete_removed(
    driver: Driver, fake: FakeAdapter
) -> None:
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 4)
    verbs: list[Verb] = [
        (lambda c: c.update(names(4), set={"a": 1})),
        (lambda c: c.delete(names(4))),
        (lambda c: c.update(names(4), set={"b": 1})),
    ]
    assert driver.together(verbs, collection) == [None] * 3
    assert fake.rows() == {}


def test_namespaces_do_not_wait_for_each_other(driver: Driver, fake: FakeAdapter) -> None:
    collection = driver.collection(fake, in_threads=True)
    fill(collection, 1)
    fill(collection.namespace("x"), 1)
    verbs: list[Verb] = [
        (lambda c: c.update(["r00"], set={"a": 1})),
        (lambda c: c.namespace("x").update(["r00"], set={"b": 1})),
    ]
    assert driver.together(verbs, collection) == [None, None]
    assert fake.rows()["r00"].metadata == {"n": 0, "a": 1}
    assert fake.rows(namespace="x")["r00"].metadata == {"n": 0, "b": 1}
