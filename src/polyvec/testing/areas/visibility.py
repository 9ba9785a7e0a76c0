# Generated from visibility_async.py by tools/unasync.py. Do not edit.
"""Consistency: what a finished write guarantees, and waiting where it guarantees less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyvec.capabilities import Consistency
from polyvec.errors import DeadlineError, PolyvecError
from polyvec.filters import F
from polyvec.testing.lab import VISIBLE_WITHIN_S
from polyvec.testing.oracle import records
from polyvec.testing.rows import DIMENSION, sample
from polyvec.testing.rules import Area, Sharing

if TYPE_CHECKING:
    from polyvec.testing.lab import Lab


class Visibility(Area):
    """Read your writes; others see them as the capability says."""

    area = "consistency"

    def test_own_writes_are_seen_at_once(self, lab: Lab) -> None:
        if lab.capabilities.consistency is Consistency.EVENTUAL:
            pytest.skip("the store says that it is eventual")
        space = lab.namespace()
        for at in range(10):
            rows = sample(3, seed=at + 1, prefix=f"p{at}_")
            space.upsert(records(rows))
            assert len(space.get(list(rows))) == 3
            hits = space.query(rows[f"p{at}_001"].vector, top_k=1, exact=True)
            assert [hit.id for hit in hits] == [f"p{at}_001"]
            assert space.count() == 3 * (at + 1)
            space.update([f"p{at}_000"], set={"kind": "black"})
            assert space.count(F("kind") == "black") == at + 1
        space.delete(["p0_000"])
        assert space.get(["p0_000"]) == []
        assert space.count() == 29

    def test_waiting_for_what_is_there(self, lab: Lab) -> None:
        space = lab.namespace()
        rows = sample(5)
        space.upsert(records(rows))
        space.wait_until_visible(list(rows), timeout_s=VISIBLE_WITHIN_S)
        assert {record.id for record in space.get(list(rows))} == set(rows)
        hits = space.query(rows["r000"].vector, top_k=5, exact=True)
        assert {hit.id for hit in hits} == set(rows)

    def test_waiting_for_what_is_gone(self, lab: Lab) -> None:
        space = lab.filled(sample(5))
        space.delete(["r001", "r002"])
        space.wait_until_visible(
            ["r001", "r002", "nobody"], timeout_s=VISIBLE_WITHIN_S, absent=True
        )
        assert space.get(["r001", "r002"]) == []

    def test_waiting_for_what_never_comes(self, lab: Lab) -> None:
        space = lab.filled(sample(2))
        with pytest.raises(DeadlineError, match="nobody") as caught:
            space.wait_until_visible(["r000", "nobody"], timeout_s=0.2)
        assert isinstance(caught.value, TimeoutError)
        with pytest.raises(DeadlineError, match="r001"):
            space.wait_until_visible(["nobody", "r001"], timeout_s=0.2, absent=True)

    def test_waiting_for_nothing(self, lab: Lab) -> None:
        space = lab.namespace()
        space.wait_until_visible([], timeout_s=0.2)
        space.wait_until_visible([], timeout_s=0.2, absent=True)

    def test_strong_reads(self, lab: Lab) -> None:
        if lab.capabilities.consistency is Consistency.EVENTUAL:
            pytest.skip("the store has no strong reads")
        space = lab.namespace()
        rows = sample(4)
        space.upsert(records(rows))
        assert len(space.get(list(rows), consistency="strong")) == 4
        assert space.count(consistency="strong") == 4
        hits = space.query(rows["r000"].vector, top_k=4, consistency="strong")
        assert len(hits) == 4

    def test_others_see_finished_writes(self, lab: Lab) -> None:
        if lab.pool.sharing is not Sharing.SHARED:
            pytest.skip("nobody else can open the store at the same time")
        name = lab.collection_name()
        made = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        other = lab.connect().collection(name)
        rows = sample(6)
        made.upsert(records(rows))
        if lab.capabilities.consistency is not Consistency.STRONG:
            other.wait_until_visible(list(rows), timeout_s=VISIBLE_WITHIN_S)
        lab.holds(other, rows)
        other.delete(["r000"])
        if lab.capabilities.consistency is not Consistency.STRONG:
            made.wait_until_visible(["r000"], timeout_s=VISIBLE_WITHIN_S, absent=True)
        assert made.get(["r000"]) == []

    def test_collection_made_anew_by_another(self, lab: Lab) -> None:
        if lab.pool.sharing is not Sharing.SHARED:
            pytest.skip("nobody else can open the store at the same time")
        name = lab.collection_name()
        here = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        lab.write(here, sample(3))
        other = lab.connect()
        other.drop_collection(name)
        anew = other.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        rows = sample(5, seed=2, prefix="s")
        anew.upsert(records(rows))
        if lab.capabilities.consistency is not Consistency.STRONG:
            here.wait_until_visible(list(rows), timeout_s=VISIBLE_WITHIN_S)
        lab.holds(here, rows)  # a handle is a name, and follows what bears it
        more = sample(2, seed=3, prefix="t")
        lab.write(here, more)
        lab.holds(here, {**rows, **more})

    def test_collection_made_anew_with_another_dimension(self, lab: Lab) -> None:
        if lab.pool.sharing is not Sharing.SHARED:
            pytest.skip("nobody else can open the store at the same time")
        name = lab.collection_name()
        here = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        lab.write(here, sample(3))
        other = lab.connect()
        other.drop_collection(name)
        wide = DIMENSION + 3
        anew = other.create_collection(name, dimension=wide, metric=lab.metric)
        with pytest.raises(PolyvecError):
            here.upsert(records(sample(2)))
        assert anew.count() == 0
        anew.upsert(ids=["wide"], vectors=[[1.0] * wide])
        lab.settle(anew, ["wide"])
        assert [record.id for record in anew.get(["wide"])] == ["wide"]

    def test_writes_survive_closing(self, lab: Lab) -> None:
        if lab.pool.sharing is Sharing.PRIVATE:
            pytest.skip("the store is gone when it is closed")
        name = lab.collection_name()
        made = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        rows = sample(9)
        lab.write(made, rows)
        lab.write(made.namespace("tenant"), sample(4, seed=2))
        made.delete(["r003"])
        lab.settle(made, ["r003"], absent=True)
        made.update(["r004"], set={"kind": "black"})
        del rows["r003"]
        rows["r004"].metadata["kind"] = "black"
        again = (lab.reopen()).collection(name)
        lab.holds(again, rows)
        lab.holds(again.namespace("tenant"), sample(4, seed=2))
        info = again.describe()
        assert (info.dimension, info.metric, info.count) == (DIMENSION, lab.metric, 12)
        more = sample(3, seed=3, prefix="s")
        lab.write(again, more)
        lab.holds(again, {**rows, **more})
