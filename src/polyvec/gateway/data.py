"""The data plane: the verbs on the vectors of one index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.errors import InvalidRequestError
from polyvec.filter_check import check_filter
from polyvec.gateway.call import refuse_sparse
from polyvec.gateway.errors import Code, Refusal, invalid
from polyvec.gateway.fields import (
    flag,
    integer,
    items,
    json_object,
    optional_object,
    query_number,
    text,
    texts,
)
from polyvec.gateway.mapping import (
    MAX_METADATA_BYTES,
    METRIC_NAMES,
    check_id,
    from_metadata,
    from_namespace,
    from_score,
    to_filter,
    to_metadata,
    to_namespace,
    to_vector,
)
from polyvec.metadata import size_of
from polyvec.rewrite import is_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.collection_async import AsyncCollection
    from polyvec.filters import Filter
    from polyvec.gateway.call import Answer, Call
    from polyvec.gateway.fields import Json
    from polyvec.gateway.indexes import Index
    from polyvec.records import VectorRecord
    from polyvec.types import Include, MetadataDict, Vector

MAX_VECTORS: Final = 1_000
MAX_IDS: Final = 1_000
MAX_TOP_K: Final = 10_000
MAX_FETCHED: Final = 10_000
DEFAULT_FETCHED: Final = 100
MAX_LISTED: Final = 100

_READ: Final = {"readUnits": 1}


async def upsert(call: Call) -> Answer:
    """`POST /vectors/upsert`."""
    body, index = await call.body(), await call.index()
    records, _ = _space(index, body)
    ids: list[str] = []
    vectors: list[Vector] = []
    metadata: list[MetadataDict] = []
    size = 0
    for item in items(body, "vectors", MAX_VECTORS):
        one = json_object(item, "vectors")
        record_id = check_id(one.get("id"))
        refuse_sparse(one.get("sparseValues"))
        vector = _dense(one.get("values"), index, record_id)
        stored, weight = _metadata(call, one, "metadata", record_id)
        ids.append(record_id)
        vectors.append(vector)
        metadata.append(stored)
        size += vector.nbytes + weight
    if size > (most := call.gateway.settings.max_request_bytes):
        raise invalid(f"Request size {size} bytes exceeds the maximum supported size of {most}")
    block = np.stack(vectors)
    lsn = await index.writes.run(lambda: records.upsert(ids=ids, vectors=block, metadata=metadata))
    return call.written({"upsertedCount": len(ids)}, lsn)


async def query(call: Call) -> Answer:
    """`POST /query`."""
    body, index = await call.body(), await call.index()
    records, namespace = _space(index, body)
    top_k = integer(body, "topK", 1, MAX_TOP_K)
    with_values, with_metadata = flag(body, "includeValues"), flag(body, "includeMetadata")
    where = _filter(body)
    refuse_sparse(body.get("sparseVector"))
    vector = await _query_vector(body, index, records)
    matches: list[Json] = []
    if vector is not None:
        include: list[Include] = []
        if with_values:
            include.append("vector")
        if with_metadata:
            include.append("metadata")
        hits = await records.query(vector, top_k=top_k, filter=where, include=include)
        for hit in hits:
            match = {"id": hit.id, "score": from_score(hit, index.metric)}
            matches.append(match | _columns(hit.record))
    content = {"matches": matches, "namespace": namespace, "usage": _READ}
    return call.read(content, index)


async def _query_vector(body: Json, index: Index, records: AsyncCollection[Any]) -> Vector | None:
    """Return the vector to search for; None for an id that is not there."""
    # An empty list is how some clients leave the vector out.
    values, record_id = body.get("vector") or None, body.get("id")
    if (values is None) == (record_id is None or record_id == ""):
        raise invalid("Query must have exactly one of vector and id")
    if values is not None:
        return to_vector(values, index.dimension, "Query")
    found = await records.get([text(body, "id")], include=("vector",))
    has_vector = bool(found) and "vector" in found[0].model_fields_set
    return found[0].vector if has_vector else None


async def fetch(call: Call) -> Answer:
    """`GET /vectors/fetch`."""
    index = await call.index()
    records, namespace = _space(index, call.query)
    ids = call.query.getlist("ids")
    if not 1 <= len(ids) <= MAX_IDS:
        raise invalid(f"ids must hold 1 to {MAX_IDS} items, got {len(ids)}")
    found = await records.get(ids, include=("metadata", "vector"))
    vectors = {record.id: _vector(record) for record in found}
    return call.read({"vectors": vectors, "namespace": namespace, "usage": _READ}, index)


async def fetch_by_metadata(call: Call) -> Answer:
    """`POST /vectors/fetch_by_metadata`."""
    body, index = await call.body(), await call.index()
    records, namespace = _space(index, body)
    where = _required_filter(body)
    limit = DEFAULT_FETCHED if body.get("limit") is None else integer(body, "limit", 1, MAX_FETCHED)
    after = text(body, "paginationToken", "") or None
    vectors: dict[str, Json] = {}
    more = False
    async for batch in records.scan(
        None if is_all(where) else where,
        batch_size=limit,
        after=after,
        include=("metadata", "vector"),
    ):
        # A batch is as long as the page, so that the first one either fits or is all of it.
        if vectors and len(vectors) + len(batch) > limit:
            more = True
            break
        vectors |= {record.id: _vector(record) for record in batch.records()}
        after = batch.cursor
        if len(vectors) == limit:
            more = True
            break
    content: Json = {"vectors": vectors, "namespace": namespace, "usage": _READ}
    if more:
        content["pagination"] = {"next": after}
    return call.read(content, index)


async def list_ids(call: Call) -> Answer:
    """`GET /vectors/list`."""
    index = await call.index()
    _, namespace = _space(index, call.query)
    limit = query_number(call.query.get("limit"), "limit", MAX_LISTED)
    token = call.query.get("paginationToken") or None
    prefix = call.query.get("prefix", "")
    space = to_namespace(namespace)
    ids, following = await call.gateway.listings.page(index, space, prefix, limit, token)
    content: Json = {"vectors": [{"id": i} for i in ids], "namespace": namespace, "usage": _READ}
    if following is not None:
        content["pagination"] = {"next": following}
    return call.read(content, index)


async def update(call: Call) -> Answer:
    """`POST /vectors/update`: one record by id, or all that match a filter."""
    body, index = await call.body(), await call.index()
    records, _ = _space(index, body)
    changes, _ = _metadata(call, body, "setMetadata", "setMetadata")
    refuse_sparse(body.get("sparseValues"))
    if body.get("id") is not None:
        if body.get("filter") is not None:
            raise invalid("Update takes an id or a filter, not both")
        return await _update_one(call, index, records, changes)
    if body.get("values") is not None:
        raise invalid("Update by filter changes metadata only; values must not be set")
    where = _required_filter(body)
    matched = await records.count(None if is_all(where) else where)
    lsn = index.writes.committed
    if changes and matched and not flag(body, "dryRun"):
        lsn = await index.writes.run(lambda: _update_all(records, where, changes))
    return call.written({"matchedRecords": matched}, lsn)


async def _update_one(
    call: Call, index: Index, records: AsyncCollection[Any], changes: MetadataDict
) -> Answer:
    body = await call.body()
    record_id = check_id(body.get("id"))
    vectors = None
    if body.get("values") is not None:
        vectors = _dense(body["values"], index, record_id)[None, :]
    lsn = index.writes.committed
    if changes or vectors is not None:
        lsn = await index.writes.run(
            lambda: records.update([record_id], set=changes or None, vectors=vectors)
        )
    return call.written({}, lsn)


async def _update_all(records: AsyncCollection[Any], where: Filter, changes: MetadataDict) -> None:
    if not is_all(where):
        await records.update(filter=where, set=changes)
        return
    async for batch in records.scan(include=()):  # polyvec changes all only when they are named
        await records.update(batch.ids, set=changes)


async def delete(call: Call) -> Answer:
    """`POST /vectors/delete`: by ids, by filter, or all of a namespace."""
    body, index = await call.body(), await call.index()
    records, _ = _space(index, body)
    everything, where = flag(body, "deleteAll"), optional_object(body, "filter")
    by_ids = bool(body.get("ids"))
    if [everything, where is not None, by_ids].count(True) != 1:
        raise invalid("Delete takes exactly one of ids, deleteAll and filter")
    if by_ids:
        ids = texts(items(body, "ids", MAX_IDS), "ids")
        lsn = await index.writes.run(lambda: _delete_ids(records, ids))
    elif everything or is_all(_required_filter(body)):
        lsn = await index.writes.run(records.clear)
    else:
        chosen = _required_filter(body)
        lsn = await index.writes.run(lambda: records.delete(filter=chosen))
    return call.written({}, lsn)


async def _delete_ids(records: AsyncCollection[Any], ids: Sequence[str]) -> None:
    await records.delete(ids)


async def stats(call: Call) -> Answer:
    """`POST /describe_index_stats`."""
    body, index = await call.body(), await call.index()
    if optional_object(body, "filter"):
        raise invalid("Serverless indexes do not support describing stats with a metadata filter")
    info = await index.collection.describe()
    namespaces = {from_namespace(n): {"vectorCount": c} for n, c in info.namespaces.items()}
    content = {
        "namespaces": namespaces,
        "dimension": index.dimension,
        "indexFullness": 0,
        "totalVectorCount": info.count,
        "metric": METRIC_NAMES[index.metric],
        "vectorType": "dense",
    }
    return call.read(content, index)


def _space(index: Index, where: Mapping[str, Any]) -> tuple[AsyncCollection[Any], str]:
    """Return the collection bound to the namespace asked for, and the namespace as it was named."""
    namespace = text(where, "namespace", "")
    try:
        return index.collection.namespace(to_namespace(namespace)), namespace
    except InvalidRequestError as exc:
        raise Refusal(Code.INVALID_ARGUMENT, str(exc)) from None


def _dense(values: object, index: Index, record_id: str) -> Vector:
    vector = to_vector(values, index.dimension, f"Vector ID '{record_id}'")
    if not vector.any():
        raise invalid(
            f"Dense vectors must contain at least one non-zero value. Vector ID '{record_id}' "
            "contains only zeros"
        )
    return vector


def _metadata(call: Call, body: Json, key: str, record_id: str) -> tuple[MetadataDict, int]:
    """Return the metadata of a request and its size in bytes."""
    sent = optional_object(body, key)
    if not sent:
        return {}, 0
    stored = to_metadata(sent, strips_null=call.strips_null)
    size = size_of(stored)
    if size > MAX_METADATA_BYTES:
        raise invalid(
            f"Metadata size is {size} bytes, which exceeds the limit of {MAX_METADATA_BYTES} bytes "
            f"per vector. Vector ID '{record_id}'"
        )
    return stored, size


def _filter(body: Json) -> Filter | None:
    sent = optional_object(body, "filter")
    where = None if sent is None else to_filter(sent)
    check_filter(where)  # before a write is put off, so that its client hears of it
    return where


def _required_filter(body: Json) -> Filter:
    where = _filter(body)
    if where is None:
        raise invalid("filter must not be empty")
    return where


def _vector(record: VectorRecord[Any]) -> Json:
    # Clients need `values` in each vector; a record of a native collection may have none.
    vector: Json = {"id": record.id, "values": []}
    return vector | _columns(record)


def _columns(record: VectorRecord[Any]) -> Json:
    """Return the columns that were read."""
    found = record.model_fields_set
    columns: Json = {}
    if "vector" in found:
        columns["values"] = record.vector
    if "metadata" in found and record.metadata:
        columns["metadata"] = from_metadata(record.metadata)
    return columns
