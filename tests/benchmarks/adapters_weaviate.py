"""Weaviate by hand: what a careful user of weaviate-client writes, in our layout."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import numpy as np
import weaviate
from adapters_pgvector import TOP_K, Data, made
from bench_adapters import Case
from pair import PAGE, Pair, Terms
from tests.services import server
from weaviate.classes.config import DataType
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, MetadataQuery

import polyvec
from polyvec import F

BATCH: Final = 5_000

NIL: Final = str(uuid.UUID(int=0))
READ: Final = ["_polyvec_id", "_polyvec_doc", "_polyvec_text"]


def object_id(key: str) -> str:
    """Return the UUID of a record of the default namespace, as the layout has it."""
    digest = bytearray(hashlib.sha256(json.dumps(["", key]).encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


class ByHand:
    """The same verbs without polyvec, for records of this shape only.

    Parameters
    ----------
    client
        Of the server.
    name
        A collection that polyvec made, by Weaviate's name for it.
    """

    def __init__(self, client: weaviate.WeaviateClient, name: str) -> None:
        self.collection = client.collections.use(name, skip_argument_validation=True)
        marker = json.loads(str(self.collection.config.get().description))["polyvec"]
        self.guard = f"_polyvec_in_{marker['number']}"
        self.space = f"{marker['number']}=|"
        self.inside = Filter.by_property("_polyvec_ns").equal(self.space)

    def properties(self, key: str, item: dict[str, Any], text: str) -> dict[str, Any]:
        """Return the properties of a record, as the layout has them."""
        price = item["price"]
        number = int(price) if price.is_integer() else price
        return {
            "category": item["category"],
            "price": price,
            "n": float(item["n"]),
            "_polyvec_id": key,
            "_polyvec_text": text,
            "_polyvec_doc": json.dumps(item, separators=(",", ":")),
            "_polyvec_ns": self.space,
            self.guard: {},
            "_polyvec_terms": [
                "*|",
                f"=category:s{item['category']}|",
                f"=n:n{item['n']}|",
                f"=price:n{number}|",
                "?category:s|",
                "?n:n|",
                "?price:n|",
            ],
        }

    def upsert(self, data: Data) -> None:
        for start in range(0, len(data.ids), BATCH):
            stop = start + BATCH
            rows = data.vectors[start:stop].tolist()
            answer = self.collection.data.insert_many(
                [
                    DataObject(
                        uuid=object_id(key),
                        properties=self.properties(key, item, text),
                        vector={"default": row},
                    )
                    for key, item, text, row in zip(
                        data.ids[start:stop],
                        data.metadata[start:stop],
                        data.texts[start:stop],
                        rows,
                        strict=True,
                    )
                ]
            )
            if answer.has_errors:
                raise RuntimeError(answer.errors)

    def read(self, objects: Any) -> list[Any]:
        block = np.array([each.vector["default"] for each in objects], dtype=np.float32)
        return [
            (p["_polyvec_id"], vector, json.loads(p["_polyvec_doc"]), p["_polyvec_text"])
            for p, vector in zip((each.properties for each in objects), block, strict=True)
        ]

    def get(self, ids: list[str]) -> list[Any]:
        where = self.inside & Filter.by_id().contains_any([object_id(key) for key in ids])
        answer = self.collection.query.fetch_objects(
            filters=where, limit=len(ids), include_vector=["default"], return_properties=READ
        )
        found = {row[0]: row for row in self.read(answer.objects)}
        return [found[key] for key in ids]

    def scan(self) -> int:
        """Read the collection as it lies, and what is of this namespace of it."""
        total, after = 0, NIL
        while True:
            answer = self.collection.query.fetch_objects(
                after=after,
                limit=PAGE,
                include_vector=["default"],
                return_properties=[*READ, "_polyvec_ns"],
            )
            found = answer.objects
            ours = [each for each in found if each.properties["_polyvec_ns"] == self.space]
            total += len(self.read(ours))
            if len(found) < PAGE:
                return total
            after = str(found[-1].uuid)

    def query(self, vector: Any, where: Any = None) -> list[Any]:
        answer = self.collection.query.near_vector(
            near_vector=vector.tolist(),
            target_vector="default",
            filters=self.inside if where is None else self.inside & where,
            limit=TOP_K,
            return_metadata=MetadataQuery(distance=True),
            return_properties=READ,
        )
        return [
            (
                each.properties["_polyvec_id"],
                min(1.0, 1 - float(each.metadata.distance or 0.0)),
                json.loads(str(each.properties["_polyvec_doc"])),
                each.properties["_polyvec_text"],
            )
            for each in answer.objects
        ]

    def count(self, where: Any) -> int:
        answer = self.collection.aggregate.over_all(filters=self.inside & where, total_count=True)
        return int(answer.total_count or 0)


def cases() -> Iterator[Case]:
    """Yield each verb."""
    running = server("weaviate")
    place = urlsplit(running.url)
    price = Filter.by_property("price").less_than(500.0)
    terms = Terms(
        lambda: Filter.by_property("_polyvec_terms").contains_any(["=category:sc7|"]),
        (F("price") < 500, price),
        settings={"index_fields": {"category": str, "price": float, "n": float}},
        scans=10,
    )
    with (
        polyvec.connect(running.url) as store,
        weaviate.connect_to_local(
            host=str(place.hostname),
            port=int(place.port or 8080),
            grpc_port=int(parse_qs(place.query)["grpc_port"][0]),
            skip_init_checks=True,
        ) as client,
    ):

        def by_hand(name: str) -> ByHand:
            hand = ByHand(client, store.collection(name).describe().details["class"])
            kinds = {each.data_type for each in hand.collection.config.get().properties}
            assert DataType.NUMBER in kinds
            return hand

        yield from Pair(store, by_hand, terms).cases(made())
