"""Facts: what the side table knows about each value in a record's metadata.

A fact is a row `(path, kind, value, record)`. A kind is the class of the value, so that values
of different classes never meet, and SQLite compares two values of one kind exactly as polyvec does:

number      the int or float itself; SQLite compares both by exact value
str         the text; SQLite compares UTF-8 bytes, which is the order of code points
bool        0 or 1
datetime    microseconds since 0001-01-01T00:00Z
list        the number of items
object      0
item …      one fact for each different scalar in a list, with the kind of the item
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from polyvec.operands import instant_us

Fact: TypeAlias = tuple[str, str, str | int | float]
"""Path, kind and value."""

NUMBER: Final = "number"
STR: Final = "str"
BOOL: Final = "bool"
DATETIME: Final = "datetime"
LIST: Final = "list"
OBJECT: Final = "object"
ITEM: Final = "item "

VALUES: Final = (NUMBER, STR, BOOL, DATETIME, LIST, OBJECT)
"""A field that is there and not None has exactly one fact of these kinds."""

MAX_PATH: Final = 8
"""Keys of the longest path that has facts; filters on longer ones are the core's to decide."""


def path_text(path: tuple[str, ...]) -> str:
    """Return the text that stands for a path; different paths have different texts."""
    return json.dumps(path, ensure_ascii=False, separators=(",", ":"))


def scalar_fact(value: str | float | bool | datetime) -> tuple[str, str | int | float]:
    """Return kind and value of a scalar."""
    match value:
        case bool():
            return BOOL, int(value)
        case str():
            return STR, value
        case datetime():
            instant = instant_us(value)
            assert instant is not None, "the core lets no naive datetime through"
            return DATETIME, instant
        case _:
            return NUMBER, value


def facts_of(metadata: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[Fact]:
    """Yield the facts of checked metadata."""
    for key, value in metadata.items():
        if value is not None:
            yield from _facts(value, (*above, key))


def _facts(value: object, path: tuple[str, ...]) -> Iterator[Fact]:
    where = path_text(path)
    match value:
        case dict():
            yield where, OBJECT, 0
            if len(path) < MAX_PATH:
                yield from facts_of(cast("dict[str, Any]", value), path)
        case list():
            items = cast("list[object]", value)
            yield where, LIST, len(items)
            for item in items:
                if isinstance(item, (str, int, float, datetime)):
                    kind, plain = scalar_fact(item)
                    yield where, ITEM + kind, plain
        case _:
            yield where, *scalar_fact(cast("Any", value))
