"""What `polyvec bench` measures, verb by verb, against the exact answers of a memory store."""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from polyvec.capabilities import Consistency
from polyvec.errors import NotSupportedError
from polyvec.filters import F
from polyvec.schema import HNSW
from polyvec.store import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from polyvec.collection import Collection
    from polyvec.filters import Filter
    from polyvec.records import Hit
    from polyvec.store import VectorStore

UPSERT_ROWS: Final = 500
SHARES: Final = (0.5, 0.1, 0.01)
PARTS: Final = 100
"""`part` of a record is a number below it, so that `part < 10` passes a tenth."""

GET_IDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result.

    Parameters
    ----------
    verb, terms
        What was called, and how.
    median_ms, p99_ms
        Wall time of a call.
    rate
        Records written or read, or calls, a second.
    recall
        Share of the true neighbours found; None where there is none to speak of.
    """

    verb: str
    terms: str
    median_ms: float
    p99_ms: float
    rate: float
    recall: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the line with numbers as they are."""
        return asdict(self)


def own_name() -> str:
    """Return a name that nobody else takes: two runs at once must not drop each other's."""
    return f"polyvec_bench_{uuid4().hex[:12]}"


class BenchRun:
    """One run, in a collection that it makes.

    Parameters
    ----------
    store
        An open store.
    name
        Of the collection; nothing has it.
    rows, queries
        Float32, shapes `(n, d)` and `(q, d)`.
    top_k
        Hits wanted.
    show
        Takes title, done and total.
    """

    def __init__(
        self,
        store: VectorStore,
        name: str,
        rows: npt.NDArray[np.float32],
        queries: npt.NDArray[np.float32],
        top_k: int,
        show: Callable[[str, int, int | None], None],
    ) -> None:
        self._store = store
        self._name = name
        self._rows = rows
        self._queries = queries
        self._top_k = top_k
        self._show = show
        self._graph = "hnsw" in store.capabilities.index_kinds
        self._docs: Collection[Any]

    def measure(self, pools: list[int]) -> list[Row]:
        """Fill the collection and measure every verb; leave it to the caller to drop it."""
        index = HNSW() if self._graph else None
        dimension = self._rows.shape[1]
        self._docs = self._store.create_collection(self._name, dimension=dimension, index=index)
        with connect("memory://") as exact:
            self._true = exact.create_collection("true", dimension=dimension)
            return [self._upsert(), *self._search(pools), *self._filtered(), *self._reads()]

    def _upsert(self) -> Row:
        spent: list[float] = []
        total = len(self._rows)
        for start in range(0, total, UPSERT_ROWS):
            vectors = self._rows[start : start + UPSERT_ROWS]
            numbers = range(start, start + len(vectors))
            ids = [f"r{at}" for at in numbers]
            metadata = [{"part": at % PARTS} for at in numbers]
            began = time.perf_counter()
            self._docs.upsert(ids=ids, vectors=vectors, metadata=metadata)
            spent.append(time.perf_counter() - began)
            self._true.upsert(ids=ids, vectors=vectors, metadata=metadata)
            if self._store.capabilities.consistency is Consistency.EVENTUAL:
                self._docs.wait_until_visible(ids)
            self._show("upsert", start + len(vectors), total)
        return _row("upsert", f"{UPSERT_ROWS} records a call", spent, total)

    def _search(self, pools: list[int]) -> list[Row]:
        truth = self._truth(None)
        rows = [self._query("query", "as the store does", truth)]
        if self._graph:
            wanted = [pool for pool in pools if pool >= self._top_k]
            with suppress(NotSupportedError):  # a graph without that setting has no such row
                for pool in wanted:
                    how = HNSW(ef_search=pool)
                    rows.append(self._query("query", f"ef_search {pool}", truth, search=how))
        return [*rows, self._query("query", "exact", truth, exact=True)]

    def _filtered(self) -> list[Row]:
        rows: list[Row] = []
        for share in SHARES:
            where = F("part") < round(share * PARTS)
            rows.append(self._query("query", f"{share:.0%} pass", self._truth(where), filter=where))
        return rows

    def _truth(self, where: Filter | None) -> list[set[str]]:
        found = self._true.query_many(
            self._queries, top_k=self._top_k, filter=where, exact=True, include=()
        )
        return [{hit.id for hit in hits} for hits in found]

    def _query(self, verb: str, terms: str, truth: list[set[str]], **how: Any) -> Row:
        def ask(at: int) -> list[Hit[Any]]:
            return self._docs.query(self._queries[at], top_k=self._top_k, include=(), **how)

        ask(0)  # connections, plans and graphs are made by the first
        hits = 0
        spent: list[float] = []
        for at, true in enumerate(truth):
            began = time.perf_counter()
            found = ask(at)
            spent.append(time.perf_counter() - began)
            hits += len(true & {hit.id for hit in found})
            self._show(f"{verb}, {terms}", at + 1, len(truth))
        recall = hits / max(1, sum(map(len, truth)))
        return _row(verb, terms, spent, len(spent), recall)

    def _reads(self) -> list[Row]:
        calls = len(self._queries)
        draw = np.random.default_rng(1).integers(0, len(self._rows), (calls, GET_IDS))
        got: list[float] = []
        for numbers in draw:
            ids = list(dict.fromkeys(f"r{at}" for at in numbers))
            got.append(_timed(partial(self._docs.get, ids)))
        where = F("part") < PARTS // 10
        counted = [_timed(lambda: self._docs.count(where)) for _ in range(min(calls, 10))]
        scanned = _timed(lambda: sum(len(batch) for batch in self._docs.scan()))
        return [
            _row("get", f"{GET_IDS} ids", got, GET_IDS * calls),
            _row("count", "10% pass", counted, len(counted)),
            _row("scan", "all, metadata and text", [scanned], len(self._rows)),
        ]


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _row(verb: str, terms: str, spent: list[float], done: int, recall: float | None = None) -> Row:
    return Row(
        verb=verb,
        terms=terms,
        median_ms=1e3 * statistics.median(spent),
        p99_ms=1e3 * float(np.percentile(spent, 99)),
        rate=done / max(sum(spent), 1e-9),
        recall=recall,
    )
