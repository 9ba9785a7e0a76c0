"""Chroma by hand: what a careful user of chromadb writes, in our layout, on a server."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any, Final

import chromadb
import numpy as np
from adapters_pgvector import DIMENSION, RECORDS, TOP_K, Data, made
from bench_adapters import Case
from chromadb.config import Settings
from pair import PAGE, Pair, Terms
from tests.services import server

import polyvec

SIGNS: Final = 1.0 - 2.0 * ((np.arange(DIMENSION, dtype=np.int64) * 2_654_435_761 >> 15) & 1)


class ByHand:
    """The same verbs without polyvec, for records of this shape only.

    Parameters
    ----------
    address
        Of the server.
    name
        A collection that polyvec made.
    """

    def __init__(self, address: tuple[str, int], name: str) -> None:
        host, port = address
        settings = Settings(anonymized_telemetry=False)
        self.client: Any = chromadb.HttpClient(host, port, settings=settings)
        self.collection = self.client.get_collection(name, embedding_function=None)

    def close(self) -> None:
        self.client.close()

    def fields(
        self, key: str, item: dict[str, Any], length: float, number: float
    ) -> dict[str, Any]:
        """Return the fields and tags of a record, as the layout has them."""
        place = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") >> 2
        price = struct.unpack(">q", struct.pack(">d", item["price"]))[0]
        category = int.from_bytes(item["category"].encode()[:7].ljust(7, b"\0"), "big") << 4
        return {
            **item,
            "_polyvec_o:category": category,
            "_polyvec_o:price": price,
            "_polyvec_tags": ["r", "s:category", "f:price", "i:n", "vbenchmark"],
            "_polyvec_write": f"vbenchmark {number:.6g}",
            "_polyvec_key": place,
            "_polyvec": json.dumps({"n": length}),
        }

    def upsert(self, data: Data) -> None:
        lengths = np.linalg.norm(data.vectors.astype(np.float64), axis=1)
        units = (data.vectors / lengths[:, None]).astype(np.float32)
        numbers = (units.astype(np.float64) @ SIGNS).tolist()
        old: Any = self.collection.get(ids=data.ids, include=["metadatas"])
        rows: list[Any] = [
            self.fields(key, item, length, number)
            for key, item, length, number in zip(
                data.ids, data.metadata, lengths.tolist(), numbers, strict=True
            )
        ]
        place = dict(zip(data.ids, rows, strict=True))
        for key, before in zip(old["ids"], old["metadatas"], strict=True):
            place[key].update(dict.fromkeys(before.keys() - place[key].keys()))
        for start in range(0, len(rows), 5_000):
            stop = start + 5_000
            self.collection.upsert(
                ids=data.ids[start:stop],
                embeddings=units[start:stop],
                metadatas=rows[start:stop],
                documents=data.texts[start:stop],
            )

    def read(self, got: Any) -> list[Any]:
        lengths = np.array([json.loads(row["_polyvec"])["n"] for row in got["metadatas"]])
        block = (np.asarray(got["embeddings"]) * lengths[:, None]).astype(np.float32)
        return [
            (key, vector, {k: v for k, v in row.items() if not k.startswith("_polyvec")}, text)
            for key, vector, row, text in zip(
                got["ids"], block, got["metadatas"], got["documents"], strict=True
            )
        ]

    def get(self, ids: list[str]) -> list[Any]:
        return self.read(
            self.collection.get(ids=ids, include=["metadatas", "documents", "embeddings"])
        )

    def scan(self) -> int:
        """Read all records in ranges of the key, which is evenly spread."""
        parts, total = RECORDS // PAGE, 0
        for at in range(parts):
            low, high = 2**62 * at // parts, 2**62 * (at + 1) // parts
            where: Any = {
                "$and": [{"_polyvec_key": {"$gte": low}}, {"_polyvec_key": {"$lt": high}}]
            }
            total += len(
                self.read(
                    self.collection.get(
                        where=where, include=["metadatas", "documents", "embeddings"]
                    )
                )
            )
        return total

    def query(self, vector: Any, where: Any = None) -> list[Any]:
        unit = vector / np.linalg.norm(vector)
        got: Any = self.collection.query(
            query_embeddings=[unit],
            n_results=TOP_K,
            where=where,
            include=["distances", "metadatas", "documents"],
        )
        return [
            (key, 1 - far, {k: v for k, v in row.items() if not k.startswith("_polyvec")}, text)
            for key, far, row, text in zip(
                got["ids"][0],
                got["distances"][0],
                got["metadatas"][0],
                got["documents"][0],
                strict=True,
            )
        ]


def c7() -> dict[str, Any]:
    """Return the condition of the filtered search."""
    return {"$and": [{"_polyvec_tags": {"$contains": "s:category"}}, {"category": {"$eq": "c7"}}]}


def cases() -> Iterator[Case]:
    """Yield each verb."""
    running = server("chroma")
    with polyvec.connect(running.url) as store:
        terms = Terms(c7, filtered_calls=3)
        yield from Pair(store, lambda name: ByHand(running.address, name), terms).cases(made())
