"""Collections that polyvec did not make: what they hold, and what can be asked of them. Pure.

Properties are metadata, an object's UUID is its id. The server only narrows filters down: its
text is trimmed or cut into words, its null is not ours, so that the records decide.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from weaviate.classes.config import DataType, Tokenization
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter

from polyvec.bounds import NONE, UNKNOWN, Bounds
from polyvec.errors import (
    InvalidRecordError,
    InvalidRequestError,
    NotSupportedError,
)
from polyvec.filters import Eq, Ge, Gt, In, Le, Leaf, Lt
from polyvec.primitives import OpenedCollection
from polyvec.types import Metric
from polyvec_weaviate import _schema
from polyvec_weaviate._layout import VECTOR, is_trimmed
from polyvec_weaviate._schema import METRICS, Layout

if TYPE_CHECKING:
    from polyvec.primitives import Target
    from polyvec.records import RecordBatch
    from polyvec.schema import NativeLayout

_NUMBERS: Final = (DataType.NUMBER, DataType.INT)
_WRITABLE: Final = frozenset(
    {
        DataType.TEXT,
        DataType.TEXT_ARRAY,
        DataType.NUMBER,
        DataType.NUMBER_ARRAY,
        DataType.INT,
        DataType.BOOL,
        DataType.BOOL_ARRAY,
        DataType.DATE,
        DataType.DATE_ARRAY,
    }
)
_EXACT_INTS: Final = 2**53


def layout_of(config: Any, roles: NativeLayout | None) -> Layout:
    """Return the layout of a collection of others.

    Raises
    ------
    InvalidRequestError
        A role names what is not there, or several vectors leave a choice.
    """
    if roles is not None and roles.id is not None:
        raise InvalidRequestError(
            f"collection {config.name!r}: the UUID of an object is its id; leave id= out"
        )
    properties = {each.name: each for each in config.properties}
    text = None if roles is None else roles.text
    space = None if roles is None else roles.namespace
    tenants = bool(config.multi_tenancy_config.enabled)
    for role, name in (("text", text), ("namespace", space)):
        if name is not None and name not in properties:
            raise InvalidRequestError(
                f"collection {config.name!r} has no property {name!r} for {role}=; it has "
                f"{sorted(properties)}"
            )
    if space is not None and tenants:
        raise InvalidRequestError(
            f"collection {config.name!r}: tenants are its namespaces; leave namespace= out"
        )
    vector = _vector_of(config, roles)
    return Layout(
        ours=False,
        name=config.name,
        vector=vector,
        properties=properties,
        text=text,
        namespace=space,
        tenants=tenants,
        writable=not config.references and len(config.vector_config or {}) <= 1,
        exact=_schema.exact_of(_settings_of(config, vector)),
    )


def _settings_of(config: Any, vector: str) -> Any:
    named: dict[str, Any] = config.vector_config or {}
    return named[vector].vector_index_config if vector else config.vector_index_config


def _vector_of(config: Any, roles: NativeLayout | None) -> str:
    named: dict[str, Any] = config.vector_config or {}
    wanted = None if roles is None else roles.vector
    if not named:
        if wanted is not None:
            raise InvalidRequestError(
                f"collection {config.name!r} has one vector without a name; leave vector= out"
            )
        return ""
    if wanted is None and len(named) == 1:
        wanted = next(iter(named))
    if wanted not in named:
        raise InvalidRequestError(
            f"collection {config.name!r} has the vectors {sorted(named)}, "
            + ("and none was named" if wanted is None else f"not {wanted!r}")
            + "; open it with native=NativeLayout(vector=...)"
        )
    return str(wanted)


def opened(config: Any, layout: Layout, dimension: int) -> OpenedCollection:
    """Return what the core is told of a collection of others."""
    settings = _settings_of(config, layout.vector)
    return OpenedCollection(
        name=layout.name,
        dimension=dimension,
        metric=_metric_of(settings, layout.name),
        index=_schema.index_of(settings),
        layout_kind="native",
        layout=layout,
        details={
            "class": layout.name,
            "vector": layout.vector or VECTOR,
            "tenants": layout.tenants,
            "properties": {
                name: str(getattr(each.data_type, "value", each.data_type))
                for name, each in layout.properties.items()
            },
            "text": layout.text,
            "namespace": layout.namespace,
        },
    )


def _metric_of(settings: Any, name: str) -> Metric:
    found = getattr(settings, "distance_metric", None)
    distance = getattr(found, "value", found)
    if distance not in METRICS:
        raise NotSupportedError(
            f"collection {name!r} compares vectors by {distance!r}; expected one of "
            f"{', '.join(METRICS)}"
        )
    return METRICS[distance]


def unknown_dimension(name: str) -> InvalidRequestError:
    """Return the error for a collection that tells no length of its vectors."""
    return InvalidRequestError(
        f"collection {name!r} has no object with a vector, and weaviate does not say their "
        "length otherwise; open it with native=NativeLayout(dimension=...)"
    )


def object_id_of(record_id: str) -> str | None:
    """Return an id as the UUID of an object, None where no object can have it."""
    try:
        found = str(uuid.UUID(record_id))
    except ValueError:
        return None
    return found if found == record_id else None


def leaf(node: Leaf, negated: bool, layout: Layout) -> Bounds:
    """Return a superset of what a leaf selects, where the server has a safe one."""
    if negated or len(node.path) != 1 or not isinstance(node, (Eq, In, Lt, Le, Gt, Ge)):
        return UNKNOWN
    found = layout.properties.get(node.path[0])
    if found is None or node.path[0] in (layout.text, layout.namespace):
        return UNKNOWN
    if not found.index_filterable:
        return UNKNOWN
    upper = _superset(node, found)
    return UNKNOWN if upper is None else Bounds(NONE, upper)


def _superset(node: Leaf, found: Any) -> Any:
    where = Filter.by_property(found.name)
    match node:
        case Eq(_, value) if _is_equal_safe(value, found):
            return where.equal(cast("Any", value))
        case In(_, values) if values and all(_is_equal_safe(value, found) for value in values):
            return where.contains_any(cast("Any", list(values)))
        case Lt(_, value) | Le(_, value) if _is_number_safe(value, found):
            return where.less_or_equal(cast("Any", value))
        case Gt(_, value) | Ge(_, value) if _is_number_safe(value, found):
            return where.greater_or_equal(cast("Any", value))
        case _:
            return None


def _is_equal_safe(value: Any, found: Any) -> bool:
    if isinstance(value, bool):
        return bool(found.data_type == DataType.BOOL)
    if isinstance(value, str):
        whole = found.data_type == DataType.TEXT and found.tokenization == Tokenization.FIELD
        return whole and value != "" and is_trimmed(value)
    return _is_number_safe(value, found)


def _is_number_safe(value: Any, found: Any) -> bool:
    """Tell whether an operand reaches the server as it is: an int property takes no fraction."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if abs(value) >= _EXACT_INTS or found.data_type not in _NUMBERS:
        return False
    return found.data_type == DataType.NUMBER or isinstance(value, int)


def namespace_filter(target: Target) -> Any:
    """Return the filter that narrows down to a namespace; None where there is none."""
    layout: Layout = target.collection.layout
    if layout.namespace is None or not target.namespace or not is_trimmed(target.namespace):
        return None
    if layout.properties[layout.namespace].tokenization != Tokenization.FIELD:
        return None
    return Filter.by_property(layout.namespace).equal(target.namespace)


def is_inside(target: Target, properties: Mapping[str, Any]) -> bool:
    """Tell whether an object is in the namespace."""
    layout: Layout = target.collection.layout
    if layout.tenants:
        return True
    if layout.namespace is None:
        return target.namespace == ""
    return (properties.get(layout.namespace) or "") == target.namespace


def metadata_of(properties: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    """Return the properties of an object as metadata."""
    return {
        name: _plain(value)
        for name, value in properties.items()
        if value is not None and name not in (layout.text, layout.namespace)
    }


def text_of(properties: Mapping[str, Any], layout: Layout) -> str | None:
    """Return the text of an object."""
    value = None if layout.text is None else properties.get(layout.text)
    return None if value is None else str(value)


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | float() | str():
            return value
        case datetime():
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        case list():
            return [_plain(item) for item in cast("list[object]", value)]
        case dict():
            return {key: _plain(item) for key, item in cast("dict[str, object]", value).items()}
        case _ if hasattr(value, "latitude"):
            return {"latitude": value.latitude, "longitude": value.longitude}
        case _:
            return str(getattr(value, "number", value))


def check_batch(target: Target, batch: RecordBatch) -> None:
    """Refuse what objects of a collection of others cannot hold.

    Raises
    ------
    NotSupportedError, InvalidRecordError
        Says which record and why.
    """
    layout: Layout = target.collection.layout
    name = layout.name
    if not layout.writable:
        raise NotSupportedError(
            f"the objects of {name!r} have references or several vectors, which a replace drops"
        )
    if target.namespace and not layout.tenants and layout.namespace is None:
        raise NotSupportedError(
            f"collection {name!r} was not made by polyvec and has the default namespace only; open "
            "it with native=NativeLayout(namespace=...) to say which property holds it"
        )
    if layout.tenants and not target.namespace:
        raise NotSupportedError(f"collection {name!r} has tenants; write to a namespace")
    for at, record_id in enumerate(batch.ids):
        if object_id_of(record_id) is None:
            raise InvalidRecordError(
                f"id {record_id!r}: objects of {name!r} have UUIDs in lower case as ids"
            )
        if batch.texts is not None and batch.texts[at] is not None and layout.text is None:
            raise InvalidRecordError(
                f"record {record_id!r}: no property of {name!r} holds a text; open it with "
                "native=NativeLayout(text=...) to say which one"
            )
        for key, value in (batch.metadata[at] if batch.metadata is not None else {}).items():
            if value is not None and (fault := _fault(key, value, layout)) is not None:
                raise InvalidRecordError(f"record {record_id!r}: metadata[{key!r}] {fault}")


def _fault(key: str, value: Any, layout: Layout) -> str | None:
    """Return why a property cannot hold a value; a key without one would make one of its own."""
    found = layout.properties.get(key)
    if found is None or key in (layout.text, layout.namespace):
        return f"has no property of {layout.name!r} to hold it; add one with weaviate's tools"
    kind = found.data_type
    fits = {
        DataType.TEXT: isinstance(value, str),
        DataType.NUMBER: isinstance(value, float),
        DataType.INT: isinstance(value, int) and not isinstance(value, bool),
        DataType.BOOL: isinstance(value, bool),
        DataType.DATE: isinstance(value, datetime),
        DataType.TEXT_ARRAY: _is_list_of(value, str),
        DataType.NUMBER_ARRAY: _is_list_of(value, float),
        DataType.BOOL_ARRAY: _is_list_of(value, bool),
        DataType.DATE_ARRAY: _is_list_of(value, datetime),
    }
    if kind not in _WRITABLE or not fits.get(kind, False):
        return f"is {type(value).__name__}, which a property of type {kind.value} cannot hold"
    if kind == DataType.INT and abs(value) > _EXACT_INTS:
        return f"is {value}; weaviate takes an int as a float, exact to 2 ** 53"
    return None


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(
        type(item) is kind for item in cast("list[object]", value)
    )


def objects_of(target: Target, batch: RecordBatch) -> list[DataObject[Any, Any]]:
    """Return a checked batch as objects."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    layout: Layout = target.collection.layout
    objects: list[DataObject[Any, Any]] = []
    for at, record_id in enumerate(batch.ids):
        properties = {k: v for k, v in batch.metadata[at].items() if v is not None}
        if layout.text is not None and batch.texts[at] is not None:
            properties[layout.text] = batch.texts[at]
        if layout.namespace is not None and target.namespace:
            properties[layout.namespace] = target.namespace
        row: Any = batch.vectors[at].tolist()
        has_vector = batch.present is None or bool(batch.present[at])
        vector = {layout.vector: row} if layout.vector else row
        objects.append(
            DataObject(uuid=record_id, properties=properties, vector=vector if has_vector else None)
        )
    return objects
