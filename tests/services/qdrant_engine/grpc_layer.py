"""The same over gRPC: messages are read and written with the vendor's own conversions."""
# ruff: noqa: N802 - the methods have the names of their services

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
from pydantic import ValidationError
from qdrant_client import grpc as messages
from qdrant_client import models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.grpc import collections_service_pb2_grpc, points_service_pb2_grpc
from tests.services.qdrant_engine import handlers
from tests.services.qdrant_engine.database import Database, Refused

CODES: Final = {404: grpc.StatusCode.NOT_FOUND, 409: grpc.StatusCode.ALREADY_EXISTS}
THREADS: Final = 16
MOST_BYTES: Final = 200 * 1024 * 1024

FIELDS: Final = {
    messages.FieldType.FieldTypeKeyword: "keyword",
    messages.FieldType.FieldTypeInteger: "integer",
    messages.FieldType.FieldTypeFloat: "float",
    messages.FieldType.FieldTypeBool: "bool",
    messages.FieldType.FieldTypeDatetime: "datetime",
    messages.FieldType.FieldTypeText: "text",
    messages.FieldType.FieldTypeUuid: "uuid",
}

# What has no types, or only half of them.
to_rest: Any = GrpcToRest
collections: Any = collections_service_pb2_grpc
points: Any = points_service_pb2_grpc

DONE: Final = messages.UpdateResult(operation_id=1, status=messages.UpdateStatus.Completed)


def answered(method: Callable[..., Any]) -> Callable[..., Any]:
    """Give a method's failures the codes of a server."""

    def call(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request)
        except Refused as refused:
            code = CODES.get(refused.status, grpc.StatusCode.INVALID_ARGUMENT)
            context.abort(code, str(refused))
        except ValidationError as wrong:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Validation error: {wrong}")
        except Exception as wrong:  # noqa: BLE001 - the engine has one class for all it refuses
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {wrong}")

    return call


def optional(request: Any, field: str, convert: Callable[[Any], Any]) -> Any:
    """Return a field as REST has it, None where it was left out."""
    return convert(getattr(request, field)) if request.HasField(field) else None


def is_model(value: object) -> bool:
    return hasattr(value, "model_dump")


def body(**fields: Any) -> Any:
    """Return fields as the JSON of a request."""
    dumped = {
        key: value.model_dump(mode="json", exclude_none=True) if is_model(value) else value
        for key, value in fields.items()
        if value is not None
    }
    return json.loads(json.dumps(dumped, default=lambda value: value.model_dump(mode="json")))


def payload_of(request: Any) -> Any:
    return optional(request, "with_payload", GrpcToRest.convert_with_payload_selector)


def vectors_of(request: Any) -> Any:
    return optional(request, "with_vectors", GrpcToRest.convert_with_vectors_selector)


def filter_of(request: Any) -> Any:
    return optional(request, "filter", GrpcToRest.convert_filter)


def retrieved(found: dict[str, Any]) -> Any:
    return RestToGrpc.convert_retrieved_point(models.Record.model_validate(found))


class Collections(collections_service_pb2_grpc.CollectionsServicer):
    """Collections and aliases."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @answered
    def List(self, request: Any) -> Any:
        found = handlers.collections(self._db, {}, None)["collections"]
        described = [messages.CollectionDescription(name=one["name"]) for one in found]
        return messages.ListCollectionsResponse(collections=described)

    @answered
    def Get(self, request: Any) -> Any:
        told = handlers.collection(self._db, {"name": request.collection_name}, None)
        info = models.CollectionInfo.model_validate(told)
        return messages.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

    @answered
    def Create(self, request: Any) -> Any:
        sent = models.CreateCollection(
            vectors=optional(request, "vectors_config", GrpcToRest.convert_vectors_config),
            sparse_vectors=optional(
                request, "sparse_vectors_config", GrpcToRest.convert_sparse_vector_config
            ),
            hnsw_config=optional(request, "hnsw_config", GrpcToRest.convert_hnsw_config_diff),
            quantization_config=optional(
                request, "quantization_config", GrpcToRest.convert_quantization_config
            ),
            on_disk_payload=optional(request, "on_disk_payload", bool),
            metadata=to_rest.convert_payload(request.metadata) or None,
        )
        self._db.create(request.collection_name, sent)
        return messages.CollectionOperationResponse(result=True)

    @answered
    def Delete(self, request: Any) -> Any:
        gone = handlers.drop(self._db, {"name": request.collection_name}, None)
        return messages.CollectionOperationResponse(result=gone)

    @answered
    def ListAliases(self, request: Any) -> Any:
        pairs = self._db.aliases.items()
        described = [messages.AliasDescription(alias_name=a, collection_name=c) for a, c in pairs]
        return messages.ListAliasesResponse(aliases=described)

    @answered
    def UpdateAliases(self, request: Any) -> Any:
        actions = [GrpcToRest.convert_alias_operations(one) for one in request.actions]
        self._db.change_aliases(models.ChangeAliasesOperation(actions=actions))
        return messages.CollectionOperationResponse(result=True)


class Points(points_service_pb2_grpc.PointsServicer):
    """Points and payload indexes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def _run(self, handler: handlers.Handler, request: Any, sent: Any) -> Any:
        return handler(self._db, {"name": request.collection_name}, sent)

    @answered
    def CreateFieldIndex(self, request: Any) -> Any:
        kind: Any = FIELDS[request.field_type]
        if request.HasField("field_index_params"):
            kind = GrpcToRest.convert_payload_schema_params(request.field_index_params)
        self._run(handlers.index, request, body(field_name=request.field_name, field_schema=kind))
        return messages.PointsOperationResponse(result=DONE)

    @answered
    def Upsert(self, request: Any) -> Any:
        points = [GrpcToRest.convert_point_struct(one) for one in request.points]
        sent = {"points": [one.model_dump(mode="json", exclude_none=True) for one in points]}
        for place, one in zip(sent["points"], points, strict=True):
            place["payload"] = one.payload  # a null in it is a value
        self._run(handlers.upsert, request, sent)
        return messages.PointsOperationResponse(result=DONE)

    @answered
    def Delete(self, request: Any) -> Any:
        selector = GrpcToRest.convert_points_selector(request.points)
        self._run(handlers.delete, request, selector.model_dump(mode="json", exclude_none=True))
        return messages.PointsOperationResponse(result=DONE)

    @answered
    def SetPayload(self, request: Any) -> Any:
        selector: Any = GrpcToRest.convert_points_selector(request.points_selector)
        payload = to_rest.convert_payload(request.payload)
        self._run(handlers.set_payload, request, {"payload": payload, "points": selector.points})
        return messages.PointsOperationResponse(result=DONE)

    @answered
    def Get(self, request: Any) -> Any:
        ids = [GrpcToRest.convert_point_id(one) for one in request.ids]
        sent = body(ids=ids, with_payload=payload_of(request), with_vector=vectors_of(request))
        found = self._run(handlers.retrieve, request, sent)
        return messages.GetResponse(result=[retrieved(one) for one in found])

    @answered
    def Scroll(self, request: Any) -> Any:
        sent = body(
            filter=filter_of(request),
            offset=optional(request, "offset", GrpcToRest.convert_point_id),
            limit=optional(request, "limit", int),
            with_payload=payload_of(request),
            with_vector=vectors_of(request),
        )
        found = self._run(handlers.scroll, request, sent)
        after = found["next_page_offset"]
        return messages.ScrollResponse(
            result=[retrieved(one) for one in found["points"]],
            next_page_offset=None if after is None else RestToGrpc.convert_extended_point_id(after),
        )

    @answered
    def QueryBatch(self, request: Any) -> Any:
        asked = [GrpcToRest.convert_query_points(one) for one in request.query_points]
        sent = {"searches": [one.model_dump(mode="json", exclude_none=True) for one in asked]}
        answers = self._run(handlers.query, request, sent)
        return messages.QueryBatchResponse(
            result=[messages.BatchResult(result=scored(one["points"])) for one in answers]
        )

    @answered
    def Count(self, request: Any) -> Any:
        sent = body(filter=filter_of(request), exact=optional(request, "exact", bool))
        number = self._run(handlers.count, request, sent)["count"]
        return messages.CountResponse(result=messages.CountResult(count=number))

    @answered
    def Facet(self, request: Any) -> Any:
        sent = body(
            key=request.key,
            filter=filter_of(request),
            limit=optional(request, "limit", int),
            exact=optional(request, "exact", bool),
        )
        found = self._run(handlers.facet, request, sent)["hits"]
        hits = [models.FacetValueHit.model_validate(one) for one in found]
        return messages.FacetResponse(
            hits=[RestToGrpc.convert_facet_value_hit(one) for one in hits]
        )


def scored(found: list[dict[str, Any]]) -> list[Any]:
    points = [models.ScoredPoint.model_validate(one) for one in found]
    return [RestToGrpc.convert_scored_point(one) for one in points]


def serve(db: Database, address: str) -> Any:
    """Serve in threads of its own, for as long as what is returned is kept."""
    limits = [(f"grpc.max_{way}_message_length", MOST_BYTES) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=limits)
    collections.add_CollectionsServicer_to_server(Collections(db), server)
    points.add_PointsServicer_to_server(Points(db), server)
    server.add_insecure_port(address)
    server.start()
    return server
