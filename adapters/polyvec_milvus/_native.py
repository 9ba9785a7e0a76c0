"""Collections that polyvec did not make: what their fields mean, and how rows read. Pure.

A field with a role (id, vector, text, namespace) is no metadata; every other one is a field of its
name, dynamic ones too. A JSON field is an object, reached by a path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from pymilvus import DataType

from polyvec.errors import InvalidRecordError, InvalidRequestError, NotSupportedError
from polyvec.records import RecordBatch
from polyvec_milvus._expressions import quoted

if TYPE_CHECKING:
    from polyvec.primitives import Columns, Target
    from polyvec.schema import NativeLayout
    from polyvec.types import Vector
    from polyvec_milvus._schema import Layout

Row = Mapping[str, Any]

INTS: Final = {
    DataType.INT8: 2**7,
    DataType.INT16: 2**15,
    DataType.INT32: 2**31,
    DataType.INT64: 2**63,
}
_VECTORS: Final = frozenset(
    kind for kind in DataType if "VECTOR" in kind.name or kind.name.startswith("_")
)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a collection of others, and their roles.

    Parameters
    ----------
    id
        The primary key.
    numeric
        Whether that is a number.
    auto
        Whether Milvus makes it up.
    dynamic
        Whether rows may have fields beyond the schema.
    kinds
        Fields that are metadata, to their types.
    items
        Those of them that are arrays, to the types of their items.
    nullable
        Those of them that may be null.
    text, namespace
        Fields with these roles.
    writable
        Whether a row has one vector only.
    """

    id: str
    numeric: bool
    auto: bool
    dynamic: bool
    kinds: Mapping[str, DataType]
    items: Mapping[str, DataType]
    nullable: frozenset[str]
    text: str | None
    namespace: str | None
    writable: bool


def fields_of(
    described: Mapping[str, Any], native: NativeLayout | None, name: str
) -> tuple[Fields, str, int]:
    """Return the fields of a collection, its vector's name and dimension.

    Raises
    ------
    InvalidRequestError
        A role that a field cannot have, or several vectors and none named.
    NotSupportedError
        No vector of float32.
    """
    columns = {one["name"]: one for one in described["fields"]}
    key = next(one for one in columns.values() if one.get("is_primary"))
    if native is not None and native.id not in (None, key["name"]):
        raise InvalidRequestError(
            f"collection {name!r}: the id is its primary key {key['name']!r}, not {native.id!r}"
        )
    vectors = [n for n, one in columns.items() if one["type"] == DataType.FLOAT_VECTOR]
    wanted = native.vector if native is not None else None
    if wanted is None and len(vectors) == 1:
        wanted = vectors[0]
    if not vectors:
        raise NotSupportedError(f"collection {name!r} has no vector of float32")
    if wanted is None or wanted not in vectors:
        raise InvalidRequestError(
            f"collection {name!r} has the vectors {sorted(vectors)}, "
            + ("and none was named" if wanted is None else f"not {wanted!r}")
            + "; open it with native=NativeLayout(vector=...)"
        )
    roles = (None, None) if native is None else (native.text, native.namespace)
    for role in roles:
        if role is not None and (role not in columns or columns[role]["type"] != DataType.VARCHAR):
            raise InvalidRequestError(f"collection {name!r} has no text field {role!r}")
    others = {
        n: DataType(one["type"])
        for n, one in columns.items()
        if n not in (key["name"], *roles) and DataType(one["type"]) not in _VECTORS
    }
    fields = Fields(
        id=key["name"],
        numeric=key["type"] == DataType.INT64,
        auto=bool(described.get("auto_id") or key.get("auto_id")),
        dynamic=bool(described.get("enable_dynamic_field")),
        kinds=others,
        items={
            n: DataType(columns[n]["element_type"])
            for n, kind in others.items()
            if kind is DataType.ARRAY
        },
        nullable=frozenset(n for n in others if columns[n].get("nullable")),
        text=roles[0],
        namespace=roles[1],
        writable=sum("VECTOR" in DataType(one["type"]).name for one in columns.values()) == 1,
    )
    return fields, wanted, int(columns[wanted]["params"]["dim"])


def key_literal(record_id: str, fields: Fields) -> str | None:
    """Return an id as a literal of the primary key; None where no row can have it."""
    if not fields.numeric:
        return quoted(record_id)
    digits = record_id.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        return None
    number = int(record_id)
    return record_id if str(number) == record_id and abs(number) < 2**63 else None


def selection(fields: Fields, namespace: str, native: str | None) -> str:
    """Return what selects the records of a namespace for which an expression holds."""
    parts: list[str] = []
    if fields.namespace is not None:
        parts.append(f"{fields.namespace} == {quoted(namespace)}")
    if native is not None:
        parts.append(native)
    if not parts:  # an empty expression needs a limit
        return f"{fields.id} >= {-(2**63) + 1}" if fields.numeric else f'{fields.id} >= ""'
    return " and ".join(parts)


def columns_for(columns: Columns, layout: Layout, fields: Fields) -> list[str]:
    """Return the fields that columns are read from."""
    wanted = [fields.id]
    if fields.namespace is not None:
        wanted.append(fields.namespace)
    if "metadata" in columns:
        wanted += ["*"] if fields.dynamic else list(fields.kinds)
    if "text" in columns and fields.text is not None:
        wanted.append(fields.text)
    if "vector" in columns:
        wanted.append(layout.vector)
    return wanted


def batch_of(
    rows: Sequence[Row], columns: Columns, dimension: int, layout: Layout, fields: Fields
) -> RecordBatch:
    """Return rows as a batch with the columns asked for."""
    block: Vector | None = None
    if "vector" in columns:
        block = np.ascontiguousarray(
            np.array([row[layout.vector] for row in rows], dtype=np.float32).reshape(-1, dimension)
        )
    texts = None
    if "text" in columns:
        name = fields.text
        texts = [None if name is None else cast("str | None", row.get(name)) for row in rows]
    return RecordBatch(
        [str(row[fields.id]) for row in rows],
        block,
        [_metadata(row, layout, fields) for row in rows] if "metadata" in columns else None,
        texts,
    )


def _metadata(row: Row, layout: Layout, fields: Fields) -> dict[str, Any]:
    roles = (fields.id, layout.vector, fields.text, fields.namespace)
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in roles or (name not in fields.kinds and not fields.dynamic):
            continue
        plain = _plain(value, fields.kinds.get(name))
        if plain is not None:
            found[name] = plain
    return found


def _plain(value: object, kind: DataType | None) -> Any:
    if kind is DataType.JSON and isinstance(value, (str, bytes)):
        return json.loads(value)
    if isinstance(value, np.generic):
        value = cast("Any", value).item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        return cast("Any", value)
    return [_plain(item, None) for item in cast("Iterable[object]", value)]  # of protobuf's


def rows_of(target: Target, batch: RecordBatch) -> list[dict[str, Any]]:
    """Return a batch as rows of a collection of others.

    Raises
    ------
    NotSupportedError
        Milvus makes up the ids; a row has several vectors; no field is the text or the namespace.
    InvalidRecordError
        Metadata that the fields cannot hold; an id that the primary key cannot be.
    """
    layout: Layout = target.collection.layout
    fields = layout.fields
    assert fields is not None
    name = target.collection.name
    if fields.auto or not fields.writable:
        why = "milvus makes up its ids" if fields.auto else "its rows have several vectors"
        raise NotSupportedError(f"collection {name!r} cannot be written by polyvec: {why}")
    if target.namespace and fields.namespace is None:
        raise NotSupportedError(
            f"collection {name!r} was not made by polyvec and has the default namespace only; open "
            "it with native=NativeLayout(namespace=...) to say which field holds it"
        )
    rows: list[dict[str, Any]] = []
    for at, record_id in enumerate(batch.ids):
        if key_literal(record_id, fields) is None:
            raise InvalidRecordError(f"id {record_id!r}: the key of {name!r} is a 64-bit int")
        row = _row(record_id, (batch.metadata or [])[at], fields, name)
        text = (batch.texts or [])[at]
        if text is not None and fields.text is None:
            raise NotSupportedError(
                f"record {record_id!r} has a text; open the collection with "
                "native=NativeLayout(text=...) to say which field holds it"
            )
        if fields.text is not None:
            row[fields.text] = text or ""
        if fields.namespace is not None:
            row[fields.namespace] = target.namespace
        row[fields.id] = int(record_id) if fields.numeric else record_id
        if batch.vectors is not None:  # an update need not have any
            row[layout.vector] = batch.vectors[at]
        rows.append(row)
    return rows


def void(rows: Sequence[dict[str, Any]], old: Sequence[Row], fields: Fields) -> None:
    """Give rows a null for each field of the rows that they replace."""
    before = {one[fields.id]: one for one in old}
    for row in rows:
        for key in before.get(row[fields.id], {}):
            row.setdefault(key, None)


def _row(record_id: str, metadata: dict[str, Any], fields: Fields, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, kind in fields.kinds.items():
        value = metadata.get(key)
        if value is None and key in fields.nullable:
            row[key] = None
        elif _holds(value, kind, fields.items.get(key)):
            row[key] = value
        else:
            raise InvalidRecordError(
                f"record {record_id!r}: {key!r} is {value!r}; the field of {name!r} holds "
                f"{kind.name}"
            )
    for key, value in metadata.items():
        if key in fields.kinds:
            continue
        if not fields.dynamic or not _holds(value, DataType.JSON):
            raise InvalidRecordError(
                f"record {record_id!r}: {key!r} has no field in {name!r}, which polyvec did not "
                "make; leave it out"
            )
        row[key] = value
    return row


def _holds(value: object, kind: DataType, item: DataType | None = None) -> bool:
    if item is not None:
        return isinstance(value, list) and all(
            _holds(one, item) for one in cast("list[object]", value)
        )
    if kind in (DataType.FLOAT, DataType.DOUBLE):
        return isinstance(value, float) and (
            kind is DataType.DOUBLE or float(np.float32(value)) == value
        )
    if kind is DataType.JSON:
        try:
            json.dumps(value)
        except TypeError:
            return False
        return value is not None
    return is_of(value, kind)


def is_of(value: object, kind: DataType) -> bool:
    """Tell whether a field of ints, bools or text can hold a value."""
    if isinstance(value, bool):
        return kind is DataType.BOOL
    if isinstance(value, str):
        return kind is DataType.VARCHAR
    if isinstance(value, int):
        return kind in INTS and abs(value) < INTS[kind]
    return False
