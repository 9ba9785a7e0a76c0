"""Requests that must be refused before any I/O, and the error each must end in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import numpy as np

from polyvec.errors import (
    DimensionMismatchError,
    FilterError,
    InvalidRequestError,
    PolyvecError,
)
from polyvec.filters import And, F, Or
from polyvec.schema import HNSW
from polyvec.testing.bad_calls import BAD_RECORDS, GOOD, BadCall, calling
from polyvec.testing.rows import DIMENSION, vectors


def _deep_filter(depth: int) -> Any:
    where: Any = F("a") == 1
    for at in range(depth):
        where = Or(where, F("b") == at) if at % 2 else And(where, F("c") == at)
    return where


def _queries() -> list[BadCall]:
    zero_k: tuple[Any, ...] = (0, -1, "3", 2.0, None, True)
    includes: tuple[Any, ...] = (("vectors",), "metadata", (1,), ("id",), 7)
    vectors_: dict[str, Any] = {
        "short": [1.0] * (DIMENSION - 1),
        "nan": [float("nan")] * DIMENSION,
        "infinity": [float("inf"), 0.0, 0.0, 0.0],
        "text": "vector",
        "block": vectors(2),
        "none": None,
        "bools": [True] * DIMENSION,
    }
    return [
        *(
            BadCall(
                f"top_k_{value!r}",
                calling("query", GOOD, top_k=value),
                InvalidRequestError,
                (repr(value),),
            )
            for value in zero_k
        ),
        *(
            BadCall(
                f"include_{value!r}",
                calling("query", GOOD, include=value),
                InvalidRequestError,
            )
            for value in includes
        ),
        *(
            BadCall(f"query_{name}", calling("query", value), PolyvecError)
            for name, value in vectors_.items()
        ),
        BadCall(
            "query_many_short",
            lambda ns: ns.query_many(np.ones((2, DIMENSION - 1), dtype=np.float32)),
            DimensionMismatchError,
        ),
        BadCall("query_many_one", lambda ns: ns.query_many(GOOD), PolyvecError),
        BadCall("min_score_text", lambda ns: ns.query(GOOD, min_score="0.5"), InvalidRequestError),
        BadCall(
            "min_score_nan", lambda ns: ns.query(GOOD, min_score=float("nan")), InvalidRequestError
        ),
        BadCall("search_dict", lambda ns: ns.query(GOOD, search={"ef": 1}), InvalidRequestError),
        BadCall(
            "exact_and_search",
            lambda ns: ns.query(GOOD, search=HNSW(ef_search=10), exact="yes"),
            InvalidRequestError,
        ),
        BadCall(
            "get_include", lambda ns: ns.get(["kept_1"], include=("score",)), InvalidRequestError
        ),
        BadCall("timeout_zero", lambda ns: ns.query(GOOD, timeout_s=0), InvalidRequestError),
        BadCall("timeout_text", lambda ns: ns.query(GOOD, timeout_s="3"), InvalidRequestError),
    ]


def _filters() -> list[BadCall]:
    bad: dict[str, Any] = {
        "field": F("a"),
        "bool": True,
        "text": "a = 1",
        "callable": bool,
        "list": [F("a") == 1],
        "unknown_operator": {"a": {"$regex": "x"}},
        "object_operand": {"a": {"b": 1}},
        "exists_int": {"a": {"$exists": 1}},
        "nan": {"a": {"$gt": float("nan")}},
        "ordering_bool": {"a": {"$gt": True}},
        "ordering_null": {"a": {"$lt": None}},
        "in_scalar": {"a": {"$in": "x"}},
        "naive_datetime": {"a": datetime(2024, 1, 1)},  # noqa: DTZ001 - naive on purpose
        "int_65_bits": {"a": 2**63},
        "and_of_object": {"$and": {"a": 1}},
        "empty_key": {"": 1},
        "reserved_key": {"_polyvec_x": 1},
        "deeper_than_50": _deep_filter(60),
    }
    calls: list[BadCall] = []
    for name, where in bad.items():
        verbs: dict[str, Callable[[Any], Any]] = {
            "query": calling("query", GOOD, filter=where),
            "count": calling("count", where),
            "delete": calling("delete", filter=where),
            "update": calling("update", filter=where, set={"n": 9}),
            "explain": calling("explain", where),
            "why": calling("why", "kept_1", where),
        }
        calls += [
            BadCall(f"{verb}_filter_{name}", call, FilterError) for verb, call in verbs.items()
        ]
    return calls


def _requests() -> list[BadCall]:
    anything = F("n").exists() | ~F("n").exists()
    return [
        BadCall("delete_nothing_named", lambda ns: ns.delete(), InvalidRequestError, ("clear",)),
        BadCall("delete_all_by_filter", lambda ns: ns.delete(filter=And()), InvalidRequestError),
        BadCall("delete_all_by_dict", lambda ns: ns.delete(filter={}), InvalidRequestError),
        BadCall("delete_all_folded", lambda ns: ns.delete(filter=anything), InvalidRequestError),
        BadCall("delete_one_text", lambda ns: ns.delete("kept_1"), PolyvecError, ("list",)),
        BadCall("get_one_text", lambda ns: ns.get("kept_1"), PolyvecError, ("list",)),
        BadCall("update_nothing_named", lambda ns: ns.update(set={"n": 9}), InvalidRequestError),
        BadCall(
            "update_all_by_filter", lambda ns: ns.update(filter=And(), set={"n": 9}), PolyvecError
        ),
        BadCall("update_no_change", lambda ns: ns.update(["kept_1"]), InvalidRequestError),
        BadCall(
            "update_set_and_unset",
            lambda ns: ns.update(["kept_1"], set={"n": 9}, unset=["n"]),
            InvalidRequestError,
        ),
        BadCall("update_unset_text", lambda ns: ns.update(["kept_1"], unset="n"), PolyvecError),
        BadCall(
            "update_vectors_too_few",
            lambda ns: ns.update(["kept_1", "kept_2"], vectors=vectors(1)),
            PolyvecError,
        ),
        BadCall(
            "update_vectors_nan",
            lambda ns: ns.update(["kept_1"], vectors=np.full((1, DIMENSION), np.nan)),
            PolyvecError,
        ),
        BadCall(
            "update_texts_too_few",
            lambda ns: ns.update(["kept_1", "kept_2"], texts=["x"]),
            PolyvecError,
        ),
        BadCall(
            "update_vectors_by_filter",
            lambda ns: ns.update(filter=F("n") == 1, vectors=vectors(1)),
            InvalidRequestError,
        ),
        BadCall("upsert_nothing", lambda ns: ns.upsert(), InvalidRequestError),
        BadCall("upsert_dicts", lambda ns: ns.upsert([{"id": "bad_0"}]), PolyvecError),
        BadCall("upsert_iterator", lambda ns: ns.upsert(iter([])), PolyvecError),
        BadCall(
            "upsert_both_forms",
            lambda ns: ns.upsert([], ids=["bad_0"], vectors=vectors(1)),
            InvalidRequestError,
        ),
        BadCall(
            "wait_timeout", lambda ns: ns.wait_until_visible(["kept_1"], timeout_s=-1), PolyvecError
        ),
        BadCall("namespace_int", lambda ns: ns.namespace(7), InvalidRequestError, ("7",)),
        BadCall("namespace_nul", lambda ns: ns.namespace("a\0"), InvalidRequestError),
        BadCall("namespace_257", lambda ns: ns.namespace("n" * 257), InvalidRequestError, ("257",)),
        BadCall("drop_namespace_int", lambda ns: ns.drop_namespace(7), InvalidRequestError),
    ]


BAD_CALLS: Final = [
    *BAD_RECORDS,
    *_queries(),
    *_filters(),
    *_requests(),
]

BAD_SCANS: Final[tuple[tuple[str, dict[str, Any], type[PolyvecError]], ...]] = (
    ("batch_size_zero", {"batch_size": 0}, InvalidRequestError),
    ("batch_size_text", {"batch_size": "10"}, InvalidRequestError),
    ("after_int", {"after": 3}, InvalidRequestError),
    ("after_foreign", {"after": "no cursor of ours"}, InvalidRequestError),
    ("include_unknown", {"include": ("score",)}, InvalidRequestError),
    ("filter_text", {"filter": "a = 1"}, FilterError),
    ("filter_too_deep", {"filter": _deep_filter(60)}, FilterError),
)
"""Scans raise when they are first advanced, or before."""

BAD_COLLECTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("name_empty", {"name": ""}),
    ("name_64", {"name": "a" * 64}),
    ("name_digit_first", {"name": "1abc"}),
    ("name_space", {"name": "a b"}),
    ("name_slash", {"name": "a/b"}),
    ("name_dots", {"name": "../x"}),
    ("name_unicode", {"name": "é"}),
    ("name_newline", {"name": "abc\n"}),
    ("name_int", {"name": 7}),
    ("dimension_zero", {"dimension": 0}),
    ("dimension_text", {"dimension": "4"}),
    ("dimension_bool", {"dimension": True}),
    ("metric_unknown", {"metric": "manhattan"}),
    ("index_text", {"index": "hnsw"}),
    ("index_fields_unknown_class", {"index_fields": {"a": bytes}}),
)
"""Arguments of `create_collection` that make it `InvalidRequestError`."""
