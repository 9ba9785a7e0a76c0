"""The control plane: create, list, describe, configure and delete indexes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from polyvec.errors import CollectionExistsError, CollectionNotFoundError, PolyvecError
from polyvec.gateway.call import Answer
from polyvec.gateway.catalog import COLLECTION
from polyvec.gateway.errors import Code, Refusal, unimplemented
from polyvec.gateway.index_model import Extras, read_configure, read_create, write_index
from polyvec.gateway.indexes import host_of, not_found
from polyvec.gateway.mapping import collection_name, index_name

if TYPE_CHECKING:
    from polyvec.gateway.call import Call
    from polyvec.gateway.fields import Json
    from polyvec.gateway.indexes import Index

_log: Final = logging.getLogger("polyvec.gateway")


async def create_index(call: Call) -> Answer:
    """`POST /indexes`."""
    asked = read_create(await call.body())
    gateway = call.gateway
    # One after the other: who hears that an index exists can describe it.
    async with gateway.indexes.creating:
        try:
            await gateway.store.create_collection(
                collection_name(asked.name), dimension=asked.dimension, metric=asked.metric
            )
        except CollectionExistsError:
            raise Refusal(Code.ALREADY_EXISTS, "Resource already exists.") from None
    gateway.indexes.forget(asked.name)
    # Also where nothing is to be kept: an index of that name may have been dropped elsewhere.
    extras = await gateway.catalog.change(asked.name, lambda _: asked.extras)
    index = await gateway.indexes.get(asked.name)
    return Answer(_model(call, index, extras), status=201)


async def list_indexes(call: Call) -> Answer:
    """`GET /indexes`; a collection that cannot be read, or whose name fits no path, is left out."""
    gateway = call.gateway
    extras = await gateway.catalog.all()
    found: list[Json] = []
    for name in map(index_name, await gateway.store.list_collections()):
        if name == COLLECTION or "/" in name:
            continue
        try:
            index = await gateway.indexes.reopen(name)
        except Refusal:  # dropped since it was listed
            continue
        except PolyvecError as exc:
            if exc.retryable:
                raise
            _log.warning("collection %r is left out of the list of indexes: %s", name, exc)
            continue
        found.append(_model(call, index, extras.get(name, Extras())))
    return Answer({"indexes": found})


async def describe_index(call: Call) -> Answer:
    """`GET /indexes/{index}`."""
    index = await call.gateway.indexes.reopen(call.name)
    return Answer(_model(call, index, await call.gateway.catalog.get(call.name)))


async def configure_index(call: Call) -> Answer:
    """`PATCH /indexes/{index}`."""
    body = await call.body()
    index = await call.gateway.indexes.reopen(call.name)
    extras = await call.gateway.catalog.change(call.name, lambda old: read_configure(body, old))
    return Answer(_model(call, index, extras))


async def delete_index(call: Call) -> Answer:
    """`DELETE /indexes/{index}`."""
    gateway = call.gateway
    await gateway.indexes.reopen(call.name)  # 404 before anything is read of the catalog
    extras = await gateway.catalog.get(call.name)
    if extras.deletion_protection == "enabled":
        raise Refusal(
            Code.FORBIDDEN,
            "Deletion protection is enabled for this index. Disable deletion protection before "
            "retrying.",
        )
    gateway.indexes.forget(call.name)
    try:
        await gateway.store.drop_collection(collection_name(call.name))
    except CollectionNotFoundError:
        raise not_found(call.name) from None
    await gateway.catalog.change(call.name, lambda _: Extras())
    return Answer(None, status=202)


async def absent(call: Call) -> Answer:
    """Answer for what Pinecone has and the gateway has not."""
    raise unimplemented(f"{call.request.method} {call.request.scope['route'].path} is")


def _model(call: Call, index: Index, extras: Extras) -> Json:
    host = host_of(call.base, index.name)
    return write_index(index.name, host, index.dimension, index.metric, extras)
