"""The namespaces of one index: list, create, describe, delete.

A store's namespace exists while it holds a record. One that was created by name is kept in the
catalog too, and so exists while it is empty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from polyvec.gateway.call import Answer
from polyvec.gateway.data import MAX_LISTED
from polyvec.gateway.errors import Code, Refusal, invalid
from polyvec.gateway.fields import json_object, optional_object, query_number, text
from polyvec.gateway.listing import cut, read_token
from polyvec.gateway.mapping import DEFAULT_NAMESPACE, from_namespace, to_namespace

if TYPE_CHECKING:
    from polyvec.gateway.call import Call
    from polyvec.gateway.fields import Json
    from polyvec.gateway.index_model import Extras
    from polyvec.gateway.indexes import Index

MAX_NAMESPACE: Final = 256
"""polyvec's; Pinecone's is 512."""


async def list_namespaces(call: Call) -> Answer:
    """`GET /namespaces`."""
    index = await call.index()
    counts, extras = await _counts(call, index)
    prefix = call.query.get("prefix", "")
    names = sorted(name for name in counts if name.startswith(prefix))
    limit = query_number(call.query.get("limit"), "limit", MAX_LISTED)
    token = call.query.get("paginationToken") or None
    page, following = cut(names, limit, None if token is None else read_token(token))
    content: Json = {
        "namespaces": [_describe(name, counts[name], extras) for name in page],
        "total_count": len(names),
    }
    if following is not None:
        content["pagination"] = {"next": following}
    return call.read(content, index)


async def create_namespace(call: Call) -> Answer:
    """`POST /namespaces`."""
    body, index = await call.body(), await call.index()
    name, schema = text(body, "name"), optional_object(body, "schema")
    if name in ("", DEFAULT_NAMESPACE):
        raise invalid(f"Namespace '{DEFAULT_NAMESPACE}' cannot be created")
    if not name.isascii() or "\0" in name or len(name) > MAX_NAMESPACE:
        raise invalid(f"Namespace must be at most {MAX_NAMESPACE} ASCII characters without NUL")
    if schema is not None:
        json_object(schema.get("fields"), "schema.fields")
    counts, _ = await _counts(call, index)
    if name in counts:
        raise Refusal(Code.ALREADY_EXISTS, f"Namespace '{name}' already exists")
    extras = await call.gateway.catalog.change(
        index.name, lambda old: replace(old, namespaces=old.namespaces | {name: schema})
    )
    return call.read(_describe(name, 0, extras), index)


async def describe_namespace(call: Call) -> Answer:
    """`GET /namespaces/{namespace}`."""
    index = await call.index()
    counts, extras = await _counts(call, index)
    name = _existing(call, counts)
    return call.read(_describe(name, counts[name], extras), index)


async def delete_namespace(call: Call) -> Answer:
    """`DELETE /namespaces/{namespace}`."""
    index = await call.index()
    counts, extras = await _counts(call, index)
    name = _existing(call, counts)
    lsn = await index.writes.run(index.collection.namespace(to_namespace(name)).clear)
    if name in extras.namespaces:
        await call.gateway.catalog.change(index.name, lambda old: _without(old, name))
    return call.written({}, lsn)


def _without(extras: Extras, name: str) -> Extras:
    return replace(extras, namespaces={n: s for n, s in extras.namespaces.items() if n != name})


async def _counts(call: Call, index: Index) -> tuple[dict[str, int], Extras]:
    """Return each namespace with its number of records, and the extras of the index."""
    extras = await call.gateway.catalog.get(index.name)
    found = await index.collection.namespaces()
    counts = dict.fromkeys(extras.namespaces, 0)
    counts |= {from_namespace(name): count for name, count in found.items()}
    return counts, extras


def _existing(call: Call, counts: dict[str, int]) -> str:
    name = from_namespace(call.namespace)
    if name not in counts:
        raise Refusal(Code.NOT_FOUND, f"Namespace '{name}' not found")
    return name


def _describe(name: str, count: int, extras: Extras) -> Json:
    described: Json = {"name": name, "record_count": count}
    if (schema := extras.namespaces.get(name)) is not None:
        described["schema"] = schema
    return described
