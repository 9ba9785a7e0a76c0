"""The types that a caller sees; read by mypy and pyright, never run.

`assert_type` fails the check where a type is wider, narrower or unknown. A comment
`type: ignore` is a call that must not pass: where it passes, the checkers report
the comment itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import polyvec
from polyvec import (
    HNSW,
    AsyncCollection,
    AsyncVectorStore,
    Capabilities,
    Collection,
    CollectionInfo,
    Explanation,
    F,
    Filter,
    Hit,
    Metadata,
    Metric,
    RecordBatch,
    VectorRecord,
    VectorStore,
    Why,
)
from polyvec.filters import And, Not, Or

Untyped = dict[str, Any]
Float32 = npt.NDArray[np.float32]


class ArticleMeta(Metadata):
    category: str
    price: float | None = None


def stores(store: VectorStore) -> None:
    assert_type(polyvec.connect("memory://"), VectorStore)
    with polyvec.connect() as opened:
        assert_type(opened, VectorStore)
    assert_type(store.capabilities, Capabilities)
    assert_type(store.list_collections(), list[str])
    assert_type(store.has_collection("a"), bool)
    assert_type(store.aliases(), dict[str, str])


def opening(store: VectorStore) -> None:
    assert_type(store.collection("a"), Collection[Untyped])
    assert_type(store.collection("a", metadata=None), Collection[Untyped])
    assert_type(store.collection("a", metadata=ArticleMeta), Collection[ArticleMeta])
    assert_type(store.create_collection("a", dimension=3), Collection[Untyped])
    assert_type(
        store.create_collection(
            "a", dimension=3, metric=Metric.DOT, index=HNSW(m=16), index_fields={"price": float}
        ),
        Collection[Untyped],
    )
    assert_type(
        store.create_collection("a", dimension=3, exist_ok=True, metadata=ArticleMeta),
        Collection[ArticleMeta],
    )
    assert_type(store.collection("a").with_metadata(ArticleMeta), Collection[ArticleMeta])


def reading(articles: Collection[ArticleMeta], vector: Float32, block: Float32) -> None:
    assert_type(articles.namespace("t"), Collection[ArticleMeta])
    hits = articles.query(vector, top_k=3, filter=F("price") < 50, include=("metadata",))
    assert_type(hits, list[Hit[ArticleMeta]])
    assert_type(hits[0].score, float)
    assert_type(hits[0].distance, float)
    assert_type(hits[0].record, VectorRecord[ArticleMeta])
    assert_type(hits[0].record.metadata, ArticleMeta)
    assert_type(hits[0].record.metadata.price, float | None)
    assert_type(hits[0].record.text, str | None)
    assert_type(hits[0].record.id, str)
    assert_type(hits[0].record.vector, Float32)
    articles.query([1.0, 2.0], filter={"price": {"$lt": 50}})
    assert_type(articles.query_many(block), list[list[Hit[ArticleMeta]]])
    assert_type(articles.get(["a"]), list[VectorRecord[ArticleMeta]])
    assert_type(articles.count(), int)
    batches = articles.scan(batch_size=10, include=("vector", "text"))
    assert_type(batches, Iterator[RecordBatch])
    for batch in batches:
        assert_type(batch.ids, list[str])
        assert_type(batch.vectors, Float32 | None)
        assert_type(batch.cursor, str | None)
    assert_type(articles.namespaces(), dict[str, int])
    assert_type(articles.describe(), CollectionInfo)
    assert_type(articles.explain(None), Explanation)
    assert_type(articles.why("a", None), Why)


def plain(articles: Collection) -> None:  # without a parameter: the default of the type
    assert_type(articles.query([1.0]), list[Hit[Untyped]])
    assert_type(articles.get(["a"])[0].metadata, Untyped)


def writing(articles: Collection[ArticleMeta], block: Float32) -> None:
    record = VectorRecord(id="a", vector=block[0], metadata=ArticleMeta(category="x"))
    assert_type(record, VectorRecord[ArticleMeta])
    assert_type(VectorRecord[Untyped](id="a", vector=block[0]).metadata, Untyped)
    articles.upsert([record])
    articles.upsert(ids=["a"], vectors=block, metadata=[{"category": "x"}], texts=["t"])
    articles.upsert(ids=["a"], vectors=[[1.0, 2.0]])
    articles.update(["a"], set={"price": 8.0}, unset=["old"], vectors=block, texts=[None])
    articles.update(filter=F("price") > 3, set={"price": 8.0})
    articles.delete(["a"], timeout_s=3)
    articles.delete(filter=F("source") == "old")
    articles.wait_until_visible(["a"], timeout_s=30, absent=False)
    articles.wait_for_writes(timeout_s=30)


def filters() -> None:
    equal: Filter = F("a") == 1
    assert_type(~(F("a") < 1), Not)
    assert_type((F("a") < 1) & (F("b") > 2), And)
    assert_type((F("a") < 1) | (F("b") > 2), Or)
    anything: Filter = polyvec.And(F("a") < 1, polyvec.Or(), polyvec.Not(F("b").exists()))
    del equal, anything


async def stores_async(store: AsyncVectorStore) -> None:
    assert_type(polyvec.connect_async("memory://"), AsyncVectorStore)
    async with polyvec.connect_async() as opened:
        assert_type(opened, AsyncVectorStore)
    assert_type(await store.list_collections(), list[str])
    assert_type(await store.collection("a"), AsyncCollection[Untyped])
    assert_type(await store.collection("a", metadata=ArticleMeta), AsyncCollection[ArticleMeta])
    assert_type(await store.create_collection("a", dimension=3), AsyncCollection[Untyped])
    assert_type(
        await store.create_collection("a", dimension=3, metadata=ArticleMeta),
        AsyncCollection[ArticleMeta],
    )
    await store.aclose()


async def reading_async(articles: AsyncCollection[ArticleMeta], block: Float32) -> None:
    assert_type(articles.namespace("t"), AsyncCollection[ArticleMeta])
    assert_type(articles.with_metadata(ArticleMeta), AsyncCollection[ArticleMeta])
    assert_type(await articles.query(block[0]), list[Hit[ArticleMeta]])
    assert_type(await articles.query_many(block), list[list[Hit[ArticleMeta]]])
    assert_type(await articles.get(["a"]), list[VectorRecord[ArticleMeta]])
    assert_type(await articles.count(), int)
    assert_type(articles.scan(), AsyncIterator[RecordBatch])
    async for batch in articles.scan():
        assert_type(batch, RecordBatch)
    assert_type(await articles.namespaces(), dict[str, int])
    assert_type(await articles.describe(), CollectionInfo)
    assert_type(await articles.explain(None), Explanation)
    assert_type(await articles.why("a", None), Why)


def refused(store: VectorStore, articles: Collection[ArticleMeta]) -> None:
    articles.query([1.0], top_k="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # must not pass
    articles.query([1.0], include=("vectors",))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # must not pass
    articles.query([1.0], topk=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # must not pass
    articles.upsert([{"id": "a"}])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # must not pass
    store.create_collection("a")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # must not pass
    store.collection("a", metadata=dict)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType, reportCallIssue]  # must not pass
    meta = articles.query([1.0])[0].record.metadata
    print(meta.prise)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]  # must not pass  # noqa: T201 - never run
