r"""The layout of a record in a collection of ours, version 1. Pure.

    category: "billing", price: 9.5, author__name: "x",      the user's, one per path and class
    _polyvec_id: "doc_1", _polyvec_text: "…", _polyvec_doc: '{"category":"billing",…}',
    _polyvec_ns: "1f0c3d2e=tenant_1|",                       number of the collection, namespace
    _polyvec_terms: ["*|", "?category:s|", "=category:sbilling|", "=price:n9.5|", "@tags:sred|"]
    _polyvec_in_1f0c3d2e: {},                                a property of this collection only

A term says which class a field has (`?path:class`), what it equals (`=path:value`), what its list
contains (`@path:value`), or that its property cannot order it (`!path:class`). Weaviate trims
white space off what it indexes, so that every term and namespace has a guard at both ends. Terms
decide every filter but orderings, for any key and class, whatever the schema is at the moment.

The empty object makes a write fail where the collection is gone or another one has its name, with
no look at the schema before: Weaviate would else make a collection or property that an object
needs (AUTOSCHEMA_ENABLED, its default), but one of objects must say what they hold, and `{}` does
not (measured, 1.38.11: "At least one nested property is required").
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from polyvec._canonical import micros, spell

if TYPE_CHECKING:
    from polyvec.paths import Path

ID: Final = "_polyvec_id"
DOC: Final = "_polyvec_doc"
TEXT: Final = "_polyvec_text"
NS: Final = "_polyvec_ns"
TERMS: Final = "_polyvec_terms"
GUARD: Final = "_polyvec_in_"
"""With the number of the collection behind it."""
RESERVED: Final = "_polyvec"
VECTOR: Final = "default"
"""Name of the vector of collections of ours; also what the client calls an unnamed one."""

EVERY: Final = "*|"
"""A term of every record."""

CLASSES: Final = "bnsdlo"
"""Bool, number, string, datetime, list, object."""

LONGEST_TERM: Final = 200
"""Characters of a value that stand in its term; longer ones are hashed."""

FIRST_DATE: Final = datetime(1677, 9, 22, tzinfo=UTC)
LAST_DATE: Final = datetime(2262, 4, 11, tzinfo=UTC)
"""Weaviate indexes dates as nanoseconds in 64 bits, which wrap beyond (measured, 1.38.11)."""

SPACE: Final = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000"
)
"""What Weaviate trims off both ends of text in its index: `unicode.IsSpace` of Go."""


FIRST_US: Final = micros(FIRST_DATE)
LAST_US: Final = micros(LAST_DATE)


def side_of(moment: datetime) -> str:
    """Return `<` or `>` for a moment before or after what Weaviate can order, else nothing."""
    at = micros(moment)
    return "<" if at < FIRST_US else ">" if at > LAST_US else ""


def term(kind: str, path: Path, rest: str) -> str:
    """Return a term; the first colon that no backslash stands before ends the path."""
    if len(rest) > LONGEST_TERM:
        rest = f"#{rest[0]}{hashlib.sha256(rest.encode()).hexdigest()}"
    return f"{kind}{spell(path)}:{rest}|"


def is_trimmed(text: str) -> bool:
    """Tell whether Weaviate's index holds a string as it is."""
    return not text or (text[0] not in SPACE and text[-1] not in SPACE)


def namespace_term(number: str, namespace: str) -> str:
    """Return what `_polyvec_ns` of a record holds."""
    return f"{number}={namespace}|"


def namespace_of(number: str, text: str) -> str | None:
    """Return the namespace of a value of `_polyvec_ns`; None for one of another collection."""
    head, found, tail = text.partition("=")
    return tail[:-1] if found and head == number and tail.endswith("|") else None
