"""Speed of the core: import time, records against columns, verbs against their primitive."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from bench_memory import READ, REPEATS, Data, K, Row, seconds

import polyvec
from polyvec import F, VectorRecord
from polyvec.primitives import Target

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSES: Final = 15
OBJECTS: Final = 20_000
BASE: Final = (
    "import numpy, pydantic\nclass M(pydantic.BaseModel):\n    a: int\n    b: str | None = None\n"
)
TIMED: Final = (
    "import time\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
)


def imports() -> list[Row]:
    """`import polyvec` against numpy and one pydantic model, in fresh processes, in turns."""
    ours: list[float] = []
    base: list[float] = []
    for _ in range(PROCESSES):
        base.append(_in_process(BASE))
        ours.append(_in_process(f"{BASE}import polyvec"))
    beyond = (median(ours) - median(base)) * 1e3
    return [
        Row("import polyvec beyond numpy and one pydantic model", beyond, "ms", mark="<= 100 ms"),
        Row("    import numpy and one pydantic model", median(base) * 1e3, "ms"),
    ]


def _in_process(code: str) -> float:
    command = [sys.executable, "-c", TIMED.format(code=code)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def records(data: Data) -> list[Row]:
    """Upsert of record objects against the same records as columns."""
    part = slice(0, OBJECTS)
    objects = [
        VectorRecord(id=i, vector=v, metadata=m, text=t)
        for i, v, m, t in zip(
            data.ids[part],
            data.vectors[part],
            data.metadata[part],
            data.texts[part],
            strict=True,
        )
    ]
    with polyvec.connect("memory://") as store:
        space = store.create_collection("bench", dimension=data.vectors.shape[1])

        def columns() -> None:
            space.upsert(
                ids=data.ids[part],
                vectors=data.vectors[part],
                metadata=data.metadata[part],
                texts=data.texts[part],
            )

        def build() -> None:
            for i, v, m, t in zip(
                data.ids[part],
                data.vectors[part],
                data.metadata[part],
                data.texts[part],
                strict=True,
            ):
                VectorRecord(id=i, vector=v, metadata=m, text=t)

        by_object, by_column, building = seconds(
            lambda: space.upsert(objects), columns, build, repeats=7
        )
    each = 1e6 / OBJECTS
    return [
        Row(f"upsert of {OBJECTS:,} VectorRecords / columns", by_object, "s", by_column),
        Row("    more per record", (by_object - by_column) * each, "µs"),
        Row("    building a VectorRecord", building * each, "µs"),
    ]


def verbs(data: Data) -> list[Row]:
    """The public verbs, whole: columnar upsert, and queries against the adapter's primitive."""
    with polyvec.connect("memory://") as store:
        start = perf_counter()
        space = store.create_collection("bench", dimension=data.vectors.shape[1])
        space.upsert(ids=data.ids, vectors=data.vectors, metadata=data.metadata, texts=data.texts)
        written = perf_counter() - start
        query = data.vectors[7].copy()
        adapter: Any = store._adapter  # pyright: ignore[reportPrivateUsage]  # the primitive below the verb
        opened = adapter.open_collection("bench", None, timeout_s=None)
        at, columns = Target(opened, ""), frozenset({"metadata", "text"})

        def primitive() -> object:
            return adapter.search(at, query[None], None, K, columns, None, **READ)

        where = (F("pos") == "noun") & (F("relations") > 5)
        space.query(query)
        verb, bare, by_hand = seconds(
            lambda: space.query(query), primitive, _by_hand(data, query), repeats=REPEATS
        )
        (filtered,) = seconds(lambda: space.query(query, filter=where), repeats=REPEATS)
    return [
        Row(f"collection.upsert, {len(data.ids):,} x {data.vectors.shape[1]}", written, "s"),
        Row("collection.query / adapter primitive", verb * 1e3, "ms", bare * 1e3, "<= 1.05 x"),
        Row("collection.query / matmul, argpartition", verb * 1e3, "ms", by_hand * 1e3),
        Row("    overhead of the core", (verb - bare) * 1e6, "µs", mark="<= 50 µs"),
        Row(f"collection.query where {where}", filtered * 1e3, "ms"),
        *small_queries(),
    ]


def _by_hand(data: Data, query: np.ndarray[Any, np.dtype[np.float32]]) -> Callable[[], object]:
    def run() -> object:
        scores = data.vectors @ query
        best = np.argpartition(scores, -K)[-K:]
        return best[np.argsort(-scores[best])]

    return run


def small_queries() -> list[Row]:
    """A query on a dozen records: nothing but overhead."""
    with polyvec.connect("memory://") as store:
        space = store.create_collection("small", dimension=8)
        space.upsert(ids=[f"r{n}" for n in range(12)], vectors=np.eye(12, 8) + 1)
        adapter: Any = store._adapter  # pyright: ignore[reportPrivateUsage]  # the primitive below the verb
        at = Target(adapter.open_collection("small", None, timeout_s=None), "")
        query, columns = np.ones(8, dtype=np.float32), frozenset({"metadata", "text"})
        verb, bare = seconds(
            lambda: space.query(query),
            lambda: adapter.search(at, query[None], None, K, columns, None, **READ),
            repeats=2_000,
        )
    return [
        Row("query of 12 records: verb", verb * 1e6, "µs"),
        Row("    overhead of the core", (verb - bare) * 1e6, "µs", mark="<= 50 µs"),
    ]


def run(data: Data) -> list[Row]:
    """Measure everything."""
    return [*imports(), *records(data), *verbs(data)]
