"""Consistency: what a finished write guarantees, and waiting where it guarantees less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyvec.capabilities import Consistency
from polyvec.errors import DeadlineError, PolyvecError
from polyvec.filters import F
from polyvec.testing.lab_async import VISIBLE_WITHIN_S
from polyvec.testing.oracle import records
from polyvec.testing.rows import DIMENSION, sample
from polyvec.testing.rules import AsyncArea, Sharing

if TYPE_CHECKING:
    from polyvec.testing.lab_async import AsyncLab


class AsyncVisibility(AsyncArea):
    """Read your writes; others see them as the capability says."""

    area = "consistency"

    async def test_own_writes_are_seen_at_once(self, lab: AsyncLab) -> None:
        if lab.capabilities.consistency is Consistency.EVENTUAL:
            pytest.skip("the store says that it is eventual")
        space = await lab.namespace()
        for at in range(10):
            rows = sample(3, seed=at + 1, prefix=f"p{at}_")
            await space.upsert(records(rows))
            assert len(await space.get(list(rows))) == 3
            hits = await space.query(rows[f"p{at}_001"].vector, top_k=1, exact=True)
            assert [hit.id for hit in hits] == [f"p{at}_001"]
            assert await space.count() == 3 * (at + 1)
            await space.update([f"p{at}_000"], set={"kind": "black"})
            assert await space.count(F("kind") == "black") == at + 1
        await space.delete(["p0_000"])
        assert await space.get(["p0_000"]) == []
        assert await space.count() == 29

    async def test_waiting_for_what_is_there(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        rows = sample(5)
        await space.upsert(records(rows))
        await space.wait_until_visible(list(rows), timeout_s=VISIBLE_WITHIN_S)
        assert {record.id for record in await space.get(list(rows))} == set(rows)
        hits = await space.query(rows["r000"].vector, top_k=5, exact=True)
        assert {hit.id for hit in hits} == set(rows)

    async def test_waiting_for_what_is_gone(self, lab: AsyncLab) -> None:
        space = await lab.filled(sample(5))
        await space.delete(["r001", "r002"])
        await space.wait_until_visible(
            ["r001", "r002", "nobody"], timeout_s=VISIBLE_WITHIN_S, absent=True
        )
        assert await space.get(["r001", "r002"]) == []

    async def test_waiting_for_what_never_comes(self, lab: AsyncLab) -> None:
        space = await lab.filled(sample(2))
        with pytest.raises(DeadlineError, match="nobody") as caught:
            await space.wait_until_visible(["r000", "nobody"], timeout_s=0.2)
        assert isinstance(caught.value, TimeoutError)
        with pytest.raises(DeadlineError, match="r001"):
            await space.wait_until_visible(["nobody", "r001"], timeout_s=0.2, absent=True)

    async def test_waiting_for_nothing(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        await space.wait_until_visible([], timeout_s=0.2)
        await space.wait_until_visible([], timeout_s=0.2, absent=True)

    async def test_strong_reads(self, lab: AsyncLab) -> None:
        if lab.capabilities.consistency is Consistency.EVENTUAL:
            pytest.skip("the store has no strong reads")
        space = await lab.namespace()
        rows = sample(4)
        await space.upsert(records(rows))
        assert len(await space.get(list(rows), consistency="strong")) == 4
        assert await space.count(consistency="strong") == 4
        hits = await space.query(rows["r000"].vector, top_k=4, consistency="strong")
        assert len(hits) == 4

    async def test_others_see_finished_writes(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is not Sharing.SHARED:
            pytest.skip("nobody else can open the store at the same time")
        name = lab.collection_name()
        made = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        other = await lab.connect().collection(name)
        rows = sample(6)
        await made.upsert(records(rows))
        if lab.capabilities.consistency is not Consistency.STRONG:
            await other.wait_until_visible(list(rows), timeout_s=VISIBLE_WITHIN_S)
        await lab.holds(other, rows)
        await other.delete(["r000"])
        if lab.capabilities.consistency is not Consistency.STRONG:
            await made.wait_until_visible(["r000"], timeout_s=VISIBLE_WITHIN_S, absent=True)
        assert await made.get(["r000"]) == []

    async def test_collection_made_anew_by_another(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is not Sharing.SHARED:
            pytest.skip("nobody else can open the store at the same time")
        name = lab.collection_name()
        here = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await lab.write(here, sample(3))
        other = lab.connect()
        await other.drop_collection(name)
        anew = await other.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        rows = sample(5, seed=2, prefix="s")
        await anew.upsert(records(rows))
        if lab.capabilities.consistency is not Consistency.STRONG:
            await here.wait_until_visible(list(rows), timeout_s=VISIBLE_WITHIN_S)
        await lab.holds(here, rows)  # a handle is a name, and follows what bears it
        more = sample(2, seed=3, prefix="t")
        await lab.write(here, more)
        await lab.holds(here, {**rows, **more})

    async def test_collection_made_anew_with_another_dimension(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is not Sharing.SHARED:
            pytest.skip("nobody else can open the store at the same time")
        name = lab.collection_name()
        here = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await lab.write(here, sample(3))
        other = lab.connect()
        await other.drop_collection(name)
        wide = DIMENSION + 3
        anew = await other.create_collection(name, dimension=wide, metric=lab.metric)
        with pytest.raises(PolyvecError):
            await here.upsert(records(sample(2)))
        assert await anew.count() == 0
        await anew.upsert(ids=["wide"], vectors=[[1.0] * wide])
        await lab.settle(anew, ["wide"])
        assert [record.id for record in await anew.get(["wide"])] == ["wide"]

    async def test_writes_survive_closing(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is Sharing.PRIVATE:
            pytest.skip("the store is gone when it is closed")
        name = lab.collection_name()
        made = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        rows = sample(9)
        await lab.write(made, rows)
        await lab.write(made.namespace("tenant"), sample(4, seed=2))
        await made.delete(["r003"])
        await lab.settle(made, ["r003"], absent=True)
        await made.update(["r004"], set={"kind": "black"})
        del rows["r003"]
        rows["r004"].metadata["kind"] = "black"
        again = await (await lab.reopen()).collection(name)
        await lab.holds(again, rows)
        await lab.holds(again.namespace("tenant"), sample(4, seed=2))
        info = await again.describe()
        assert (info.dimension, info.metric, info.count) == (DIMENSION, lab.metric, 12)
        more = sample(3, seed=3, prefix="s")
        await lab.write(again, more)
        await lab.holds(again, {**rows, **more})
