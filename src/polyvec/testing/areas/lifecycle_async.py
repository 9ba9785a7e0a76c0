"""Closing a store, and many callers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.capabilities import UpdateAtomicity
from polyvec.errors import ClosedError
from polyvec.filters import F
from polyvec.testing.checks import check_record
from polyvec.testing.oracle import Row, records
from polyvec.testing.rows import DIMENSION, sample, vector, vectors
from polyvec.testing.rules import AsyncArea, Sharing
from polyvec.testing.together import at_once_async

if TYPE_CHECKING:
    from polyvec.testing.lab_async import AsyncLab


class AsyncClosing(AsyncArea):
    """A closed store raises `ClosedError` from every verb; closing twice is fine."""

    area = "closing"

    async def test_closing_twice(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is Sharing.EXCLUSIVE:
            pytest.skip("the directory is open in the store that the tests share")
        store = lab.connect()
        await store.ping()
        await store.aclose()
        await store.aclose()

    async def test_closing_a_store_that_did_nothing(self, lab: AsyncLab) -> None:
        store = lab.connect()
        await store.aclose()
        with pytest.raises(ClosedError):
            await store.ping()

    async def test_context_manager_closes(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is Sharing.EXCLUSIVE:
            pytest.skip("the directory is open in the store that the tests share")
        async with lab.connect() as store:
            await store.list_collections()
        with pytest.raises(ClosedError):
            await store.list_collections()

    async def test_every_verb_of_a_closed_store(self, lab: AsyncLab) -> None:
        if lab.pool.sharing is Sharing.EXCLUSIVE:
            pytest.skip("the directory is open in the store that the tests share")
        store = lab.connect()
        name = lab.collection_name()
        made = await store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await made.upsert(records(sample(2)))
        if lab.pool.sharing is Sharing.SHARED:
            await store.drop_collection(name)
        await store.aclose()
        calls: tuple[Any, ...] = (
            store.ping,
            store.list_collections,
            lambda: store.has_collection(name),
            lambda: store.collection(name),
            lambda: store.create_collection(name, dimension=DIMENSION, metric=lab.metric),
            lambda: store.drop_collection(name, missing_ok=True),
            lambda: made.upsert(records(sample(1))),
            lambda: made.get(["r000"]),
            lambda: made.query(vector()),
            lambda: made.query_many(vectors(2)),
            made.count,
            lambda: made.count(F("n") == 1),
            lambda: made.update(["r000"], set={"n": 2}),
            lambda: made.delete(["r000"]),
            lambda: made.delete(filter=F("n") == 1),
            made.clear,
            made.namespaces,
            made.describe,
            lambda: made.drop_namespace("x"),
            lambda: made.why("r000", F("n") == 1),
            lambda: made.wait_until_visible(["r000"], timeout_s=1),
            lambda: made.namespace("x").count(),
        )
        for at, call in enumerate(calls):
            try:
                await call()
            except ClosedError:
                continue
            pytest.fail(f"call {at} worked on a closed store")
        with pytest.raises(ClosedError):
            await lab.ids(made)


class AsyncConcurrency(AsyncArea):
    """Many callers of one store object: nothing is lost, mixed or seen half."""

    area = "concurrency"

    async def test_writers_of_different_records(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        parts = [sample(40, seed=at + 1, prefix=f"w{at}_") for at in range(8)]

        def writing(at: int) -> Any:
            return lambda: space.upsert(records(parts[at]))

        await at_once_async([writing(at) for at in range(8)])
        rows = {key: row for part in parts for key, row in part.items()}
        await lab.settle(space, list(rows))
        await lab.holds(space, rows)

    async def test_writers_of_the_same_record(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        versions = {
            at: Row(vector(at + 1), {"version": at, f"k{at}": at}, f"{at}") for at in range(8)
        }

        def writing(at: int) -> Any:
            return lambda: space.upsert(records({"same": versions[at]}))

        await at_once_async([writing(at) for at in range(8)])
        await lab.settle(space, ["same"])
        (record,) = await space.get(["same"])
        winner = versions[record.metadata["version"]]
        await lab.holds(space, {"same": winner})

    async def test_updates_of_different_keys(self, lab: AsyncLab) -> None:
        if lab.capabilities.update_atomicity is not UpdateAtomicity.RECORD:
            # Then the store object serialises per id; see DESIGN section 9, "Update".
            assert lab.capabilities.update_atomicity is UpdateAtomicity.READ_MODIFY_WRITE
        rows = {"a": Row(vector(1), {"base": 1}, "t"), "b": Row(vector(2), {"base": 2})}
        space = await lab.filled(rows)

        def updating(at: int) -> Any:
            return lambda: space.update(["a"], set={f"k{at}": at})

        await at_once_async([updating(at) for at in range(12)])
        change = {f"k{at}": at for at in range(12)}
        rows["a"] = Row(vector(1), {"base": 1, **change}, "t")
        await lab.holds(space, rows)

    async def test_readers_see_whole_records(self, lab: AsyncLab) -> None:
        versions = [Row(vector(at + 1), {"v": at, "copy": [at]}, f"{at}") for at in range(2)]
        space = await lab.filled({"a": versions[0]})

        async def write() -> None:
            for at in range(30):
                await space.upsert(records({"a": versions[at % 2]}))

        async def read() -> None:
            for _ in range(30):
                (record,) = await space.get(["a"])
                version: int = record.metadata["v"]
                check_record(record, {"a": versions[version]}, lab.capabilities)
                hits = await space.query(versions[0].vector, top_k=2, exact=True)
                assert [hit.id for hit in hits] == ["a"], "a record was absent while replaced"

        await at_once_async([write, read, read])

    async def test_many_verbs_at_once(self, lab: AsyncLab) -> None:
        spaces = [await lab.namespace() for _ in range(4)]

        def working(at: int) -> Any:
            space, rows = spaces[at], sample(20, seed=at + 1)

            async def work() -> None:
                await lab.write(space, rows)
                for _ in range(5):
                    assert await space.count() == 20
                    hits = await space.query(rows["r003"].vector, top_k=1, exact=True)
                    assert [hit.id for hit in hits] == ["r003"]
                    await space.delete(["r000"])
                    await space.upsert(records({"r000": rows["r000"]}))
                    await lab.settle(space, ["r000"])
                    assert await space.count(F("n") < 10) == 10

            return work

        await at_once_async([working(at) for at in range(4)])
        for at, space in enumerate(spaces):
            await lab.holds(space, sample(20, seed=at + 1))

    async def test_creating_one_collection_from_many_sides(self, lab: AsyncLab) -> None:
        name = lab.collection_name()

        def creating() -> Any:
            return lambda: lab.store.create_collection(
                name, dimension=DIMENSION, metric=lab.metric, exist_ok=True
            )

        made = await at_once_async([creating() for _ in range(4)])
        await lab.write(made[0], sample(2))
        for one in made:
            await lab.holds(one, sample(2))
        assert (await lab.store.list_collections()).count(name) == 1
