"""Merging parts changes no answer, and keeps their number small."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyvec
from polyvec.snapshot import merge

Opener = Callable[[], polyvec.VectorStore]


def parts_of(folder: Path) -> list[dict[str, Any]]:
    manifest = json.loads((folder / "c" / "manifest.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = manifest["parts"]
    assert sorted(p.name for p in (folder / "c").glob("*.parquet")) == [p["file"] for p in found]
    return found


def test_few_parts_are_left_of_many_small_writes(connect: Opener, folder: Path) -> None:
    collection = connect().create_collection("c", dimension=2)
    for number in range(150):
        collection.upsert(ids=[f"r{number}"], vectors=[[1, number]], texts=[str(number)])
    assert len(parts_of(folder)) < merge.MAX_SMALL
    reopened = connect().collection("c")
    assert reopened.count() == 150
    [batch] = reopened.scan()
    assert batch.texts == [str(number) for number in range(150)]


def test_a_record_is_rewritten_about_log_n_times() -> None:
    rows: list[int] = []
    rewritten = 0
    for _ in range(4000):
        rows.append(1)
        if count := merge.tail_to_merge(rows, sum(rows)):
            merged = sum(rows[-count:])
            rewritten += merged
            rows[-count:] = [merged]
        assert len(rows) <= merge.MAX_SMALL
    assert rewritten < 4000 * 12


def test_superseded_rows_are_given_back(connect: Opener, folder: Path) -> None:
    collection = connect().create_collection("c", dimension=2)
    ids = [f"r{i}" for i in range(6000)]
    for _ in range(4):
        collection.upsert(ids=ids, vectors=np.ones((6000, 2)))
    assert sum(part["rows"] for part in parts_of(folder)) < 3 * 6000
    collection.clear()
    collection.upsert(ids=["x"], vectors=[[1, 1]])
    assert connect().collection("c").namespaces() == {"": 1}


def test_random_writes_against_a_plain_dict(
    connect: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small parts are merged all the time, and the directory is opened again and again."""
    monkeypatch.setattr(merge, "MAX_SMALL", 4)
    monkeypatch.setattr(merge, "DEAD_ROWS", 60)
    rng = random.Random(5)  # noqa: S311 - repeatable, not secret
    collection = connect().create_collection("c", dimension=2)
    model: dict[str, dict[str, int]] = {"": {}, "n": {}}  # in the order of the scan
    merges = 0
    for number in range(400):
        space = rng.choice(["", "n"])
        held, target = model[space], collection.namespace(space)
        ids = rng.sample([f"r{i}" for i in range(30)], rng.randrange(1, 8))
        if rng.random() < 0.4:
            target.delete(ids)
            for record_id in ids:
                held.pop(record_id, None)
        else:
            target.upsert(
                ids=ids, vectors=[[1, number]] * len(ids), metadata=[{"n": number}] * len(ids)
            )
            held |= dict.fromkeys(ids, number)
        before = len(parts_of(folder))
        if number % 20 == 19:
            collection = connect().collection("c")
            merges += before < 4
            for name, expected in model.items():
                found: dict[str, int] = {}
                for batch in collection.namespace(name).scan(batch_size=7):
                    assert batch.metadata is not None
                    found |= {i: m["n"] for i, m in zip(batch.ids, batch.metadata, strict=True)}
                assert list(found.items()) == list(expected.items())
            assert collection.namespaces() == {n: len(h) for n, h in model.items() if h}
    assert merges > 2


def test_a_merge_that_fails_does_not_fail_the_write(
    connect: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from polyvec.snapshot import collection as module

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "merge", full)
    collection = connect().create_collection("c", dimension=2)
    for number in range(merge.MAX_SMALL + 3):
        collection.upsert(ids=[f"r{number}"], vectors=[[1, 1]])
    assert "No space left" in caplog.text
    assert connect().collection("c").count() == merge.MAX_SMALL + 3
