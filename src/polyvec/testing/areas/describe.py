# Generated from describe_async.py by tools/unasync.py. Do not edit.
"""Describe, count and namespaces agree with what is there, after every kind of write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyvec.filters import And, F, Or
from polyvec.schema import HNSW, IVF, Flat
from polyvec.testing.oracle import Row, matching
from polyvec.testing.rows import sample, vector, vectors
from polyvec.testing.rules import Area

if TYPE_CHECKING:
    from polyvec.schema import Index
    from polyvec.testing.lab import Lab


class Descriptions(Area):
    """Numbers are exact."""

    area = "describe and count"

    def test_count_follows_every_write(self, lab: Lab) -> None:
        rows = sample(10)
        space = lab.namespace()
        assert space.count() == 0
        lab.write(space, rows)
        assert space.count() == 10
        lab.write(space, rows)
        assert space.count() == 10
        space.delete(["r000", "nobody"])
        lab.settle(space, ["r000"], absent=True)
        assert space.count() == 9
        space.update(["r001", "nobody"], set={"n": 100})
        assert space.count() == 9
        space.delete(filter=F("kind") == "green")
        lab.settle(space, ["r001", "r004", "r007"], absent=True)
        assert space.count() == 6
        space.clear()
        lab.settle(space, list(rows), absent=True)
        assert space.count() == 0

    def test_count_with_a_filter(self, lab: Lab) -> None:
        rows = sample(20)
        space = lab.filled(rows)
        for where in (F("n") > 3, F("kind") == "red", ~(F("n") > 3), Or(F("n") == 1, F("n") == 2)):
            assert space.count(where) == len(matching(rows, where))
        assert space.count(None) == 20
        assert space.count(And()) == 20
        assert space.count(Or()) == 0
        assert space.count({}) == 20

    def test_count_is_per_namespace_and_describe_is_not(self, lab: Lab) -> None:
        made = lab.collection()
        lab.write(made.namespace("a"), sample(3))
        lab.write(made.namespace("b"), sample(4))
        assert made.count() == 0
        assert made.namespace("a").count() == 3
        for handle in (made, made.namespace("a"), made.namespace("nowhere")):
            info = handle.describe()
            assert (info.count, info.namespaces) == (7, {"a": 3, "b": 4})
            assert handle.namespaces() == {"a": 3, "b": 4}

    def test_describe_names_the_shape(self, lab: Lab) -> None:
        made = lab.collection(dimension=7)
        info = made.describe()
        assert (info.dimension, info.metric, info.layout) == (7, lab.metric, "polyvec")

    @pytest.mark.parametrize("index", [HNSW(), IVF(), Flat()], ids=lambda index: index.kind)
    def test_asked_index_is_reported(self, lab: Lab, index: Index) -> None:
        if index.kind not in lab.capabilities.index_kinds:
            pytest.skip(f"the store has no {index.kind} index, see the area capabilities")
        made = lab.collection(index=index)
        made.upsert(ids=["a", "b"], vectors=vectors(2))
        lab.settle(made, ["a", "b"])
        told = (made.describe()).index
        assert told is None or told.kind == index.kind
        hits = made.query(vectors(2)[1], top_k=2)
        assert [hit.id for hit in hits] == ["b", "a"]

    @pytest.mark.parametrize(
        "index",
        [HNSW(m=8, best_effort=True), IVF(lists=4, best_effort=True), Flat(best_effort=True)],
        ids=lambda index: index.kind,
    )
    def test_wished_index_never_fails(self, lab: Lab, index: Index) -> None:
        made = lab.collection(index=index)
        rows = sample(3)
        lab.write(made, rows)
        lab.holds(made, rows)

    def test_large_counts_are_exact(self, lab: Lab) -> None:
        space = lab.namespace()
        count = 3001
        ids = [f"r{at}" for at in range(count)]
        space.upsert(
            ids=ids, vectors=vectors(count), metadata=[{"n": at % 3} for at in range(count)]
        )
        lab.settle(space, ids)
        assert space.count() == count
        assert space.count(F("n") == 0) == 1001
        assert space.count(F("n") != 0) == 2000

    def test_a_record_without_metadata_counts(self, lab: Lab) -> None:
        space = lab.filled({"a": Row(vector(1)), "b": Row(vector(2), {"n": 1})})
        assert space.count() == 2
        assert space.count(F("n").exists()) == 1
        assert space.count(F("n") != 1) == 1
