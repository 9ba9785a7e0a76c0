"""Describe, count and namespaces agree with what is there, after every kind of write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyvec.filters import And, F, Or
from polyvec.schema import HNSW, IVF, Flat
from polyvec.testing.oracle import Row, matching
from polyvec.testing.rows import sample, vector, vectors
from polyvec.testing.rules import AsyncArea

if TYPE_CHECKING:
    from polyvec.schema import Index
    from polyvec.testing.lab_async import AsyncLab


class AsyncDescriptions(AsyncArea):
    """Numbers are exact."""

    area = "describe and count"

    async def test_count_follows_every_write(self, lab: AsyncLab) -> None:
        rows = sample(10)
        space = await lab.namespace()
        assert await space.count() == 0
        await lab.write(space, rows)
        assert await space.count() == 10
        await lab.write(space, rows)
        assert await space.count() == 10
        await space.delete(["r000", "nobody"])
        await lab.settle(space, ["r000"], absent=True)
        assert await space.count() == 9
        await space.update(["r001", "nobody"], set={"n": 100})
        assert await space.count() == 9
        await space.delete(filter=F("kind") == "green")
        await lab.settle(space, ["r001", "r004", "r007"], absent=True)
        assert await space.count() == 6
        await space.clear()
        await lab.settle(space, list(rows), absent=True)
        assert await space.count() == 0

    async def test_count_with_a_filter(self, lab: AsyncLab) -> None:
        rows = sample(20)
        space = await lab.filled(rows)
        for where in (F("n") > 3, F("kind") == "red", ~(F("n") > 3), Or(F("n") == 1, F("n") == 2)):
            assert await space.count(where) == len(matching(rows, where))
        assert await space.count(None) == 20
        assert await space.count(And()) == 20
        assert await space.count(Or()) == 0
        assert await space.count({}) == 20

    async def test_count_is_per_namespace_and_describe_is_not(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        await lab.write(made.namespace("a"), sample(3))
        await lab.write(made.namespace("b"), sample(4))
        assert await made.count() == 0
        assert await made.namespace("a").count() == 3
        for handle in (made, made.namespace("a"), made.namespace("nowhere")):
            info = await handle.describe()
            assert (info.count, info.namespaces) == (7, {"a": 3, "b": 4})
            assert await handle.namespaces() == {"a": 3, "b": 4}

    async def test_describe_names_the_shape(self, lab: AsyncLab) -> None:
        made = await lab.collection(dimension=7)
        info = await made.describe()
        assert (info.dimension, info.metric, info.layout) == (7, lab.metric, "polyvec")

    @pytest.mark.parametrize("index", [HNSW(), IVF(), Flat()], ids=lambda index: index.kind)
    async def test_asked_index_is_reported(self, lab: AsyncLab, index: Index) -> None:
        if index.kind not in lab.capabilities.index_kinds:
            pytest.skip(f"the store has no {index.kind} index, see the area capabilities")
        made = await lab.collection(index=index)
        await made.upsert(ids=["a", "b"], vectors=vectors(2))
        await lab.settle(made, ["a", "b"])
        told = (await made.describe()).index
        assert told is None or told.kind == index.kind
        hits = await made.query(vectors(2)[1], top_k=2)
        assert [hit.id for hit in hits] == ["b", "a"]

    @pytest.mark.parametrize(
        "index",
        [HNSW(m=8, best_effort=True), IVF(lists=4, best_effort=True), Flat(best_effort=True)],
        ids=lambda index: index.kind,
    )
    async def test_wished_index_never_fails(self, lab: AsyncLab, index: Index) -> None:
        made = await lab.collection(index=index)
        rows = sample(3)
        await lab.write(made, rows)
        await lab.holds(made, rows)

    async def test_large_counts_are_exact(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        count = 3001
        ids = [f"r{at}" for at in range(count)]
        await space.upsert(
            ids=ids, vectors=vectors(count), metadata=[{"n": at % 3} for at in range(count)]
        )
        await lab.settle(space, ids)
        assert await space.count() == count
        assert await space.count(F("n") == 0) == 1001
        assert await space.count(F("n") != 0) == 2000

    async def test_a_record_without_metadata_counts(self, lab: AsyncLab) -> None:
        space = await lab.filled({"a": Row(vector(1)), "b": Row(vector(2), {"n": 1})})
        assert await space.count() == 2
        assert await space.count(F("n").exists()) == 1
        assert await space.count(F("n") != 1) == 1
