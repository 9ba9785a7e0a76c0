"""The ranges of a plan on every backend: each record is in one of them, now and later."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from tests.migrate.records import NAMESPACES, Sample, adversarial
from tests.migrate.there_and_back import BACKENDS, opened, wait

from polyvec import Collection, Consistency
from polyvec.migrate import migrate
from polyvec.primitives import KeyRange

RECORDS: Final = 600
PARTS: Final = 4
ONE_RANGE: Final = {"pinecone"}
"""Stores whose scan cannot start in the middle: a single range is right there."""


def ids_by_range(docs: Collection[Any], spans: list[KeyRange]) -> list[list[str]]:
    return [
        [name for batch in docs.scan(span=span, batch_size=70, include=()) for name in batch.ids]
        for span in spans
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_record_is_in_one_range(backend: str, tmp_path: Path) -> None:
    sample = adversarial(RECORDS)
    with opened(backend, tmp_path) as store:
        name = f"rg_{uuid4().hex[:10]}"
        docs = sample.load(store, name)
        try:
            if store.capabilities.consistency is Consistency.EVENTUAL:
                wait(docs, sample)
            for space, records in sample.spaces.items():
                here = docs.namespace(space)
                spans = here.ranges(PARTS)
                found = ids_by_range(here, spans)
                counted = Counter(name for part in found for name in part)
                assert counted == Counter(record.id for record in records)
                assert (len(spans) > 1) == (backend not in ONE_RANGE)
                late = ["!", "0", "late", "zz", "\U0001f600 late"]
                _add(docs, space, late)
                counted = Counter(name for part in ids_by_range(here, spans) for name in part)
                assert counted == Counter([*(record.id for record in records), *late])
        finally:
            store.drop_collection(name, missing_ok=True)


def _add(docs: Collection[Any], space: str, ids: list[str]) -> None:
    here = docs.namespace(space)
    here.upsert(ids=ids, vectors=[[1.0] * docs.dimension] * len(ids))
    here.wait_until_visible(ids)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_migration_of_many_ranges(backend: str, tmp_path: Path) -> None:
    """Four thousand records are what a plan cuts into ranges for four workers."""
    sample = Sample({NAMESPACES[1]: adversarial(8_400).spaces[NAMESPACES[0]]})
    with opened(backend, tmp_path) as store, opened("memory", tmp_path) as target:
        name = f"rg_{uuid4().hex[:10]}"
        docs = sample.load(store, name)
        try:
            if store.capabilities.consistency is Consistency.EVENTUAL:
                wait(docs, sample)
            report = migrate(store, target, name, workers=4, queries=0)
        finally:
            store.drop_collection(name, missing_ok=True)
    assert (report.ok, report.count) == (True, sample.count)
    assert report.ranges == (1 if backend in ONE_RANGE else 4)
