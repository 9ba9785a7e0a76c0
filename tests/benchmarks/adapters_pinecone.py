"""Pinecone by hand: what a careful user of its client writes, in our layout, on the gateway.

The gateway answers from this machine's memory, so what is compared is what polyvec adds to the
client. Waiting for visibility is left out on both sides: the gateway is asked for none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from adapters_pgvector import TOP_K, Data, made
from bench_adapters import Case
from pair import PAGE, Pair, Terms
from pinecone import Pinecone
from tests.services.pinecone import Gateway

import polyvec

TERMS: Final = ["*", "?category:s", "?price:f", "?n:i"]
NUMBERS: Final = [f"?n:{code}" for code in "ifI"]

BATCH: Final = 1_000
URL_IDS: Final = 400
"""Ids of ten characters that fit into a URL of 6,000 bytes."""


class ByHand:
    """The same verbs without polyvec, for records of this shape only.

    Parameters
    ----------
    base
        Address of the control plane.
    name
        An index that polyvec made.
    """

    def __init__(self, base: str, name: str) -> None:
        self.client = Pinecone(api_key="none", host=base)
        self.index: Any = self.client.index(name=name)

    def close(self) -> None:
        self.index.close()
        self.client.close()

    def upsert(self, data: Data) -> None:
        rows = [
            (key, vector, {**item, "_polyvec_terms": TERMS, "_polyvec_text": text})
            for key, vector, item, text in zip(
                data.ids, data.vectors.tolist(), data.metadata, data.texts, strict=True
            )
        ]
        for start in range(0, len(rows), BATCH):
            self.index.upsert(vectors=rows[start : start + BATCH])

    def read(self, found: Any) -> list[Any]:
        return [
            (one.id, np.array(one.values, dtype=np.float32), *self.fields(one.metadata))
            for one in found
        ]

    def fields(self, metadata: dict[str, Any]) -> tuple[dict[str, Any], str]:
        item = {k: v for k, v in metadata.items() if not k.startswith("_polyvec")}
        item["n"] = int(item["n"])
        return item, metadata["_polyvec_text"]

    def get(self, ids: list[str]) -> list[Any]:
        return self.read(self.index.fetch(ids=ids).vectors.values())

    def scan(self) -> int:
        total, token = 0, None
        while True:
            page = self.index.fetch_by_metadata(
                filter={"_polyvec_terms": {"$eq": "*"}}, limit=PAGE, pagination_token=token
            )
            total += len(self.read(page.vectors.values()))
            if page.pagination is None:
                return total
            token = page.pagination.next

    def query(self, vector: Any, where: Any = None) -> list[Any]:
        answer = self.index.query(
            vector=vector.tolist(), top_k=TOP_K, filter=where, include_metadata=True
        )
        return [(one.id, one.score, *self.fields(one.metadata)) for one in answer.matches]


def c7() -> dict[str, Any]:
    """Return the condition of the filtered search."""
    return {"$and": [{"_polyvec_terms": {"$eq": "?category:s"}}, {"category": {"$eq": "c7"}}]}


def cases() -> Iterator[Case]:
    """Yield each verb."""
    gateway = Gateway()
    names = ("bench-ours", "bench-raw")
    terms = Terms(c7, names=names, scans=5, pause_s=6.0)
    try:
        with polyvec.connect(gateway.url) as store:
            yield from Pair(store, lambda name: ByHand(gateway.base, name), terms).cases(made())
    finally:
        gateway.stop()
