"""A million random operations on a store against a model of plain dicts.

Hypothesis finds the smallest failing sequence; this finds what only long lives
show: tombstones, compaction, indexes that drift, cursors over much-changed data.

    python tests/soak.py [--operations N] [--seed S] [--url URL]

Prints what ran. Exit code 1, with the seed and the last operations, at the first disagreement.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import track

import polyvec
from polyvec import And, Collection, F, Filter, Not, Or
from polyvec.evaluate import matches
from polyvec.metadata import to_json
from polyvec.rewrite import is_all
from polyvec.scoring import best_rows, exact_scores
from polyvec.types import Metric

DIMENSION: Final = 6
IDS: Final = [f"r{n}" for n in range(80)] + ['"quoted"', "ünï", "a/b", "r1 "]
SPACES: Final = ("", "a", "b")
FIELDS: Final = ("n", "s", "b", "d", "l", "o.n", "mixed")
WHOLE_CHECK_EVERY: Final = 2_000
ZONE: Final = timezone(timedelta(hours=5, minutes=30))
VALUES: Final[tuple[Any, ...]] = (
    *(0, 1, 2, -3, 2**53 + 1, 0.5, 1.0, -2.25, 1e300),
    *("", "a", "ab", "abc", "zürich", "A", "1"),
    *(True, False, None),
    *(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, 5, 30, tzinfo=ZONE)),
    *([], [1, 2], ["a", "b", True], [None, 1.0]),
)


@dataclass(slots=True)
class Row:
    """One record of the model."""

    vector: np.ndarray[Any, np.dtype[np.float32]]
    metadata: dict[str, Any]
    text: str | None


class Soak:
    """Random verbs on three namespaces of one collection, each checked against the model."""

    def __init__(self, collection: Collection[dict[str, Any]], seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a seed makes a failure repeatable
        self.metric = collection.metric
        self.spaces = {name: collection.namespace(name) for name in SPACES}
        self.model: dict[str, dict[str, Row]] = {name: {} for name in SPACES}
        self.collection = collection
        self.done: Counter[str] = Counter()
        self.last: deque[str] = deque(maxlen=20)
        self.verbs: list[tuple[Callable[[str], None], int]] = [
            (self.upsert, 20),
            (self.update, 8),
            (self.update_where, 3),
            (self.delete, 6),
            (self.delete_where, 2),
            (self.clear, 1),
            (self.get, 14),
            (self.count, 14),
            (self.query, 20),
            (self.scan, 4),
            (self.namespaces, 4),
        ]

    def step(self) -> None:
        """Do one operation."""
        verbs, weights = zip(*self.verbs, strict=True)
        verb: Callable[[str], None] = self.random.choices(verbs, weights)[0]
        space = self.random.choice(SPACES)
        verb(space)
        self.done[verb.__name__] += 1

    # -- what is random ----------------------------------------------------------------

    def ids(self, most: int) -> list[str]:
        return self.random.choices(IDS, k=self.random.randint(1, most))

    def vector(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        # Small whole numbers: equal scores are frequent, and ties must go by id.
        numbers = [self.random.randint(-2, 2) for _ in range(DIMENSION)]
        return np.array(numbers if any(numbers) else [1] * DIMENSION, dtype=np.float32)

    def metadata(self) -> dict[str, Any]:
        fields = self.random.sample(("n", "s", "b", "d", "l", "mixed"), self.random.randint(0, 4))
        found = {field: self.random.choice(VALUES) for field in fields}
        if self.random.random() < 0.3:
            found["o"] = {"n": self.random.choice(VALUES)}
        return found

    def leaf(self) -> Filter:
        field, value = F(self.random.choice(FIELDS)), self.random.choice(VALUES)
        ordered = self.random.choice([v for v in VALUES if _is_ordered(v)])
        scalar = self.random.choice([v for v in VALUES if _is_scalar(v)])
        return self.random.choice(
            (
                lambda: field == value,
                lambda: field != value,
                lambda: field < ordered,
                lambda: field >= ordered,
                lambda: field.is_in(self.random.sample(VALUES, 3)),
                lambda: field.contains(scalar),
                lambda: field.contains_any([scalar, 1]),
                lambda: field.contains_all([scalar]),
                field.exists,
                lambda: field.starts_with(self.random.choice(("", "a", "ab", "z"))),
            )
        )()

    def filter(self, depth: int = 2) -> Filter:
        if depth == 0 or self.random.random() < 0.5:
            return self.leaf()
        parts = [self.filter(depth - 1) for _ in range(self.random.randint(1, 3))]
        return self.random.choice((And(*parts), Or(*parts), Not(parts[0])))

    def matching(self, space: str, where: Filter | None) -> list[str]:
        return [i for i, row in self.model[space].items() if matches(where, row.metadata)]

    # -- the verbs ---------------------------------------------------------------------

    def upsert(self, space: str) -> None:
        ids = self.ids(6)
        rows = [
            Row(self.vector(), self.metadata(), self.random.choice((None, "text"))) for _ in ids
        ]
        self.last.append(f"{space!r}.upsert({ids!r}, {[row.metadata for row in rows]!r})")
        self.spaces[space].upsert(
            ids=ids,
            vectors=np.stack([row.vector for row in rows]),
            metadata=[row.metadata for row in rows],
            texts=[row.text for row in rows],
        )
        self.model[space].update(zip(ids, rows, strict=True))

    def update(self, space: str) -> None:
        ids, change = self.ids(3), {"n": self.random.choice(VALUES)}
        unset = [key for key in ("s", "l") if self.random.random() < 0.3]
        self.last.append(f"{space!r}.update({ids!r}, {change!r}, {unset!r})")
        self.spaces[space].update(ids, set=change, unset=unset)
        self._patch(space, ids, change, unset)

    def update_where(self, space: str) -> None:
        where, change = self.filter(), {"b": self.random.choice(VALUES)}
        if is_all(where):
            return
        self.last.append(f"{space!r}.update({where!r}, {change!r})")
        chosen = self.matching(space, where)
        self.spaces[space].update(filter=where, set=change)
        self._patch(space, chosen, change, [])

    def _patch(self, space: str, ids: list[str], change: dict[str, Any], unset: list[str]) -> None:
        for record_id in ids:
            if (row := self.model[space].get(record_id)) is not None:
                kept = {k: v for k, v in row.metadata.items() if k not in unset}
                row.metadata = {**kept, **change}

    def delete(self, space: str) -> None:
        ids = self.ids(4)
        self.last.append(f"{space!r}.delete({ids!r})")
        self.spaces[space].delete(ids)
        for record_id in ids:
            self.model[space].pop(record_id, None)

    def delete_where(self, space: str) -> None:
        where = self.filter() & self.filter()
        if is_all(where):
            return
        self.last.append(f"{space!r}.delete({where!r})")
        gone = self.matching(space, where)
        self.spaces[space].delete(filter=where)
        for record_id in gone:
            del self.model[space][record_id]

    def clear(self, space: str) -> None:
        if self.random.random() < 0.9:  # else the model would stay small
            return
        self.last.append(f"{space!r}.clear()")
        self.spaces[space].clear()
        self.model[space].clear()

    def get(self, space: str) -> None:
        ids = list(dict.fromkeys(self.ids(5)))
        found = self.spaces[space].get(ids)
        model = self.model[space]
        _same([record.id for record in found], [i for i in ids if i in model], "get")
        for record in found:
            row = model[record.id]
            _same(_tagged(record.metadata), _tagged(row.metadata), f"metadata of {record.id!r}")
            _same(record.vector.tolist(), row.vector.tolist(), f"vector of {record.id!r}")
            _same(record.text, row.text, f"text of {record.id!r}")

    def count(self, space: str) -> None:
        where = self.filter()
        wanted = len(self.matching(space, where))
        _same(self.spaces[space].count(where), wanted, f"count({where!r})")

    def query(self, space: str) -> None:
        where = self.filter() if self.random.random() < 0.7 else None
        query, top_k = self.vector(), self.random.randint(1, 12)
        hits = self.spaces[space].query(query, top_k=top_k, filter=where, exact=True)
        ids = self.matching(space, where)
        if not ids:
            _same(len(hits), 0, f"query({where!r})")
            return
        rows = np.stack([self.model[space][i].vector for i in ids])
        scores = exact_scores(query[None, :], rows, self.metric)[0]
        best = best_rows(scores, ids, top_k)
        np.testing.assert_allclose([hit.score for hit in hits], scores[best], atol=1e-6)
        if self.metric is Metric.COSINE:  # parallel vectors differ in the last bit, or do not
            at = [ids.index(hit.id) for hit in hits]
            np.testing.assert_allclose(scores[at], scores[best], atol=1e-9)
        else:  # whole numbers: equal scores are equal, and their order is by id
            wanted: list[str] = [ids[row] for row in best.tolist()]
            _same([hit.id for hit in hits], wanted, f"query({where!r}, {top_k})")

    def scan(self, space: str) -> None:
        where = self.filter() if self.random.random() < 0.5 else None
        found: list[str] = []
        cursor: str | None = None
        while True:  # each batch from a cursor alone, as another process would
            batches = self.spaces[space].scan(where, batch_size=7, after=cursor, include=())
            batch = next(iter(batches), None)
            if batch is None:
                break
            found += batch.ids
            cursor = batch.cursor
        _same(sorted(found), sorted(self.matching(space, where)), f"scan({where!r})")

    def namespaces(self, space: str) -> None:
        del space
        wanted = {name: len(rows) for name, rows in self.model.items() if rows}
        _same(self.collection.namespaces(), wanted, "namespaces")

    def check_whole(self) -> None:
        """Compare every record of every namespace."""
        for space, rows in self.model.items():
            found: dict[str, Any] = {}
            for batch in self.spaces[space].scan(include=("metadata", "text", "vector")):
                for record in batch.records():
                    text, vector = record.text, record.vector.tolist()
                    found[record.id] = (_tagged(record.metadata), text, vector)
            wanted = {
                i: (_tagged(row.metadata), row.text, row.vector.tolist()) for i, row in rows.items()
            }
            _same(found, wanted, f"namespace {space!r}")


def _is_scalar(value: object) -> bool:
    return value is not None and not isinstance(value, list)


def _is_ordered(value: object) -> bool:
    return _is_scalar(value) and not isinstance(value, bool)


def _tagged(metadata: dict[str, Any]) -> str:
    """Return text that differs wherever value or class does: 1, 1.0 and True."""
    return to_json(metadata, sort_keys=True)


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}\n  store: {found!r}\n  model: {wanted!r}")


def main() -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(description="random operations on a store against a model")
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20_261)
    parser.add_argument("--url", default="memory://")
    parser.add_argument("--metric", default="dot")
    options = parser.parse_args()
    console = Console()
    with polyvec.connect(options.url) as store:
        store.drop_collection("soak", missing_ok=True)
        soak = Soak(
            store.create_collection("soak", dimension=DIMENSION, metric=options.metric),
            options.seed,
        )
        start = time.perf_counter()
        steps = track(
            range(options.operations), "soaking", console=console, disable=not sys.stdout.isatty()
        )
        for at in steps:
            try:
                soak.step()
                if at % WHOLE_CHECK_EVERY == 0:
                    soak.check_whole()
            except Exception:
                console.print(f"operation {at}, seed {options.seed}; the last ones:")
                console.print("\n".join(soak.last), markup=False)
                raise
        soak.check_whole()
        store.drop_collection("soak")
    seconds = time.perf_counter() - start
    verbs = ", ".join(f"{name} {count:,}" for name, count in soak.done.most_common())
    console.print(
        f"{options.operations:,} operations on {options.url} in {seconds:.0f} s without "
        f"disagreement (seed {options.seed}): {verbs}",
        markup=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
