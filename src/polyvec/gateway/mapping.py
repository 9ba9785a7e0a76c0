"""The mapping between Pinecone and polyvec, row by row. Pure.

| Pinecone                          | polyvec                                                    |
|-----------------------------------|------------------------------------------------------------|
| index `1st`                       | collection `x_1st`: polyvec's start with a letter          |
| index of any other name           | collection of the same name                                |
| namespace `__default__`           | namespace `""`                                             |
| metric `dotproduct`               | metric `dot`                                               |
| score, euclidean                  | `distance ** 2`: Pinecone's is the squared distance        |
| score, cosine and dotproduct      | `score`                                                    |
| number in metadata                | float: Pinecone keeps float64                              |
| null in metadata                  | absent (until 2026-04: refused)                            |
| metadata key `_polyvec…`          | `~_polyvec…`, and `~_polyvec…` is `~~_polyvec…`            |
| datetime in metadata (read only)  | its ISO 8601 text                                          |
| filter `{"a.b": 1}`               | the key `a.b`: Pinecone's metadata is flat                 |
| `$eq v`, `$in [v, …]`             | equal, or a list that contains one                         |
| `$ne v`, `$nin [v, …]`            | the complement, so also records without the field          |
| `$gt $gte $lt $lte n`             | the same, numbers only                                     |
| `$exists b`                       | the same; a null is absent                                 |
| `$and`, `$or`                     | the same; several keys are `$and`                          |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from polyvec.filters import And, Contains, ContainsAny, Eq, Exists, Ge, Gt, In, Le, Lt, Not, Or
from polyvec.gateway.errors import Code, WrongDimension, invalid
from polyvec.gateway.fields import Json, show
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.filters import Filter
    from polyvec.records import Hit
    from polyvec.types import MetadataDict, Vector

DEFAULT_NAMESPACE: Final = "__default__"
MAX_ID: Final = 512
MAX_METADATA_BYTES: Final = 40_960
MAX_IN: Final = 10_000
MAX_NESTING: Final = 50
"""How deep `$and` and `$or` may stand inside each other."""

METRICS: Final = {
    "cosine": Metric.COSINE,
    "dotproduct": Metric.DOT,
    "euclidean": Metric.EUCLIDEAN,
}
METRIC_NAMES: Final = {metric: name for name, metric in METRICS.items()}

_ENCODED: Final = "x_"
_RESERVED_KEY: Final = re.compile(r"~*_polyvec")

# --- names


def collection_name(index: str) -> str:
    """Return the collection of an index."""
    return f"{_ENCODED}{index}" if index[:1].isdigit() else index


def index_name(collection: str) -> str:
    """Return the index of a collection, the inverse of `collection_name`."""
    rest = collection.removeprefix(_ENCODED)
    return rest if rest[:1].isdigit() and rest != collection else collection


def to_namespace(name: str) -> str:
    """Return polyvec's namespace."""
    return "" if name == DEFAULT_NAMESPACE else name


def from_namespace(name: str) -> str:
    """Return Pinecone's name of a namespace."""
    return name or DEFAULT_NAMESPACE


def check_id(value: object) -> str:
    """Return an id that Pinecone would take in an upsert."""
    if not isinstance(value, str) or not value:
        raise invalid(f"Vector ID must be a non-empty string, got {show(value)}")
    if len(value) > MAX_ID:
        raise invalid(f"Vector ID must be at most {MAX_ID} characters, got {len(value)}")
    if not value.isascii() or "\0" in value:
        raise invalid(f"Vector ID must be ASCII without NUL, but is {show(value)}")
    return value


# --- vectors and scores


def to_vector(values: object, dimension: int, what: str) -> Vector:
    """Return a dense vector.

    Parameters
    ----------
    values
        JSON numbers.
    dimension
        Of the index.
    what
        Names the vector in a refusal.
    """
    if not isinstance(values, list):
        raise invalid(f"{what}: values must be a list of numbers, got {show(values)}")
    numbers: list[Any] = values  # pyright: ignore[reportUnknownVariableType]  # checked below
    if len(numbers) != dimension:
        raise WrongDimension(
            Code.INVALID_ARGUMENT,
            f"Vector dimension {len(numbers)} does not match the dimension of the index "
            f"{dimension}",
        )
    if not set(map(type, numbers)) <= {float, int}:
        raise invalid(f"{what}: values must be a list of numbers")
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused
        vector = np.array(numbers, dtype=np.float64).astype(np.float32)
    if not np.isfinite(vector).all():
        raise invalid(f"{what}: a value does not fit a 32-bit float")
    return vector


def from_score(hit: Hit[Any], metric: Metric) -> float:
    """Return the score that Pinecone would give."""
    return hit.distance**2 if metric is Metric.EUCLIDEAN else hit.score


# --- metadata


def to_metadata(value: Mapping[str, Any], *, strips_null: bool) -> MetadataDict:
    """Return metadata to store; refuses what Pinecone does not keep.

    Parameters
    ----------
    value
        The JSON object.
    strips_null
        Whether the client's API version drops nulls (2026-07) or refuses them.
    """
    stored: MetadataDict = {}
    for key, item in value.items():
        if key.startswith("$"):
            raise invalid(f"Metadata key must not start with '$', got {show(key)}")
        if item is not None:
            stored[to_key(key)] = _to_value(key, item)
        elif not strips_null:
            raise _bad_value(key, "null")
    return stored


def _to_value(key: str, item: object) -> Any:
    match item:
        case str() | bool():
            return item
        case int() | float():
            return float(item)
        case list():
            parts = cast("list[object]", item)
            for part in parts:
                if not isinstance(part, str):
                    raise _bad_value(key, f"a list with {show(part)}")
            return parts
        case _:
            raise _bad_value(key, show(item))


def _bad_value(key: str, got: str) -> Exception:
    return invalid(
        "Metadata value must be a string, number, boolean or list of strings, "
        f"got '{got}' for field '{key}'"
    )


def from_metadata(stored: Mapping[str, Any]) -> Json:
    """Return metadata as JSON; what polyvec stored beyond Pinecone's types stays readable."""
    return {from_key(key): _from_value(v) for key, v in stored.items() if v is not None}


def _from_value(value: Any) -> Any:
    match value:
        case bool() | str() | float():
            return value
        case int():
            return float(value)
        case datetime():
            return value.isoformat()
        case list():
            return [_from_value(item) for item in cast("list[object]", value)]
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return {key: _from_value(item) for key, item in pairs}
        case _:
            return value


def to_key(key: str) -> str:
    """Return the metadata key to store: polyvec reserves those that start with `_polyvec`."""
    return f"~{key}" if _RESERVED_KEY.match(key) else key


def from_key(key: str) -> str:
    """Return the metadata key of a client, the inverse of `to_key`."""
    return key[1:] if key.startswith("~") and _RESERVED_KEY.match(key) else key


# --- filters


def to_filter(value: Mapping[str, Any]) -> Filter | None:
    """Return a filter; `{}` selects everything, and is None."""
    return _object(value, 0) if value else None


def _object(value: Mapping[str, Any], level: int) -> Filter:
    if level > MAX_NESTING:
        raise invalid(f"Filter is nested deeper than {MAX_NESTING} levels")
    if not value:
        raise invalid("Filter inside $and or $or must not be empty")
    parts = [_entry(key, item, level) for key, item in value.items()]
    return parts[0] if len(parts) == 1 else And(*parts)


def _entry(key: str, item: object, level: int) -> Filter:
    if key in ("$and", "$or"):
        if not isinstance(item, list):
            raise invalid(f"{key} must be a list of filters, got {show(item)}")
        if not item:
            raise invalid(f"{key} must not be empty")
        parts: list[Filter] = []
        for part in cast("list[object]", item):
            if not isinstance(part, dict):
                raise invalid(f"{key} must hold filters, got {show(part)}")
            parts.append(_object(cast("Json", part), level + 1))
        return (And if key == "$and" else Or)(*parts)
    if key.startswith("$"):
        raise invalid(f"{show(key)} is not a valid operator here; expected a field, $and or $or")
    path = (to_key(key),)
    if not isinstance(item, dict):
        return _equals(path, item)
    if not item:
        raise invalid(f"Filter on field {show(key)} has no operator")
    leaves = [_operator(path, word, o) for word, o in cast("Json", item).items()]
    return leaves[0] if len(leaves) == 1 else And(*leaves)


def _operator(path: tuple[str, ...], word: str, operand: object) -> Filter:
    if word not in _OPERATORS:
        raise invalid(f"{show(word)} is not a valid operator; expected one of {_WORDS}")
    return _OPERATORS[word](path, operand)


def _equals(path: tuple[str, ...], operand: object) -> Filter:
    value = _scalar("$eq", operand)
    return Or(Eq(path, value), Contains(path, value))


def _among(path: tuple[str, ...], operand: object) -> Filter:
    if not isinstance(operand, list):
        raise invalid(f"$in and $nin take a list, got {show(operand)}")
    found = cast("list[object]", operand)
    if len(found) > MAX_IN:
        raise invalid(f"$in and $nin take at most {MAX_IN} values, got {len(found)}")
    values: Sequence[Any] = [_scalar("$in", item) for item in found]
    return Or(In(path, tuple(values)), ContainsAny(path, tuple(values)))


def _ordered(kind: type[Lt | Le | Gt | Ge]) -> Callable[[tuple[str, ...], object], Filter]:
    def leaf(path: tuple[str, ...], operand: object) -> Filter:
        if isinstance(operand, bool) or not isinstance(operand, (int, float)):
            raise invalid(f"$gt, $gte, $lt and $lte take a number, got {show(operand)}")
        return kind(path, float(operand))

    return leaf


def _exists(path: tuple[str, ...], operand: object) -> Filter:
    if not isinstance(operand, bool):
        raise invalid(f"$exists takes a boolean, got {show(operand)}")
    return Exists(path) if operand else Not(Exists(path))


def _scalar(word: str, operand: object) -> str | float | bool:
    if isinstance(operand, (bool, str)):
        return operand
    if isinstance(operand, (int, float)):
        return float(operand)
    raise invalid(f"{word} takes a string, a number or a boolean, got {show(operand)}")


_OPERATORS: Final[Mapping[str, Callable[[tuple[str, ...], object], Filter]]] = {
    "$eq": _equals,
    "$ne": lambda path, operand: Not(_equals(path, operand)),
    "$in": _among,
    "$nin": lambda path, operand: Not(_among(path, operand)),
    "$gt": _ordered(Gt),
    "$gte": _ordered(Ge),
    "$lt": _ordered(Lt),
    "$lte": _ordered(Le),
    "$exists": _exists,
}
_WORDS: Final = ", ".join(_OPERATORS)
