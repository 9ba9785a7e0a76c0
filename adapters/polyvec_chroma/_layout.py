"""The layout of a record in a collection of ours, version 1. Pure.

    metadata of the user            native metadata of Chroma, and tags
    {"price": 9.5,                  "price": 9.5, "_polyvec_o:price": <int>        "f:price"
     "stock": 3,                    "stock": 3                                     "i:stock"
     "name": "Ada",                 "name": "Ada", "_polyvec_o:name": <int>        "s:name"
     "ok": True,                    "ok": True                                     "b:ok"
     "at": <datetime>,              "at": "2024-…", "_polyvec_o:at": <int>         "d:at"
     "tags": ["x"],                 "tags": ["x"]                      "l:tags", items, "=…"
     "author": {"name": "Ada"}}     "author.name": "Ada", …            "o:author", "s:author.name"

The list `_polyvec_tags` says which field has which class; one write replaces it whole, whatever
other writers leave behind (Chroma merges metadata, trap S12). So every filter asks the tags
first. `_polyvec_o:<field>` is an int that sorts as the value does, because Chroma compares neither
strings nor datetimes, and keeps floats only to their last digit but one. `_polyvec` is the sidecar:
JSON text with what Chroma cannot hold. `_polyvec_key` is where a scan finds the record.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from polyvec.operands import instant_us
from polyvec.paths import Path, format_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SIDECAR: Final = "_polyvec"
TAGS: Final = "_polyvec_tags"
KEY: Final = "_polyvec_key"
WRITE: Final = "_polyvec_write"
ORDER: Final = "_polyvec_o:"
RESERVED: Final = "_polyvec"

REGULAR: Final = "r"
"""First tag of a record whose fields can all be filtered."""

WIDE: Final = "w"
"""Only tag of a record with more fields or items than Chroma can index."""

MARK: Final = "v"
"""First character of the last tag: which write the tags are of, see `_codec`."""

INT: Final = "i"
FLOAT: Final = "f"
STR: Final = "s"
BOOL: Final = "b"
DATETIME: Final = "d"
LIST: Final = "l"
OBJECT: Final = "o"
CLASSES: Final = (INT, FLOAT, STR, BOOL, DATETIME, LIST, OBJECT)

MAX_ROWS: Final = 5_000
"""Keys of a record, and items of all its lists, at most.

Measured: 5,461 and more make the whole collection unusable for ever (trap S3)."""

LONGEST_ITEM: Final = 100
"""Code points of a list's item that stand in its tag; longer ones are hashed."""

Scalar: TypeAlias = "str | int | float | bool | datetime"


def field_name(path: Path) -> str:
    r"""Return the native key that holds the value at a path; different paths, different keys.

    Examples
    --------
    >>> field_name(("price",)), field_name(("author", "name"))
    ('price', 'author.name')
    >>> print(field_name(("#1",)))
    \#1
    """
    text = format_path(path)
    # Chroma refuses keys that begin with "#" and hides those that begin with "chroma:". In the
    # text of a path a single backslash only stands before a dot or a backslash.
    return f"\\{text}" if text.startswith(("#", "chroma:")) else text


def class_tag(kind: str, path: Path) -> str:
    """Return the tag that says that the value at a path has a class."""
    return f"{kind}:{format_path(path)}"


def item_tag(path: Path, item: Scalar) -> str:
    """Return the tag that says that the list at a path has an item."""
    where = format_path(path)
    return f"e{len(where)}:{where}{_token(item)}"


def list_tag(path: Path, items: Sequence[Any]) -> str | None:
    """Return the tag that says what the whole list at a path is; None for one with objects.

    No operand equals a list with an object in it.
    """
    text = _list_token(items)
    if text is None:
        return None
    return f"={hashlib.sha256(text.encode()).hexdigest()[:32]}{format_path(path)}"


def instant(value: datetime) -> int:
    """Return the microseconds of an aware datetime since the year 1."""
    moment = instant_us(value)
    assert moment is not None, "the core lets no naive datetime through"
    return moment


def _token(value: Scalar) -> str:
    text = _scalar_token(value)
    if len(text) <= LONGEST_ITEM:
        return text
    return f"h{hashlib.sha256(text.encode()).hexdigest()}"


def _scalar_token(value: Scalar) -> str:
    """Return a text that two scalars share exactly when polyvec takes them for equal."""
    match value:
        case bool():
            return f"b{int(value)}"
        case str():
            return f"s{value}"
        case int():
            return f"n{value}"
        case float():
            return f"n{int(value) if value.is_integer() else repr(value)}"
        case _:
            return f"d{instant(value)}"


def _list_token(items: Sequence[Any]) -> str | None:
    parts: list[str | None] = [_nested_token(item) for item in items]
    if any(part is None for part in parts):
        return None
    return json.dumps(parts)


def _nested_token(item: object) -> str | None:
    match item:
        case None:
            return "0"
        case dict():
            return None
        case list() | tuple():
            text = _list_token(cast("Sequence[Any]", item))
            return None if text is None else f"l{text}"
        case _:
            return _scalar_token(cast("Scalar", item))
