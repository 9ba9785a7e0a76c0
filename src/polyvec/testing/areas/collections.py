# Generated from collections_async.py by tools/unasync.py. Do not edit.
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
from polyvec.testing.needs import needs
from polyvec.testing.rows import DIMENSION, sample, vector
from polyvec.testing.rules import Area, Tier

if TYPE_CHECKING:
    from polyvec.testing.lab import Lab


class Collections(Area):
    """A collection has the shape it was created with, and a name of its own."""

    area = "collections"

    def test_created_collection_can_be_opened(self, lab: Lab) -> None:
        name = lab.collection_name()
        made = lab.store.create_collection(name, dimension=3, metric=lab.metric)
        opened = lab.store.collection(name)
        for collection in (made, opened):
            info = collection.describe()
            assert (info.name, info.dimension, info.metric) == (name, 3, lab.metric)
            assert (info.count, info.namespaces, info.layout) == (0, {}, "polyvec")

    def test_absent_collection_is_not_found(self, lab: Lab) -> None:
        name = lab.collection_name()
        with pytest.raises(CollectionNotFoundError, match=name) as caught:
            lab.store.collection(name)
        assert isinstance(caught.value, LookupError)
        assert not lab.store.has_collection(name)

    def test_listing_has_each_collection_once(self, lab: Lab) -> None:
        names = [lab.collection_name() for _ in range(2)]
        assert not set(names) & set(lab.store.list_collections())
        for name in names:
            lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        listed = lab.store.list_collections()
        assert [listed.count(name) for name in names] == [1, 1]
        assert lab.store.has_collection(names[0])

    def test_dropped_collection_is_gone(self, lab: Lab) -> None:
        kept = lab.collection()
        lab.write(kept, sample(3))
        name = lab.collection_name()
        dropped = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        lab.write(dropped, sample(3))
        lab.store.drop_collection(name)
        assert not lab.store.has_collection(name)
        assert name not in lab.store.list_collections()
        with pytest.raises(CollectionNotFoundError):
            lab.store.collection(name)
        lab.holds(kept, sample(3))

    def test_dropped_name_starts_empty_again(self, lab: Lab) -> None:
        name = lab.collection_name()
        first = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        lab.write(first, sample(3))
        lab.store.drop_collection(name)
        again = lab.store.create_collection(name, dimension=3, metric=lab.metric)
        assert again.count() == 0
        assert (again.describe()).dimension == 3

    def test_dropping_an_absent_collection(self, lab: Lab) -> None:
        name = lab.collection_name()
        with pytest.raises(CollectionNotFoundError, match=name):
            lab.store.drop_collection(name)
        lab.store.drop_collection(name, missing_ok=True)

    def test_creating_twice_is_refused(self, lab: Lab) -> None:
        made = lab.collection()
        lab.write(made, sample(2))
        name = (made.describe()).name
        with pytest.raises(CollectionExistsError, match=name):
            lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        lab.holds(made, sample(2))

    def test_exist_ok_opens_an_equal_collection(self, lab: Lab) -> None:
        made = lab.collection()
        lab.write(made, sample(2))
        name = (made.describe()).name
        again = lab.store.create_collection(
            name, dimension=DIMENSION, metric=lab.metric, exist_ok=True
        )
        lab.holds(again, sample(2))

    def test_exist_ok_creates_an_absent_collection(self, lab: Lab) -> None:
        name = lab.collection_name()
        made = lab.store.create_collection(
            name, dimension=DIMENSION, metric=lab.metric, exist_ok=True
        )
        assert made.count() == 0
        assert lab.store.has_collection(name)

    def test_exist_ok_refuses_another_dimension(self, lab: Lab) -> None:
        name = ((lab.collection()).describe()).name
        with pytest.raises(CollectionExistsError, match=name):
            lab.store.create_collection(
                name, dimension=DIMENSION + 1, metric=lab.metric, exist_ok=True
            )

    def test_exist_ok_refuses_another_metric(self, lab: Lab) -> None:
        others = sorted(lab.capabilities.metrics - {lab.metric})
        if not others:
            pytest.skip("the store has one metric")
        name = ((lab.collection()).describe()).name
        with pytest.raises(CollectionExistsError, match=name):
            lab.store.create_collection(name, dimension=DIMENSION, metric=others[0], exist_ok=True)

    def test_names_differ_by_case(self, lab: Lab) -> None:
        lower = lab.collection_name().lower()
        upper = lab.drop_later(lower.upper())
        lab.drop_later(lower)
        first = lab.store.create_collection(lower, dimension=3, metric=lab.metric)
        assert not lab.store.has_collection(upper)
        second = lab.store.create_collection(upper, dimension=5, metric=lab.metric)
        assert (first.describe()).dimension == 3
        assert (second.describe()).dimension == 5
        assert {lower, upper} <= set(lab.store.list_collections())
        lab.store.drop_collection(upper)
        assert lab.store.has_collection(lower)

    @pytest.mark.parametrize("form", ["a", "A-_9{}", "a__b{}", "a--b{}", "{}-", "long"])
    def test_every_allowed_name(self, lab: Lab, form: str) -> None:
        unique = lab.collection_name()
        name = unique.ljust(63, "x") if form == "long" else form.format(unique)
        lab.drop_later(name)
        if form == "a" and lab.store.has_collection(name):
            pytest.skip("somebody else's collection has this name")
        made = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        lab.write(made, sample(2))
        assert name in lab.store.list_collections()
        lab.holds(lab.store.collection(name), sample(2))

    @pytest.mark.parametrize(("name", "wrong"), BAD_COLLECTIONS, ids=lambda v: str(v)[:24])
    def test_impossible_collection_is_refused(
        self, lab: Lab, name: str, wrong: dict[str, Any]
    ) -> None:
        before = sorted(lab.store.list_collections())
        settings: dict[str, Any] = {
            "name": lab.collection_name(),
            "dimension": DIMENSION,
            "metric": lab.metric,
            **wrong,
        }
        with pytest.raises(InvalidRequestError):
            lab.store.create_collection(settings.pop("name"), **settings)
        assert sorted(lab.store.list_collections()) == before

    def test_metric_by_its_name(self, lab: Lab) -> None:
        name = lab.collection_name()
        made = lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric.value)
        assert (made.describe()).metric is lab.metric

    def test_index_fields_change_no_answer(self, lab: Lab) -> None:
        made = lab.collection(
            index_fields={"n": int, "kind": str, "price": float, "ok": bool, "at": datetime}
        )
        rows = sample(6)
        lab.write(made, rows)
        assert made.count(F("n") < 2) == 2
        assert made.count(F("kind") == "red") == 2
        lab.holds(made, rows)

    def test_wider_vectors(self, lab: Lab) -> None:
        widest = lab.capabilities.limits.dimensions
        dimension = 384 if widest is None else min(384, widest)
        made = lab.collection(dimension=dimension)
        made.upsert(ids=["a", "b"], vectors=[vector(at, dimension) for at in (1, 2)])
        lab.settle(made, ["a", "b"])
        hits = made.query(vector(2, dimension), top_k=1, exact=True)
        assert [hit.id for hit in hits] == ["b"]

    def test_collections_are_apart(self, lab: Lab) -> None:
        first, second = lab.collection(), lab.collection()
        lab.write(first, sample(4, seed=1))
        lab.write(second, sample(4, seed=2))
        second.delete(["r001"])
        lab.settle(second, ["r001"], absent=True)
        lab.holds(first, sample(4, seed=1))
        rest = sample(4, seed=2)
        del rest["r001"]
        lab.holds(second, rest)


class Aliases(Area):
    """A second name for a collection, switched in one step."""

    area = "aliases"
    tier = Tier.EXTENDED

    @needs(Feature.ALIASES)
    def test_alias_opens_its_collection(self, lab: Lab) -> None:
        made = lab.collection()
        name = (made.describe()).name
        alias = f"{name}_live"
        lab.store.set_alias(alias, name)
        try:
            lab.write(made, sample(3))
            through = lab.store.collection(alias)
            lab.holds(through, sample(3))
            assert (through.describe()).name == name
            assert (lab.store.aliases())[alias] == name
            assert alias not in lab.store.list_collections()
        finally:
            lab.store.drop_alias(alias)

    @needs(Feature.ALIASES)
    def test_alias_switches(self, lab: Lab) -> None:
        old, new = lab.collection(), lab.collection()
        old_name, new_name = (old.describe()).name, (new.describe()).name
        alias = f"{old_name}_live"
        lab.store.set_alias(alias, old_name)
        try:
            lab.write(old, sample(2, seed=1))
            lab.write(new, sample(3, seed=2))
            lab.holds(lab.store.collection(alias), sample(2, seed=1))
            lab.store.set_alias(alias, new_name)
            lab.holds(lab.store.collection(alias), sample(3, seed=2))
            assert (lab.store.aliases())[alias] == new_name
        finally:
            lab.store.drop_alias(alias)
        lab.holds(old, sample(2, seed=1))

    @needs(Feature.ALIASES)
    def test_a_handle_stays_with_its_collection(self, lab: Lab) -> None:
        old, new = lab.collection(), lab.collection()
        alias = f"{(old.describe()).name}_live"
        lab.store.set_alias(alias, (old.describe()).name)
        try:
            handle = lab.store.collection(alias)
            lab.write(old, sample(2, seed=1))
            lab.store.set_alias(alias, (new.describe()).name)
            more = sample(3, seed=2, prefix="s")
            lab.write(handle, more)
            for one in (old, handle):
                lab.holds(one, {**sample(2, seed=1), **more})
            lab.holds(new, {})
        finally:
            lab.store.drop_alias(alias)

    @needs(Feature.ALIASES)
    def test_dropped_alias_leaves_the_collection(self, lab: Lab) -> None:
        made = lab.collection()
        name = (made.describe()).name
        alias = f"{name}_live"
        lab.store.set_alias(alias, name)
        lab.write(made, sample(2))
        lab.store.drop_alias(alias)
        with pytest.raises(CollectionNotFoundError):
            lab.store.collection(alias)
        assert alias not in lab.store.aliases()
        lab.store.drop_alias(alias)  # an absent alias is no error
        lab.holds(made, sample(2))

    @needs(Feature.ALIASES)
    def test_alias_of_an_absent_collection(self, lab: Lab) -> None:
        name = lab.collection_name()
        with pytest.raises(CollectionNotFoundError, match=name):
            lab.store.set_alias(f"{name}_live", name)
        assert f"{name}_live" not in lab.store.aliases()

    @needs(Feature.ALIASES)
    def test_alias_cannot_take_a_collection_name(self, lab: Lab) -> None:
        first, second = lab.collection(), lab.collection()
        first_name, second_name = (first.describe()).name, (second.describe()).name
        with pytest.raises(CollectionExistsError):
            lab.store.set_alias(first_name, second_name)
        assert ((lab.store.collection(first_name)).describe()).name == first_name

    @needs(Feature.ALIASES)
    def test_collection_cannot_take_an_alias(self, lab: Lab) -> None:
        name = ((lab.collection()).describe()).name
        alias = f"{name}_live"
        lab.store.set_alias(alias, name)
        try:
            with pytest.raises(CollectionExistsError):
                lab.store.create_collection(alias, dimension=DIMENSION, metric=lab.metric)
        finally:
            lab.store.drop_alias(alias)

    @needs(Feature.ALIASES)
    def test_dropping_a_collection_drops_its_aliases(self, lab: Lab) -> None:
        name = lab.collection_name()
        lab.store.create_collection(name, dimension=DIMENSION, metric=lab.metric)
        alias = f"{name}_live"
        lab.store.set_alias(alias, name)
        lab.store.drop_collection(name)
        assert alias not in lab.store.aliases()
        with pytest.raises(CollectionNotFoundError):
            lab.store.collection(alias)

    @needs(Feature.ALIASES)
    def test_an_alias_is_not_dropped_as_a_collection(self, lab: Lab) -> None:
        made = lab.collection()
        name = (made.describe()).name
        alias = f"{name}_live"
        lab.store.set_alias(alias, name)
        lab.write(made, sample(2))
        with pytest.raises(PolyvecError):
            lab.store.drop_collection(alias)
        lab.holds(made, sample(2))
        lab.store.drop_alias(alias)

    @pytest.mark.parametrize("alias", ["", "a b", "1x", "é", 7], ids=repr)
    def test_impossible_alias_is_refused(self, lab: Lab, alias: Any) -> None:
        name = ((lab.collection()).describe()).name
        with pytest.raises((InvalidRequestError, NotSupportedError)):
            lab.store.set_alias(alias, name)
