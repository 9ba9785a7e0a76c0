# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of reads: fidelity, columns, order, scan, count, namespaces."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from tests.mutants.registry import add, fault

from polyvec.collection import Collection
from polyvec.memory.columns import View
from polyvec.memory.space import Space
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Target
from polyvec.records import RecordBatch
from polyvec.types import ALL_COLUMNS, Metric


def _batches(patch: pytest.MonkeyPatch, change: Any) -> None:
    """Change every batch that the memory store hands out."""
    right = View.batch
    patch.setattr(View, "batch", lambda self, rows, wanted: change(right(self, rows, wanted)))


def _values(name: str, peer: str, change: Any) -> None:
    """Register a fault that changes every metadata value on the way out, nested ones too."""

    def deep(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: deep(item) for key, item in value.items()}
        if isinstance(value, list):
            return [deep(item) for item in value]
        return change(value)

    def batch(found: RecordBatch) -> RecordBatch:
        if found.metadata is None:
            return found
        return replace(found, metadata=[deep(item) for item in found.metadata])

    add(name, peer, "metadata as read", lambda patch: _batches(patch, batch))


def _metadata(name: str, peer: str, change: Any) -> None:
    """Register a fault that changes whole metadata objects on the way out."""

    def batch(found: RecordBatch) -> RecordBatch:
        if found.metadata is None:
            return found
        return replace(found, metadata=[change(item) for item in found.metadata])

    add(name, peer, "metadata as read", lambda patch: _batches(patch, batch))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _single(value: Any) -> Any:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) if type(value) is float else value


def _dates(value: Any) -> Any:
    if isinstance(value, str) and "T" in value:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def _utc(value: Any) -> Any:
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC)
        except OverflowError:
            return value
    return value


_values("numeric_text_parsed", "#38 vector-io: json.loads of strings", _parsed)
_values(
    "ints_become_floats",
    "3.1 langchain mutant; Pinecone's numbers",
    lambda v: float(v) if type(v) is int else v,
)
_values(
    "whole_floats_become_ints",
    "JSON of other languages",
    lambda v: int(v) if type(v) is float and v.is_integer() and abs(v) < 2**53 else v,
)
_values("floats_in_single_precision", "#3 haystack pgvector: ::real", _single)
_values(
    "bools_become_ints", "bool and number mixed", lambda v: int(v) if isinstance(v, bool) else v
)
_values("datetimes_move_to_utc", "#5 offset dropped on read", _utc)
_values(
    "datetimes_lose_microseconds",
    "RFC 3339 with milliseconds",
    lambda v: v.replace(microsecond=v.microsecond // 1000 * 1000) if isinstance(v, datetime) else v,
)
_values(
    "datetimes_become_text",
    "2.1 #5 datetimes in metadata",
    lambda v: v.isoformat() if isinstance(v, datetime) else v,
)
_values("iso_text_becomes_datetime", "Weaviate's auto schema", _dates)
_values(
    "non_ascii_lost_on_read",
    "3.1 langchain mutant",
    lambda v: v.encode("ascii", "replace").decode() if isinstance(v, str) else v,
)
_values("nul_removed", "Postgres text", lambda v: v.replace("\0", "") if isinstance(v, str) else v)
_values("strings_stripped", "spaces lost on read", lambda v: v.strip() if isinstance(v, str) else v)
_metadata(
    "nones_dropped",
    "3.1 langchain mutant; #37 haystack Chroma",
    lambda item: {key: value for key, value in item.items() if value is not None},
)
_metadata(
    "empty_lists_dropped",
    "Weaviate and Chroma refuse or drop them",
    lambda item: {key: value for key, value in item.items() if value != []},
)
_metadata(
    "nested_values_dropped",
    "3.1 langchain mutant; #37",
    lambda item: {key: value for key, value in item.items() if not isinstance(value, dict)},
)
_metadata(
    "nested_values_as_json_text",
    "#38 and many sidecar-less adapters",
    lambda item: {
        key: json.dumps(value, default=str) if isinstance(value, dict) else value
        for key, value in item.items()
    },
)
_metadata(
    "lists_joined",
    "2.1 #5 list metadata",
    lambda item: {
        key: ",".join(map(str, value)) if isinstance(value, list) and value else value
        for key, value in item.items()
    },
)
_metadata(
    "keys_lowercased",
    "case-insensitive columns",
    lambda item: {key.lower(): value for key, value in item.items()},
)
_metadata(
    "reserved_names_dropped",
    "id and text as columns",
    lambda item: {key: value for key, value in item.items() if key not in {"id", "text"}},
)


@fault("empty text as None", "texts as read")
def empty_text_is_none(patch: pytest.MonkeyPatch) -> None:
    _batches(
        patch,
        lambda found: replace(found, texts=found.texts and [text or None for text in found.texts]),
    )


@fault("text in place of None", "texts as read")
def none_text_is_empty(patch: pytest.MonkeyPatch) -> None:
    _batches(
        patch,
        lambda found: replace(found, texts=found.texts and [text or "" for text in found.texts]),
    )


@fault("#20 crossvector, #22 Semantic Kernel: the score in the metadata", "search")
def score_written_into_metadata(patch: pytest.MonkeyPatch) -> None:
    right = Collection.query

    def query(self: Any, *args: Any, **kw: Any) -> Any:
        hits = right(self, *args, **kw)
        for hit in hits:
            if isinstance(hit.record.__dict__.get("metadata"), dict):
                hit.record.metadata["_score"] = hit.score
        return hits

    patch.setattr(Collection, "query", query)


@fault("cosine servers return normalised vectors", "vectors as read")
def vectors_come_back_normalised(patch: pytest.MonkeyPatch) -> None:
    def change(found: RecordBatch) -> RecordBatch:
        if found.vectors is None or not len(found):
            return found
        norms = np.linalg.norm(found.vectors, axis=1, keepdims=True)
        return replace(found, vectors=found.vectors / np.maximum(norms, 1e-30))

    right = MemoryAdapter.get

    def get(self: Any, target: Target, *args: Any, **kw: Any) -> Any:
        found = right(self, target, *args, **kw)
        return change(found) if target.collection.metric is Metric.COSINE else found

    patch.setattr(MemoryAdapter, "get", get)


@fault("QM PR #117: precision", "vectors as read")
def vectors_in_half_precision(patch: pytest.MonkeyPatch) -> None:
    def change(found: RecordBatch) -> RecordBatch:
        if found.vectors is None:
            return found
        with np.errstate(over="ignore"):
            half = found.vectors.astype(np.float16).astype(np.float32)
        return replace(found, vectors=half)

    _batches(patch, change)


@fault("2.5 #26 ids in lower case", "ids of the memory store")
def ids_ignore_case(patch: pytest.MonkeyPatch) -> None:
    right = Space.rows

    def rows(self: Any, ids: Any) -> Any:
        folded = {key.lower(): key for key in self._row_of}
        return right(self, [folded.get(key.lower(), key) for key in ids])

    patch.setattr(Space, "rows", rows)


@fault("2.5 #26 ids trimmed", "ids of the memory store")
def ids_trimmed(patch: pytest.MonkeyPatch) -> None:
    right = Space.rows
    patch.setattr(Space, "rows", lambda self, ids: right(self, [key.strip() for key in ids]))


@fault("3.1 langchain mutant: get_by_ids returns extra", "get of the adapter")
def get_returns_prefixes(patch: pytest.MonkeyPatch) -> None:
    right = Collection.get

    def get(self: Any, ids: Any, **kw: Any) -> Any:
        found = right(self, ids, **kw)
        if len(found) == 1:
            extra = [f"{found[0].id}{digit}" for digit in range(10)]
            found += right(self, extra, **kw)
        return found

    patch.setattr(Collection, "get", get)


@fault("servers answer in their own order", "get")
def get_in_any_order(patch: pytest.MonkeyPatch) -> None:
    right = Collection.get
    patch.setattr(
        Collection,
        "get",
        lambda self, ids, **kw: sorted(right(self, ids, **kw), key=lambda record: record.id),
    )


@fault("2.3 #21 hidden caps: 1,000", "get of the adapter")
def get_capped(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.get
    patch.setattr(
        MemoryAdapter,
        "get",
        lambda self, target, ids, *a, **kw: right(self, target, ids[:1000], *a, **kw),
    )


@fault("include ignored: every column always", "get")
def include_ignored(patch: pytest.MonkeyPatch) -> None:
    right = View.batch
    every = ALL_COLUMNS
    patch.setattr(View, "batch", lambda self, rows, wanted: right(self, rows, every))


@fault("a column that was not included is empty, not an error", "records")
def missing_column_reads_empty(patch: pytest.MonkeyPatch) -> None:
    from polyvec.records import VectorRecord

    def getattr_(self: Any, name: str) -> Any:
        return {"metadata": {}, "text": None, "vector": None}[name]

    patch.setattr(VectorRecord, "__getattr__", getattr_)
