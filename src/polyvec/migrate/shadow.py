"""Shadow reads: some queries are asked of the secondary store too, and the answers compared."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from polyvec.errors import PolyvecError

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.records import Hit

MOST_WAITING: Final = 100
"""Queries that wait for the secondary; beyond that they are not asked, so that nothing piles up."""


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What the two stores answered.

    Parameters
    ----------
    queries, asked_both, skipped, failed
        All queries; those that both stores answered; those left out because too many waited;
        those that the secondary failed.
    overlap
        Share of the primary's hits that the secondary found, a mean in [0, 1].
    score_drift
        Largest difference of the scores of one record.
    primary_p50_ms, secondary_p50_ms
        Medians of the latencies.
    """

    queries: int
    asked_both: int
    skipped: int
    failed: int
    overlap: float
    score_drift: float
    primary_p50_ms: float
    secondary_p50_ms: float


class ShadowReader:
    """Answers from the primary; compares in the background.

    Parameters
    ----------
    primary, secondary
        The collection in both stores.
    share
        Of the queries that are asked twice, a ratio in [0, 1].
    """

    def __init__(
        self, primary: Collection[Any], secondary: Collection[Any], share: float = 1.0
    ) -> None:
        self._primary = primary
        self._secondary = secondary
        self._share = share
        self._guard = Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="polyvec-shadow")
        self._waiting = self._queries = self._skipped = self._failed = 0
        self._overlaps: list[float] = []
        self._latencies: list[tuple[float, float]] = []
        self._drift = 0.0

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the reader."""
        self.close()

    def close(self) -> None:
        """Wait for the queries under way."""
        self._pool.shutdown()

    def query(self, vector: Any, *, namespace: str = "", **options: Any) -> list[Hit[Any]]:
        """Return the primary's answer; takes what `Collection.query` takes."""
        began = time.perf_counter()
        hits = self._primary.namespace(namespace).query(vector, **options)
        elapsed_s = time.perf_counter() - began
        with self._guard:
            self._queries += 1
            ask = random.random() < self._share  # noqa: S311 - a sample, no secret
            if ask and self._waiting >= MOST_WAITING:
                self._skipped += 1
                ask = False
            self._waiting += ask
        if ask:
            self._pool.submit(self._compare, hits, elapsed_s, vector, namespace, options)
        return hits

    def _compare(
        self,
        hits: list[Hit[Any]],
        elapsed_s: float,
        vector: Any,
        namespace: str,
        options: dict[str, Any],
    ) -> None:
        try:
            began = time.perf_counter()
            others = self._secondary.namespace(namespace).query(vector, **options)
            other_s = time.perf_counter() - began
        except PolyvecError:
            with self._guard:
                self._waiting -= 1
                self._failed += 1
            return
        scores = {hit.id: hit.score for hit in others}
        both = [hit for hit in hits if hit.id in scores]
        drift = max((abs(hit.score - scores[hit.id]) for hit in both), default=0.0)
        with self._guard:
            self._waiting -= 1
            self._overlaps.append(len(both) / len(hits) if hits else float(not others))
            self._latencies.append((elapsed_s, other_s))
            self._drift = max(self._drift, drift)

    def report(self) -> ShadowReport:
        """Return what was found so far."""
        with self._guard:
            here = [pair[0] for pair in self._latencies] or [0.0]
            there = [pair[1] for pair in self._latencies] or [0.0]
            return ShadowReport(
                queries=self._queries,
                asked_both=len(self._overlaps),
                skipped=self._skipped,
                failed=self._failed,
                overlap=float(np.mean(self._overlaps)) if self._overlaps else 1.0,
                score_drift=self._drift,
                primary_p50_ms=1000 * float(np.median(here)),
                secondary_p50_ms=1000 * float(np.median(there)),
            )
