"""Requests of qdrant-client's models as the engine takes them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from qdrant_client import models

from polyvec.types import as_any


class Unknown(Exception):  # noqa: N818 - the request is what is wrong
    """A request that this layer does not know; a server may."""


DISTANCES = {
    models.Distance.COSINE: edge.Distance.Cosine,
    models.Distance.DOT: edge.Distance.Dot,
    models.Distance.EUCLID: edge.Distance.Euclid,
    models.Distance.MANHATTAN: edge.Distance.Manhattan,
}
DATATYPES = {
    models.Datatype.FLOAT32: edge.VectorStorageDatatype.Float32,
    models.Datatype.FLOAT16: edge.VectorStorageDatatype.Float16,
    models.Datatype.UINT8: edge.VectorStorageDatatype.Uint8,
}
KINDS = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "datetime": edge.PayloadSchemaType.Datetime,
    "text": edge.PayloadSchemaType.Text,
    "uuid": edge.PayloadSchemaType.Uuid,
}


def vector_params(params: models.VectorParams) -> edge.EdgeVectorParams:
    """Return the parameters of one vector."""
    multi = None
    if params.multivector_config is not None:
        multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    return edge.EdgeVectorParams(
        size=params.size,
        distance=DISTANCES[params.distance],
        on_disk=params.on_disk,
        multivector_config=multi,
        datatype=None if params.datatype is None else DATATYPES[params.datatype],
        quantization_config=quantization(params.quantization_config),
    )


def quantization(config: Any) -> Any:
    """Return how vectors are shortened."""
    match config:
        case None:
            return None
        case models.ScalarQuantization(scalar=scalar):
            return edge.ScalarQuantizationConfig(
                edge.ScalarType.Int8, quantile=scalar.quantile, always_ram=scalar.always_ram
            )
        case models.BinaryQuantization(binary=binary):
            return edge.BinaryQuantizationConfig(always_ram=binary.always_ram)
        case _:
            raise Unknown(f"quantisation {type(config).__name__}")


def index_schema(schema: Any) -> Any:
    """Return the kind of a payload index."""
    match schema:
        case models.KeywordIndexParams():
            return edge.KeywordIndexParams(is_tenant=schema.is_tenant)
        case models.PayloadSchemaType():
            return KINDS[schema.value]
        case _:
            raise Unknown(f"index {type(schema).__name__}")


def point_id(value: Any) -> Any:
    """Return an id: a number, or a UUID in any spelling."""
    if isinstance(value, int):
        if not 0 <= value < 2**64:
            raise Unknown(f"id {value} is no number of 64 bits")
        return value
    return UUID(value)


def shown_id(value: Any) -> Any:
    """Return an id as an answer has it."""
    return value if isinstance(value, int) else str(value)


class Filters:
    """Filters of one collection.

    Parameters
    ----------
    having
        Returns the ids of the points where a key holds a bool. The package takes a Python bool for
        a number, so a condition on one cannot be handed to the engine.
    """

    def __init__(self, having: Callable[[str, bool], set[Any]]) -> None:
        self._having = having

    def maybe(self, sent: models.Filter | None) -> edge.Filter | None:
        """Return a filter, where there is one."""
        return None if sent is None else self.of(sent)

    def of(self, sent: models.Filter) -> edge.Filter:
        """Return a filter."""
        if sent.min_should is not None:
            raise Unknown("min_should")
        return edge.Filter(
            must=self._conditions(sent.must),
            should=self._conditions(sent.should),
            must_not=self._conditions(sent.must_not),
        )

    def _conditions(self, sent: Any) -> Any:
        if sent is None:
            return None
        several: list[Any] = as_any(sent) if isinstance(sent, list) else [sent]
        return [self._condition(one) for one in several]

    def _condition(self, sent: Any) -> Any:
        match sent:
            case models.Filter():
                return self.of(sent)
            case models.FieldCondition(match=models.MatchValue(value=bool() as value)):
                return edge.HasIdCondition(self._having(sent.key, value))
            case models.FieldCondition():
                return _field(sent)
            case models.IsEmptyCondition():
                return edge.IsEmptyCondition(sent.is_empty.key)
            case models.IsNullCondition():
                return edge.IsNullCondition(sent.is_null.key)
            case models.HasIdCondition():
                return edge.HasIdCondition({point_id(one) for one in sent.has_id})
            case models.NestedCondition():
                return edge.NestedCondition(sent.nested.key, self.of(sent.nested.filter))
            case _:
                raise Unknown(f"condition {type(sent).__name__}")


def _field(sent: models.FieldCondition) -> edge.FieldCondition:
    count = sent.values_count
    return edge.FieldCondition(
        sent.key,
        match=_match(sent.match),
        range=_range(sent.range),
        values_count=None
        if count is None
        else edge.ValuesCount(lt=count.lt, gt=count.gt, lte=count.lte, gte=count.gte),
        is_empty=sent.is_empty,
        is_null=sent.is_null,
    )


def _match(sent: Any) -> Any:
    match sent:
        case None:
            return None
        case models.MatchValue():
            return edge.MatchValue(sent.value)
        case models.MatchAny():
            return edge.MatchAny(sent.any)
        case models.MatchExcept():
            return edge.MatchExcept(sent.except_)
        case models.MatchText():
            return edge.MatchText(sent.text)
        case _:
            raise Unknown(f"match {type(sent).__name__}")


def _range(sent: Any) -> Any:
    match sent:
        case None:
            return None
        case models.DatetimeRange():
            limits = {
                key: value.isoformat()
                for key in ("gte", "gt", "lte", "lt")
                if (value := getattr(sent, key)) is not None
            }
            return edge.RangeDateTime(**limits)
        case _:
            return edge.RangeFloat(gte=sent.gte, gt=sent.gt, lte=sent.lte, lt=sent.lt)


def search_params(sent: models.SearchParams | None) -> edge.SearchParams | None:
    """Return the settings of one search."""
    if sent is None:
        return None
    again = sent.quantization
    return edge.SearchParams(
        hnsw_ef=sent.hnsw_ef,
        exact=bool(sent.exact),
        quantization=None
        if again is None
        else edge.QuantizationSearchParams(ignore=bool(again.ignore), rescore=again.rescore),
    )


def payload_selector(sent: Any, *, default: bool) -> Any:
    """Return which payload is wanted."""
    match sent:
        case None:
            return default
        case bool() | list():
            return as_any(sent)
        case models.PayloadSelectorInclude():
            return sent.include
        case models.PayloadSelectorExclude():
            return edge.PayloadSelector.Exclude(sent.exclude)
        case _:
            raise Unknown(f"payload {type(sent).__name__}")


def query_request(sent: models.QueryRequest, filters: Filters) -> edge.QueryRequest:
    """Return one search for the nearest vectors."""
    asked = sent.query.nearest if isinstance(sent.query, models.NearestQuery) else sent.query
    if not isinstance(asked, list):
        raise Unknown(f"query {type(asked).__name__}")
    return edge.QueryRequest(
        limit=10 if sent.limit is None else sent.limit,
        offset=sent.offset,
        query=edge.Query.Nearest(asked, using=sent.using),
        filter=filters.maybe(sent.filter),
        score_threshold=sent.score_threshold,
        params=search_params(sent.params),
        with_vector=sent.with_vector or False,
        with_payload=payload_selector(sent.with_payload, default=False),
    )


def points(sent: Any) -> list[edge.Point]:
    """Return points to write, from either form of an upsert."""
    rows: list[tuple[Any, Any, Any]]
    if isinstance(sent, models.PointsList):
        rows = [(one.id, one.vector, one.payload) for one in sent.points]
    else:
        batch = sent.batch
        count = len(batch.ids)
        payloads = batch.payloads or [None] * count
        vectors: Any = batch.vectors
        if isinstance(vectors, dict):
            names: list[str] = list(as_any(vectors))
            vectors = [{name: vectors[name][row] for name in names} for row in range(count)]
        rows = list(zip(batch.ids, vectors, payloads, strict=True))
    return [edge.Point(point_id(key), vector, payload or {}) for key, vector, payload in rows]
