"""What a field of a typed model can hold, read from its annotations.

Classes are those of the filter language: number (int and float), bool, str, datetime, list and
object. Where an annotation says nothing that is known here, anything is allowed.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Union,
    cast,
    get_args,
    get_origin,
)

import pydantic
from pydantic import BaseModel, RootModel

from polyvec.errors import FilterError
from polyvec.paths import Path, format_path

_DATETIMES: Final[tuple[object, ...]] = (
    datetime,
    pydantic.AwareDatetime,
    pydantic.PastDatetime,
    pydantic.FutureDatetime,
)


@dataclass(frozen=True, slots=True)
class FieldType:
    """The classes that a field may have, what its lists hold and what its objects have inside.

    Parameters
    ----------
    classes
        Empty for a field that is always None; ignored when `anything`.
    anything
        Nothing is known, so everything is allowed.
    items
        One entry for each list type of the annotation.
    models
        Typed objects that the field may be.
    values
        One entry for each `dict[str, X]` of the annotation.
    """

    classes: frozenset[str] = frozenset()
    anything: bool = False
    items: tuple[FieldType, ...] = field(default=(), repr=False)
    models: tuple[type[BaseModel], ...] = field(default=(), repr=False)
    values: tuple[FieldType, ...] = field(default=(), repr=False)

    def may_be(self, name: str) -> bool:
        """Tell whether a value can be of the class."""
        return self.anything or name in self.classes

    def may_hold(self, name: str) -> bool:
        """Tell whether an item of a list can be of the class."""
        return self.anything or any(item.may_be(name) for item in self.items)

    def __str__(self) -> str:
        if self.anything:
            return "anything"
        names = sorted(self.classes - {"list"})
        names += [f"list of {item}" for item in self.items]
        return " or ".join(names) or "always None"


ANYTHING: Final = FieldType(anything=True)


def class_of(value: object) -> str:
    """Return the class of an operand, in the words of the filter language."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "str"
        case datetime():
            return "datetime"
        case _:
            return "list"


def field_type(model: type[BaseModel], path: Path) -> FieldType:
    """Return what the model allows at the path.

    Raises
    ------
    FilterError
        If the model has no such field; the message lists those it has.
    """
    found = FieldType(frozenset({"object"}), models=(model,))
    for at, key in enumerate(path):
        if found.anything:
            return found
        inside = [*found.values]
        for owner in found.models:
            known = _fields_of(owner)
            if key in known:
                inside.append(known[key])
            elif owner.model_config.get("extra") == "allow":
                inside.append(ANYTHING)
        if not inside:
            raise _unknown(model, path, at, found)
        found = _merge(inside)
    return found


@lru_cache(maxsize=256)
def _fields_of(model: type[BaseModel]) -> dict[str, FieldType]:
    """Return what each field holds, by the key that it is stored under."""
    if not model.__pydantic_complete__:
        model.model_rebuild(raise_errors=False)
    known = {
        info.serialization_alias or info.alias or name: _read(info.annotation)
        for name, info in model.model_fields.items()
        if not info.exclude
    }
    for name, computed in model.model_computed_fields.items():
        known[computed.alias or name] = _read(computed.return_type)
    return known


def _read(annotation: object) -> FieldType:
    """Translate an annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _read(arguments[0])
    if origin in (Union, types.UnionType):
        return _merge([_read(argument) for argument in arguments])
    if origin is Literal:
        return _merge([_of_value(value) for value in arguments])
    if isinstance(annotation, NewType):
        return _read(annotation.__supertype__)
    if annotation in _DATETIMES:
        return FieldType(frozenset({"datetime"}))
    if annotation is None or annotation is types.NoneType:
        return FieldType()
    if hasattr(annotation, "__value__"):  # an alias made by the `type` statement
        return _read(cast("Any", annotation).__value__)
    if isinstance(origin or annotation, type):
        return _read_class(cast("type", origin or annotation), arguments)
    return ANYTHING


def _read_class(cls: type, arguments: tuple[object, ...]) -> FieldType:
    if issubclass(cls, RootModel):
        return _read(cls.model_fields["root"].annotation)
    if issubclass(cls, BaseModel):
        return FieldType(frozenset({"object"}), models=(cls,))
    if issubclass(cls, Enum):
        return _merge([_of_value(member) for member in cls])
    if issubclass(cls, bool):
        return FieldType(frozenset({"bool"}))
    if issubclass(cls, (int, float)):
        return FieldType(frozenset({"number"}))
    if issubclass(cls, str):
        return FieldType(frozenset({"str"}))
    if issubclass(cls, datetime):
        return FieldType(frozenset({"datetime"}))
    if issubclass(cls, Mapping):
        value = _read(arguments[1]) if len(arguments) == 2 else ANYTHING
        return FieldType(frozenset({"object"}), values=(value,))
    if issubclass(cls, Collection) and not issubclass(cls, (bytes, bytearray)):
        items = [_read(argument) for argument in arguments if argument is not Ellipsis]
        return FieldType(frozenset({"list"}), items=(_merge(items) if items else ANYTHING,))
    return ANYTHING


def _of_value(value: object) -> FieldType:
    """Return the type of a member of a `Literal` or an `Enum`."""
    plain = cast("object", value.value) if isinstance(value, Enum) else value
    return _read(type(plain))


def _merge(parts: Iterable[FieldType]) -> FieldType:
    """Return the union of what the parts allow."""
    found = list(parts)
    if any(part.anything for part in found):
        return ANYTHING
    return FieldType(
        frozenset[str]().union(*(part.classes for part in found)),
        items=tuple(item for part in found for item in part.items),
        models=tuple(owner for part in found for owner in part.models),
        values=tuple(value for part in found for value in part.values),
    )


def _unknown(model: type[BaseModel], path: Path, at: int, found: FieldType) -> FilterError:
    from difflib import get_close_matches

    name, key = format_path(path), path[at]
    if not found.models:
        parent = format_path(path[:at])
        return FilterError(
            f"unknown field {name!r}: field {parent!r} of {model.__name__} is {found} and has no "
            f"field {key!r}"
        )
    known = sorted({stored for owner in found.models for stored in _fields_of(owner)})
    owners = " or ".join(owner.__name__ for owner in found.models)
    guesses = [
        info.serialization_alias or info.alias or key
        for owner in found.models
        for attribute, info in owner.model_fields.items()
        if attribute == key and not info.exclude
    ] or get_close_matches(key, known, n=1)
    full = format_path((*path[:at], guesses[0])) if guesses else ""
    hint = f"did you mean {full!r}? " if guesses else ""
    return FilterError(
        f"unknown field {name!r}: {owners} has no field {key!r}; {hint}"
        f"known fields: {', '.join(map(repr, known)) or 'none'}"
    )
