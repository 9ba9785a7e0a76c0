# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic

"""Faults of text: prefixes, patterns, quoting, encodings, injection."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from tests.mutants.judging import judged, leaf, translated

from polyvec.filters import And, Contains, Eq, Filter, In, Not, Or, StartsWith


@leaf("#5 haystack Weaviate: like without an anchor", StartsWith)
def prefix_found_anywhere(node: StartsWith, value: Any) -> bool | None:
    return isinstance(value, str) and node.prefix in value


@leaf("ILIKE in place of LIKE", StartsWith)
def prefix_ignores_case(node: StartsWith, value: Any) -> bool | None:
    return isinstance(value, str) and value.lower().startswith(node.prefix.lower())


@leaf("#5 haystack Weaviate: wildcard unescaped", StartsWith)
def prefix_wildcards_unescaped(node: StartsWith, value: Any) -> bool | None:
    pattern = re.escape(node.prefix).replace("%", ".*").replace("_", ".").replace(r"\*", ".*")
    return isinstance(value, str) and re.match(pattern, value, re.DOTALL) is not None


@leaf("full-text tokenisation", StartsWith)
def prefix_of_any_word(node: StartsWith, value: Any) -> bool | None:
    if isinstance(value, str) and node.prefix:
        return any(word.startswith(node.prefix) for word in value.split())
    return None


@leaf("#8, #17: operands pasted into the query", Eq, In, Contains, StartsWith)
def injection_in_operand(node: Any, value: Any) -> bool | None:
    texts = getattr(node, "values", None) or (
        getattr(node, "value", getattr(node, "prefix", None)),
    )
    hostile = any(
        isinstance(text, str) and re.search(r"' or ", text, re.IGNORECASE) for text in texts
    )
    return True if hostile else None


@judged("#8, #19: keys pasted into the query")
def injection_in_key(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, (And, Or, Not)):
        return None
    return True if any(re.search(r"' or ", key, re.IGNORECASE) for key in node.path) else None


def _text(change: Any) -> Any:
    return lambda value: change(value) if isinstance(value, str) else value


translated(
    "apostrophe_doubled", "#21 Semantic Kernel: SQL-style '", _text(lambda s: s.replace("'", "''"))
)
translated(
    "backslash_swallowed",
    "#12 LlamaIndex Milvus: \\ not escaped",
    _text(lambda s: s.replace("\\", "")),
)
translated("quote_swallowed", '#17 agno Milvus: " not escaped', _text(lambda s: s.replace('"', "")))
translated(
    "control_characters_swallowed", "newlines in expressions", _text(lambda s: s.replace("\n", " "))
)
translated(
    "strings_cut_at_nul",
    "C strings; Postgres text",
    _text(lambda s: s.split("\0")[0]),
    _text(lambda s: s.split("\0")[0]),
)
translated(
    "strings_trimmed",
    "3.1: embedded and trailing spaces",
    _text(str.strip),
    _text(str.strip),
)
translated(
    "strings_normalised",
    "unicode normalisation on the server",
    _text(lambda s: unicodedata.normalize("NFC", s)),
    _text(lambda s: unicodedata.normalize("NFC", s)),
)
translated(
    "non_ascii_lost",
    "3.1: unicode lost",
    _text(lambda s: s.encode("ascii", "replace").decode()),
    _text(lambda s: s.encode("ascii", "replace").decode()),
)
