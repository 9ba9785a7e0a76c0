"""What is done for a request, over REST and over gRPC: bodies as REST has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import qdrant_edge as edge
from pydantic import TypeAdapter
from qdrant_client import models
from tests.services.qdrant_engine import convert
from tests.services.qdrant_engine.database import Database, Refused

Handler = Callable[[Database, dict[str, str], Any], Any]

_UPSERT: Final[TypeAdapter[Any]] = TypeAdapter(models.PointsBatch | models.PointsList)
_SELECTOR: Final[TypeAdapter[Any]] = TypeAdapter(models.PointIdsList | models.FilterSelector)


def record(found: Any) -> dict[str, Any]:
    """Return a point as an answer has it."""
    shown = {"id": convert.shown_id(found.id), "payload": found.payload, "vector": found.vector}
    if hasattr(found, "score"):
        shown |= {"score": found.score, "version": found.version}
    return shown


def collections(db: Database, at: dict[str, str], body: Any) -> Any:
    return {"collections": [{"name": name} for name in db.shards]}


def collection(db: Database, at: dict[str, str], body: Any) -> Any:
    return db.shard(at["name"]).described()


def create(db: Database, at: dict[str, str], body: Any) -> Any:
    db.create(at["name"], models.CreateCollection.model_validate(body))
    return True


def drop(db: Database, at: dict[str, str], body: Any) -> Any:
    return db.drop(at["name"])


def aliases(db: Database, at: dict[str, str], body: Any) -> Any:
    pairs = db.aliases.items()
    return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in pairs]}


def change_aliases(db: Database, at: dict[str, str], body: Any) -> Any:
    db.change_aliases(models.ChangeAliasesOperation.model_validate(body))
    return True


def index(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.CreateFieldIndex.model_validate(body)
    kind = convert.index_schema(sent.field_schema)
    db.shard(at["name"]).update(edge.UpdateOperation.create_field_index(sent.field_name, kind))
    return {"operation_id": 1, "status": "completed"}


def upsert(db: Database, at: dict[str, str], body: Any) -> Any:
    points = convert.points(_UPSERT.validate_python(body))
    if not points:
        raise Refused(400, "Bad request: Empty update request")
    db.shard(at["name"]).update(edge.UpdateOperation.upsert_points(points), len(points))
    return {"operation_id": 1, "status": "completed"}


def delete(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = _SELECTOR.validate_python(body)
    shard = db.shard(at["name"])
    if isinstance(sent, models.PointIdsList):
        ids = [convert.point_id(one) for one in sent.points]
        operation = edge.UpdateOperation.delete_points(ids)
    else:
        operation = edge.UpdateOperation.delete_points_by_filter(shard.filters.of(sent.filter))
    shard.update(operation)
    return {"operation_id": 1, "status": "completed"}


def set_payload(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.SetPayload.model_validate(body)
    shard = db.shard(at["name"])
    ids = [convert.point_id(one) for one in sent.points or []]
    found = {one.id for one in shard.engine.retrieve(ids)}
    absent = [one for one in ids if one not in found]
    if absent:
        raise Refused(404, f"Not found: No point with id {absent[0]} found")
    shard.update(edge.UpdateOperation.set_payload(ids, sent.payload))
    return {"operation_id": 1, "status": "completed"}


def retrieve(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.PointRequest.model_validate(body)
    shard = db.shard(at["name"])
    with shard.lock:
        found = shard.engine.retrieve(
            [convert.point_id(one) for one in sent.ids],
            convert.payload_selector(sent.with_payload, default=True),
            sent.with_vector or False,
        )
    return [record(one) for one in found]


def scroll(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.ScrollRequest.model_validate(body)
    shard = db.shard(at["name"])
    request = edge.ScrollRequest(
        offset=None if sent.offset is None else convert.point_id(sent.offset),
        limit=10 if sent.limit is None else sent.limit,
        filter=shard.filters.maybe(sent.filter),
        with_payload=convert.payload_selector(sent.with_payload, default=True),
        with_vector=sent.with_vector or False,
    )
    with shard.lock:
        found, following = shard.engine.scroll(request)
    after = None if following is None else convert.shown_id(following)
    return {"points": [record(one) for one in found], "next_page_offset": after}


def query(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.QueryRequestBatch.model_validate(body)
    shard = db.shard(at["name"])
    with shard.lock:
        answers = [
            shard.engine.query(convert.query_request(one, shard.filters)) for one in sent.searches
        ]
    return [{"points": [record(one) for one in found]} for found in answers]


def count(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.CountRequest.model_validate(body)
    shard = db.shard(at["name"])
    exact = sent.exact is not False
    with shard.lock:
        number = shard.engine.count(edge.CountRequest(exact, shard.filters.maybe(sent.filter)))
    return {"count": number}


def facet(db: Database, at: dict[str, str], body: Any) -> Any:
    sent = models.FacetRequest.model_validate(body)
    shard = db.shard(at["name"])
    request = edge.FacetRequest(
        sent.key,
        limit=sent.limit or 10,
        exact=bool(sent.exact),
        filter=shard.filters.maybe(sent.filter),
    )
    with shard.lock:
        hits = shard.engine.facet(request).hits
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in hits]}
