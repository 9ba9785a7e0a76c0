"""Milvus by hand: what a careful user of pymilvus writes, in our layout, on a server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import orjson
from adapters_pgvector import TOP_K, Data, made
from bench_adapters import Case
from pair import PAGE, Pair, Terms
from pymilvus import MilvusClient
from tests.services import server

import polyvec

BATCH: Final = 2_500
"""Rows of one request: 1,000 to 5,000 are fastest (measured, 2.3.5)."""

IN_FLIGHT: Final = 4

CALL_S: Final = 300.0
SIDE: Final = '{"t":["s:category","n:price","n:n"]}'
"""JSON as text takes the client a tenth of the time that objects do (measured, pymilvus 3.0.2)."""

READ: Final = ["pk", "meta", "text", "_polyvec_v1"]


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
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
        self.client: Any = MilvusClient(uri="http://{}:{}".format(*address), dedicated=True)
        self.name = name
        self.pool = ThreadPoolExecutor(IN_FLIGHT)

    def close(self) -> None:
        self.pool.shutdown()
        self.client.close()

    def rows(self, data: Data, start: int, stop: int) -> list[dict[str, Any]]:
        """Return rows as the layout has them: key, tags, metadata, text."""
        part = zip(
            data.ids[start:stop],
            data.vectors[start:stop],
            data.metadata[start:stop],
            data.texts[start:stop],
            strict=True,
        )
        return [
            {
                "pk": f"/{key}",
                "ns": "",
                "vector": vector,
                "meta": orjson.dumps(item).decode(),
                "text": text,
                "_polyvec_v1": SIDE,
            }
            for key, vector, item, text in part
        ]

    def upsert(self, data: Data) -> None:
        lengths = np.linalg.norm(data.vectors.astype(np.float64), axis=1)
        assert lengths.min() > 1e-15
        assert lengths.max() < 1e15

        def write(start: int) -> None:
            rows = self.rows(data, start, start + BATCH)
            self.client.upsert(self.name, rows, timeout=CALL_S)

        starts = range(0, len(data.ids), BATCH)
        if len(starts) == 1:
            write(0)
        else:
            list(self.pool.map(write, starts))

    def read(self, rows: list[Any]) -> list[Any]:
        return [
            (row["pk"][1:], row["meta"], row["text"] or (None if row["_polyvec_v1"] else ""))
            for row in rows
        ]

    def get(self, ids: list[str]) -> list[Any]:
        keys = ", ".join(f'"/{key}"' for key in ids)
        rows = self.client.query(
            self.name,
            filter=f"pk in [{keys}]",
            output_fields=[*READ, "vector"],
            consistency_level="Session",
            timeout=CALL_S,
        )
        vectors = np.array([row["vector"] for row in rows], dtype=np.float32)
        return list(zip(self.read(rows), vectors, strict=True))

    def scan(self) -> int:
        last, total = "/", 0
        while True:
            rows = self.client.query(
                self.name,
                filter=f'ns == "" and pk > "{last}"',
                output_fields=[*READ, "vector"],
                limit=PAGE,
                iterator="True",
                timeout=CALL_S,
            )
            vectors = np.array([row["vector"] for row in rows], dtype=np.float32)
            total += len(list(zip(self.read(rows), vectors, strict=False)))
            if len(rows) < PAGE:
                return total
            last = rows[-1]["pk"]

    def query(self, vector: Any, where: str = "") -> list[Any]:
        unit = vector / np.linalg.norm(vector)
        (hits,) = self.client.search(
            self.name,
            data=[unit],
            filter='ns == ""' + where,
            limit=TOP_K,
            output_fields=READ,
            search_params={"metric_type": "COSINE", "params": {}},
            anns_field="vector",
            consistency_level="Session",
            timeout=CALL_S,
        )
        scores = [hit["distance"] for hit in hits]
        return list(zip(scores, self.read([hit["entity"] for hit in hits]), strict=True))


def cases() -> Iterator[Case]:
    """Yield each verb."""
    running = server("milvus")
    with polyvec.connect(running.url) as store:
        terms = Terms(lambda: ' and meta["category"] == "c7"')
        yield from Pair(store, lambda name: ByHand(running.address, name), terms).cases(made())
