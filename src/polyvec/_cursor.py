"""The cursor of a scan: a position of the adapter, bound to collection, namespace and filter. Pure.

It is text that any process can use, so it carries what it belongs to: a cursor
of another filter, namespace or collection would silently skip records.
"""

from __future__ import annotations

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from polyvec.errors import InvalidRequestError
from polyvec.filters import And, Not, Or
from polyvec.operands import instant_us
from polyvec.rewrite import is_all, normal_form

if TYPE_CHECKING:
    from polyvec.filters import Filter

VERSION: Final = 1
PARTS: Final = ("collection", "namespace", "filter")

Place: TypeAlias = tuple[str, str]
"""Collection and namespace."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a scan starts: after `position`, at the beginning, or behind the end."""

    position: str | None
    done: bool


def fingerprint(where: Filter | None) -> str:
    """Return a short text that equal filters share."""
    if where is None or is_all(where):
        return ""
    return sha256(_text(normal_form(where)).encode()).hexdigest()[:16]


def _text(node: Filter) -> str:
    """Return a text that equal filters share, which `repr` is not: 1 and 1.0 are equal."""
    match node:
        case And(operands) | Or(operands):
            return f"{type(node).__name__}({','.join(map(_text, operands))})"
        case Not(operand):
            return f"Not({_text(operand)})"
        case _:
            fields = [_plain(getattr(node, name)) for name in node.__match_args__]
            return f"{type(node).__name__}{fields!r}"


def _plain(value: object) -> object:
    match value:
        case tuple():
            return [_plain(item) for item in cast("tuple[object, ...]", value)]
        case float() if value.is_integer():
            return int(value)
        case datetime():
            return {"instant": instant_us(value)}
        case _:
            return value


def encode(position: str | None, place: Place, filter_print: str) -> str:
    """Return the cursor after an adapter's position; None means behind the end."""
    fields = [VERSION, *place, filter_print, position]
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def decode(cursor: object, place: Place, filter_print: str) -> Start:
    """Return where a scan starts.

    Raises
    ------
    InvalidRequestError
        Not a cursor, or one of another collection, namespace or filter.
    """
    if cursor is None:
        return Start(None, done=False)
    if not isinstance(cursor, str) or not cursor:
        raise InvalidRequestError(
            f"after={cursor!r}: expected the cursor of a batch of the same scan, or None"
        )
    version, *found, position = _fields(cursor)
    if version != VERSION:
        raise InvalidRequestError(f"after= is a cursor of version {version!r}; expected {VERSION}")
    for name, there, here in zip(PARTS, found, (*place, filter_print), strict=True):
        if there != here:
            raise InvalidRequestError(
                f"after= is a cursor of another {name}; continue a scan with what it started with"
            )
    return Start(position, done=position is None)


def _fields(cursor: str) -> list[Any]:
    fields: Any = None
    with suppress(binascii.Error, ValueError, RecursionError):
        fields = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    match fields:
        case [_, str(), str(), str(), str() | None]:
            return [*fields]
        case _:
            raise InvalidRequestError(f"after={cursor[:40]!r} is not a cursor that polyvec made")
