"""The description at `/openapi.json`: what the gateway takes and gives, also for fuzzing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from polyvec._version import __version__
from polyvec.gateway.call import VERSIONS
from polyvec.gateway.data import MAX_FETCHED, MAX_IDS, MAX_LISTED, MAX_TOP_K, MAX_VECTORS
from polyvec.gateway.index_model import MAX_DIMENSION, NAME_PATTERN
from polyvec.gateway.mapping import MAX_ID, METRICS

if TYPE_CHECKING:
    from polyvec.gateway.fields import Json
    from polyvec.gateway.settings import Settings

_OBJECT: Final[Json] = {"type": "object"}
_STRING: Final[Json] = {"type": "string"}
_BOOLEAN: Final[Json] = {"type": "boolean"}
_NUMBERS: Final[Json] = {"type": "array", "items": {"type": "number"}}
_ID: Final[Json] = {"type": "string", "minLength": 1, "maxLength": MAX_ID}
_PROTECTION: Final[Json] = {"type": "string", "enum": ["enabled", "disabled"]}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _record(*required: str, **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties}


def _whole(highest: int) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": highest}


def _list_of(item: Json, highest: int) -> Json:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": highest}


_SCALAR: Final[Json] = {"oneOf": [_STRING, {"type": "number"}, _BOOLEAN]}
_CONDITION: Final = _record(
    **{
        "$eq": _SCALAR,
        "$ne": _SCALAR,
        "$gt": {"type": "number"},
        "$gte": {"type": "number"},
        "$lt": {"type": "number"},
        "$lte": {"type": "number"},
        "$in": {"type": "array", "items": _SCALAR},
        "$nin": {"type": "array", "items": _SCALAR},
        "$exists": _BOOLEAN,
    }
)

_QUERY: Final[Json] = {
    "topK": _whole(MAX_TOP_K),
    "namespace": _STRING,
    "filter": _ref("Filter"),
    "includeValues": _BOOLEAN,
    "includeMetadata": _BOOLEAN,
}
_METRIC: Final[Json] = {"type": "string", "enum": list(METRICS)}
_DENSE: Final = _record(
    "type",
    "dimension",
    type={"const": "dense_vector"},
    dimension=_whole(MAX_DIMENSION),
    metric=_METRIC,
)
_PLACE: Final[Json] = {"cloud": _STRING, "region": _STRING}
_TAGS: Final[Json] = {"type": "object", "additionalProperties": _STRING}
_INDEX: Final[Json] = {
    "name": {"type": "string", "pattern": NAME_PATTERN},
    "deletion_protection": _PROTECTION,
    "tags": _TAGS,
}

SCHEMAS: Final[Json] = {
    "Metadata": {
        "type": "object",
        "additionalProperties": {"oneOf": [_SCALAR, {"type": "array", "items": _STRING}]},
    },
    "Filter": {
        "type": "object",
        "properties": {
            "$and": {"type": "array", "items": _ref("Filter"), "minItems": 1},
            "$or": {"type": "array", "items": _ref("Filter"), "minItems": 1},
        },
        "additionalProperties": {"oneOf": [_SCALAR, _CONDITION]},
    },
    "Vector": _record("id", "values", id=_ID, values=_NUMBERS, metadata=_ref("Metadata")),
    "Upsert": _record("vectors", vectors=_list_of(_ref("Vector"), MAX_VECTORS), namespace=_STRING),
    "Query": {
        "oneOf": [
            _record("topK", "vector", vector=_NUMBERS, **_QUERY),
            _record("topK", "id", id=_ID, **_QUERY),
        ]
    },
    "FetchByMetadata": _record(
        "filter",
        filter=_ref("Filter"),
        namespace=_STRING,
        limit=_whole(MAX_FETCHED),
        paginationToken=_STRING,
    ),
    "Update": {
        "oneOf": [
            _record("id", id=_ID, namespace=_STRING, values=_NUMBERS, setMetadata=_ref("Metadata")),
            _record(
                "filter",
                filter=_ref("Filter"),
                namespace=_STRING,
                setMetadata=_ref("Metadata"),
                dryRun=_BOOLEAN,
            ),
        ]
    },
    "Delete": {
        "oneOf": [
            _record("ids", ids=_list_of(_ID, MAX_IDS), namespace=_STRING),
            _record("deleteAll", deleteAll={"const": True}, namespace=_STRING),
            _record("filter", filter=_ref("Filter"), namespace=_STRING),
        ]
    },
    "Stats": _record(filter={"type": "object", "maxProperties": 0}),
    "CreateNamespace": _record("name", name=_STRING, schema=_record("fields", fields=_OBJECT)),
    "CreateIndex": {
        "oneOf": [
            _record(  # until 2026-04
                "name",
                "dimension",
                dimension=_whole(MAX_DIMENSION),
                metric=_METRIC,
                vector_type={"const": "dense"},
                spec=_record("serverless", serverless=_record("cloud", "region", **_PLACE)),
                **_INDEX,
            ),
            _record(  # 2026-07
                "name",
                "schema",
                schema=_record("fields", fields=_record("_values", _values=_DENSE)),
                deployment=_record(
                    "deployment_type",
                    "cloud",
                    "region",
                    deployment_type={"const": "managed"},
                    **_PLACE,
                ),
                **_INDEX,
            ),
        ]
    },
    "ConfigureIndex": _record(
        deletion_protection=_PROTECTION,
        tags=_TAGS,
    ),
    "ControlError": _record(
        "error",
        "status",
        error=_record("code", "message", code=_STRING, message=_STRING),
        status={"type": "integer"},
    ),
    "DataError": _record(
        "code",
        "message",
        "details",
        code={"type": "integer"},
        message=_STRING,
        details={"type": "array", "items": _OBJECT},
    ),
}

_NAMESPACE_QUERY: Final = ("namespace", _STRING)
_PAGE: Final = (
    ("prefix", _STRING),
    ("limit", _whole(MAX_LISTED)),
    ("paginationToken", _STRING),
)
_I: Final = "/i/{index}"
_Operation: TypeAlias = tuple[str, str, str, str | None, tuple[tuple[str, Any], ...], int]

# Path, method, operation, body schema, query parameters, status of success.
OPERATIONS: Final[tuple[_Operation, ...]] = (
    ("/indexes", "get", "list_indexes", None, (), 200),
    ("/indexes", "post", "create_index", "CreateIndex", (), 201),
    ("/indexes/{index}", "get", "describe_index", None, (), 200),
    ("/indexes/{index}", "patch", "configure_index", "ConfigureIndex", (), 200),
    ("/indexes/{index}", "delete", "delete_index", None, (), 202),
    (f"{_I}/vectors/upsert", "post", "upsert", "Upsert", (), 200),
    (f"{_I}/query", "post", "query", "Query", (), 200),
    (
        f"{_I}/vectors/fetch",
        "get",
        "fetch",
        None,
        (("ids", _list_of(_ID, MAX_IDS)), _NAMESPACE_QUERY),
        200,
    ),
    (
        f"{_I}/vectors/fetch_by_metadata",
        "post",
        "fetch_by_metadata",
        "FetchByMetadata",
        (),
        200,
    ),
    (f"{_I}/vectors/list", "get", "list_ids", None, (_NAMESPACE_QUERY, *_PAGE), 200),
    (f"{_I}/vectors/update", "post", "update", "Update", (), 200),
    (f"{_I}/vectors/delete", "post", "delete", "Delete", (), 200),
    (f"{_I}/describe_index_stats", "post", "stats", "Stats", (), 200),
    (f"{_I}/namespaces", "get", "list_namespaces", None, _PAGE, 200),
    (f"{_I}/namespaces", "post", "create_namespace", "CreateNamespace", (), 200),
    (f"{_I}/namespaces/{{namespace}}", "get", "describe_namespace", None, (), 200),
    (f"{_I}/namespaces/{{namespace}}", "delete", "delete_namespace", None, (), 200),
)


def describe(settings: Settings) -> Json:
    """Return the OpenAPI 3.1 description."""
    paths: dict[str, Json] = {}
    for path, method, operation, body, query, status in OPERATIONS:
        paths.setdefault(path, {})[method] = _operation(path, operation, body, query, status)
    key = {"type": "apiKey", "in": "header", "name": "Api-Key"}
    description: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "polyvec gateway",
            "version": __version__,
            "description": "Pinecone's REST contract over any store. API versions "
            f"{VERSIONS[0]} to {VERSIONS[1]}; the host of an index ends in /i/{{index}}.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"key": key}},
    }
    if settings.api_key is not None:
        description["security"] = [{"key": []}]
    return description


def _operation(
    path: str, operation: str, body: str | None, query: tuple[tuple[str, Json], ...], status: int
) -> Json:
    in_path = [name for name in ("index", "namespace") if f"{{{name}}}" in path]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _STRING} for name in in_path
    ]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in query]
    error = _ref("DataError" if path.startswith(_I) else "ControlError")
    described: Json = {
        "operationId": operation,
        "parameters": parameters,
        "responses": {
            str(status): {"description": "done"},
            "default": {
                "description": "refused",
                "content": {"application/json": {"schema": error}},
            },
        },
    }
    if body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(body)}},
        }
    return described
