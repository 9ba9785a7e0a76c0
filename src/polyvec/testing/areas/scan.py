# Generated from scan_async.py by tools/unasync.py. Do not edit.
"""Scan: every record once, from any cursor, whatever is written meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.capabilities import ScanStability
from polyvec.filters import F
from polyvec.testing.checks import check_rows
from polyvec.testing.oracle import matching
from polyvec.testing.rows import DIMENSION, sample
from polyvec.testing.rules import Area, Sharing

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.records import RecordBatch
    from polyvec.testing.lab import Lab


def _batches(space: Collection[Any], **scan: Any) -> list[RecordBatch]:
    return list(space.scan(**scan))


class Scans(Area):
    """Scan yields batches with cursors, in an order of the store's own."""

    area = "scan"

    @pytest.mark.parametrize("batch_size", [1, 3, 10, 1000])
    def test_every_record_once(self, lab: Lab, batch_size: int) -> None:
        rows = sample(25)
        space = lab.kept("scan", rows)
        found = lab.read_all(space, batch_size=batch_size)
        check_rows(found, rows, lab.capabilities)

    def test_batches_keep_to_the_size(self, lab: Lab) -> None:
        space = lab.kept("scan", sample(25))
        for size in (1, 7, 25, 30):
            batches = _batches(space, batch_size=size)
            assert all(0 < len(batch) <= size for batch in batches)
            assert sum(map(len, batches)) == 25
            assert len(batches) >= 25 // size

    def test_every_batch_has_a_cursor(self, lab: Lab) -> None:
        space = lab.kept("scan", sample(25))
        batches = _batches(space, batch_size=4)
        cursors = [batch.cursor for batch in batches]
        assert all(isinstance(cursor, str) and cursor for cursor in cursors)
        assert len(set(cursors)) == len(cursors)
        assert _batches(space, batch_size=4, after=cursors[-1]) == []

    @pytest.mark.parametrize("where", [None, F("kind") != "red"], ids=repr)
    def test_resume_from_every_cursor(self, lab: Lab, where: Any) -> None:
        rows = sample(25)
        space = lab.kept("scan", rows)
        batches = _batches(space, filter=where, batch_size=4, include=())
        order = [key for batch in batches for key in batch.ids]
        assert set(order) == matching(rows, where)
        seen = 0
        for batch in batches:
            seen += len(batch)
            rest = lab.ids(space, filter=where, batch_size=3, after=batch.cursor)
            assert rest == order[seen:]

    def test_scan_with_a_filter(self, lab: Lab) -> None:
        rows = sample(25)
        space = lab.kept("scan", rows)
        for where in (F("n") > 20, F("kind") == "red", ~(F("n") < 24)):
            wanted = matching(rows, where)
            for size in (1, 4, 1000):
                found = lab.read_all(space, filter=where, batch_size=size)
                check_rows(found, {key: rows[key] for key in wanted}, lab.capabilities)
        assert _batches(space, filter=F("n") > 99) == []

    def test_order_is_the_same_each_time(self, lab: Lab) -> None:
        space = lab.kept("scan", sample(25))
        assert lab.ids(space, batch_size=2) == lab.ids(space, batch_size=25)

    def test_writes_meanwhile(self, lab: Lab) -> None:
        if lab.capabilities.scan_stability is ScanStability.QUIESCENT:
            pytest.skip("the store promises this only without concurrent writes")
        rows = sample(40)
        space = lab.filled(rows)
        order = lab.ids(space)
        gone, changed = {order[3], order[30], order[38]}, {order[1], order[20], order[39]}
        seen: list[str] = []
        pending = True
        for batch in space.scan(batch_size=5, include=()):
            seen += batch.ids
            if (
                pending and len(seen) > 5
            ):  # behind and ahead of the scan: deletes, replacements, new records
                pending = False
                space.delete(sorted(gone))
                space.upsert(
                    ids=sorted(changed), vectors=[-rows[key].vector for key in sorted(changed)]
                )
                more = sample(10, seed=5, prefix="s")
                space.upsert(ids=list(more), vectors=[row.vector for row in more.values()])
                space.update(filter=F("kind") == "red", set={"touched": True})
        throughout = rows.keys() - gone
        assert not pending
        assert len(seen) == len(set(seen)), "a record came twice"
        assert throughout <= set(seen), f"missed {sorted(throughout - set(seen))}"
        assert set(seen) <= rows.keys() | set(sample(10, prefix="s"))

    def test_delete_while_scanning(self, lab: Lab) -> None:
        if lab.capabilities.scan_stability is ScanStability.QUIESCENT:
            pytest.skip("the store promises this only without concurrent writes")
        rows = sample(30)
        space = lab.filled(rows)
        seen: list[str] = []
        for batch in space.scan(batch_size=4, include=()):
            seen += batch.ids
            space.delete(batch.ids)
            lab.settle(space, batch.ids, absent=True)
        assert sorted(seen) == sorted(rows)
        lab.holds(space, {})

    def test_cursor_of_a_deleted_record(self, lab: Lab) -> None:
        if lab.capabilities.scan_stability is ScanStability.QUIESCENT:
            pytest.skip("the store promises this only without concurrent writes")
        rows = sample(12)
        space = lab.filled(rows)
        batches = _batches(space, batch_size=4, include=())
        order = [key for batch in batches for key in batch.ids]
        first = batches[0]
        space.delete(first.ids)
        lab.settle(space, first.ids, absent=True)
        assert lab.ids(space, after=first.cursor) == order[len(first) :]

    def test_stopping_early(self, lab: Lab) -> None:
        space = lab.kept("scan", sample(25))
        for batch in space.scan(batch_size=5):
            assert 0 < len(batch) <= 5
            break
        assert space.count() == 25

    def test_scan_larger_than_one_page(self, lab: Lab) -> None:
        rows = sample(2300)
        space = lab.filled(rows)
        assert sorted(lab.ids(space)) == sorted(rows)
        assert space.count() == 2300
        assert space.count(F("n") >= 100) == 2200
        assert len(lab.ids(space, filter=F("n") >= 100)) == 2200

    def test_pages_of_a_new_collection(self, lab: Lab) -> None:
        # In a collection of its own a store that numbers its records starts at one, so that the
        # positions differ in their digits: those compared as text would lose and repeat records.
        rows = sample(1150)
        space = lab.collection()
        lab.write(space, rows)
        for where in (None, F("kind") == "red"):
            batches = _batches(space, filter=where, batch_size=70, include=())
            order = [key for batch in batches for key in batch.ids]
            assert sorted(order) == sorted(matching(rows, where))
            middle = len(batches) // 2
            rest = lab.ids(space, filter=where, batch_size=90, after=batches[middle].cursor)
            assert rest == order[sum(map(len, batches[: middle + 1])) :]
            assert rest

    def test_resume_in_another_store_object(self, lab: Lab) -> None:
        if lab.pool.sharing is Sharing.PRIVATE:
            pytest.skip("the store is gone when it is closed")
        name = lab.collection_name()
        made = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        space = made.namespace("tenant")
        rows = sample(17)
        lab.write(space, rows)
        batches = _batches(space, filter=F("n") != 3, batch_size=5, include=())
        order = [key for batch in batches for key in batch.ids]
        reopened = ((lab.reopen()).collection(name)).namespace("tenant")
        rest = lab.ids(reopened, filter=F("n") != 3, after=batches[1].cursor)
        assert rest == order[len(batches[0]) + len(batches[1]) :]
        assert 0 < len(rest) < len(order)
