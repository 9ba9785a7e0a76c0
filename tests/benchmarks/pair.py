"""The verbs that every backend is measured by: polyvec on one side, the vendor's client by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from adapters_pgvector import DIMENSION, RECORDS, TOP_K, Data
from bench_adapters import Case

import polyvec
from polyvec import Collection, F
from polyvec.types import Include

PAGE: Final = 1_000
CALLS: Final = 10
"""Searches in one round."""
LARGE_ROUNDS: Final = 30
"""Of what takes many seconds a time."""
SEARCH_ROUNDS: Final = 100
"""Of searches: medians of thirty differ by 2 % and more between runs, as much as is measured."""
EVERYTHING: Final[tuple[Include, ...]] = ("vector", "metadata", "text")


@dataclass(frozen=True, slots=True)
class Terms:
    """What differs between backends.

    Parameters
    ----------
    where
        Returns the category `c7` in the vendor's language: a condition is made for every search
        on both sides.
    counted
        Where counting is measured: a filter, and the same in the vendor's language.
    names
        Of the two collections.
    settings
        With which both are made.
    scans
        Rounds of what takes seconds a time; None for as many as were asked for.
    filtered_calls
        Filtered searches in one round.
    pause_s
        Seconds before the searches, in which a client lets go of the connections that writes side
        by side have opened: httpcore looks at each of them for every request.
    """

    where: Callable[[], Any]
    counted: tuple[Any, Any] | None = None
    names: tuple[str, str] = ("bench_ours", "bench_raw")
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scans: int | None = None
    filtered_calls: int = CALLS
    pause_s: float = 0.0


class Pair:
    """Both sides of every case.

    Parameters
    ----------
    store
        A store of the backend.
    hand
        Returns the other side, for the collection that polyvec made under a name: what a careful
        user of the vendor's client writes, for records of this shape only. It has `upsert(data)`,
        `get(ids)`, `scan()`, `query(vector)` and `query(vector, where)`; `count(where)`, where
        counting is measured; and `close()`, where it opens a client of its own.
    terms
        What differs.
    """

    def __init__(
        self, store: polyvec.VectorStore, hand: Callable[[str], Any], terms: Terms
    ) -> None:
        self.store = store
        self._by_hand = hand
        self._terms = terms
        self.hand: Any = None
        self.anew()

    def away(self) -> None:
        """Remove both collections, and what was opened for one."""
        if hasattr(self.hand, "close"):
            self.hand.close()
        for name in self._terms.names:
            self.store.drop_collection(name, missing_ok=True)

    def anew(self) -> None:
        """Give both sides an empty collection that can be read."""
        self.away()
        ours, theirs = (
            self.store.create_collection(name, dimension=DIMENSION, **self._terms.settings)
            for name in self._terms.names
        )
        assert ours.count() == theirs.count() == 0
        self.ours: Collection[Any] = ours
        self.hand = self._by_hand(self._terms.names[1])

    def write(self, data: Data) -> None:
        """Write the records through polyvec."""
        self.ours.upsert(
            ids=data.ids, vectors=data.vectors, metadata=data.metadata, texts=data.texts
        )

    def cases(self, data: Data) -> Iterator[Case]:
        """Yield each verb, in an order in which the data of the last ones serves the next."""
        yield from self._loads(data)
        yield from self._reads(data)
        yield from self._searches(data)
        self.away()

    def _loads(self, data: Data) -> Iterator[Case]:
        thousand, one = data.first(1_000), data.first(1)
        yield Case(
            "upsert, 1,000 x 384 new",
            lambda: self.write(thousand),
            lambda: self.hand.upsert(thousand),
            1.05,
            before=self.anew,
        )
        yield Case(
            f"upsert, 10,000 x 384 new, {LARGE_ROUNDS} rounds",
            lambda: self.write(data),
            lambda: self.hand.upsert(data),
            1.05,
            before=self.anew,
            rounds=LARGE_ROUNDS,
        )
        self.anew()
        self.write(data)
        self.hand.upsert(data)
        yield Case("upsert, 1 record", lambda: self.write(one), lambda: self.hand.upsert(one))

    def _reads(self, data: Data) -> Iterator[Case]:
        asked = data.ids[5:105]
        yield Case(
            "get, 100 records",
            lambda: self.ours.get(asked, include=EVERYTHING),
            lambda: self.hand.get(asked),
        )
        yield Case(
            "scan, 10,000 records with vectors",
            lambda: [len(b) for b in self.ours.scan(include=EVERYTHING, batch_size=PAGE)],
            self.hand.scan,
            1.1,
            rounds=self._terms.scans,
        )
        if self._terms.counted is not None:
            mine, theirs = self._terms.counted
            yield Case(
                "count with a filter",
                lambda: self.ours.count(mine),
                lambda: self.hand.count(theirs),
            )

    def _searches(self, data: Data) -> Iterator[Case]:
        time.sleep(self._terms.pause_s)
        queries = iter(data.vectors[at % RECORDS] for at in count())
        yield Case(
            f"query, top 10 of 10,000, {SEARCH_ROUNDS} rounds",
            lambda: self.ours.query(next(queries), top_k=TOP_K),
            lambda: self.hand.query(next(queries)),
            1.05,
            50.0,
            calls=CALLS,
            rounds=SEARCH_ROUNDS,
        )
        yield Case(
            f"query, filter keeps a fiftieth, {SEARCH_ROUNDS} rounds",
            lambda: self.ours.query(next(queries), top_k=TOP_K, filter=F("category") == "c7"),
            lambda: self.hand.query(next(queries), self._terms.where()),
            1.05,
            50.0,
            calls=self._terms.filtered_calls,
            rounds=SEARCH_ROUNDS,
        )
