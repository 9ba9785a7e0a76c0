"""Properties of the user's fields: one per path and class, named after the key. Pure.

The description of a property says which field it holds, so that the schema is the registry:
`{"path": ["author", "name"], "class": "s"}`. Properties are added when a field is first written,
up to a number that is fixed when the collection is made; they are never removed. Fields beyond
it are marked by a term, and orderings of them are checked on the records.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from weaviate.classes.config import DataType, Property, Tokenization

from polyvec._canonical import class_of
from polyvec_weaviate._layout import RESERVED

if TYPE_CHECKING:
    from polyvec.paths import Path

Column = tuple["Path", str]
"""A path and its class: `s n b d`, or one of these behind `l` for a list of them."""

Columns = Mapping[Column, str]
"""Column to the name of its property."""

MOST: Final = 64
"""Properties for fields of one collection. Each costs on every write, also unset ones: measured,
6, 30, 130 properties take 7.8, 8.6, 9.4 s of the server for 10,000 records of 384 dimensions."""

ORDERED: Final = "nsd"
KIND_OF: Final[Mapping[type, str]] = {str: "s", int: "n", float: "n", bool: "b", datetime: "d"}

_TYPES: Final = {
    "s": DataType.TEXT,
    "n": DataType.NUMBER,
    "b": DataType.BOOL,
    "d": DataType.DATE,
    "ls": DataType.TEXT_ARRAY,
    "ln": DataType.NUMBER_ARRAY,
    "lb": DataType.BOOL_ARRAY,
    "ld": DataType.DATE_ARRAY,
}
_LEGAL: Final = re.compile(r"[a-z_][_0-9A-Za-z]{0,199}")
_TAKEN: Final = frozenset({"id", "_id", "_additional", "vector", "vectors", "uuid"})
CLAIM: Final = f"{RESERVED}_kind_"
"""With the name of a property behind it: what properties may get that name. It holds nothing.

Writers that add one name at the same moment with two types are all told that it went well: the
first type stays, but the last one's index settings win. A range index that one writer turned off
and the next one on lacks what was written between (measured, 1.38.11: 20 of 71 numbers were left
without theirs; `MergePropsMasked` in its cluster/schema/meta_class.go). Descriptions are not
merged, so that the first claim stands, and only who it names adds the property."""

_RANGED: Final = frozenset("nd")
_SUFFIXES: Final = (
    "_searchable",
    "_rangeable",
    "_temp",
    "__meta_count",
    "_propertylength",
    "_nullstate",
)
"""Weaviate refuses five of these; its buckets have such names."""


def kind_of(value: object) -> str | None:
    """Return the kind of the property for a value; None where no property holds it."""
    kind = class_of(value)
    if kind == "l":
        kinds = {class_of(item) for item in cast("list[object]", value) if item is not None}
        whole = None not in cast("list[object]", value)
        return "l" + kinds.pop() if len(kinds) == 1 and whole and not kinds & {"l", "o"} else None
    return None if kind == "o" else kind


def names_for(column: Column) -> list[str]:
    """Return the names that the property of a field may have, the best one first."""
    path, kind = column
    nice = "__".join(path)
    legal = (
        _LEGAL.fullmatch(nice)
        and nice not in _TAKEN
        and not nice.lower().endswith(_SUFFIXES)
        and not is_own(nice)
    )
    names = [nice] if legal else []
    if kind in ORDERED:  # a list or a bool is decided by terms; its property is for people
        text = json.dumps(path)
        names.append(f"_polyvec_{kind}_{hashlib.sha256(text.encode()).hexdigest()[:40]}")
    return names


def is_own(name: str) -> bool:
    """Tell whether a property's name says its class, so that nobody adds it with another one."""
    return name.startswith(RESERVED)


def claim_on(column: Column) -> str:
    """Return what a field claims a name for: classes with equal settings do not disturb."""
    return "ranged" if column[1] in _RANGED else "plain"


def claim_for(column: Column, name: str) -> Property:
    """Return the property that claims a name."""
    return Property(
        name=CLAIM + name.lower(),
        data_type=DataType.TEXT,
        description=json.dumps({"claim": claim_on(column)}),
        index_filterable=False,
        index_searchable=False,
    )


def claims_of(properties: list[Any]) -> dict[str, str]:
    """Return the claimed names, in lower case, and what each is claimed for."""
    return {
        each.name.removeprefix(CLAIM): json.loads(each.description)["claim"]
        for each in properties
        if each.name.startswith(CLAIM)
    }


def property_for(column: Column, name: str) -> Property:
    """Return the property of a field."""
    path, kind = column
    is_text = kind in ("s", "ls")
    return Property(
        name=name,
        data_type=_TYPES[kind],
        description=json.dumps({"path": list(path), "class": kind}, ensure_ascii=False),
        tokenization=Tokenization.FIELD if is_text else None,
        index_searchable=False if is_text else None,
        index_filterable=True,
        index_range_filters=True if kind in _RANGED else None,
    )


def columns_of(properties: list[Any]) -> dict[Column, str]:
    """Return the fields that the properties of a collection of ours hold."""
    found: dict[Column, str] = {}
    for each in properties:
        if not (each.description or "").startswith('{"path"'):
            continue
        told = json.loads(each.description)
        column: Column = (tuple(told["path"]), told["class"])
        if _TYPES.get(told["class"]) == each.data_type:  # else another writer's type won
            found[column] = each.name
    return found
