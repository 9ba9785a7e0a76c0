r"""The layout of a record in an index of ours, version 1. Pure.

    {"category": "billing", "price": 9.5, "stock": 7, "tags": ["a", "b"],        the user's
     "at": "2024-06-01T12:00:00+05:30", "author": "{\"name\": \"Ann\"}",         as text
     "_polyvec_terms": ["*", "?category:s", "?price:f", "?stock:i", "?tags:l", "?at:d",
                        "?author:o", "?author.name:s", "=author.name:sAnn"],
     "_polyvec_at.at": 1717223400000000,   microseconds since 1970
     "_polyvec_text": "…",
     "_polyvec_json": "{…}",       None, and ints that a 64-bit float does not hold
     "_polyvec_id": "…",           the id, where the record's own is a hash
     "_polyvec_space": "…",        the namespace, likewise
     "_polyvec_scale": 90}         see `_vectors`

Every top-level field is there under its own name, so that "missing" is `$exists: false`. A term
says which class a field has (`?path:class`). Fields inside objects have no name of their own in
Pinecone's flat metadata: terms say what they equal (`=path:value`); and lists of other things than
strings, what they contain (`@path:value`). The term `*` is in every record.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

from polyvec._canonical import canon, spell
from polyvec._canonical import micros as micros_since_1
from polyvec.operands import instant_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.paths import Path

RESERVED: Final = "_polyvec"
TERMS: Final = "_polyvec_terms"
AT: Final = "_polyvec_at."
TEXT: Final = "_polyvec_text"
TEXT_JSON: Final = "_polyvec_text_json"
JSON: Final = "_polyvec_json"
ID: Final = "_polyvec_id"
SPACE: Final = "_polyvec_space"
SCALE: Final = "_polyvec_scale"
ZERO: Final = "_polyvec_zero"

EVERY: Final = "*"
"""A term of every record."""

CLASSES: Final = "bifIsSdDlmo"
"""Bool; int, float, and an int beyond 2 ** 53; string, and one with a NUL; datetime, and one beyond
2 ** 53 microseconds from 1970; list of strings, any other list; object."""

_FIXED: Final[Mapping[type, str]] = {bool: "b", float: "f", dict: "o"}

LONGEST_TERM: Final = 64
"""Characters of a value that stand in its term; longer ones are hashed."""

SAFE: Final = 2**53
"""Up to here a 64-bit float, Pinecone's only number, holds every int."""

_EPOCH: Final = instant_us(datetime(1970, 1, 1, tzinfo=UTC)) or 0


def micros(moment: datetime) -> int:
    """Return the microseconds of an aware datetime since 1970."""
    return micros_since_1(moment) - _EPOCH


def code_of(value: object) -> str:
    """Return the class of a value that is not None, one of `CLASSES`."""
    if (code := _FIXED.get(type(value))) is not None:
        return code
    match value:
        case bool():
            return "b"
        case int():
            return "i" if abs(value) <= SAFE else "I"
        case float():
            return "f"
        case str():
            return "S" if "\0" in value else "s"
        case datetime():
            return "d" if abs(micros(value)) <= SAFE else "D"
        case list() | tuple():
            items = cast("list[object]", value)
            return "l" if is_natural_list(items) else "m"
        case _:
            return "o"


def is_natural_list(items: Sequence[object]) -> bool:
    """Tell whether Pinecone can hold a list: strings only, and not none of them."""
    return bool(items) and all(isinstance(item, str) and "\0" not in item for item in items)


@lru_cache(maxsize=4096)
def class_term(path: Path, code: str) -> str:
    """Return the term of a field of a class."""
    return f"?{spell(path)}:{code}"


def value_term(kind: str, path: Path, value: object) -> str:
    """Return the term of a field that equals a value (`=`), or of a list that has it (`@`)."""
    rest = canon(value)
    if len(rest) > LONGEST_TERM or "\0" in rest:
        rest = f"#{rest[0]}{hashlib.sha256(rest.encode()).hexdigest()[:40]}"
    return f"{kind}{spell(path)}:{rest}"
