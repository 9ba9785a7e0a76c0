"""Answers that Chroma gives while somebody writes, replayed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polyvec.errors import UnavailableError
from polyvec.records import RecordBatch
from polyvec.types import Metric
from polyvec_chroma import _answers, _codec
from polyvec_chroma.whole import MOST_READINGS, whole

INCLUDE = ["metadatas", "documents", "embeddings"]
BLOCK = np.array([[1, 0], [0, 1], [3, 4]], dtype=np.float32)
BATCH = RecordBatch(["a", "b", "c"], BLOCK, [{"n": 1}, {"n": 2}, {}], ["x", None, "z"])


def answer(*, early: bool = False, ids: str = "abc") -> dict[str, Any]:
    """Return what Chroma answers; `early`: as long as the first writer's index is not there."""
    vectors, rows, texts = _codec.rows_of(BATCH, Metric.COSINE)
    chosen = [BATCH.ids.index(one) for one in ids]
    return {
        "ids": list(ids),
        "metadatas": [rows[at] for at in chosen],
        "documents": [texts[at] for at in chosen],
        "embeddings": np.array([]) if early else vectors[chosen].astype(np.float64),
    }


class Space:
    """A collection of the client that answers as it did."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def get(self, *, ids: list[str], include: list[str]) -> dict[str, Any]:
        assert include == INCLUDE
        self.asked.append(ids)
        return self.answers.pop(0)


def test_records_without_their_vectors_are_read_again() -> None:
    space = Space(answer(early=True), answer(ids="ca"))
    sorted_ = _answers.pick(answer(early=True), [2, 0, 1])
    got = whole(space, sorted_, INCLUDE)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the part of one that is used
    assert space.asked == [["c", "a", "b"]] * 2
    assert got["ids"] == ["c", "a"], "b has gone meanwhile"
    vectors, _, _ = _codec.rows_of(BATCH, Metric.COSINE)
    assert np.array_equal(np.array(got["embeddings"]), vectors[[2, 0]].astype(np.float64))
    assert got["documents"] == ["z", "x"]


def test_vectors_that_never_come_are_an_error_that_may_pass() -> None:
    space = Space(*[answer(early=True) for _ in range(MOST_READINGS)])
    with pytest.raises(UnavailableError, match="'a' was changed during each of 20") as caught:
        whole(space, answer(early=True), INCLUDE)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # as above
    assert caught.value.retryable
    assert not space.answers
