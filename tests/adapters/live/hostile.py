"""At least 500 hostile strings: the suite's corpus, and what combinations of it make worse."""

from __future__ import annotations

from itertools import product
from typing import Final

from polyvec.testing.corpus import HOSTILE

_WRAPPERS: Final = (
    "{}",
    "'{}'",
    '"{}"',
    "`{}`",
    "({})",
    "[{}]",
    "{{{}}}",
    "$${}$$",
    "%({})s",
    "$.{}",
    "\\{}",
    "{}\\",
    "{}--",
    "/*{}*/",
)
_CORES: Final = (
    "x",
    "' OR '1'='1",
    '" OR ""="',
    "'; DROP TABLE t; --",
    "a.b",
    "a' -> 'b",
    "{a,b}",
    "$[*] ? (@ == 1)",
    "$where",
    "namespace",
    "_polyvec_x",
    "id",
    "null",
    "1",
    "%s",
    "%%",
    "\\u0000",
    "é",
    "日本",
    "😀",
    "\u202e",
    "\x01",
    "\x7f",
    "\x01\x02",
    "\n",
    "\t",
    " ",
    "'",
    '"',
    "\\",
    "\\'",
    '\\"',
)
_LONG: Final = ("a" * 512, "é" * 512, "\U0010ffff" * 512, "'" * 512, "\\" * 512, '"' * 511 + "x")


def _all() -> tuple[str, ...]:
    made = [wrapper.format(core) for wrapper, core in product(_WRAPPERS, _CORES)]
    return tuple(dict.fromkeys([*HOSTILE, *made, *_LONG]))


STRINGS: Final = _all()
"""Distinct; each is allowed as an id, a value and a text."""

SHORT: Final = tuple(text for text in STRINGS if len(text) <= 128)
KEYS: Final = tuple(text for text in SHORT if not text.startswith(("$", "_polyvec")))
"""Those that are allowed as metadata keys."""

NAMESPACES: Final = tuple(text[:256] for text in STRINGS)
