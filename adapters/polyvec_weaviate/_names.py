"""Names of collections and aliases as Weaviate's. Pure.

Weaviate takes letters, digits and `_`, makes the first letter a capital and tells names apart by
their lower case only. Ours are `Polyvec_` and the name in lower case, where an escape marks what
would be lost: `__` is `_`, `_0` is `-`, `_a` is `A`.
"""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = "Polyvec_"
_ESCAPE: Final = re.compile(r"[A-Z_-]")
_ESCAPED: Final = re.compile(r"_(.)")


def encode(name: str) -> str:
    """Return Weaviate's name of a collection or alias of ours.

    Examples
    --------
    >>> encode("Docs-2_x")
    'Polyvec__docs_02__x'
    """
    return PREFIX + _ESCAPE.sub(_escape, name)


def decode(name: str) -> str | None:
    """Return the name that `encode` was given; None for a name that it never returns."""
    if not name.startswith(PREFIX):
        return None
    found = _ESCAPED.sub(_unescape, name.removeprefix(PREFIX))
    return found if encode(found) == name else None


def is_legal(name: str) -> bool:
    """Tell whether Weaviate can have a collection or alias of this very name."""
    return re.fullmatch(r"[A-Z][_0-9A-Za-z]{0,254}", name) is not None


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    return {"_": "__", "-": "_0"}.get(char, f"_{char.lower()}")


def _unescape(found: re.Match[str]) -> str:
    return {"_": "_", "0": "-"}.get(found[1], found[1].upper())
