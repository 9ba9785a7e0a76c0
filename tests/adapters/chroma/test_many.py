"""More records than one call of Chroma's can take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polyvec
from polyvec import F
from polyvec_chroma import store as module


def test_records_that_are_checked_here_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata of more than 32,766 records in one answer is refused: too many SQL variables."""
    monkeypatch.setattr(module, "LOOK_BATCH", 7)
    texts = [f"absent {at}" for at in range(1_000)]
    too_many_conditions = F("tags").contains_any([*texts, "even"])
    with polyvec.connect("chroma:///:memory:") as store:
        made = store.create_collection("many", dimension=2)
        items: list[dict[str, Any]] = [{"tags": ["even"] if at % 2 else []} for at in range(100)]
        made.upsert(
            ids=[f"r{at}" for at in range(100)],
            vectors=np.ones((100, 2), dtype=np.float32),
            metadata=items,
        )
        assert made.count(too_many_conditions) == 50
        made.delete(filter=too_many_conditions)
        assert made.count() == 50
