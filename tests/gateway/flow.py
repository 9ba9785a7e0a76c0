"""The tutorial flow of Pinecone through its Python client; `flow.mjs` is the same in JavaScript.

Both return what they saw as plain data, so that clients and stores can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinecone import Index

DIMENSION: Final = 1536
RECORDS: Final = 300
BATCH: Final = 100
GENRES: Final = ("drama", "comedy", "action")


def vector(seed: int) -> list[float]:
    """Return numbers in [-0.5, 0.5) that every language computes alike (Park and Miller, 1988)."""
    state, numbers = seed * 7919 + 1, list[float]()
    for _ in range(DIMENSION):
        state = state * 16807 % 2147483647
        numbers.append(state / 2147483647 - 0.5)
    return numbers


def records() -> Iterator[dict[str, Any]]:
    """Yield the records of the namespace `movies`."""
    for at in range(RECORDS):
        metadata = {
            "title": f"film {at}",
            "year": 1950 + at % 75,
            "genres": [GENRES[at % 3], GENRES[at % 2]],
            "colour": at % 4 != 0,
        }
        yield {"id": f"{'ab'[at % 2]}#{at:03}", "values": vector(at), "metadata": metadata}


def run(address: str, name: str, key: str = "any") -> dict[str, Any]:
    """Carry out the flow at a gateway and return what was seen."""
    from pinecone import Pinecone, ServerlessSpec

    seen: dict[str, Any] = {}
    with Pinecone(api_key=key, host=address) as client:
        spec = ServerlessSpec(cloud="aws", region="us-east-1")
        client.create_index(name=name, dimension=DIMENSION, metric="cosine", spec=spec)
        model = client.describe_index(name)
        assert model.host is not None
        dense: Any = model.schema.fields["_values"]
        seen["index"] = [dense.dimension, dense.metric, model.status.ready]
        with client.index(host=model.host) as index:
            _write(index)
            _read(index, seen)
            _change(index, seen)
            _delete(index, seen)
        client.delete_index(name)
        seen["left"] = client.has_index(name)
    return seen


def _write(index: Index) -> None:
    batch: list[dict[str, Any]] = []
    for record in records():
        batch.append(record)
        if len(batch) == BATCH:
            index.upsert(vectors=batch, namespace="movies")
            batch = []
    index.upsert(vectors=[{"id": f"plain-{at}", "values": vector(1000 + at)} for at in range(5)])


def _stats(index: Index) -> list[Any]:
    stats = index.describe_index_stats()
    counts = {name: space.vector_count for name, space in sorted(stats.namespaces.items())}
    return [stats.total_vector_count, counts]


def _read(index: Index, seen: dict[str, Any]) -> None:
    seen["stats"] = _stats(index)
    found = index.query(
        vector=vector(17),
        top_k=5,
        namespace="movies",
        filter={"genres": "drama", "year": {"$gte": 1960, "$lt": 2010}, "colour": True},
        include_metadata=True,
    )
    seen["query"] = [[m.id, round(m.score, 4), (m.metadata or {})["title"]] for m in found.matches]
    by_id = index.query(id="b#003", top_k=3, namespace="movies", include_values=True)
    seen["query by id"] = [[m.id, round(m.score, 4), len(m.values)] for m in by_id.matches]
    missing = index.query(
        vector=vector(1),
        top_k=4,
        namespace="movies",
        filter={"$or": [{"genres": {"$nin": ["comedy", "action"]}}, {"year": 1951}]},
    )
    seen["query nin"] = [m.id for m in missing.matches]
    elsewhere = index.query(vector=vector(1001), top_k=10)
    seen["default namespace"] = [m.id for m in elsewhere.matches]


def _change(index: Index, seen: dict[str, Any]) -> None:
    index.update(id="a#002", values=vector(5000), set_metadata={"year": 3000}, namespace="movies")
    changed = index.fetch(ids=["a#002", "absent"], namespace="movies").vectors
    seen["fetch"] = {
        record_id: [dict(sorted((v.metadata or {}).items())), round(v.values[0], 6)]
        for record_id, v in changed.items()
    }
    index.update(filter={"year": {"$lt": 1955}}, set_metadata={"old": True}, namespace="movies")
    old = index.fetch_by_metadata(filter={"old": True}, namespace="movies", limit=100)
    seen["update by filter"] = sorted(old.vectors)


def _pages(index: Index, prefix: str, limit: int) -> list[list[str | None]]:
    pages: list[list[str | None]] = []
    token: str | None = None
    while True:
        page = index.list_paginated(
            prefix=prefix, limit=limit, namespace="movies", pagination_token=token
        )
        pages.append([item.id for item in page.vectors])
        token = page.pagination.next if page.pagination else None
        if token is None:
            return pages


def _delete(index: Index, seen: dict[str, Any]) -> None:
    index.delete(ids=["a#000"], namespace="movies")
    index.delete(ids=["b#001", "a#002", "absent"], namespace="movies")
    seen["after ids"] = _stats(index)
    index.delete(filter={"genres": {"$in": ["action"]}}, namespace="movies")
    seen["after filter"] = _stats(index)
    seen["pages"] = _pages(index, "b#0", 7)
    index.delete(delete_all=True)
    seen["after all"] = _stats(index)
