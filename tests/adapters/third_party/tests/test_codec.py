"""Records become rows and facts, and rows become records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from polyvec.metadata import to_json
from polyvec.primitives import Patch
from polyvec.records import RecordBatch
from polyvec.types import ALL_COLUMNS, METADATA, NO_COLUMNS, VECTOR
from polyvec_sqlite._codec import batch_of, blob_of, patched, rows_of, select_list, vectors_of
from polyvec_sqlite._facts import MAX_PATH, facts_of, path_text

METADATA_OF_ONE: dict[str, Any] = {
    "n": 1,
    "f": 1.0,
    "b": True,
    "none": None,
    "when": datetime(2024, 1, 1, tzinfo=UTC),
    "nul": "a\0b",
    "list": [1, 1.0, "x", None, [2], {"k": 3}],
    "o": {"in": {"side": "y"}},
}


def batch() -> RecordBatch:
    return RecordBatch(
        ids=["a\0", "ü"],
        vectors=np.array([[1.5, -0.0], [0.0, 0.0]], dtype=np.float32),
        metadata=[METADATA_OF_ONE, {}],
        texts=[None, "text"],
        present=np.array([True, False]),
    )


def test_a_batch_comes_back_equal_in_value_and_class() -> None:
    rows = [(row[1], row[3], row[2], row[4]) for row in rows_of("space", batch())]
    back = batch_of(rows, ALL_COLUMNS, 2)
    assert back.ids == ["a\0", "ü"]
    assert back.texts == [None, "text"]
    assert repr(back.metadata) == repr([METADATA_OF_ONE, {}])  # 1 is not 1.0
    assert back.vectors is not None
    assert back.vectors.tobytes() == np.array([[1.5, -0.0], [0, 0]], dtype=np.float32).tobytes()
    assert back.present is not None
    assert back.present.tolist() == [True, False]


def test_only_the_columns_asked_for_come_back() -> None:
    assert select_list(NO_COLUMNS) == "id, NULL, NULL, NULL"
    assert select_list(METADATA) == "id, metadata, NULL, NULL"
    back = batch_of([("a", None, None, blob_of(np.ones(2, dtype=np.float32)))], VECTOR, 2)
    assert (back.metadata, back.texts, back.present) == (None, None, None)
    assert back.vectors is not None
    assert back.vectors.flags.writeable


def test_no_rows_are_an_empty_batch_of_the_right_shape() -> None:
    back = batch_of([], ALL_COLUMNS, 3)
    assert back.vectors is not None
    assert back.vectors.shape == (0, 3)
    assert vectors_of([None], 3).tolist() == [[0.0, 0.0, 0.0]]


def test_each_value_has_a_fact_with_its_class() -> None:
    facts = list(facts_of(METADATA_OF_ONE))
    microseconds = (datetime(2024, 1, 1) - datetime(1, 1, 1)).days * 86_400_000_000  # noqa: DTZ001  # the distance of two days
    assert facts == [
        ('["n"]', "number", 1),
        ('["f"]', "number", 1.0),
        ('["b"]', "bool", 1),
        ('["when"]', "datetime", microseconds),
        ('["nul"]', "str", "a\0b"),
        ('["list"]', "list", 6),
        ('["list"]', "item number", 1),
        ('["list"]', "item number", 1.0),
        ('["list"]', "item str", "x"),
        ('["o"]', "object", 0),
        ('["o","in"]', "object", 0),
        ('["o","in","side"]', "str", "y"),
    ]


def test_facts_end_at_the_longest_path() -> None:
    nested: dict[str, Any] = {"k": 1}
    for _ in range(MAX_PATH + 2):
        nested = {"k": nested}
    assert [kind for _, kind, _ in facts_of(nested)] == ["object"] * MAX_PATH


@pytest.mark.parametrize("pair", [(("a", "b"), ("a.b",)), (('a","b',), ("a", "b"))])
def test_different_paths_have_different_texts(pair: tuple[tuple[str, ...], ...]) -> None:
    assert path_text(pair[0]) != path_text(pair[1])


def test_a_patch_replaces_whole_values() -> None:
    stored = to_json({"keep": 1, "drop": 2, "object": {"old": 1}})
    patch = Patch(
        set={"object": {"new": 2}, "more": None},
        unset=frozenset({"drop"}),
        vectors=None,
        texts=None,
    )
    assert patched(stored, patch) == {"keep": 1, "object": {"new": 2}, "more": None}
