# Generated from writes_async.py by tools/unasync.py. Do not edit.
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
from polyvec.testing.rules import Area

if TYPE_CHECKING:
    from polyvec.filters import Filter
    from polyvec.testing.lab import Lab


class Upserts(Area):
    """Upsert inserts, or replaces the whole record."""

    area = "upsert"

    def test_inserts_and_leaves_others(self, lab: Lab) -> None:
        rows = sample(5)
        space = lab.filled(rows)
        more = sample(3, seed=2, prefix="s")
        lab.write(space, more)
        lab.holds(space, {**rows, **more})

    def test_replaces_the_whole_record(self, lab: Lab) -> None:
        rows = {
            "a": Row(vector(1), {"old": 1, "both": "x", "o": {"p": 1, "q": 2}}, "old text"),
            "b": Row(vector(2), {"old": 1}, "b"),
        }
        space = lab.filled(rows)
        new = {"a": Row(vector(3), {"both": "y", "new": 2, "o": {"q": 3}}, None)}
        lab.write(space, new)
        replaced(rows, new.items())
        lab.holds(space, rows)
        assert space.count(F("old") == 1) == 1
        hits = space.query(vector(3), top_k=1, exact=True)
        assert [hit.id for hit in hits] == ["a"]
        assert hits[0].record.metadata == {"both": "y", "new": 2, "o": {"q": 3}}
        assert hits[0].record.text is None

    def test_replaces_by_a_record_of_nothing(self, lab: Lab) -> None:
        space = lab.filled({"a": Row(vector(1), {"n": 1, "tags": ["x"]}, "text")})
        lab.write(space, {"a": Row(vector(2), {}, None)})
        lab.holds(space, {"a": Row(vector(2), {}, None)})
        assert space.count(F("n").exists()) == 0

    def test_replaced_vector_is_searched(self, lab: Lab) -> None:
        rows = sample(6)
        space = lab.filled(rows)
        moved = Row(-rows["r000"].vector, rows["r000"].metadata, rows["r000"].text)
        lab.write(space, {"r000": moved})
        hits = space.query(rows["r000"].vector, top_k=6, exact=True)
        assert hits[-1].id == "r000"

    def test_the_last_of_duplicates_wins(self, lab: Lab) -> None:
        space = lab.namespace()
        block = vectors(4)
        space.upsert(
            ids=["a", "b", "a", "a"],
            vectors=block,
            metadata=[{"first": 1}, {"n": 2}, {"middle": 3}, {"last": 4}],
            texts=["1", "2", "3", None],
        )
        lab.settle(space, ["a", "b"])
        lab.holds(space, {"a": Row(block[3], {"last": 4}, None), "b": Row(block[1], {"n": 2}, "2")})

    def test_the_last_of_duplicates_wins_far_apart(self, lab: Lab) -> None:
        most = lab.capabilities.limits.batch_records
        count = min(most + 5, 1200)
        block = vectors(count)
        ids = ["twice", *(f"r{at}" for at in range(count - 2)), "twice"]
        space = lab.namespace()
        space.upsert(ids=ids, vectors=block, metadata=[{"at": at} for at in range(count)])
        lab.settle(space, ids)
        (record,) = space.get(["twice"])
        assert record.metadata == {"at": count - 1}
        assert np.allclose(record.vector, block[-1])
        assert space.count() == count - 1

    def test_empty_upsert_does_nothing(self, lab: Lab) -> None:
        rows = sample(2)
        space = lab.filled(rows)
        space.upsert([])
        space.upsert(ids=[], vectors=np.empty((0, 4), dtype=np.float32))
        lab.holds(space, rows)

    def test_same_write_twice(self, lab: Lab) -> None:
        rows = sample(4)
        space = lab.filled(rows)
        lab.write(space, rows)
        lab.holds(space, rows)

    def test_more_than_one_batch(self, lab: Lab) -> None:
        rows = sample(1500)
        space = lab.filled(rows)
        lab.holds(space, rows)

    def test_writes_return_nothing(self, lab: Lab) -> None:
        space: Any = lab.namespace()
        answers = [
            space.upsert(records(sample(2))),
            space.update(["r000"], set={"n": 5}),
            space.delete(["r001"]),
            space.clear(),
        ]
        assert answers == [None] * 4


class Updates(Area):
    """Update merges top-level keys and keeps the rest."""

    area = "update"

    def test_set_merges_top_level_keys(self, lab: Lab) -> None:
        rows = sample(4)
        space = lab.filled(rows)
        change: dict[str, Any] = {"kind": "black", "new": [1, None], "author": {"age": 3}}
        space.update(["r001", "r002"], set=change)
        patched(rows, ["r001", "r002"], set=change)
        lab.holds(space, rows)
        assert space.count(F("kind") == "black") == 2
        assert space.count(F("author.name").exists()) == 2

    def test_unset_removes_keys(self, lab: Lab) -> None:
        rows = sample(4)
        space = lab.filled(rows)
        space.update(["r000", "r003"], unset=["kind", "nowhere"])
        patched(rows, ["r000", "r003"], unset=["kind", "nowhere"])
        lab.holds(space, rows)
        assert space.count(F("kind").is_missing()) == 2

    def test_set_and_unset_together(self, lab: Lab) -> None:
        rows = sample(3)
        space = lab.filled(rows)
        space.update(["r001"], set={"a": None, "n": 2.0}, unset=["tags"])
        patched(rows, ["r001"], set={"a": None, "n": 2.0}, unset=["tags"])
        lab.holds(space, rows)

    def test_vectors_and_texts(self, lab: Lab) -> None:
        rows = sample(4)
        space = lab.filled(rows)
        block = vectors(2, seed=9)
        space.update(["r002", "r000"], vectors=block, texts=["new", None])
        patched(rows, ["r002", "r000"], vectors=list(block), texts=["new", None])
        lab.holds(space, rows)
        hits = space.query(block[1], top_k=1, exact=True)
        assert [hit.id for hit in hits] == ["r000"]

    def test_update_skips_absent_ids(self, lab: Lab) -> None:
        rows = sample(2)
        space = lab.filled(rows)
        block = vectors(2, seed=9)
        space.update(["nobody", "r001"], set={"n": 9}, vectors=block, texts=["x", "y"])
        patched(rows, ["nobody", "r001"], set={"n": 9}, vectors=list(block), texts=["x", "y"])
        lab.holds(space, rows)
        space.update(["nobody"], set={"n": 9})
        lab.holds(space, rows)

    def test_update_by_filter(self, lab: Lab) -> None:
        rows = sample(12)
        space = lab.filled(rows)
        where = (F("kind") == "red") | (F("n") > 9)
        space.update(filter=where, set={"hit": True}, unset=["tags"])
        patched(rows, sorted(matching(rows, where)), set={"hit": True}, unset=["tags"])
        lab.holds(space, rows)

    def test_update_by_filter_that_the_update_changes(self, lab: Lab) -> None:
        rows = sample(30)
        space = lab.filled(rows)
        where = F("n") < 20
        space.update(filter=where, set={"n": 1})
        patched(rows, sorted(matching(rows, where)), set={"n": 1})
        lab.holds(space, rows)

    def test_update_by_ids_and_filter(self, lab: Lab) -> None:
        rows = sample(9)
        space = lab.filled(rows)
        ids, where = ["r000", "r001", "r003", "nobody"], F("kind") == "red"
        space.update(ids, filter=where, set={"hit": 1})
        chosen = [key for key in ids if key in matching(rows, where)]
        assert 0 < len(chosen) < len(ids)
        patched(rows, chosen, set={"hit": 1})
        lab.holds(space, rows)

    def test_update_by_dict_filter(self, lab: Lab) -> None:
        rows = sample(6)
        space = lab.filled(rows)
        space.update(filter={"n": {"$gte": 4}}, set={"hit": 1})
        patched(rows, ["r004", "r005"], set={"hit": 1})
        lab.holds(space, rows)

    def test_update_of_nobody(self, lab: Lab) -> None:
        rows = sample(3)
        space = lab.filled(rows)
        space.update(filter=F("kind") == "nowhere", set={"hit": 1})
        space.update([], set={"hit": 1})
        space.update(["r000"], filter=Or(), set={"hit": 1})
        lab.holds(space, rows)

    def test_update_of_an_id_twice(self, lab: Lab) -> None:
        rows = sample(2)
        space = lab.filled(rows)
        space.update(["r000", "r000"], set={"hit": 1})
        patched(rows, ["r000"], set={"hit": 1})
        lab.holds(space, rows)

    def test_update_beyond_the_metadata_limit(self, lab: Lab) -> None:
        rows = {"a": Row(vector(1), {"x": "x" * 30_000}), "b": Row(vector(2), {"n": 1})}
        limit = lab.capabilities.limits.record_bytes
        if limit is not None and limit < 32_000:
            pytest.skip("a record of this size does not fit")
        space = lab.filled(rows)
        with pytest.raises(InvalidRecordError):
            space.update(["a"], set={"y": "y" * 20_000})
        lab.holds(space, rows)


class Deletes(Area):
    """Delete removes exactly what is named; clear empties one namespace."""

    area = "delete"

    def test_delete_by_ids(self, lab: Lab) -> None:
        rows = sample(8)
        space = lab.filled(rows)
        gone = ["r001", "r007", "r004"]
        space.delete(gone)
        lab.settle(space, gone, absent=True)
        rest = {key: row for key, row in rows.items() if key not in gone}
        lab.holds(space, rest)
        assert space.get(gone) == []
        hits = space.query(rows["r001"].vector, top_k=8, exact=True)
        assert {hit.id for hit in hits} == set(rest)

    def test_deleting_absent_ids_is_no_error(self, lab: Lab) -> None:
        rows = sample(3)
        space = lab.filled(rows)
        space.delete(["nobody", "r000", "r000", "r00", "r0000"])
        lab.settle(space, ["r000"], absent=True)
        del rows["r000"]
        lab.holds(space, rows)
        space.delete(["r000"])
        lab.holds(space, rows)

    def test_no_ids_delete_nothing(self, lab: Lab) -> None:
        rows = sample(3)
        space = lab.filled(rows)
        space.delete([])
        space.delete([], filter=F("kind") == "red")
        lab.holds(space, rows)

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
    def test_delete_by_filter(self, lab: Lab, where: Filter) -> None:
        rows = sample(12)
        space = lab.filled(rows)
        gone = matching(rows, where)
        space.delete(filter=where)
        lab.settle(space, sorted(gone), absent=True)
        lab.holds(space, {key: row for key, row in rows.items() if key not in gone})

    @pytest.mark.parametrize(
        "where", [F("kind") == "red", Or(F("n") == 1, F("kind") == "red"), F("n") != 0], ids=repr
    )
    def test_delete_by_ids_and_filter(self, lab: Lab, where: Filter) -> None:
        rows = sample(9)
        space = lab.filled(rows)
        ids = ["r000", "r001", "r002", "r003", "nobody"]
        gone = [key for key in ids if key in matching(rows, where)]
        assert 0 < len(gone) < len(ids)
        space.delete(ids, filter=where)
        lab.settle(space, gone, absent=True)
        lab.holds(space, {key: row for key, row in rows.items() if key not in gone})

    def test_delete_by_filter_that_nothing_matches(self, lab: Lab) -> None:
        rows = sample(4)
        space = lab.filled(rows)
        space.delete(filter=F("kind") == "nowhere")
        space.delete(filter=Or())
        space.delete(["r000"], filter=F("kind").is_in([]))
        lab.holds(space, rows)

    def test_delete_by_filter_that_everything_matches(self, lab: Lab) -> None:
        space = lab.filled(sample(4))
        space.delete(filter=F("n") >= 0)
        lab.settle(space, list(sample(4)), absent=True)
        lab.holds(space, {})

    def test_delete_by_dict_filter(self, lab: Lab) -> None:
        rows = sample(4)
        space = lab.filled(rows)
        space.delete(filter={"n": {"$lt": 2}})
        lab.settle(space, ["r000", "r001"], absent=True)
        lab.holds(space, {key: rows[key] for key in ("r002", "r003")})

    def test_clear_empties_the_namespace(self, lab: Lab) -> None:
        space = lab.filled(sample(5))
        space.clear()
        lab.settle(space, list(sample(5)), absent=True)
        lab.holds(space, {})
        assert space.query(vector(), top_k=5) == []
        space.clear()
        lab.write(space, sample(2))
        lab.holds(space, sample(2))

    def test_deleted_record_comes_back_new(self, lab: Lab) -> None:
        space = lab.filled({"a": Row(vector(1), {"old": 1}, "old")})
        space.delete(["a"])
        lab.settle(space, ["a"], absent=True)
        space.upsert([VectorRecord(id="a", vector=vector(2))])
        lab.settle(space, ["a"])
        lab.holds(space, {"a": Row(vector(2))})

    def test_many_deletes(self, lab: Lab) -> None:
        rows = sample(1200)
        space = lab.filled(rows)
        gone = list(rows)[:1100]
        space.delete(gone)
        lab.settle(space, gone, absent=True)
        lab.holds(space, {key: row for key, row in rows.items() if key not in set(gone)})
