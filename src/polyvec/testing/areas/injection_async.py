"""Hostile strings in every place that takes one; a sentinel beside them stays untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.filters import F
from polyvec.testing.corpus import HOSTILE, KEYS, WITH_NUL
from polyvec.testing.oracle import Row, matching
from polyvec.testing.rows import sample, vector, vectors
from polyvec.testing.rules import AsyncArea

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from polyvec.collection_async import AsyncCollection
    from polyvec.testing.lab_async import AsyncLab
    from polyvec.testing.oracle import Rows

SENTINEL: Rows = sample(3, seed=77, prefix="sentinel")
VALUES = (*HOSTILE, *WITH_NUL)


def _by_value() -> Rows:
    return {
        f"v{at:03}": Row(vector(at + 1), {"v": text, "list": [text], "o": {"v": text}}, text)
        for at, text in enumerate(VALUES)
    }


class AsyncInjection(AsyncArea):
    """A string is data, whatever it looks like."""

    area = "injection"

    async def _guarded(self, lab: AsyncLab) -> AsyncIterator[AsyncCollection[Any]]:
        """Yield a namespace, and check afterwards what lies beside it."""
        other = await lab.collection()
        await lab.write(other, SENTINEL)
        space, beside = await lab.namespace(), await lab.namespace()
        await lab.write(beside, SENTINEL)
        collections = sorted(await lab.store.list_collections())
        yield space
        await lab.holds(other, SENTINEL)
        await lab.holds(beside, SENTINEL)
        assert sorted(await lab.store.list_collections()) == collections

    async def test_hostile_values_are_equal_to_themselves_only(self, lab: AsyncLab) -> None:
        rows = _by_value()
        async for space in self._guarded(lab):
            await lab.write(space, rows)
            await lab.holds(space, rows)
            for key, row in rows.items():
                text = row.metadata["v"]
                for where in (F("v") == text, F("list").contains(text), F("o.v").is_in([text])):
                    assert await lab.ids(space, filter=where) == [key], where
                assert await space.count(F("v") != text) == len(rows) - 1
            hits = await space.query(
                vector(1), top_k=lab.everything, filter=F("v") == VALUES[0], exact=True
            )
            assert [hit.id for hit in hits] == ["v000"]

    async def test_hostile_prefixes(self, lab: AsyncLab) -> None:
        rows = _by_value()
        async for space in self._guarded(lab):
            await lab.write(space, rows)
            for text in VALUES:
                where = F("v").starts_with(text)
                assert set(await lab.ids(space, filter=where)) == matching(rows, where), where

    async def test_hostile_operands_of_orderings(self, lab: AsyncLab) -> None:
        rows = _by_value()
        async for space in self._guarded(lab):
            await lab.write(space, rows)
            for text in VALUES[::3]:
                where = F("v") < text
                expected = matching(rows, where, allow_empty=True)
                assert set(await lab.ids(space, filter=where)) == expected, where

    async def test_hostile_operands_delete_only_their_own(self, lab: AsyncLab) -> None:
        rows = _by_value()
        async for space in self._guarded(lab):
            await lab.write(space, rows)
            for key, row in list(rows.items())[::4]:
                await space.delete(filter=F("v") == row.metadata["v"])
                await lab.settle(space, [key], absent=True)
                del rows[key]
                assert await space.count() == len(rows)
            await lab.holds(space, rows)

    async def test_hostile_ids(self, lab: AsyncLab) -> None:
        rows = {text: Row(vector(at + 1), {"at": at}) for at, text in enumerate(HOSTILE)}
        async for space in self._guarded(lab):
            await lab.write(space, rows)
            for text in HOSTILE:
                (record,) = await space.get([text])
                assert record.id == text
                assert record.metadata == rows[text].metadata
            for text in HOSTILE[::3]:
                await space.update([text], set={"touched": True})
                rows[text] = Row(rows[text].vector, {**rows[text].metadata, "touched": True})
            await lab.holds(space, rows)
            for text in HOSTILE[::2]:
                await space.delete([text])
                await lab.settle(space, [text], absent=True)
                del rows[text]
                assert await space.count() == len(rows)
            await lab.holds(space, rows)

    async def test_hostile_keys(self, lab: AsyncLab) -> None:
        rows = {
            f"k{at:03}": Row(vector(at + 1), {key: at, "o": {key: "x"}})
            for at, key in enumerate(KEYS)
        }
        async for space in self._guarded(lab):
            await lab.write(space, rows)
            await lab.holds(space, rows)
            for at, key in enumerate(KEYS):
                wanted = [f"k{at:03}"]
                assert await lab.ids(space, filter=F((key,)).exists()) == wanted, key
                assert await lab.ids(space, filter=F((key,)) == at) == wanted, key
                assert await lab.ids(space, filter=F(("o", key)) == "x") == wanted, key
            for at, key in list(enumerate(KEYS))[::5]:
                await space.update([f"k{at:03}"], unset=[key])
                rows[f"k{at:03}"] = Row(vector(at + 1), {"o": {key: "x"}})
            await lab.holds(space, rows)

    async def test_hostile_namespaces(self, lab: AsyncLab) -> None:
        most = lab.capabilities.limits.namespace_bytes
        names = [text for text in HOSTILE if most is None or len(text.encode()) <= most][::2]
        async for space in self._guarded(lab):
            for at, name in enumerate(names):
                await space.namespace(name).upsert(
                    ids=["a"], vectors=vectors(1, seed=at + 1), metadata=[{"at": at}]
                )
            for at, name in enumerate(names):
                await lab.settle(space.namespace(name), ["a"])
                await lab.holds(space.namespace(name), {"a": Row(vector(at + 1), {"at": at})})
            for name in names:
                await space.drop_namespace(name)
                await lab.settle(space.namespace(name), ["a"], absent=True)
            left = await space.namespaces()
            assert not set(names) & set(left)

    async def test_hostile_collection_names(self, lab: AsyncLab) -> None:
        async for space in self._guarded(lab):
            for text in HOSTILE:
                assert not await lab.store.has_collection(text) or text in (
                    await lab.store.list_collections()
                )
            assert await space.count() == 0

    @pytest.mark.parametrize("verb", ["update", "upsert"])
    async def test_hostile_texts(self, lab: AsyncLab, verb: str) -> None:
        rows = {f"t{at:03}": Row(vector(at + 1), {}, text) for at, text in enumerate(VALUES)}
        async for space in self._guarded(lab):
            if verb == "upsert":
                await lab.write(space, rows)
            else:
                await lab.write(space, {key: Row(row.vector) for key, row in rows.items()})
                await space.update(list(rows), texts=[row.text for row in rows.values()])
            await lab.holds(space, rows)
