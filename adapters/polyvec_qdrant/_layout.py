r"""The layout of a record in a collection of ours, version 1. Pure.

    {"category": "billing", "price": 9.5, "at": "2024-06-01T12:00:00+05:30",   the user's
     "_polyvec_ns": "", "_polyvec_id": "doc_1", "_polyvec_text": "…",
     "_polyvec_norm": 3.2,         length of the vector: Qdrant keeps unit vectors for cosine
     "_polyvec_vector": "…",       base64, where unit length would cost the vector digits
     "_polyvec_terms": ["?category:s", "=category:sbilling", "=price:n9.5", "@tags:sred"],
     "_polyvec_order": {"category": 111458613732480},
     "_polyvec_json": "{…}"}       top-level values that JSON in Qdrant does not keep

A term says which class a field has (`?path:class`), what it equals (`=path:value`), or what its
list contains (`@path:value`). One keyword index over the terms decides every filter but orderings,
for any key and any class, whatever other indexes there are. Strings are ordered by the first six
bytes of their UTF-8 as one int; numbers and datetimes by the natural field, or, where Qdrant
cannot hold or name them, by a pair of ints.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from polyvec._canonical import spell

if TYPE_CHECKING:
    from polyvec.paths import Path

NS: Final = "_polyvec_ns"
ID: Final = "_polyvec_id"
TEXT: Final = "_polyvec_text"
NORM: Final = "_polyvec_norm"
EXACT: Final = "_polyvec_vector"
TERMS: Final = "_polyvec_terms"
ORDER: Final = "_polyvec_order"
JSON: Final = "_polyvec_json"
RESERVED: Final = "_polyvec"

LONGEST_TERM: Final = 200
"""Characters of a value that stand in its term; longer ones are hashed."""

CLASSES: Final = "bnNsdDlo"
"""Bool, number, string, datetime, list, object; N and D can be compared by the pair only."""

FIRST_DAY: Final = datetime(1, 1, 1, tzinfo=UTC)
LAST_DAY: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
"""Qdrant compares datetimes from the first to the last of these."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def term(kind: str, path: Path, rest: str) -> str:
    """Return a term; the first colon that no backslash stands before ends the path."""
    if len(rest) > LONGEST_TERM:
        rest = f"#{rest[0]}{hashlib.sha256(rest.encode()).hexdigest()}"
    return f"{kind}{spell(path)}:{rest}"


def natural_key(path: Path) -> str | None:
    """Return the path as Qdrant writes it, None where it cannot name it.

    Quoted keys hold anything but a double quote and a backslash (measured, 1.18.3).
    """
    if any('"' in key or "\\" in key for key in path):
        return None
    return ".".join(key if _BARE.fullmatch(key) else f'"{key}"' for key in path)


def order_field(path: Path) -> str:
    """Return the key below `_polyvec_order` for a path."""
    text = spell(path)
    if '"' in text or "\\" in text:
        return "#" + hashlib.sha256(text.encode()).hexdigest()[:32]
    return text


def order_key(path: Path) -> str:
    """Return the order of a path as Qdrant names it."""
    return f'{ORDER}."{order_field(path)}"'
