"""What Weaviate is asked for and answers, as batches and hits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from weaviate.classes.query import Filter

from polyvec._canonical import record_uuid
from polyvec.errors import PartialWriteError, RejectedError
from polyvec.metadata import from_json
from polyvec.primitives import Found
from polyvec.records import RecordBatch
from polyvec.types import Metric
from polyvec_weaviate import _codec, _conditions, _native
from polyvec_weaviate._layout import DOC, ID, NS, TEXT, VECTOR, namespace_term

if TYPE_CHECKING:
    import numpy.typing as npt

    from polyvec.primitives import Columns, Target
    from polyvec_weaviate._conditions import Condition
    from polyvec_weaviate._schema import Layout

EVERYTHING: Final = Filter.by_id().not_equal("00000000-0000-0000-0000-000000000000")
"""A filter that leaves every object but that of a UUID nobody uses; with one, a search is exact."""


def filter_of(target: Target, *conditions: Condition | None) -> Condition | None:
    """Return the filter of a request on one namespace."""
    layout: Layout = target.collection.layout
    if layout.ours:
        parts: list[Any] = [_namespace_filter(layout.number, target.namespace)]
    else:
        parts = [_native.namespace_filter(target)]
    parts += conditions
    wanted = [part for part in parts if part is not None]
    return _conditions.all_of(wanted) if wanted else None


@lru_cache(maxsize=1024)
def _namespace_filter(number: str, namespace: str) -> Condition:
    """Return the filter of a namespace of ours; to make one takes 10 µs of each query."""
    return Filter.by_property(NS).equal(namespace_term(number, namespace))


def object_ids(target: Target, ids: Sequence[str]) -> list[str]:
    """Return the UUIDs of the objects that records with these ids may be."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return [record_uuid(target.namespace, record_id) for record_id in ids]
    found = [_native.object_id_of(record_id) for record_id in ids]
    return [each for each in found if each is not None]


def reading(target: Target, columns: Columns, *, own: bool = False) -> dict[str, Any]:
    """Return which properties and vectors are asked for; `own`: for `is_of` too."""
    layout: Layout = target.collection.layout
    vector: Any = False
    if "vector" in columns:
        vector = [layout.vector] if layout.vector else True
    properties = _codec.properties_for(columns) if layout.ours else None
    if own and properties is not None:
        properties.append(NS)
    return {"include_vector": vector, "return_properties": properties}


def is_of(target: Target, found: Any) -> bool:
    """Tell whether an object that no filter selected belongs to the namespace."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return bool(found.properties[NS] == namespace_term(layout.number, target.namespace))
    return _native.is_inside(target, found.properties)


def inside(target: Target, objects: Sequence[Any]) -> list[Any]:
    """Return the objects that belong to the namespace; the filter of ours is exact."""
    layout: Layout = target.collection.layout
    if layout.ours:
        return list(objects)
    return [each for each in objects if _native.is_inside(target, each.properties)]


def batch_of(objects: Sequence[Any], columns: Columns, target: Target) -> RecordBatch:
    """Return objects as a batch with the columns asked for."""
    layout: Layout = target.collection.layout
    dimension = target.collection.dimension
    if layout.ours:
        return _codec.batch_of(objects, columns, dimension)
    vectors, present = None, None
    if "vector" in columns:
        vectors, present = _codec.vectors_of(objects, layout.vector or VECTOR, dimension)
    found = [each.properties for each in objects]
    return RecordBatch(
        [str(each.uuid) for each in objects],
        vectors,
        [_native.metadata_of(p, layout) for p in found] if "metadata" in columns else None,
        [_native.text_of(p, layout) for p in found] if "text" in columns else None,
        present,
    )


def found_of(objects: Sequence[Any], columns: Columns, target: Target) -> Found:
    """Return one answer of a search, scored as polyvec does."""
    distances = [each.metadata.distance for each in objects]
    return Found(batch_of(objects, columns, target), scores_of(distances, target.collection.metric))


def scores_of(distances: Sequence[float], metric: Metric) -> npt.NDArray[np.float64]:
    """Return the scores of Weaviate's distances, shape `(n,)`."""
    # Lists: the answers are short, and numpy takes its time for each step.
    match metric:
        case Metric.COSINE:  # up to 2.0000005 for opposite vectors
            scores = [min(1.0, max(-1.0, 1.0 - far)) for far in distances]
        case Metric.DOT:
            scores = [0.0 - far for far in distances]
        case _:
            scores = [0.0 - max(far, 0.0) ** 0.5 for far in distances]
    return np.array(scores, dtype=np.float64)


def replied(reply: Any, columns: Columns, metric: Metric) -> Found:
    """Return one answer of a search of ours without vectors, from the server's own reply.

    Parameters
    ----------
    reply
        A `SearchReply` of Weaviate's gRPC contract, version 1.
    columns
        Without vectors.
    """
    rows = [(each.properties.non_ref_props.fields, each.metadata) for each in reply.results]
    batch = RecordBatch(
        ids=[fields[ID].text_value for fields, _ in rows],
        vectors=None,
        metadata=[from_json(fields[DOC].text_value) for fields, _ in rows]
        if "metadata" in columns
        else None,
        texts=[_text_of(fields.get(TEXT)) for fields, _ in rows] if "text" in columns else None,
    )
    return Found(batch, scores_of([metadata.distance for _, metadata in rows], metric))


def _text_of(value: Any) -> str | None:
    """Return a property that may be missing or null."""
    return str(value.text_value) if value is not None and value.HasField("text_value") else None


def partial(batch: RecordBatch, errors: Mapping[int, Any]) -> PartialWriteError:
    """Return the error for a write of which some records failed."""
    failed = {
        batch.ids[at]: RejectedError(str(each.message)[:300], store="weaviate", operation="upsert")
        for at, each in sorted(errors.items())
    }
    return PartialWriteError(
        f"weaviate took {len(batch) - len(failed)} of {len(batch)} records",
        failed=failed,
        store="weaviate",
        operation="upsert",
    )
