r"""The layout of a record in a collection of ours, version 1. Pure.

    pk           "tenant_1/doc_1": namespace, with % and / escaped, and id; the order is that of ids
    ns           "tenant_1"
    vector       as it came
    meta         the metadata as JSON; datetimes are text in UTC of fixed width, ordered as text
    text         "" also where there is none
    _polyvec_v1  {"t": ["n:price", "s:category"],  tags: the class of each field, see below
                  "j": "…",      top-level values with datetimes in them, with their offsets
                  "n": true,     no text
                  "v": "…"}      the vector in base64, where the unit vector is stored instead

A tag says which class a field has (`class:path`), which class its list holds (`lclass:path`), or
what JSON in Milvus cannot compare: `=n:int:path` and `~n:int:path` (in a list) beyond 2 ** 53,
`=l:hash:path` for a whole list. Comparisons mean nothing without them: `1 == true` on Milvus Lite,
and `!=` on a missing field has meant different things in different versions.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from base64 import urlsafe_b64encode
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

from polyvec import _canonical

if TYPE_CHECKING:
    from polyvec.paths import Path

PK: Final = "pk"
NS: Final = "ns"
VECTOR: Final = "vector"
META: Final = "meta"
TEXT: Final = "text"
SIDE: Final = "_polyvec_v1"
SIDE_PREFIX: Final = "_polyvec_v"
LAYOUT_VERSION: Final = 1

TAGS: Final = "t"
KEPT: Final = "j"
NO_TEXT: Final = "n"
BITS: Final = "v"

CLASSES: Final = "nbsdlo"
"""Number, bool, string, datetime, list, object."""

EXACT: Final = 2**53
"""Ints from here on are not all doubles."""

LONGEST_PATH: Final = 40
"""Bytes of a path that stand in a tag; longer ones are hashed."""

ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
DAY_US: Final = 86_400_000_000
LAST_DAY: Final = 3_652_059
"""The ordinal of 9999-12-31."""


def class_of(value: object) -> str:
    """Return the class of a value, empty for None."""
    return "" if value is None else _canonical.class_of(value)


def moment_text(moment: datetime) -> str:
    """Return an instant as UTC text of fixed width, which sorts as instants do.

    Where UTC leaves the years 1 to 9999, the day before has year 0, and the day after is hours 24
    and more of the last one.
    """
    day, rest = divmod(_canonical.micros(moment), DAY_US)
    extra = max(0, day + 1 - LAST_DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    hour = seconds // 3600 + 24 * extra
    date = "0000-12-31" if day < 0 else _date(day + 1 - extra)
    return f"{date}T{hour:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}Z"


def _date(ordinal: int) -> str:
    found = datetime.fromordinal(ordinal)
    return f"{found.year:04}-{found.month:02}-{found.day:02}"


def whole(value: float) -> int | float:
    """Return an int in place of a float that is one."""
    if isinstance(value, int):
        return value
    return int(value) if value.is_integer() else value


def is_big(value: float) -> bool:
    """Tell whether a number is one that Milvus may round when it compares."""
    return math.isfinite(value) and abs(value) >= EXACT


def digest(value: object) -> str:
    """Return a text that two lists share exactly when polyvec takes them for equal."""
    return _hash(json.dumps(_shape(value)))


def _shape(value: object) -> object:
    match value:
        case list() | tuple():
            return [_shape(item) for item in cast("list[object]", value)]
        case dict():
            pairs = sorted(cast("dict[str, object]", value).items())
            return {key: _shape(item) for key, item in pairs if item is not None}
        case bool() | None:
            return value
        case int() | float():
            return f"n{whole(value)!r}"
        case datetime():
            return f"d{moment_text(value)}"
        case _:
            return f"s{value}"


def _hash(text: str) -> str:
    found = hashlib.sha256(text.encode()).digest()[:15]
    return urlsafe_b64encode(found).decode()


@lru_cache(maxsize=4096)
def spell(path: Path) -> str:
    """Return a path as one text; different paths, different texts."""
    text = ".".join(re.sub(r"([\\.:#])", r"\\\1", key) for key in path)
    return text if len(text.encode()) <= LONGEST_PATH else f"#{_hash(text)}"


def tag(kind: str, path: Path) -> str:
    """Return the tag of a class, or of a value spelt out in `kind`, at a path."""
    return f"{kind}:{spell(path)}"


def big_tag(kind: str, value: float, path: Path) -> str:
    """Return the tag of a number that Milvus may round; `=` for a field, `~` for an item."""
    return tag(f"{kind}n:{whole(value)!r}", path)


def list_tag(value: object, path: Path) -> str:
    """Return the tag of a whole list."""
    return tag(f"=l:{digest(value)}", path)


def escape_namespace(namespace: str) -> str:
    """Return a namespace without slashes."""
    return namespace.replace("%", "%25").replace("/", "%2F")


def pk_of(namespace: str, record_id: str) -> str:
    """Return the primary key of a record."""
    return f"{escape_namespace(namespace)}/{record_id}"


def id_of(pk: str) -> str:
    """Return the id in a primary key."""
    return pk[pk.index("/") + 1 :]
