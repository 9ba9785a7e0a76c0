"""Scan: every record once, from any cursor, whatever is written meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.capabilities import ScanStability
from polyvec.filters import F
from polyvec.testing.checks import check_rows
from polyvec.testing.oracle import matching
from polyvec.testing.rows import DIMENSION, sample
from polyvec.testing.rules import AsyncArea, Sharing

if TYPE_CHECKING:
    from polyvec.collection_async import AsyncCollection
    from polyvec.records import RecordBatch
    from polyvec.testing.lab_async import AsyncLab


async def _batches(space: AsyncCollection[Any], **scan: Any) -> list[RecordBatch]:
    return [batch async for batch in space.scan(**scan)]


class AsyncScans(AsyncArea):
    """Scan yields batches with cursors, in an order of the store's own."""

    area = "scan"

    @pytest.mark.parametrize("batch_size", [1, 3, 10, 1000])
    async def test_every_record_once(self, lab: AsyncLab, batch_size: int) -> None:
        rows = sample(25)
        space = await lab.kept("scan", rows)
        found = await lab.read_all(space, batch_size=batch_size)
        check_rows(found, rows, lab.capabilities)

    async def test_batches_keep_to_the_size(self, lab: AsyncLab) -> None:
        space = await lab.kept("scan", sample(25))
        for size in (1, 7, 25, 30):
            batches = await _batches(space, batch_size=size)
            assert all(0 < len(batch) <= size for batch in batches)
            assert sum(map(len, batches)) == 25
            assert len(batches) >= 25 // size

    async def test_every_batch_has_a_cursor(self, lab: AsyncLab) -> None:
        space = await lab.kept("scan", sample(25))
        batches = await _batches(space, batch_size=4)
        cursors = [batch.cursor for batch in batches]
        assert all(isinstance(cursor, str) and cursor for cursor in cursors)
        assert len(set(cursors)) == len(cursors)
        assert await _batches(space, batch_size=4, after=cursors[-1]) == []

    @pytest.mark.parametrize("where", [None, F("kind") != "red"], ids=repr)
    async def test_resume_from_every_cursor(self, lab: AsyncLab, where: Any) -> None:
        rows = sample(25)
        space = await lab.kept("scan", rows)
        batches = await _batches(space, filter=where, batch_size=4, include=())
        order = [key for batch in batches for key in batch.ids]
        assert set(order) == matching(rows, where)
        seen = 0
        for batch in batches:
            seen += len(batch)
            rest = await lab.ids(space, filter=where, batch_size=3, after=batch.cursor)
            assert rest == order[seen:]

    async def test_scan_with_a_filter(self, lab: AsyncLab) -> None:
        rows = sample(25)
        space = await lab.kept("scan", rows)
        for where in (F("n") > 20, F("kind") == "red", ~(F("n") < 24)):
            wanted = matching(rows, where)
            for size in (1, 4, 1000):
                found = await lab.read_all(space, filter=where, batch_size=size)
                check_rows(found, {key: rows[key] for key in wanted}, lab.capabilities)
        assert await _batches(space, filter=F("n") > 99) == []

    async def test_order_is_the_same_each_time(self, lab: AsyncLab) -> None:
        space = await lab.kept("scan", sample(25))
        assert await lab.ids(space, batch_size=2) == await lab.ids(space, batch_size=25)

    async def test_writes_meanwhile(self, lab: AsyncLab) -> None:
        if lab.capabilities.scan_stability is ScanStability.QUIESCENT:
            pytest.skip("the store promises this only without concurrent writes")
        rows = sample(40)
        space = await lab.filled(rows)
        order = await lab.ids(space)
        gone, changed = {order[3], order[30], order[38]}, {order[1], order[20], order[39]}
        seen: list[str] = []
        pending = True
        async for batch in space.scan(batch_size=5, include=()):
            seen += batch.ids
            if (
                pending and len(seen) > 5
            ):  # behind and ahead of the scan: deletes, replacements, new records
                pending = False
                await space.delete(sorted(gone))
                await space.upsert(
                    ids=sorted(changed), vectors=[-rows[key].vector for key in sorted(changed)]
                )
                more = sample(10, seed=5, prefix="s")
                await space.upsert(ids=list(more), vectors=[row.vector for row in more.values()])
                await space.update(filter=F("kind") == "red", set={"touched": True})
        throughout = rows.keys() - gone
        assert not pending
        assert len(seen) == len(set(seen)), "a record came twice"
        assert throughout <= set(seen), f"missed {sorted(throughout - set(seen))}"
        assert set(seen) <= rows.keys() | set(sample(10, prefix="s"))

    async def test_delete_while_scanning(self, lab: AsyncLab) -> None:
        if lab.capabilities.scan_stability is ScanStability.QUIESCENT:
            pytest.skip("the store promises this only without concurrent writes")
        rows = sample(30)
        space = await lab.filled(rows)
        seen: list[str] = []
        async for batch in space.scan(batch_size=4, include=()):
            seen += batch.ids
            await space.delete(batch.ids)
            await lab.settle(space, batch.ids, absent=True)
        assert sorted(seen) == sorted(rows)
        await lab.holds(space, {})

    async def test_cursor_of_a_deleted_record(self, lab: AsyncLab) -> None:
        if lab.capabilities.scan_stability is ScanStability.QUIESCENT:
            pytest.skip("the store promises this only without concurrent writes")
        rows = sample(12)
        space = await lab.filled(rows)
        batches = await _batches(space, batch_size=4, include=())
        order = [key for batch in batches for key in batch.ids]
        first = batches[0]
        await space.delete(first.ids)
        await lab.settle(space, first.ids, absent=True)
        assert await lab.ids(space, after=first.cursor) == order[len(first) :]

    async def test_stopping_early(self, lab: AsyncLab) -> None:
        space = await lab.kept("scan", sample(25))
        async for batch in space.scan(batch_size=5):
            assert 0 < len(batch) <= 5
            break
        assert await space.count() == 25

    async def test_scan_larger_than_one_page(self, lab: AsyncLab) -> None:
        rows = sample(2300)
        space = await lab.filled(rows)
        assert sorted(await lab.ids(space)) == sorted(rows)
        assert await space.count() == 2300
        assert await space.count(F("n") >= 100) == 2200
        assert len(await lab.ids(space, filter=F("n") >= 100)) == 2200

    async def test_pages_of_a_new_collection(self, lab: AsyncLab) -> None:
        # In a collection of its own a store that numbers its records starts at one, so that the
        # positions differ in their digits: those compared as text would lose and repeat records.
        rows = sample(1150)
        space = await lab.collection()
        await lab.write(space, rows)
        for where in (None, F("kind") == "red"):
            batches = await _batches(space, filter=where, batch_size=70, include=())
            order = [key for batch in batches for key in batch.ids]
            assert sorted(order) == sorted(matching(rows, where))
            middle = len(batches) // 2
            rest = await lab.ids(space, filter=where, batch_size=90, after=batches[middle].cursor)
            assert rest == order[sum(map(len, batches[: middle + 1])) :]
            assert rest

    async def test_resume_in_another_store_object(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is Sharing.PRIVATE:
            pytest.skip("the store is gone when it is closed")
        name = lab.collection_name()
        made = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        space = made.namespace("tenant")
        rows = sample(17)
        await lab.write(space, rows)
        batches = await _batches(space, filter=F("n") != 3, batch_size=5, include=())
        order = [key for batch in batches for key in batch.ids]
        reopened = (await (await lab.reopen()).collection(name)).namespace("tenant")
        rest = await lab.ids(reopened, filter=F("n") != 3, after=batches[1].cursor)
        assert rest == order[len(batches[0]) + len(batches[1]) :]
        assert 0 < len(rest) < len(order)
