"""Qdrant by hand: what a careful user of qdrant-client writes, in our layout.

On the server under test, or in local mode, where both sides share one client: it is the library
that compares and keeps, so the rows show what polyvec adds to it, and not what a network hides.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from hashlib import sha256
from json import dumps
from typing import Any, Final

import numpy as np
from adapters_pgvector import TOP_K, Data, made
from bench_adapters import Case
from pair import PAGE, Pair, Terms
from qdrant_client import models
from tests.services import server

import polyvec
from polyvec import F

BATCH: Final = 1_000


def point_of(key: str) -> str:
    """Return the point of a record: a UUID of version 8 from a hash."""
    digest = bytearray(sha256(dumps(["", key]).encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


class ByHand:
    """The same verbs without polyvec, for records of this shape only.

    Parameters
    ----------
    client
        The vendor's.
    name
        A collection that polyvec made.
    """

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    def payload(self, key: str, item: dict[str, Any], text: str, length: float) -> dict[str, Any]:
        """Return a record's payload, as the layout has it."""
        category = item["category"]
        place = 0
        for byte in range(6):
            place = place * 257 + (ord(category[byte]) + 1 if byte < len(category) else 0)
        price, n = item["price"], item["n"]
        short = int(price) if price.is_integer() else price
        return {
            **item,
            "_polyvec_terms": [
                "?category:s", f"=category:s{category}", "?price:n", f"=price:n{short}",
                "?n:n", f"=n:n{n}",
            ],
            "_polyvec_order": {"category": place},
            "_polyvec_ns": "",
            "_polyvec_id": key,
            "_polyvec_text": text,
            "_polyvec_norm": float(f"{length:.15g}"),
        }  # fmt: skip

    def upsert(self, data: Data) -> None:
        lengths = np.linalg.norm(data.vectors.astype(np.float64), axis=1)
        units = (data.vectors / lengths[:, None]).astype(np.float32)
        for start in range(0, len(data.ids), BATCH):
            part = slice(start, start + BATCH)
            payloads = [
                self.payload(*row)
                for row in zip(
                    data.ids[part],
                    data.metadata[part],
                    data.texts[part],
                    lengths[part].tolist(),
                    strict=True,
                )
            ]
            points: Any = [point_of(key) for key in data.ids[part]]
            batch = models.Batch(ids=points, vectors=units[part].tolist(), payloads=payloads)
            self.client.upsert(self.name, batch, wait=True)

    def record(self, point: Any) -> tuple[Any, ...]:
        payload = point.payload
        plain = {key: value for key, value in payload.items() if not key.startswith("_polyvec")}
        return payload["_polyvec_id"], plain, payload["_polyvec_text"]

    def read(self, points: list[Any]) -> list[Any]:
        lengths = np.array([point.payload["_polyvec_norm"] for point in points])
        units = np.asarray([point.vector for point in points], dtype=np.float64)
        block = (units * lengths[:, None]).astype(np.float32)
        return [(*self.record(point), row) for point, row in zip(points, block, strict=True)]

    def get(self, ids: list[str]) -> list[Any]:
        points: Any = [point_of(key) for key in ids]
        return self.read(
            self.client.retrieve(self.name, points, with_payload=True, with_vectors=True)
        )

    def where(self, *conditions: Any) -> models.Filter:
        space = models.FieldCondition(key="_polyvec_ns", match=models.MatchValue(value=""))
        return models.Filter(must=[space, *conditions])

    def scan(self) -> int:
        total, offset = 0, None
        while True:
            points, offset = self.client.scroll(
                self.name, self.where(), limit=PAGE, offset=offset, with_vectors=True
            )
            total += len(self.read(points))
            if offset is None:
                return total

    def query(self, vector: Any, *conditions: Any) -> list[Any]:
        unit = vector / np.linalg.norm(vector)
        asked = models.QueryRequest(
            query=unit.tolist(), filter=self.where(*conditions), limit=TOP_K, with_payload=True
        )
        (answer,) = self.client.query_batch_points(self.name, [asked])
        return [(*self.record(point), point.score) for point in answer.points]

    def count(self, *conditions: Any) -> int:
        answer = self.client.count(self.name, self.where(*conditions), exact=True)
        return int(answer.count)


def c7() -> models.FieldCondition:
    """Return the condition of the filtered search."""
    return models.FieldCondition(
        key="_polyvec_terms", match=models.MatchValue(value="=category:sc7")
    )


def cases() -> Iterator[Case]:
    """Yield each verb."""
    with polyvec.connect(server("qdrant").url) as store:
        store.ping()
        terms = Terms(c7, (F("category") == "c7", c7()), scans=5)
        yield from Pair(store, lambda name: ByHand(store.client, name), terms).cases(made())
