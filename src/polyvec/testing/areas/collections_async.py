"""Collections and aliases: made, opened, listed, described, dropped."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from polyvec.capabilities import Feature
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    InvalidRequestError,
    NotSupportedError,
    PolyvecError,
)
from polyvec.filters import F
from polyvec.testing.bad_requests import BAD_COLLECTIONS
from polyvec.testing.needs_async import needs_async
from polyvec.testing.rows import DIMENSION, sample, vector
from polyvec.testing.rules import AsyncArea, Tier

if TYPE_CHECKING:
    from polyvec.testing.lab_async import AsyncLab


class AsyncCollections(AsyncArea):
    """A collection has the shape it was created with, and a name of its own."""

    area = "collections"

    async def test_created_collection_can_be_opened(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        made = await lab.store.create_collection(name, dimension=3, metric=lab.metric)
        opened = await lab.store.collection(name)
        for collection in (made, opened):
            info = await collection.describe()
            assert (info.name, info.dimension, info.metric) == (name, 3, lab.metric)
            assert (info.count, info.namespaces, info.layout) == (0, {}, "polyvec")

    async def test_absent_collection_is_not_found(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        with pytest.raises(CollectionNotFoundError, match=name) as caught:
            await lab.store.collection(name)
        assert isinstance(caught.value, LookupError)
        assert not await lab.store.has_collection(name)

    async def test_listing_has_each_collection_once(self, lab: AsyncLab) -> None:
        names = [lab.collection_name() for _ in range(2)]
        assert not set(names) & set(await lab.store.list_collections())
        for name in names:
            await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        listed = await lab.store.list_collections()
        assert [listed.count(name) for name in names] == [1, 1]
        assert await lab.store.has_collection(names[0])

    async def test_dropped_collection_is_gone(self, lab: AsyncLab) -> None:
        kept = await lab.collection()
        await lab.write(kept, sample(3))
        name = lab.collection_name()
        dropped = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await lab.write(dropped, sample(3))
        await lab.store.drop_collection(name)
        assert not await lab.store.has_collection(name)
        assert name not in await lab.store.list_collections()
        with pytest.raises(CollectionNotFoundError):
            await lab.store.collection(name)
        await lab.holds(kept, sample(3))

    async def test_dropped_name_starts_empty_again(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        first = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await lab.write(first, sample(3))
        await lab.store.drop_collection(name)
        again = await lab.store.create_collection(name, dimension=3, metric=lab.metric)
        assert await again.count() == 0
        assert (await again.describe()).dimension == 3

    async def test_dropping_an_absent_collection(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        with pytest.raises(CollectionNotFoundError, match=name):
            await lab.store.drop_collection(name)
        await lab.store.drop_collection(name, missing_ok=True)

    async def test_creating_twice_is_refused(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        await lab.write(made, sample(2))
        name = (await made.describe()).name
        with pytest.raises(CollectionExistsError, match=name):
            await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await lab.holds(made, sample(2))

    async def test_exist_ok_opens_an_equal_collection(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        await lab.write(made, sample(2))
        name = (await made.describe()).name
        again = await lab.store.create_collection(
            name, dimension=DIMENSION, metric=lab.metric, exist_ok=True
        )
        await lab.holds(again, sample(2))

    async def test_exist_ok_creates_an_absent_collection(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        made = await lab.store.create_collection(
            name, dimension=DIMENSION, metric=lab.metric, exist_ok=True
        )
        assert await made.count() == 0
        assert await lab.store.has_collection(name)

    async def test_exist_ok_refuses_another_dimension(self, lab: AsyncLab) -> None:
        name = (await (await lab.collection()).describe()).name
        with pytest.raises(CollectionExistsError, match=name):
            await lab.store.create_collection(
                name, dimension=DIMENSION + 1, metric=lab.metric, exist_ok=True
            )

    async def test_exist_ok_refuses_another_metric(self, lab: AsyncLab) -> None:
        others = sorted(lab.capabilities.metrics - {lab.metric})
        if not others:
            pytest.skip("the store has one metric")
        name = (await (await lab.collection()).describe()).name
        with pytest.raises(CollectionExistsError, match=name):
            await lab.store.create_collection(
                name, dimension=DIMENSION, metric=others[0], exist_ok=True
            )

    async def test_names_differ_by_case(self, lab: AsyncLab) -> None:
        lower = lab.collection_name().lower()
        upper = lab.drop_later(lower.upper())
        lab.drop_later(lower)
        first = await lab.store.create_collection(lower, dimension=3, metric=lab.metric)
        assert not await lab.store.has_collection(upper)
        second = await lab.store.create_collection(upper, dimension=5, metric=lab.metric)
        assert (await first.describe()).dimension == 3
        assert (await second.describe()).dimension == 5
        assert {lower, upper} <= set(await lab.store.list_collections())
        await lab.store.drop_collection(upper)
        assert await lab.store.has_collection(lower)

    @pytest.mark.parametrize("form", ["a", "A-_9{}", "a__b{}", "a--b{}", "{}-", "long"])
    async def test_every_allowed_name(self, lab: AsyncLab, form: str) -> None:
        unique = lab.collection_name()
        name = unique.ljust(63, "x") if form == "long" else form.format(unique)
        lab.drop_later(name)
        if form == "a" and await lab.store.has_collection(name):
            pytest.skip("somebody else's collection has this name")
        made = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        await lab.write(made, sample(2))
        assert name in await lab.store.list_collections()
        await lab.holds(await lab.store.collection(name), sample(2))

    @pytest.mark.parametrize(("name", "wrong"), BAD_COLLECTIONS, ids=lambda v: str(v)[:24])
    async def test_impossible_collection_is_refused(
        self, lab: AsyncLab, name: str, wrong: dict[str, Any]
    ) -> None:
        before = sorted(await lab.store.list_collections())
        settings: dict[str, Any] = {
            "name": lab.collection_name(),
            "dimension": DIMENSION,
            "metric": lab.metric,
            **wrong,
        }
        with pytest.raises(InvalidRequestError):
            await lab.store.create_collection(settings.pop("name"), **settings)
        assert sorted(await lab.store.list_collections()) == before

    async def test_metric_by_its_name(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        made = await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric.value)
        assert (await made.describe()).metric is lab.metric

    async def test_index_fields_change_no_answer(self, lab: AsyncLab) -> None:
        made = await lab.collection(
            index_fields={"n": int, "kind": str, "price": float, "ok": bool, "at": datetime}
        )
        rows = sample(6)
        await lab.write(made, rows)
        assert await made.count(F("n") < 2) == 2
        assert await made.count(F("kind") == "red") == 2
        await lab.holds(made, rows)

    async def test_wider_vectors(self, lab: AsyncLab) -> None:
        widest = lab.capabilities.limits.dimensions
        dimension = 384 if widest is None else min(384, widest)
        made = await lab.collection(dimension=dimension)
        await made.upsert(ids=["a", "b"], vectors=[vector(at, dimension) for at in (1, 2)])
        await lab.settle(made, ["a", "b"])
        hits = await made.query(vector(2, dimension), top_k=1, exact=True)
        assert [hit.id for hit in hits] == ["b"]

    async def test_collections_are_apart(self, lab: AsyncLab) -> None:
        first, second = await lab.collection(), await lab.collection()
        await lab.write(first, sample(4, seed=1))
        await lab.write(second, sample(4, seed=2))
        await second.delete(["r001"])
        await lab.settle(second, ["r001"], absent=True)
        await lab.holds(first, sample(4, seed=1))
        rest = sample(4, seed=2)
        del rest["r001"]
        await lab.holds(second, rest)


class AsyncAliases(AsyncArea):
    """A second name for a collection, switched in one step."""

    area = "aliases"
    tier = Tier.EXTENDED

    @needs_async(Feature.ALIASES)
    async def test_alias_opens_its_collection(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        name = (await made.describe()).name
        alias = f"{name}_live"
        await lab.store.set_alias(alias, name)
        try:
            await lab.write(made, sample(3))
            through = await lab.store.collection(alias)
            await lab.holds(through, sample(3))
            assert (await through.describe()).name == name
            assert (await lab.store.aliases())[alias] == name
            assert alias not in await lab.store.list_collections()
        finally:
            await lab.store.drop_alias(alias)

    @needs_async(Feature.ALIASES)
    async def test_alias_switches(self, lab: AsyncLab) -> None:
        old, new = await lab.collection(), await lab.collection()
        old_name, new_name = (await old.describe()).name, (await new.describe()).name
        alias = f"{old_name}_live"
        await lab.store.set_alias(alias, old_name)
        try:
            await lab.write(old, sample(2, seed=1))
            await lab.write(new, sample(3, seed=2))
            await lab.holds(await lab.store.collection(alias), sample(2, seed=1))
            await lab.store.set_alias(alias, new_name)
            await lab.holds(await lab.store.collection(alias), sample(3, seed=2))
            assert (await lab.store.aliases())[alias] == new_name
        finally:
            await lab.store.drop_alias(alias)
        await lab.holds(old, sample(2, seed=1))

    @needs_async(Feature.ALIASES)
    async def test_a_handle_stays_with_its_collection(self, lab: AsyncLab) -> None:
        old, new = await lab.collection(), await lab.collection()
        alias = f"{(await old.describe()).name}_live"
        await lab.store.set_alias(alias, (await old.describe()).name)
        try:
            handle = await lab.store.collection(alias)
            await lab.write(old, sample(2, seed=1))
            await lab.store.set_alias(alias, (await new.describe()).name)
            more = sample(3, seed=2, prefix="s")
            await lab.write(handle, more)
            for one in (old, handle):
                await lab.holds(one, {**sample(2, seed=1), **more})
            await lab.holds(new, {})
        finally:
            await lab.store.drop_alias(alias)

    @needs_async(Feature.ALIASES)
    async def test_dropped_alias_leaves_the_collection(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        name = (await made.describe()).name
        alias = f"{name}_live"
        await lab.store.set_alias(alias, name)
        await lab.write(made, sample(2))
        await lab.store.drop_alias(alias)
        with pytest.raises(CollectionNotFoundError):
            await lab.store.collection(alias)
        assert alias not in await lab.store.aliases()
        await lab.store.drop_alias(alias)  # an absent alias is no error
        await lab.holds(made, sample(2))

    @needs_async(Feature.ALIASES)
    async def test_alias_of_an_absent_collection(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        with pytest.raises(CollectionNotFoundError, match=name):
            await lab.store.set_alias(f"{name}_live", name)
        assert f"{name}_live" not in await lab.store.aliases()

    @needs_async(Feature.ALIASES)
    async def test_alias_cannot_take_a_collection_name(self, lab: AsyncLab) -> None:
        first, second = await lab.collection(), await lab.collection()
        first_name, second_name = (await first.describe()).name, (await second.describe()).name
        with pytest.raises(CollectionExistsError):
            await lab.store.set_alias(first_name, second_name)
        assert (await (await lab.store.collection(first_name)).describe()).name == first_name

    @needs_async(Feature.ALIASES)
    async def test_collection_cannot_take_an_alias(self, lab: AsyncLab) -> None:
        name = (await (await lab.collection()).describe()).name
        alias = f"{name}_live"
        await lab.store.set_alias(alias, name)
        try:
            with pytest.raises(CollectionExistsError):
                await lab.store.create_collection(alias, dimension=DIMENSION, metric=lab.metric)
        finally:
            await lab.store.drop_alias(alias)

    @needs_async(Feature.ALIASES)
    async def test_dropping_a_collection_drops_its_aliases(self, lab: AsyncLab) -> None:
        name = lab.collection_name()
        await lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        alias = f"{name}_live"
        await lab.store.set_alias(alias, name)
        await lab.store.drop_collection(name)
        assert alias not in await lab.store.aliases()
        with pytest.raises(CollectionNotFoundError):
            await lab.store.collection(alias)

    @needs_async(Feature.ALIASES)
    async def test_an_alias_is_not_dropped_as_a_collection(self, lab: AsyncLab) -> None:
        made = await lab.collection()
        name = (await made.describe()).name
        alias = f"{name}_live"
        await lab.store.set_alias(alias, name)
        await lab.write(made, sample(2))
        with pytest.raises(PolyvecError):
            await lab.store.drop_collection(alias)
        await lab.holds(made, sample(2))
        await lab.store.drop_alias(alias)

    @pytest.mark.parametrize("alias", ["", "a b", "1x", "é", 7], ids=repr)
    async def test_impossible_alias_is_refused(self, lab: AsyncLab, alias: Any) -> None:
        name = (await (await lab.collection()).describe()).name
        with pytest.raises((InvalidRequestError, NotSupportedError)):
            await lab.store.set_alias(alias, name)
