# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic

"""Faults of single conditions: classes, absence, lists, prefixes, paths, quoting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from tests.mutants.judging import at, judged, leaf, negated

from polyvec.evaluate import find, matches
from polyvec.filters import (
    And,
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Filter,
    Ge,
    Gt,
    In,
    Le,
    Lt,
    Not,
    Or,
    StartsWith,
)

ORDERINGS = (Lt, Le, Gt, Ge)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ordered(node: Any, left: Any, right: Any) -> bool:
    """Compare by the operator of the node."""
    match node:
        case Lt():
            return bool(left < right)
        case Le():
            return bool(left <= right)
        case Gt():
            return bool(left > right)
        case _:
            return bool(left >= right)


@leaf("#1 haystack Qdrant: MatchText for strings with a space", Eq)
def eq_by_tokens(node: Eq, value: Any) -> bool | None:
    if isinstance(node.value, str) and isinstance(value, str) and " " in node.value:
        return set(node.value.split()) <= set(value.split())
    return None


@leaf("3.1 haystack mutant: eq by prefix", Eq)
def eq_by_prefix(node: Eq, value: Any) -> bool | None:
    if isinstance(node.value, str) and isinstance(value, str):
        return value.startswith(node.value)
    return None


@leaf("3.1 haystack mutant: eq case-insensitive", Eq)
def eq_ignores_case(node: Eq, value: Any) -> bool | None:
    if isinstance(node.value, str) and isinstance(value, str):
        return value.casefold() == node.value.casefold()
    return None


@leaf("#1 haystack Qdrant, 3.1: in by substring", In)
def in_by_substring(node: In, value: Any) -> bool | None:
    if isinstance(value, str):
        return any(isinstance(item, str) and item in value for item in node.values)
    return None


@leaf("#3 haystack pgvector: ::real", Eq)
def float_eq_in_single_precision(node: Eq, value: Any) -> bool | None:
    if _number(node.value) and isinstance(value, float):
        return float(np.float32(value)) == node.value
    return None


@leaf("#14 LlamaIndex Weaviate: int coercion", Eq, In)
def eq_truncates_floats(node: Any, value: Any) -> bool | None:
    if isinstance(value, float) and abs(value) < 1e15:
        return matches(node, at(node.path, int(value)))
    return None


@leaf("#9 LlamaIndex Postgres: numbers through float", Eq, In, *ORDERINGS)
def big_ints_as_floats(node: Any, value: Any) -> bool | None:
    operand = getattr(node, "value", None)
    if not _number(value) or not _number(operand):
        return None
    left, right = float(value), float(operand or 0)
    return left == right if isinstance(node, Eq) else _ordered(node, left, right)


@leaf("#25 Spring AI Qdrant: bool and number mixed", Eq, In)
def bool_is_int(node: Any, value: Any) -> bool | None:
    if isinstance(value, bool):
        operands = node.values if isinstance(node, In) else (node.value,)
        return any(
            not isinstance(item, (str, tuple, datetime)) and item == value for item in operands
        )
    return None


@leaf("#16 agno pgvector: 'True' compared with 'true'", Eq)
def bool_as_text(node: Eq, value: Any) -> bool | None:
    if isinstance(node.value, bool):
        return bool(value == str(node.value))
    return None


@leaf("#9 LlamaIndex Postgres: float(value) guess", Eq)
def number_guessed_from_text(node: Any, value: Any) -> bool | None:
    if isinstance(node.value, str) and _number(value):
        try:
            return bool(float(node.value) == value)
        except ValueError:
            return None
    return None


@leaf("#29 mem0 pgvector: '2.0' is not '2'", Eq)
def number_eq_as_text(node: Eq, value: Any) -> bool | None:
    if _number(node.value) and _number(value):
        return str(node.value) == str(value)
    return None


@leaf("#19 crossvector pgvector: strings cast to numbers", *ORDERINGS)
def ordering_casts_text(node: Any, value: Any) -> bool | None:
    if _number(node.value) and isinstance(value, str) and value.isascii() and value.isdigit():
        return _ordered(node, int(value), node.value)
    return None


@leaf("#25 Spring AI Qdrant: Long.parseLong(2.5)", *ORDERINGS)
def ordering_truncates(node: Any, value: Any) -> bool | None:
    if _number(node.value) and isinstance(value, float) and abs(value) < 1e15:
        return _ordered(node, int(value), int(node.value))
    return None


@leaf("2.1 SQL collations: numbers as text", *ORDERINGS)
def ordering_as_text(node: Any, value: Any) -> bool | None:
    if _number(node.value) and _number(value):
        return _ordered(node, str(value), str(node.value))
    return None


@leaf("#22 Semantic Kernel: negative literals", *ORDERINGS)
def negative_operand_loses_sign(node: Any, value: Any) -> bool | None:
    if _number(node.value) and _number(value) and node.value < 0:
        return _ordered(node, value, -node.value)
    return None


@leaf("2.1 SQL collations: order of a locale", *ORDERINGS)
def strings_ordered_by_locale(node: Any, value: Any) -> bool | None:
    if isinstance(node.value, str) and isinstance(value, str):
        return _ordered(node, value.casefold(), node.value.casefold())
    return None


@leaf("#27 Spring AI SimpleVectorStore: NULLS FIRST", Lt, Le)
def missing_orders_first(node: Any, value: Any) -> bool | None:
    return True if value is None else None


@leaf("off by one of a range", Le)
def le_as_lt(node: Le, value: Any) -> bool | None:
    return matches(Lt(node.path, node.value), at(node.path, value))


@leaf("off by one of a range", Gt)
def gt_as_ge(node: Gt, value: Any) -> bool | None:
    return matches(Ge(node.path, node.value), at(node.path, value))


@leaf("2.2 inverted comparisons", Ge)
def ge_as_le(node: Ge, value: Any) -> bool | None:
    return matches(Le(node.path, node.value), at(node.path, value))


@leaf("#5 haystack Weaviate: wall time + Z", Eq, In, Contains, *ORDERINGS)
def datetime_offset_dropped(node: Any, value: Any) -> bool | None:
    operand = getattr(node, "value", None)
    if isinstance(operand, datetime) and isinstance(value, datetime):
        left, right = value.replace(tzinfo=None), operand.replace(tzinfo=None)
        return left == right if isinstance(node, Eq) else _ordered(node, left, right)
    return None


@leaf("2.1 servers with millisecond dates", Eq, *ORDERINGS)
def datetime_in_milliseconds(node: Any, value: Any) -> bool | None:
    if isinstance(node.value, datetime) and isinstance(value, datetime):
        left, right = (
            moment.replace(microsecond=moment.microsecond // 1000 * 1000)
            for moment in (value, node.value)
        )
        return left == right if isinstance(node, Eq) else _ordered(node, left, right)
    return None


@leaf("2.1 dates stored as ISO text", Eq, *ORDERINGS)
def datetime_as_text(node: Any, value: Any) -> bool | None:
    if isinstance(node.value, datetime) and isinstance(value, (datetime, str)):
        left = value if isinstance(value, str) else value.isoformat()
        right = node.value.isoformat()
        return left == right if isinstance(node, Eq) else _ordered(node, left, right)
    return None


@judged("#6 haystack Chroma: field.split('.')[-1]")
def path_by_last_segment(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, (And, Or, Not)) or len(node.path) == 1:
        return None
    value = metadata.get(node.path[-1])
    return matches(node, at(node.path, value))


@judged("#5 haystack Weaviate: 'meta.' removed everywhere")
def path_prefix_removed(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, (And, Or, Not)) or len(node.path) == 1:
        return None
    kept = tuple(key for key in node.path if key != "deep") or node.path
    return matches(node, at(node.path, find(kept, metadata)))


@judged("the literal-key-first reading of dotted names")
def dotted_key_read_as_path(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, (And, Or, Not)):
        return None
    name = ".".join(node.path)
    if name in metadata:
        return matches(node, at(node.path, metadata[name]))
    return matches(node, at(node.path, find(tuple(name.split(".")), metadata)))


@judged("2.1 servers with case-insensitive field names")
def field_names_ignore_case(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, (And, Or, Not)) or len(node.path) > 1:
        return None
    folded = {key.casefold(): value for key, value in metadata.items()}
    return matches(node, at(node.path, folded.get("".join(node.path).casefold())))


@judged("reserved names: `id` and `text` taken for columns")
def column_names_shadow_metadata(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, (And, Or, Not)) or node.path[:1] not in {("id",), ("text",), ("class",)}:
        return None
    return matches(node, {})


@negated("Spring AI, langchain4j: != leaves out records without the field", Eq)
def ne_excludes_missing(node: Eq, value: Any) -> bool | None:
    return False if value is None else None


@negated("#28 langchain4j Qdrant: matchExcept", In)
def not_in_excludes_missing(node: In, value: Any) -> bool | None:
    return False if value is None else None


@negated("#4 haystack Weaviate: NOT(>) becomes <=", *ORDERINGS)
def not_ordering_excludes_missing(node: Any, value: Any) -> bool | None:
    return False if value is None else None


@negated("SQL three-valued logic on lists", Contains, ContainsAny, ContainsAll)
def not_contains_excludes_missing(node: Any, value: Any) -> bool | None:
    return False if value is None else None


@negated("SQL three-valued logic on LIKE", StartsWith)
def not_prefix_excludes_missing(node: StartsWith, value: Any) -> bool | None:
    return False if value is None else None


@judged("#12 LlamaIndex Milvus: None as present")
def none_is_present(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    if isinstance(node, Exists) and len(node.path) == 1:
        return node.path[0] in metadata
    return None


@leaf("#12 LlamaIndex Milvus: is_empty is array_length == 0", Exists)
def empty_list_is_missing(node: Exists, value: Any) -> bool | None:
    return False if value == [] else None


@leaf("2.1 falsy values taken for missing", Exists)
def falsy_is_missing(node: Exists, value: Any) -> bool | None:
    return bool(value)


@judged("#12 LlamaIndex Milvus: == None clause skipped")
def missing_clause_skipped(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
    return True if isinstance(node, Not) and isinstance(node.operand, Exists) else None


@leaf("Pinecone's $eq on list fields", Contains)
def contains_on_scalars(node: Contains, value: Any) -> bool | None:
    return matches(Eq(node.path, node.value), at(node.path, value)) or None


@leaf("Pinecone's $eq on list fields", Eq, In)
def eq_on_lists_is_contains(node: Any, value: Any) -> bool | None:
    if isinstance(value, list):
        items: list[Any] = value
        return any(matches(node, at(node.path, item)) for item in items) or None
    return None


@leaf("2.1 contains on a str as substring", Contains)
def contains_by_substring(node: Contains, value: Any) -> bool | None:
    if isinstance(node.value, str) and isinstance(value, str):
        return node.value in value
    return None


@leaf("2.1 LlamaIndex #20237: CONTAINS dropped, matched all", Contains, ContainsAny, ContainsAll)
def contains_clause_dropped(node: Any, value: Any) -> bool | None:
    return True


@leaf("any and all mixed up", ContainsAny)
def contains_any_as_all(node: ContainsAny, value: Any) -> bool | None:
    return matches(ContainsAll(node.path, node.values), at(node.path, value))


@leaf("any and all mixed up", ContainsAll)
def contains_all_as_any(node: ContainsAll, value: Any) -> bool | None:
    return matches(ContainsAny(node.path, node.values), at(node.path, value))


@leaf("only the first item indexed", Contains)
def contains_first_item_only(node: Contains, value: Any) -> bool | None:
    return matches(node, at(node.path, value[:1])) if isinstance(value, list) else None


@leaf("#25 bool and number mixed, in lists", Contains, ContainsAny)
def contains_bool_as_int(node: Any, value: Any) -> bool | None:
    if isinstance(value, list) and True in value:
        operands = node.values if isinstance(node, ContainsAny) else (node.value,)
        return any(item == 1 for item in operands if not isinstance(item, str)) or None
    return None


@leaf("lists stored as sets", Eq)
def list_eq_ignores_order(node: Eq, value: Any) -> bool | None:
    if isinstance(node.value, tuple) and isinstance(value, list):
        return sorted(map(repr, node.value)) == sorted(map(repr, value))
    return None
