"""Ids, namespaces and names of collections in the letters that Pinecone allows. Pure.

What Pinecone allows stands for itself: `doc_1` is `doc_1`. Everything else begins with a tilde:
`café` is `~caf%C3%A9`; and where that would be too long, `~#` and a hash, with the original beside
it in the record. So what begins with a tilde itself is encoded too.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import quote, unquote

LONGEST_ID: Final = 512
"""docs.pinecone.io/reference/api/database-limits: characters of an id, ASCII."""

LONGEST_NAMESPACE: Final = 256
"""Ours: Pinecone allows 512, and a gateway over a polyvec store 256."""

LONGEST_NAME: Final = 45
"""docs.pinecone.io/guides/index-data/create-an-index: characters of an index's name."""

HASHED: Final = "~#"
DEFAULT: Final = "__default__"
"""Pinecone's name of the namespace that polyvec calls `""`."""

_PLAIN: Final = re.compile(r"[!-}][ -~]*")
"""Printable ASCII that begins with neither a space nor a tilde."""

_KEPT: Final = "".join(chr(at) for at in range(33, 127) if chr(at) not in "%#~")

_ALLOWED_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_ENCODED: Final = "pv1-"
_DIGESTED: Final = "pv2-"


def to_id(record_id: str) -> str:
    """Return the id that stands for one of ours."""
    if len(record_id) <= LONGEST_ID and _is_plain(record_id):
        return record_id
    return _encoded(record_id, LONGEST_ID)


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text[-1] != " "


def _encoded(text: str, longest: int) -> str:
    found = f"~{quote(text, safe=_KEPT)}"
    if len(found) <= longest:
        return found
    return HASHED + hashlib.sha256(text.encode()).hexdigest()


def from_id(stored: str, original: object = None) -> str:
    """Return our id for a stored one; `original` is what the record says it is."""
    if not stored.startswith("~"):
        return stored
    if stored.startswith(HASHED):
        return original if isinstance(original, str) else stored
    return unquote(stored[1:], errors="replace")


def is_hashed(stored: str) -> bool:
    """Tell whether only the record knows what an id or a namespace stands for."""
    return stored.startswith(HASHED)


def to_space(namespace: str) -> str:
    """Return the namespace that stands for one of ours; `""` is the default one."""
    if not namespace:
        return ""
    long = len(namespace) > LONGEST_NAMESPACE
    if long or namespace.startswith("__") or not _is_plain(namespace):
        return _encoded(namespace, LONGEST_NAMESPACE)
    return namespace


def from_space(stored: str, original: object = None) -> str:
    """Return our namespace for a stored one."""
    return "" if stored == DEFAULT else from_id(stored, original)


def to_index(name: str) -> str:
    """Return the name of the index that stands for a collection.

    `Docs_2` is `pv1-zdocsz12`: `z` and a letter is that letter in upper case, `z0` is `z`, `z1` an
    underscore, `z2` a hyphen at either end. A name too long for that is a hash.
    """
    if _ALLOWED_NAME.fullmatch(name) and not name.startswith((_ENCODED, _DIGESTED)):
        return name
    if _PLAIN_NAME.fullmatch(name):
        found = _ENCODED + "".join(
            _letter(letter, at in (0, len(name) - 1)) for at, letter in enumerate(name)
        )
        if len(found) <= LONGEST_NAME:
            return found
    return _DIGESTED + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:40]


def _letter(letter: str, at_the_end: bool) -> str:
    match letter:
        case "z":
            return "z0"
        case "_":
            return "z1"
        case "-":
            return "z2" if at_the_end else "-"
        case _:
            return f"z{letter.lower()}" if letter.isupper() else letter


_SPECIAL: Final = {"0": "z", "1": "_", "2": "-"}


def from_index(index: str, original: str | None = None) -> str:
    """Return the name of the collection that an index stands for; a hash's is `original`."""
    if index.startswith(_DIGESTED):
        return original or index
    if not index.startswith(_ENCODED):
        return index
    body = index.removeprefix(_ENCODED)
    name = re.sub(r"z(.)", lambda found: _SPECIAL.get(found[1], found[1].upper()), body)
    return name if to_index(name) == index else index


def is_index_name(name: str) -> bool:
    """Tell whether an index may have this name."""
    return _ALLOWED_NAME.fullmatch(name) is not None
