# Generated from recall_async.py by tools/unasync.py. Do not edit.
"""The default index finds at least the declared share of the true neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from polyvec.filters import F
from polyvec.scoring import best_rows, exact_scores
from polyvec.testing.lab import Shape, fresh_name
from polyvec.testing.rules import Area, Tier

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.testing.lab import Lab
    from polyvec.types import Vector

COUNT: Final = 3000
DIMENSION: Final = 32
QUERIES: Final = 40
K: Final = 10


def _clustered() -> tuple[Vector, Vector]:
    """Return records and queries around fifty centres, as embeddings lie."""
    generator = np.random.default_rng(17)
    centres = generator.normal(size=(50, DIMENSION))
    points = centres[generator.integers(50, size=COUNT + QUERIES)]
    floats: Vector = (points + 0.5 * generator.normal(size=points.shape)).astype(np.float32)
    return floats[:COUNT], floats[COUNT:]


class Recall(Area):
    """Against `capabilities.recall_floor`, unfiltered and under filters."""

    area = "recall"
    tier = Tier.RECALL

    def _filled(self, lab: Lab) -> tuple[Collection[Any], list[str]]:
        ids = [f"r{at:04}" for at in range(COUNT)]
        space = lab.pool.kept.get("recall")
        if space is None:
            shape = Shape(DIMENSION, lab.metric, None)
            base = lab.pool.collection(shape, kept=True)
            space = base.namespace(fresh_name("recall"))
            space.upsert(
                ids=ids,
                vectors=_clustered()[0],
                metadata=[{"n": at, "share": at % 100} for at in range(COUNT)],
            )
            lab.settle(space, ids)
            lab.pool.kept["recall"] = space
        return space, ids

    @pytest.mark.parametrize("percent", [100, 50, 10, 1])
    def test_recall_floor(self, lab: Lab, percent: int) -> None:
        space, ids = self._filled(lab)
        block, queries = _clustered()
        allowed = [at for at in range(COUNT) if at % 100 < percent]
        where = None if percent == 100 else F("share") < percent
        scores = exact_scores(queries, block[allowed], lab.metric)
        names = [ids[at] for at in allowed]
        answers = space.query_many(queries, top_k=K, filter=where, include=())
        found = 0
        for row, hits in zip(scores, answers, strict=True):
            best: list[int] = best_rows(row, names, K).tolist()
            truth = {names[at] for at in best}
            assert {hit.id for hit in hits} <= set(names)
            found += len(truth & {hit.id for hit in hits})
        recall = found / (K * QUERIES)
        assert recall >= lab.capabilities.recall_floor, f"recall {recall:.3f} at {percent} %"
