"""Upsert, update, delete, clear: what they change, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyvec.errors import InvalidRecordError
from polyvec.filters import And, F, Not, Or
from polyvec.records import VectorRecord
from polyvec.testing.oracle import Row, matching, patched, records, replaced
from polyvec.testing.rows import sample, vector, vectors
from polyvec.testing.rules import AsyncArea

if TYPE_CHECKING:
    from polyvec.filters import Filter
    from polyvec.testing.lab_async import AsyncLab


class AsyncUpserts(AsyncArea):
    """Upsert inserts, or replaces the whole record."""

    area = "upsert"

    async def test_inserts_and_leaves_others(self, lab: AsyncLab) -> None:
        rows = sample(5)
        space = await lab.filled(rows)
        more = sample(3, seed=2, prefix="s")
        await lab.write(space, more)
        await lab.holds(space, {**rows, **more})

    async def test_replaces_the_whole_record(self, lab: AsyncLab) -> None:
        rows = {
            "a": Row(vector(1), {"old": 1, "both": "x", "o": {"p": 1, "q": 2}}, "old text"),
            "b": Row(vector(2), {"old": 1}, "b"),
        }
        space = await lab.filled(rows)
        new = {"a": Row(vector(3), {"both": "y", "new": 2, "o": {"q": 3}}, None)}
        await lab.write(space, new)
        replaced(rows, new.items())
        await lab.holds(space, rows)
        assert await space.count(F("old") == 1) == 1
        hits = await space.query(vector(3), top_k=1, exact=True)
        assert [hit.id for hit in hits] == ["a"]
        assert hits[0].record.metadata == {"both": "y", "new": 2, "o": {"q": 3}}
        assert hits[0].record.text is None

    async def test_replaces_by_a_record_of_nothing(self, lab: AsyncLab) -> None:
        space = await lab.filled({"a": Row(vector(1), {"n": 1, "tags": ["x"]}, "text")})
        await lab.write(space, {"a": Row(vector(2), {}, None)})
        await lab.holds(space, {"a": Row(vector(2), {}, None)})
        assert await space.count(F("n").exists()) == 0

    async def test_replaced_vector_is_searched(self, lab: AsyncLab) -> None:
        rows = sample(6)
        space = await lab.filled(rows)
        moved = Row(-rows["r000"].vector, rows["r000"].metadata, rows["r000"].text)
        await lab.write(space, {"r000": moved})
        hits = await space.query(rows["r000"].vector, top_k=6, exact=True)
        assert hits[-1].id == "r000"

    async def test_the_last_of_duplicates_wins(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        block = vectors(4)
        await space.upsert(
            ids=["a", "b", "a", "a"],
            vectors=block,
            metadata=[{"first": 1}, {"n": 2}, {"middle": 3}, {"last": 4}],
            texts=["1", "2", "3", None],
        )
        await lab.settle(space, ["a", "b"])
        await lab.holds(
            space, {"a": Row(block[3], {"last": 4}, None), "b": Row(block[1], {"n": 2}, "2")}
        )

    async def test_the_last_of_duplicates_wins_far_apart(self, lab: AsyncLab) -> None:
        most = lab.capabilities.limits.batch_records
        count = min(most + 5, 1200)
        block = vectors(count)
        ids = ["twice", *(f"r{at}" for at in range(count - 2)), "twice"]
        space = await lab.namespace()
        await space.upsert(ids=ids, vectors=block, metadata=[{"at": at} for at in range(count)])
        await lab.settle(space, ids)
        (record,) = await space.get(["twice"])
        assert record.metadata == {"at": count - 1}
        assert np.allclose(record.vector, block[-1])
        assert await space.count() == count - 1

    async def test_empty_upsert_does_nothing(self, lab: AsyncLab) -> None:
        rows = sample(2)
        space = await lab.filled(rows)
        await space.upsert([])
        await space.upsert(ids=[], vectors=np.empty((0, 4), dtype=np.float32))
        await lab.holds(space, rows)

    async def test_same_write_twice(self, lab: AsyncLab) -> None:
        rows = sample(4)
        space = await lab.filled(rows)
        await lab.write(space, rows)
        await lab.holds(space, rows)

    async def test_more_than_one_batch(self, lab: AsyncLab) -> None:
        rows = sample(1500)
        space = await lab.filled(rows)
        await lab.holds(space, rows)

    async def test_writes_return_nothing(self, lab: AsyncLab) -> None:
        space: Any = await lab.namespace()
        answers = [
            await space.upsert(records(sample(2))),
            await space.update(["r000"], set={"n": 5}),
            await space.delete(["r001"]),
            await space.clear(),
        ]
        assert answers == [None] * 4


class AsyncUpdates(AsyncArea):
    """Update merges top-level keys and keeps the rest."""

    area = "update"

    async def test_set_merges_top_level_keys(self, lab: AsyncLab) -> None:
        rows = sample(4)
        space = await lab.filled(rows)
        change: dict[str, Any] = {"kind": "black", "new": [1, None], "author": {"age": 3}}
        await space.update(["r001", "r002"], set=change)
        patched(rows, ["r001", "r002"], set=change)
        await lab.holds(space, rows)
        assert await space.count(F("kind") == "black") == 2
        assert await space.count(F("author.name").exists()) == 2

    async def test_unset_removes_keys(self, lab: AsyncLab) -> None:
        rows = sample(4)
        space = await lab.filled(rows)
        await space.update(["r000", "r003"], unset=["kind", "nowhere"])
        patched(rows, ["r000", "r003"], unset=["kind", "nowhere"])
        await lab.holds(space, rows)
        assert await space.count(F("kind").is_missing()) == 2

    async def test_set_and_unset_together(self, lab: AsyncLab) -> None:
        rows = sample(3)
        space = await lab.filled(rows)
        await space.update(["r001"], set={"a": None, "n": 2.0}, unset=["tags"])
        patched(rows, ["r001"], set={"a": None, "n": 2.0}, unset=["tags"])
        await lab.holds(space, rows)

    async def test_vectors_and_texts(self, lab: AsyncLab) -> None:
        rows = sample(4)
        space = await lab.filled(rows)
        block = vectors(2, seed=9)
        await space.update(["r002", "r000"], vectors=block, texts=["new", None])
        patched(rows, ["r002", "r000"], vectors=list(block), texts=["new", None])
        await lab.holds(space, rows)
        hits = await space.query(block[1], top_k=1, exact=True)
        assert [hit.id for hit in hits] == ["r000"]

    async def test_update_skips_absent_ids(self, lab: AsyncLab) -> None:
        rows = sample(2)
        space = await lab.filled(rows)
        block = vectors(2, seed=9)
        await space.update(["nobody", "r001"], set={"n": 9}, vectors=block, texts=["x", "y"])
        patched(rows, ["nobody", "r001"], set={"n": 9}, vectors=list(block), texts=["x", "y"])
        await lab.holds(space, rows)
        await space.update(["nobody"], set={"n": 9})
        await lab.holds(space, rows)

    async def test_update_by_filter(self, lab: AsyncLab) -> None:
        rows = sample(12)
        space = await lab.filled(rows)
        where = (F("kind") == "red") | (F("n") > 9)
        await space.update(filter=where, set={"hit": True}, unset=["tags"])
        patched(rows, sorted(matching(rows, where)), set={"hit": True}, unset=["tags"])
        await lab.holds(space, rows)

    async def test_update_by_filter_that_the_update_changes(self, lab: AsyncLab) -> None:
        rows = sample(30)
        space = await lab.filled(rows)
        where = F("n") < 20
        await space.update(filter=where, set={"n": 1})
        patched(rows, sorted(matching(rows, where)), set={"n": 1})
        await lab.holds(space, rows)

    async def test_update_by_ids_and_filter(self, lab: AsyncLab) -> None:
        rows = sample(9)
        space = await lab.filled(rows)
        ids, where = ["r000", "r001", "r003", "nobody"], F("kind") == "red"
        await space.update(ids, filter=where, set={"hit": 1})
        chosen = [key for key in ids if key in matching(rows, where)]
        assert 0 < len(chosen) < len(ids)
        patched(rows, chosen, set={"hit": 1})
        await lab.holds(space, rows)

    async def test_update_by_dict_filter(self, lab: AsyncLab) -> None:
        rows = sample(6)
        space = await lab.filled(rows)
        await space.update(filter={"n": {"$gte": 4}}, set={"hit": 1})
        patched(rows, ["r004", "r005"], set={"hit": 1})
        await lab.holds(space, rows)

    async def test_update_of_nobody(self, lab: AsyncLab) -> None:
        rows = sample(3)
        space = await lab.filled(rows)
        await space.update(filter=F("kind") == "nowhere", set={"hit": 1})
        await space.update([], set={"hit": 1})
        await space.update(["r000"], filter=Or(), set={"hit": 1})
        await lab.holds(space, rows)

    async def test_update_of_an_id_twice(self, lab: AsyncLab) -> None:
        rows = sample(2)
        space = await lab.filled(rows)
        await space.update(["r000", "r000"], set={"hit": 1})
        patched(rows, ["r000"], set={"hit": 1})
        await lab.holds(space, rows)

    async def test_update_beyond_the_metadata_limit(self, lab: AsyncLab) -> None:
        rows = {"a": Row(vector(1), {"x": "x" * 30_000}), "b": Row(vector(2), {"n": 1})}
        limit = lab.capabilities.limits.record_bytes
        if limit is not None and limit < 32_000:
            pytest.skip("a record of this size does not fit")
        space = await lab.filled(rows)
        with pytest.raises(InvalidRecordError):
            await space.update(["a"], set={"y": "y" * 20_000})
        await lab.holds(space, rows)


class AsyncDeletes(AsyncArea):
    """Delete removes exactly what is named; clear empties one namespace."""

    area = "delete"

    async def test_delete_by_ids(self, lab: AsyncLab) -> None:
        rows = sample(8)
        space = await lab.filled(rows)
        gone = ["r001", "r007", "r004"]
        await space.delete(gone)
        await lab.settle(space, gone, absent=True)
        rest = {key: row for key, row in rows.items() if key not in gone}
        await lab.holds(space, rest)
        assert await space.get(gone) == []
        hits = await space.query(rows["r001"].vector, top_k=8, exact=True)
        assert {hit.id for hit in hits} == set(rest)

    async def test_deleting_absent_ids_is_no_error(self, lab: AsyncLab) -> None:
        rows = sample(3)
        space = await lab.filled(rows)
        await space.delete(["nobody", "r000", "r000", "r00", "r0000"])
        await lab.settle(space, ["r000"], absent=True)
        del rows["r000"]
        await lab.holds(space, rows)
        await space.delete(["r000"])
        await lab.holds(space, rows)

    async def test_no_ids_delete_nothing(self, lab: AsyncLab) -> None:
        rows = sample(3)
        space = await lab.filled(rows)
        await space.delete([])
        await space.delete([], filter=F("kind") == "red")
        await lab.holds(space, rows)

    @pytest.mark.parametrize(
        "where",
        [
            F("kind") == "red",
            F("kind") != "red",
            Not(And(F("kind") == "red", F("n") > 3)),
            Or(F("n") < 2, F("n") > 9),
            ~(F("n") > 4),
            F("tags").contains("blue") & (F("author.name") != "a1"),
        ],
        ids=repr,
    )
    async def test_delete_by_filter(self, lab: AsyncLab, where: Filter) -> None:
        rows = sample(12)
        space = await lab.filled(rows)
        gone = matching(rows, where)
        await space.delete(filter=where)
        await lab.settle(space, sorted(gone), absent=True)
        await lab.holds(space, {key: row for key, row in rows.items() if key not in gone})

    @pytest.mark.parametrize(
        "where", [F("kind") == "red", Or(F("n") == 1, F("kind") == "red"), F("n") != 0], ids=repr
    )
    async def test_delete_by_ids_and_filter(self, lab: AsyncLab, where: Filter) -> None:
        rows = sample(9)
        space = await lab.filled(rows)
        ids = ["r000", "r001", "r002", "r003", "nobody"]
        gone = [key for key in ids if key in matching(rows, where)]
        assert 0 < len(gone) < len(ids)
        await space.delete(ids, filter=where)
        await lab.settle(space, gone, absent=True)
        await lab.holds(space, {key: row for key, row in rows.items() if key not in gone})

    async def test_delete_by_filter_that_nothing_matches(self, lab: AsyncLab) -> None:
        rows = sample(4)
        space = await lab.filled(rows)
        await space.delete(filter=F("kind") == "nowhere")
        await space.delete(filter=Or())
        await space.delete(["r000"], filter=F("kind").is_in([]))
        await lab.holds(space, rows)

    async def test_delete_by_filter_that_everything_matches(self, lab: AsyncLab) -> None:
        space = await lab.filled(sample(4))
        await space.delete(filter=F("n") >= 0)
        await lab.settle(space, list(sample(4)), absent=True)
        await lab.holds(space, {})

    async def test_delete_by_dict_filter(self, lab: AsyncLab) -> None:
        rows = sample(4)
        space = await lab.filled(rows)
        await space.delete(filter={"n": {"$lt": 2}})
        await lab.settle(space, ["r000", "r001"], absent=True)
        await lab.holds(space, {key: rows[key] for key in ("r002", "r003")})

    async def test_clear_empties_the_namespace(self, lab: AsyncLab) -> None:
        space = await lab.filled(sample(5))
        await space.clear()
        await lab.settle(space, list(sample(5)), absent=True)
        await lab.holds(space, {})
        assert await space.query(vector(), top_k=5) == []
        await space.clear()
        await lab.write(space, sample(2))
        await lab.holds(space, sample(2))

    async def test_deleted_record_comes_back_new(self, lab: AsyncLab) -> None:
        space = await lab.filled({"a": Row(vector(1), {"old": 1}, "old")})
        await space.delete(["a"])
        await lab.settle(space, ["a"], absent=True)
        await space.upsert([VectorRecord(id="a", vector=vector(2))])
        await lab.settle(space, ["a"])
        await lab.holds(space, {"a": Row(vector(2))})

    async def test_many_deletes(self, lab: AsyncLab) -> None:
        rows = sample(1200)
        space = await lab.filled(rows)
        gone = list(rows)[:1100]
        await space.delete(gone)
        await lab.settle(space, gone, absent=True)
        await lab.holds(space, {key: row for key, row in rows.items() if key not in set(gone)})
