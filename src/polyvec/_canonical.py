"""Texts that stand for values, paths and records: equal ones one text, different ones two. Pure.

What an adapter keeps in an index of terms, where the database's own comparison is not polyvec's.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from polyvec.operands import instant_us

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polyvec.paths import Path

_SPECIAL: Final = re.compile(r"([\\.:])")


def class_of(value: object) -> str:
    """Return the class of a value that is not None: one of `bnsdlo`.

    Bool, number, string, datetime, list, object.
    """
    match value:
        case bool():
            return "b"
        case int() | float():
            return "n"
        case str():
            return "s"
        case datetime():
            return "d"
        case list() | tuple():
            return "l"
        case _:
            return "o"


def fields(metadata: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield path and value of every field that is not None, those of inner objects too."""
    for key, value in metadata.items():
        if value is not None:
            path = (*above, key)
            yield path, value
            if isinstance(value, dict):
                yield from fields(cast("dict[str, Any]", value), path)


def record_uuid(namespace: str, record_id: str) -> str:
    """Return the UUID of a record: version 8, 122 bits of a hash of namespace and id."""
    text = json.dumps([namespace, record_id])
    digest = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def micros(moment: datetime) -> int:
    """Return the microseconds of an aware datetime since the year 1."""
    value = instant_us(moment)
    assert value is not None, "the core lets no naive datetime through"
    return value


def canon(value: object) -> str:
    """Return a text that two values share exactly when polyvec takes them for equal."""
    match value:
        case None:
            return "z"
        case bool():
            return f"b{int(value)}"
        case int():
            return f"n{value}"
        case float():
            return f"n{int(value)}" if value.is_integer() else f"n{value!r}"
        case str():
            return f"s{value}"
        case datetime():
            return f"d{micros(value)}"
        case _:
            # One dumps: a text in a text would double its escapes at every level.
            return class_of(value) + json.dumps(_shape(value), ensure_ascii=False)


def _shape(value: object) -> object:
    match value:
        case list() | tuple():
            return [_shape(item) for item in cast("list[object]", value)]
        case dict():
            pairs = sorted(cast("dict[str, object]", value).items())
            return {key: _shape(item) for key, item in pairs if item is not None}
        case _:
            return canon(value)


@lru_cache(maxsize=4096)
def spell(path: Path) -> str:
    """Return a path as one text without a bare colon; different paths, different texts."""
    return ".".join(_SPECIAL.sub(r"\\\1", key) for key in path)
