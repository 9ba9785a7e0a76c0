"""Indexes as the control plane writes them: the bodies of create and configure, the answer. Pure.

Clients of API versions until 2026-04 send dimension, metric and spec, those of 2026-07 a schema
and a deployment. An answer carries both forms, so that each client finds its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from polyvec.gateway.errors import invalid, unimplemented
from polyvec.gateway.fields import Json, integer, json_object, optional_object, show, text
from polyvec.gateway.mapping import METRIC_NAMES, METRICS
from polyvec.types import Metric

MAX_DIMENSION: Final = 20_000
MAX_TAGS: Final = 20
NAME_PATTERN: Final = "^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$"
_NAME: Final = re.compile(NAME_PATTERN[1:-1], re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_MAX_TAG_VALUE: Final = 120
_PROTECTION: Final = ("disabled", "enabled")
_DENSE: Final = "_values"

SERVERLESS: Final[Json] = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
"""Where an index says it is when nothing else was asked for."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What Pinecone knows of an index and a store does not.

    Parameters
    ----------
    deletion_protection
        `"enabled"` or `"disabled"`.
    tags
        Key to value.
    deployment
        As it was asked for; it changes nothing.
    namespaces
        Name to schema (or None) of those created by name, which exist while empty.
    """

    deletion_protection: str = "disabled"
    tags: dict[str, str] = field(default_factory=dict[str, str])
    deployment: Json = field(default_factory=lambda: dict(SERVERLESS))
    namespaces: dict[str, Json | None] = field(default_factory=dict[str, "Json | None"])


@dataclass(frozen=True, slots=True)
class NewIndex:
    """What a create request asks for."""

    name: str
    dimension: int
    metric: Metric
    extras: Extras


def read_create(body: Json) -> NewIndex:
    """Read a create body of any API version."""
    name = text(body, "name")
    if _NAME.fullmatch(name) is None:
        raise invalid(
            f"Name must be 1 to 45 of a-z, 0-9 and '-', and neither start nor end with '-', "
            f"got {show(name)}"
        )
    for key in ("source_collection", "source_backup_id", "cmek_id"):
        if body.get(key) is not None:
            raise unimplemented(f"{key} is")
    _check_read_capacity(body)
    schema = optional_object(body, "schema")
    dimension, metric = _old_form(body) if schema is None else _schema(schema)
    extras = Extras(
        deletion_protection=_protection(body) or "disabled",
        tags=merge_tags({}, optional_object(body, "tags") or {}),
        deployment=_deployment(body),
    )
    return NewIndex(name, dimension, metric, extras)


def _old_form(body: Json) -> tuple[int, Metric]:
    kind = text(body, "vector_type", "dense")
    if kind == "sparse":
        raise unimplemented("sparse indexes are")
    if kind != "dense":
        raise invalid(f"vector_type must be 'dense' or 'sparse', got {show(kind)}")
    return _dense(body)


def _dense(where: Json) -> tuple[int, Metric]:
    dimension = integer(where, "dimension", 1, MAX_DIMENSION)
    metric = text(where, "metric", "cosine")
    if metric not in METRICS:
        raise invalid(f"metric must be one of {', '.join(METRICS)}, got {show(metric)}")
    return dimension, METRICS[metric]


def _schema(schema: Json) -> tuple[int, Metric]:
    fields = json_object(schema.get("fields"), "schema.fields")
    if set(fields) != {_DENSE}:
        if "_sparse_values" in fields:
            raise unimplemented("sparse indexes are")
        raise unimplemented("document indexes (a schema with fields of its own) are")
    field_ = json_object(fields[_DENSE], f"schema.fields.{_DENSE}")
    if text(field_, "type") != "dense_vector":
        raise invalid(f"schema.fields.{_DENSE}.type must be 'dense_vector'")
    return _dense(field_)


def _deployment(body: Json) -> Json:
    deployment, spec = optional_object(body, "deployment"), optional_object(body, "spec")
    if deployment is not None:
        kind = text(deployment, "deployment_type")
        if kind == "managed":
            return SERVERLESS | {key: text(deployment, key) for key in ("cloud", "region")}
        if kind == "byoc":
            return {"deployment_type": kind, "environment": text(deployment, "environment")}
        raise unimplemented(f"deployment_type {show(kind)} is")
    if spec is None:
        return dict(SERVERLESS)
    if (serverless := optional_object(spec, "serverless")) is not None:
        _check_read_capacity(serverless)
        return SERVERLESS | {key: text(serverless, key) for key in ("cloud", "region")}
    if (byoc := optional_object(spec, "byoc")) is not None:
        return {"deployment_type": "byoc", "environment": text(byoc, "environment")}
    raise unimplemented("a spec other than serverless or byoc is")


def _check_read_capacity(body: Json) -> None:
    capacity = optional_object(body, "read_capacity")
    if capacity is not None and text(capacity, "mode", "OnDemand") != "OnDemand":
        raise unimplemented("dedicated read capacity is")


def _protection(body: Json) -> str | None:
    if body.get("deletion_protection") is None:
        return None
    value = text(body, "deletion_protection")
    if value not in _PROTECTION:
        raise invalid(f"deletion_protection must be 'enabled' or 'disabled', got {show(value)}")
    return value


def merge_tags(tags: dict[str, str], changes: Json) -> dict[str, str]:
    """Return tags with changes: an empty value removes a tag."""
    merged = dict(tags)
    for key in changes:
        value = text(changes, key, "")
        if _TAG.fullmatch(key) is None or len(value) > _MAX_TAG_VALUE:
            raise invalid(
                f"Tag {show(key)}: expected a key of 1 to 80 letters, digits, '_' or '-' and a "
                f"value of at most {_MAX_TAG_VALUE} characters"
            )
        merged.pop(key, None)
        if value:
            merged[key] = value
    if len(merged) > MAX_TAGS:
        raise invalid(f"An index has at most {MAX_TAGS} tags, got {len(merged)}")
    return merged


def read_configure(body: Json, extras: Extras) -> Extras:
    """Return the extras of an index after a configure body."""
    for key in ("schema", "spec", "deployment", "embed"):
        if body.get(key) is not None:
            raise unimplemented(f"changing {key} of an index is")
    _check_read_capacity(body)
    return Extras(
        deletion_protection=_protection(body) or extras.deletion_protection,
        tags=merge_tags(extras.tags, optional_object(body, "tags") or {}),
        deployment=extras.deployment,
        namespaces=extras.namespaces,
    )


def write_index(name: str, host: str, dimension: int, metric: Metric, extras: Extras) -> Json:
    """Return the IndexModel of an index, in both forms."""
    named = METRIC_NAMES[metric]
    dense = {"type": "dense_vector", "dimension": dimension, "metric": named}
    return {
        "name": name,
        "host": host,
        "status": {"ready": True, "state": "Ready"},
        "deletion_protection": extras.deletion_protection,
        "tags": extras.tags or None,
        # until 2026-04
        "dimension": dimension,
        "metric": named,
        "vector_type": "dense",
        "spec": _spec(extras.deployment),
        # 2026-07
        "schema": {"fields": {_DENSE: dense}},
        "deployment": extras.deployment,
        "read_capacity": _READ_CAPACITY,
    }


def _spec(deployment: Json) -> dict[str, Any]:
    place = {key: value for key, value in deployment.items() if key != "deployment_type"}
    return {"serverless" if deployment["deployment_type"] == "managed" else "byoc": place}


_READ_CAPACITY: Final[Json] = {
    "mode": "OnDemand",
    "status": {"state": "Ready", "current_shards": None, "current_replicas": None},
}
