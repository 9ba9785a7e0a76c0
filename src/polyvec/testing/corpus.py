"""Hostile strings: what breaks quoting, escaping, tokenising, encoding or comparing.

Each is data like any other. Whoever pastes one into a query language, a path
or a pattern changes what is read or deleted, and the sentinel beside it shows.
"""

from __future__ import annotations

from typing import Final

HOSTILE: Final[tuple[str, ...]] = (
    # SQL
    "' OR '1'='1",
    "' OR 1=1 --",
    "x'; DROP TABLE articles; --",
    "author' = 'alice' OR '1'='1' --",
    "') OR TRUE --",
    "1; DELETE FROM t",
    "' UNION SELECT NULL --",
    "O'Brien",
    "''",
    "'",
    '"',
    '""',
    '" OR ""="',
    "`id`",
    "$$; DROP SCHEMA public; $$",
    "%s",
    "%(x)s",
    "{0}",
    "{x!r}",
    ":name",
    "?",
    "$1",
    "/* */",
    "--",
    "#",
    # patterns
    "%",
    "_",
    "a%b",
    "*",
    "a*",
    "?*",
    ".*",
    "^a$",
    "[a-z]",
    "(a|b)",
    "\\",
    "\\\\",
    "back\\",
    "\\'",
    '\\"',
    "\\n",
    "\\x00",
    "\\u0000",
    # expression and JSON languages
    "a == 'b' || true",
    "a && b",
    "not a",
    "x in ['a']",
    "true",
    "false",
    "null",
    "None",
    "NaN",
    "123",
    "1.0",
    "1e5",
    "2024_1",
    "0x10",
    "{}",
    "[]",
    '{"$or": []}',
    '{"$ne": null}',
    "$or",
    "$eq",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "&amp;",
    # paths and separators
    "../../etc/passwd",
    "a/b",
    "/",
    ".",
    "..",
    "a.b",
    "a#b",
    "a:b",
    "a,b",
    "a;b",
    "a|b",
    "a\tb",
    "a\nb",
    "\r\n",
    " ",
    "  a",
    "a ",
    "__internal__",
    "_polyvec_",
    # encodings and scripts
    "é",
    "e\u0301",
    "ß",
    "\u017f",
    "İ",
    "日本語",
    "😀",
    "👩\u200d👩\u200d👧",
    "\u202eabc",
    "\u200b",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "\x01",
    "\x7f",
    "\uff21\uff22\uff23",
    "a" * 200,
    # the same thing in another dress
    "10",
    "1",
    "01",
    "doc1",
    "doc10",
    "Doc1",
    "550e8400-e29b-41d4-a716-446655440000",
    "550E8400-E29B-41D4-A716-446655440000",
)
"""More than a hundred distinct strings, each allowed as an id, a value and a text."""

KEYS: Final = tuple(
    text for text in HOSTILE if len(text) <= 128 and not text.startswith(("$", "_polyvec"))
)
"""Those that are allowed as metadata keys."""

WITH_NUL: Final[tuple[str, ...]] = ("\x00", "a\x00b", "a\x00", "\x00' OR '1'='1")
"""Allowed as string values and texts, not as ids, keys or names."""
