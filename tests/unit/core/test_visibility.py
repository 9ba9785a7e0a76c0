"""`wait_until_visible`: polls until reads and queries agree, and says what it waited for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import FakeAdapter, able
from tests.unit.core.samples import fill, names, vectors

from polyvec import DeadlineError, NotSupportedError, deadline
from polyvec._reads import LONGEST_POLL_S
from polyvec.capabilities import Consistency, Feature
from polyvec.primitives import Target

EVENTUAL = able(consistency=Consistency.EVENTUAL)


class Clock:
    """A clock that only goes forward while something waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
        self._slept = slept
        monkeypatch.setattr(deadline, "time", self)

    def monotonic(self) -> float:
        return 1_000.0 + sum(self._slept)


def test_it_ends_at_once_where_writes_are_seen_at_once(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.forget()
    collection.wait_until_visible([*names(9), "r00"])
    assert fake.operations() == ["get"] * 3
    assert slept == []


def test_it_polls_until_every_id_can_be_read_and_queried(
    driver: Driver, slept: list[float]
) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fake.lag_reads = 4
    fill(collection, 3)
    assert collection.get(names(3)) == []
    collection.wait_until_visible(names(3))
    assert [record.id for record in collection.get(names(3))] == names(3)
    assert len(slept) == 3
    assert slept == sorted(slept)
    assert fake.of("search")


def test_pauses_grow_and_stay_below_a_second(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fake.lag_reads = 15
    fill(collection, 1)
    collection.wait_until_visible(["r00"], timeout_s=1e6)
    assert slept == sorted(slept)
    assert slept[-1] == LONGEST_POLL_S


def test_what_can_be_read_but_not_queried_is_waited_for(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fill(collection, 3)
    fake.finds = 0
    searches = 0

    def found_later(operation: str) -> None:
        nonlocal searches
        searches += operation == "search"
        if searches > 4:
            fake.finds = None

    fake.on_call = found_later
    collection.wait_until_visible(names(3))
    assert searches > 4
    assert slept


def test_absent_waits_until_nothing_can_be_read(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fill(collection, 3)
    fake.lag_reads = 3
    collection.delete(names(3)[:2])
    collection.wait_until_visible(["r00", "r01"], absent=True)
    assert [record.id for record in collection.get(names(3))] == ["r02"]
    assert slept


@pytest.mark.parametrize("absent", [True, False])
def test_time_over_names_the_ids(
    driver: Driver, slept: list[float], monkeypatch: pytest.MonkeyPatch, absent: bool
) -> None:
    Clock(monkeypatch, slept)
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fill(collection, 9)
    asked = names(9) if absent else [*names(2), "x1", "x2", "x1"]
    what = "9 of 9 ids are still visible" if absent else "2 of 4 ids are not visible yet"
    with pytest.raises(DeadlineError, match=what) as caught:
        collection.wait_until_visible(asked, absent=absent, timeout_s=3.0)
    assert ("'r00', 'r01', 'r02', 'r03', 'r04'" if absent else "['x1', 'x2']") in str(caught.value)
    assert "after 3.0 s" in str(caught.value)
    assert caught.value.operation == "wait_until_visible"
    assert sum(slept) == pytest.approx(3.0)


def test_a_crowd_of_equal_vectors_is_visible_too(driver: Driver, slept: list[float]) -> None:
    # By inner product a record is not the nearest to itself: all of these are nearer to any.
    fake = FakeAdapter(able(consistency=Consistency.EVENTUAL, top_k=200))
    collection = driver.collection(fake)
    crowd = np.tile(np.array([[9.0, 9.0, 9.0]], np.float32), (300, 1))
    collection.upsert(ids=names(300, "crowd"), vectors=crowd)
    collection.upsert(ids=["small"], vectors=[[0.1, 0.1, 0.1]])
    collection.wait_until_visible(["small", "crowd00"], timeout_s=30)
    assert slept == []


def test_records_without_a_vector_need_no_query(driver: Driver, slept: list[float]) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fill(collection, 2)
    fake.rows()["r00"].present = False
    collection.wait_until_visible(["r00", "r01"])
    assert slept == []
    assert len(vectors(1)) == len(fake.of("search"))


class Settling:
    """Answers for some ids, and notes when it is asked."""

    def __init__(
        self, fake: FakeAdapter, monkeypatch: pytest.MonkeyPatch, known: list[str]
    ) -> None:
        self.asked: list[tuple[list[str], int]] = []
        self._fake = fake
        self._known = known
        monkeypatch.setattr(fake, "settle", self.settle)

    def settle(self, _: Target, ids: Sequence[str], *, timeout_s: float | None) -> list[str]:
        assert timeout_s is None or timeout_s > 0
        self.asked.append((list(ids), len(self._fake.calls)))
        return [one for one in ids if one in self._known]


def test_ids_that_the_backend_answers_for_are_read_and_not_searched(
    driver: Driver, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fill(collection, 9)
    settling = Settling(fake, monkeypatch, names(8))
    fake.forget()
    collection.wait_until_visible(names(8))
    assert [ids for ids, _ in settling.asked] == [names(8)]
    assert not fake.of("search")
    collection.wait_until_visible(names(9))
    assert len(fake.of("search")) == 1  # for the one that it does not answer for
    assert slept == []


def test_what_was_settled_and_is_gone_is_not_visible(
    driver: Driver, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, slept)
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    fill(collection, 1)
    Settling(fake, monkeypatch, ["r00", "gone"])
    with pytest.raises(DeadlineError, match=r"1 of 2 ids .*\['gone'\]"):
        collection.wait_until_visible(["r00", "gone"], timeout_s=1.0)


def test_an_update_settles_before_it_reads(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeAdapter(able(without=[Feature.SERVER_SIDE_UPDATE], consistency=Consistency.EVENTUAL))
    collection = driver.collection(fake)
    fill(collection, 2)
    settling = Settling(fake, monkeypatch, [])
    fake.forget()
    collection.update(["r00"], set={"a": 1})
    first, *more = settling.asked
    assert first == ([], 0), "something was read before"
    assert more, "the locked part waits again: another task may have written meanwhile"
    assert fake.operations()[-1] == "upsert"


def test_others_are_not_asked_to_settle(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 2)
    settling = Settling(fake, monkeypatch, [])
    collection.wait_until_visible(["r00"])
    collection.update(["r00"], set={"a": 1})
    assert settling.asked == []


def test_all_writes_are_waited_for(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeAdapter(EVENTUAL)
    collection = driver.collection(fake)
    with pytest.raises(NotSupportedError, match="does not tell up to which write"):
        collection.wait_for_writes()
    asked: list[tuple[str, float | None]] = []

    def fence(target: Target, *, timeout_s: float | None) -> bool:
        asked.append((target.namespace, timeout_s))
        return True

    monkeypatch.setattr(fake, "fence", fence)
    collection.namespace("n").wait_for_writes(timeout_s=5)
    [(namespace, timeout_s)] = asked
    assert namespace == "n"
    assert timeout_s is not None
    assert 4 < timeout_s <= 5
    here = driver.collection(FakeAdapter())
    here.wait_for_writes()  # strong reads see them: nothing is asked
    assert len(asked) == 1
