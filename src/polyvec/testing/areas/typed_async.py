"""Typed metadata: validated on write, typed on read, known to filters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from polyvec.errors import FilterError, InvalidRecordError, NotIncludedError
from polyvec.filters import F
from polyvec.metadata import Metadata
from polyvec.records import VectorRecord
from polyvec.testing.oracle import Row
from polyvec.testing.rows import vector, vectors
from polyvec.testing.rules import AsyncArea

if TYPE_CHECKING:
    from polyvec.testing.lab_async import AsyncLab


class Author(Metadata):
    """A nested model."""

    name: str
    born: int | None = None


class ArticleMeta(Metadata):
    """The model of the tests."""

    category: str
    price: float | None = None
    tags: list[str] = []  # noqa: RUF012 - pydantic copies defaults
    author: Author | None = None
    published: datetime | None = None


MOMENT = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)


class AsyncTyped(AsyncArea):
    """`store.collection(name, metadata=Model)`."""

    area = "typed metadata"

    async def test_round_trip(self, lab: AsyncLab) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        full = ArticleMeta(
            category="billing",
            price=9.5,
            tags=["a", "b"],
            author=Author(name="Ada", born=1815),
            published=MOMENT,
        )
        small = ArticleMeta(category="other")
        await space.upsert(
            [
                VectorRecord[ArticleMeta](id="full", vector=vector(1), metadata=full, text="t"),
                VectorRecord[ArticleMeta](id="small", vector=vector(2), metadata=small),
            ]
        )
        await lab.settle(space, ["full", "small"])
        records = await space.get(["full", "small"])
        assert [record.metadata for record in records] == [full, small]
        assert all(isinstance(record.metadata, ArticleMeta) for record in records)
        (hit,) = await space.query(vector(1), top_k=1)
        assert hit.record.metadata.author.name == "Ada"
        assert hit.record.metadata.published == MOMENT

    async def test_untyped_handle_sees_plain_values(self, lab: AsyncLab) -> None:
        typed = await lab.namespace(metadata=ArticleMeta)
        plain = await lab.namespace(name=lab.name_of(typed))
        meta = ArticleMeta(category="x", price=2.0, author=Author(name="Ada"))
        await typed.upsert([VectorRecord[ArticleMeta](id="a", vector=vector(), metadata=meta)])
        await lab.settle(typed, ["a"])
        (record,) = await plain.get(["a"])
        assert record.metadata["category"] == "x"
        assert type(record.metadata["price"]) is float
        assert record.metadata["author"]["name"] == "Ada"
        assert await plain.count(F("author.name") == "Ada") == 1

    async def test_dicts_are_validated(self, lab: AsyncLab) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        await space.upsert(
            ids=["a"], vectors=vectors(1), metadata=[{"category": "x", "price": 3.5}]
        )
        await lab.settle(space, ["a"])
        (record,) = await space.get(["a"])
        assert record.metadata == ArticleMeta(category="x", price=3.5)

    @pytest.mark.parametrize(
        "bad",
        [
            {},
            {"category": 7},
            {"category": "x", "prise": 1.0},
            {"category": "x", "price": "cheap"},
            {"category": "x", "author": {"name": "A", "age": 3}},
        ],
        ids=["missing", "wrong class", "unknown key", "unparsable", "unknown nested key"],
    )
    async def test_bad_metadata_is_refused(self, lab: AsyncLab, bad: dict[str, Any]) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        good = {"category": "fine"}
        with pytest.raises(InvalidRecordError, match="bad_one") as caught:
            await space.upsert(ids=["ok", "bad_one"], vectors=vectors(2), metadata=[good, bad])
        assert isinstance(caught.value.__cause__, ValidationError)
        assert await space.count() == 0

    async def test_filters_know_the_fields(self, lab: AsyncLab) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        await space.upsert(
            ids=["a", "b"],
            vectors=vectors(2),
            metadata=[
                {"category": "x", "price": 1.0, "tags": ["t"], "published": MOMENT},
                {"category": "y", "author": {"name": "Ada"}},
            ],
        )
        await lab.settle(space, ["a", "b"])
        found: dict[str, list[Any]] = {
            "a": [
                F("price") < 2,
                F("tags").contains("t"),
                F("published") == MOMENT,
                F("category") == "x",
            ],
            "b": [F("price") == None, F("author.name").starts_with("A")],  # noqa: E711
        }
        for key, filters in found.items():
            for where in filters:
                hits = await space.query(vector(), filter=where, exact=True)
                assert [hit.id for hit in hits] == [key], where

    @pytest.mark.parametrize(
        "where",
        [
            F("prise") < 2,
            F("author.nam") == "Ada",
            F("price") == "cheap",
            F("category") == 3,
            F("category").contains("x"),
            F("price").starts_with("1"),
            F("tags") == "x",
            {"categry": "x"},
        ],
        ids=repr,
    )
    async def test_impossible_filters_are_refused(self, lab: AsyncLab, where: Any) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        await space.upsert(ids=["a"], vectors=vectors(1), metadata=[{"category": "x"}])
        await lab.settle(space, ["a"])
        for call in (
            lambda: space.query(vector(), filter=where),
            lambda: space.count(where),
            lambda: space.delete(filter=where),
            lambda: space.update(filter=where, set={"category": "y"}),
            lambda: space.explain(where),
        ):
            with pytest.raises(FilterError):
                await call()
        assert await space.count() == 1

    async def test_unknown_field_gets_a_suggestion(self, lab: AsyncLab) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        with pytest.raises(FilterError, match=r"did you mean.*price"):
            await space.count(F("prise") < 2)

    async def test_update_is_validated(self, lab: AsyncLab) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        await space.upsert(
            ids=["a"], vectors=vectors(1), metadata=[{"category": "x", "price": 1.0}]
        )
        await lab.settle(space, ["a"])
        for wrong in ({"prise": 2.0}, {"price": "cheap"}, {"category": None}):
            with pytest.raises((InvalidRecordError, FilterError)):
                await space.update(["a"], set=wrong)
        with pytest.raises(InvalidRecordError):
            await space.update(["a"], unset=["category"])
        (record,) = await space.get(["a"])
        assert record.metadata == ArticleMeta(category="x", price=1.0)
        await space.update(["a"], set={"price": 2.5})

        async def changed() -> None:
            (record,) = await space.get(["a"])
            assert record.metadata == ArticleMeta(category="x", price=2.5)

        await lab.eventually(changed)

    async def test_column_that_was_not_included(self, lab: AsyncLab) -> None:
        space = await lab.namespace(metadata=ArticleMeta)
        await space.upsert(ids=["a"], vectors=vectors(1), metadata=[{"category": "x"}])
        await lab.settle(space, ["a"])
        (hit,) = await space.query(vector(), top_k=1, include=("text",))
        with pytest.raises(NotIncludedError, match="metadata"):
            _ = hit.record.metadata

    async def test_stored_metadata_that_does_not_fit(self, lab: AsyncLab) -> None:
        typed = await lab.namespace(metadata=ArticleMeta)
        plain = await lab.namespace(name=lab.name_of(typed))
        await lab.write(plain, {"odd": Row(vector(), {"other": 1})})
        with pytest.raises(InvalidRecordError, match="odd"):
            await typed.get(["odd"])
        (record,) = await plain.get(["odd"])
        assert record.metadata == {"other": 1}
