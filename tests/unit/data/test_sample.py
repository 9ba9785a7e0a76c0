"""The sample that ships with polyvec."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyvec import data
from polyvec.errors import MissingDependencyError
from polyvec.metadata import normalise

MAKE_SAMPLE = Path(__file__).parents[3] / "tools" / "make_sample.py"


@pytest.fixture
def unread() -> Iterator[None]:
    """Forget that the file was read, before and after the test."""
    data._read.cache_clear()  # pyright: ignore[reportPrivateUsage]  # it has no public name
    yield
    data._read.cache_clear()  # pyright: ignore[reportPrivateUsage]  # likewise


def test_two_thousand_records_with_unit_vectors() -> None:
    batch = data.sample()
    assert len(batch) == len(set(batch.ids)) == 2000
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    assert batch.vectors.shape == (2000, 384)
    assert batch.vectors.dtype == np.float32
    assert batch.vectors.flags.c_contiguous
    assert np.allclose(np.linalg.norm(batch.vectors, axis=1), 1, atol=1e-6)
    assert {fields["pos"] for fields in batch.metadata} == {"noun", "verb", "adj", "adv"}
    assert all(text and ": " in text for text in batch.texts)
    for record_id, fields in zip(batch.ids, batch.metadata, strict=True):
        assert set(fields) == {"pos", "topic", "lemmas", "relations"}
        assert normalise(fields, record_id) == fields


def test_records_near_in_meaning_are_near() -> None:
    batch = data.sample()
    assert batch.vectors is not None
    assert batch.texts is not None
    skating = batch.ids.index("n00448640")
    scores = batch.vectors @ batch.vectors[skating]
    best = np.argsort(-scores)[:6].tolist()
    assert all("skat" in (batch.texts[row] or "") for row in best)


def test_every_call_returns_its_own_copy() -> None:
    first = data.sample()
    assert first.vectors is not None
    assert first.metadata is not None
    first.vectors[:] = 0
    first.metadata[0]["lemmas"].append("changed")
    first.metadata[1].clear()
    first.ids.clear()
    again = data.sample()
    assert again.vectors is not None
    assert again.metadata is not None
    assert (again.vectors != 0).any()
    assert "changed" not in again.metadata[0]["lemmas"]
    assert again.metadata[1] != {}
    assert len(again) == 2000


def test_the_file_is_small_and_its_licence_is_beside_it() -> None:
    assert data.SAMPLE_PATH.stat().st_size <= 1_500_000
    notice = (data.SAMPLE_PATH.parent / "LICENSE-wordnet.txt").read_text(encoding="utf-8")
    assert "Copyright 2006 by Princeton University" in notice
    assert "appear on ALL copies" in notice


@pytest.mark.usefixtures("unread")
def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'polyvec\[parquet\]'"):
        data.sample()


def test_cutting_is_repeatable(tmp_path: Path) -> None:
    """Cut from itself, the sample is itself."""
    target = tmp_path / "cut.parquet"
    command = [sys.executable, str(MAKE_SAMPLE), str(data.SAMPLE_PATH), "--target", str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    parquet: Any = importlib.import_module("pyarrow.parquet")
    assert parquet.read_table(target).equals(parquet.read_table(data.SAMPLE_PATH))
