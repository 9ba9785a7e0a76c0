"""Namespaces are isolated: no verb on one reads or changes another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.filters import F
from polyvec.testing.corpus import HOSTILE
from polyvec.testing.oracle import Row
from polyvec.testing.rows import rows_of, sample, vector, vectors
from polyvec.testing.rules import AsyncArea

if TYPE_CHECKING:
    from polyvec.collection_async import AsyncCollection
    from polyvec.testing.lab_async import AsyncLab
    from polyvec.testing.oracle import Rows


def _rows(owner: str, seed: int) -> Rows:
    """Return rows with the same ids for every owner, and metadata that tells them apart."""
    return rows_of([{"n": at, "owner": owner} for at in range(6)], seed=seed)


class AsyncNamespaces(AsyncArea):
    """The same id in two namespaces is two records."""

    area = "namespaces"

    async def _two(self, lab: AsyncLab) -> tuple[AsyncCollection[Any], AsyncCollection[Any]]:
        ours, theirs = await lab.namespace(), await lab.namespace()
        await lab.write(theirs, _rows("theirs", 2))
        await lab.write(ours, _rows("ours", 1))
        return ours, theirs

    async def test_reads_do_not_leak(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        await lab.holds(ours, _rows("ours", 1))
        await lab.holds(theirs, _rows("theirs", 2))
        target = _rows("theirs", 2)["r003"].vector
        for exact in (True, False):
            hits = await ours.query(target, top_k=lab.everything, exact=exact)
            assert {hit.record.metadata["owner"] for hit in hits} == {"ours"}
            assert len(hits) == 6
        (many,) = await ours.query_many(target[None, :], top_k=6)
        assert {hit.record.metadata["owner"] for hit in many} == {"ours"}
        assert await ours.query(target, filter=F("owner") == "theirs") == []
        assert await ours.count(F("owner") == "theirs") == 0
        assert await ours.count(F("owner") != "ours") == 0
        assert await lab.ids(ours, filter=F("owner") == "theirs") == []
        assert (await ours.get(["r002"]))[0].metadata["owner"] == "ours"
        assert (await ours.why("r002", F("owner") == "theirs")).found

    async def test_only_they_have_the_record(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        secret = {"secret": Row(vector(9), {"owner": "theirs"}, "secret")}
        await lab.write(theirs, secret)
        assert await ours.get(["secret"]) == []
        assert not (await ours.why("secret", None)).found
        hits = await ours.query(vector(9), top_k=lab.everything, exact=True)
        assert "secret" not in {hit.id for hit in hits}
        await ours.update(["secret"], set={"owner": "ours"})
        await ours.delete(["secret"])
        await lab.holds(
            theirs, {**_rows("theirs", 2), "secret": Row(vector(9), {"owner": "theirs"}, "secret")}
        )

    async def test_upsert_stays_inside(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        await lab.write(ours, _rows("new", 3))
        await lab.holds(ours, _rows("new", 3))
        await lab.holds(theirs, _rows("theirs", 2))

    async def test_update_stays_inside(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        await ours.update(["r001"], set={"n": 99}, vectors=vectors(1, seed=8), texts=["new"])
        rows = _rows("ours", 1)
        rows["r001"] = Row(vector(8), {"n": 99, "owner": "ours"}, "new")
        await lab.holds(ours, rows)
        await ours.update(filter=F("n") < 50, set={"low": True})
        await lab.holds(theirs, _rows("theirs", 2))

        async def changed() -> None:
            assert await ours.count(F("low").exists()) == 5

        await lab.eventually(changed)

    async def test_delete_stays_inside(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        await ours.delete(["r000", "r001"])
        await ours.delete(filter=F("n") > 3)
        await ours.delete(["r002"], filter=F("n") == 2)
        await lab.settle(ours, ["r000", "r001", "r002", "r004", "r005"], absent=True)
        await lab.holds(ours, {"r003": _rows("ours", 1)["r003"]})
        await lab.holds(theirs, _rows("theirs", 2))

    async def test_clear_stays_inside(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        await ours.clear()
        await lab.settle(ours, list(_rows("ours", 1)), absent=True)
        await lab.holds(ours, {})
        await lab.holds(theirs, _rows("theirs", 2))

    async def test_drop_stays_inside(self, lab: AsyncLab) -> None:
        ours, theirs = await self._two(lab)
        name = lab.name_of(ours)
        await theirs.drop_namespace(name)  # the collection's verb, from any of its handles
        await lab.settle(ours, list(_rows("ours", 1)), absent=True)
        await lab.holds(ours, {})
        await lab.holds(theirs, _rows("theirs", 2))
        await theirs.drop_namespace(name)  # an absent namespace is no error

    async def test_unknown_namespace_is_empty(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        assert await space.count() == 0
        assert await space.count(F("n") == 1) == 0
        assert await space.get(["a"]) == []
        assert await space.query(vector(), top_k=3) == []
        assert await space.query(vector(), top_k=3, exact=True) == []
        assert await space.query_many(vectors(2), top_k=3) == [[], []]
        assert await lab.ids(space) == []
        await space.delete(["a"])
        await space.delete(filter=F("n") == 1)
        await space.update(["a"], set={"n": 1})
        await space.clear()
        assert lab.name_of(space) not in await space.namespaces()

    async def test_listing_counts_each_namespace(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        assert await made.namespaces() == {}
        await lab.write(made, sample(2))
        await lab.write(made.namespace("tenant_1"), sample(5))
        await lab.write(made.namespace("Tenant_1"), sample(1))
        assert await made.namespaces() == {"": 2, "tenant_1": 5, "Tenant_1": 1}
        info = await made.describe()
        assert info.namespaces == {"": 2, "tenant_1": 5, "Tenant_1": 1}
        assert info.count == 8
        # A namespace exists while it holds a record.
        await made.namespace("Tenant_1").delete(["r000"])
        await lab.settle(made.namespace("Tenant_1"), ["r000"], absent=True)
        await made.namespace("tenant_1").clear()
        await lab.settle(made.namespace("tenant_1"), list(sample(5)), absent=True)
        assert await made.namespaces() == {"": 2}
        assert (await made.describe()).count == 2

    async def test_default_namespace_is_one_of_them(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        await lab.write(made, _rows("default", 1))
        await lab.write(made.namespace("other"), _rows("other", 2))
        await lab.holds(made, _rows("default", 1))
        await lab.holds(made.namespace(""), _rows("default", 1))
        await lab.holds(made.namespace("other").namespace(""), _rows("default", 1))
        await made.clear()
        await lab.settle(made, list(_rows("default", 1)), absent=True)
        await lab.holds(made.namespace("other"), _rows("other", 2))

    async def test_every_kind_of_name(self, lab: AsyncLab) -> None:
        most = lab.capabilities.limits.namespace_bytes
        names = [*HOSTILE, "n" * 256, "é" * 256, "__default__", "default", "_default", "public"]
        kept = [name for name in names if most is None or len(name.encode()) <= most]
        made = await lab.collection()
        for at, name in enumerate(kept):
            await made.namespace(name).upsert(
                ids=["a"], vectors=vectors(1, seed=at + 1), metadata=[{"at": at}]
            )
        for name in kept:
            await lab.settle(made.namespace(name), ["a"])
        assert await made.namespaces() == dict.fromkeys(kept, 1)
        for at, name in enumerate(kept):
            await lab.holds(made.namespace(name), {"a": Row(vector(at + 1), {"at": at})})
        await made.drop_namespace(kept[0])
        await lab.settle(made.namespace(kept[0]), ["a"], absent=True)
        assert await made.namespaces() == dict.fromkeys(kept[1:], 1)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("a", "A"), ("a", "a "), ("a", "aa"), ("a", "a/b"), ("é", "e\u0301"), ("1", "01")],
    )
    async def test_names_that_look_alike(self, lab: AsyncLab, one: str, other: str) -> None:
        prefix = lab.name_of(await lab.namespace())
        first = await lab.namespace(name=prefix + one)
        second = await lab.namespace(name=prefix + other)
        await lab.write(first, _rows("first", 1))
        await lab.write(second, _rows("second", 2))
        await first.delete(["r001"])
        await lab.settle(first, ["r001"], absent=True)
        await lab.holds(second, _rows("second", 2))
        await second.clear()
        await lab.settle(second, list(_rows("second", 2)), absent=True)
        assert await first.count() == 5
