"""Indexes that polyvec did not make: leaves to conditions, and records. Pure.

`$eq` finds a value, and a list that contains it; which of the two it was, no condition tells. So a
leaf is bounded from above, the core checks what comes back, and of a complement nothing is known.
That a field is there or missing is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never, cast

from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.filters import (
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    Not,
    StartsWith,
)
from polyvec_pinecone._compile import OPS
from polyvec_pinecone._layout import SAFE
from polyvec_pinecone._names import DEFAULT, LONGEST_ID
from polyvec_pinecone._where import Side, among, both, bounds, either, exists

if TYPE_CHECKING:
    from polyvec.bounds import Bounds
    from polyvec.operands import Operand

Record: TypeAlias = "Mapping[str, Any]"

LONGEST_NAMESPACE: Final = 512


def leaf(node: Leaf, negated: bool) -> Bounds:
    """Compile a leaf or its complement."""
    whole = Not(node) if negated else node
    key, *deeper = node.path
    if deeper:  # Pinecone's metadata is flat
        return bounds(whole, negated, negated)
    match node:
        case Exists():
            there = exists(key, not negated)
            return bounds(whole, there, there)
        case Eq(_, value) | Contains(_, value):
            upper = _one_of(key, (value,))
        case In(_, values) | ContainsAny(_, values):
            upper = _one_of(key, values)
        case ContainsAll(_, values):
            upper = both(exists(key, True), *(_one_of(key, (value,)) for value in values))
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            upper = _ordered(OPS[type(node)], key, value)
        case StartsWith():
            upper = exists(key, True)
        case _:
            assert_never(node)
    if upper is False:  # nothing of the kind is stored
        return bounds(whole, negated, negated)
    return bounds(whole, False, True if negated else upper)


def _one_of(key: str, values: Sequence[Operand]) -> Side:
    """Return a superset of the records of which a field is one of the values, or has one."""
    found: list[Any] = []
    for value in values:
        match value:
            case tuple():
                return exists(key, True)
            case datetime():
                pass  # no field of Pinecone's is one
            case str():
                found.append(value)
            case bool():
                found.append(value)
            case _:
                found.append(float(value))
    sides: list[Side] = [
        among(key, part)
        for kind in (str, bool, float)
        if (part := [value for value in found if type(value) is kind])
    ]
    return either(*sides)


def _ordered(op: str, key: str, value: Operand) -> Side:
    match value:
        case str():
            return exists(key, True)
        case datetime():
            return False
        case _:
            number = float(cast("float", value))
            if abs(number) < SAFE:
                return {key: {op: number}}
            return {key: {op if op.endswith("e") else f"{op}e": number}}


def id_of(record_id: str) -> str | None:
    """Return the stored id that an id stands for; None where there can be no such record."""
    return record_id if _is_ascii(record_id, LONGEST_ID) else None


def space_of(namespace: str) -> str | None:
    """Return the stored namespace; None where there can be none of that name."""
    if not namespace:
        return ""
    if namespace == DEFAULT:
        return None
    return namespace if _is_ascii(namespace, LONGEST_NAMESPACE) else None


def _is_ascii(text: str, longest: int) -> bool:
    return text.isascii() and "\0" not in text and 0 < len(text) <= longest


def metadata_of(stored: Record, text: str | None) -> dict[str, Any]:
    """Return the metadata of a record that polyvec did not write; numbers are floats there."""
    return {key: _value(value) for key, value in stored.items() if key != text}


def _value(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def text_of(stored: Record, text: str | None) -> str | None:
    """Return the text of a record, None where no key plays that role."""
    found = None if text is None else stored.get(text)
    return found if isinstance(found, str) else None


def stored_of(record_id: str, metadata: Record, text: str | None, role: str | None) -> Any:
    """Return the metadata of a record in an index that polyvec did not make.

    Raises
    ------
    InvalidRecordError
        Something that Pinecone would not give back as it was.
    NotSupportedError
        A text, and no key plays that role.
    """
    if id_of(record_id) is None:
        raise InvalidRecordError(
            f"id {record_id!r}: pinecone's ids are 1 to {LONGEST_ID} characters of ASCII; use one "
            "of them, or a collection of polyvec's"
        )
    for key, value in metadata.items():
        if (fault := _fault(value)) is not None:
            raise InvalidRecordError(
                f"record {record_id!r}: {key!r} is {fault}, which pinecone does not give back in "
                "an index that polyvec did not make; leave it out, or use one of polyvec's"
            )
        if key == role:
            raise InvalidRecordError(f"record {record_id!r}: {key!r} is the text of this index")
    if text is None:
        return dict(metadata)
    if role is None:
        raise NotSupportedError(
            f"record {record_id!r} has a text; open the collection with "
            "native=NativeLayout(text=...) to say which key holds it"
        )
    return {**metadata, role: text}


def _fault(value: object) -> str | None:
    match value:
        case None:
            return "None"
        case bool() | float() | str():
            return None
        case int():
            return f"an int ({value!r}): its numbers are floats"
        case list():
            items = cast("list[object]", value)
            if items and all(isinstance(item, str) for item in items):
                return None
            return "a list of other things than strings, or of nothing"
        case datetime():
            return "a datetime"
        case _:
            return "an object"
