# Generated from lab_async.py by tools/unasync.py. Do not edit.
"""What the tests work in: pooled collections, fresh namespaces, cleaned afterwards.

Creating a collection takes seconds on some backends, so tests get a namespace
of their own in a collection they share. Only a test about collections gets its
own. Names are unique per run, so runs against one server do not meet.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import polyvec
from polyvec.capabilities import Capabilities, Consistency, Feature
from polyvec.schema import Flat
from polyvec.testing.checks import check_rows
from polyvec.testing.oracle import records
from polyvec.testing.rows import DIMENSION
from polyvec.testing.rules import Sharing
from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.collection import Collection
    from polyvec.schema import Index
    from polyvec.store import VectorStore
    from polyvec.testing.oracle import Rows
    from polyvec.types import Vector

VISIBLE_WITHIN_S: Final = 60.0
ALL: Final = ("vector", "metadata", "text")
MOST_SPACES: Final = 60
"""Namespaces made in one pooled collection before it is retired. Some stores keep what was deleted
(local Qdrant looks at it in every filter), others lose records as they are rewritten (Chroma)."""

FEW_SPACES: Final = 12
"""The same where the store is in this process, which makes a collection in no time."""

SCRATCH: Final = "scratch"
"""Label of the kept namespace that tests change."""

STOCK: Final = 6
"""Collections made at once for tests that want one of their own: on Milvus one takes 3 s until it
can be read, and so do many that are made together."""

EVERYTHING: Final = 1000
"""More than any namespace of the suite holds, and allowed as `top_k` nearly everywhere."""

_run = f"{uuid4().hex[:8]}"
_numbers = count(1)


def fresh_name(prefix: str = "pvtest") -> str:
    """Return a name that no other test, run or worker uses; fit for a collection."""
    return f"{prefix}_{_run}_{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What two tests must agree on to share a collection."""

    dimension: int
    metric: Metric
    index: Index | None


class Pool:
    """One store and its pooled collections: everything that tests of one URL share.

    Parameters
    ----------
    url
        The store under test.
    sharing
        Who else can see it.
    """

    def __init__(self, url: str, sharing: Sharing) -> None:
        self.url = url
        self.sharing = sharing
        self.store: VectorStore = polyvec.connect(url)
        self._names: dict[tuple[Shape, bool], str] = {}
        self._opened: dict[tuple[Shape, bool, Any], Collection[Any]] = {}
        self.made: Counter[Shape] = Counter()
        self._most = FEW_SPACES if sharing is Sharing.PRIVATE else MOST_SPACES
        self._stock: list[str] = []
        self._ready: set[str] = set()
        self.kept: dict[str, Collection[Any]] = {}

    def open(self) -> None:
        """Make the first request, after which the capabilities are this server's."""
        if "ping" not in self._ready:
            self.store.ping()
            self._ready.add("ping")

    def collection(
        self, shape: Shape, metadata: Any = None, *, kept: bool = False
    ) -> Collection[Any]:
        """Return the pooled collection of a shape, created when first asked for.

        What is kept for the whole run has a collection of its own, which is never retired.
        """
        key, place = (shape, kept, metadata), (shape, kept)
        if key in self._opened:
            return self._opened[key]
        if place not in self._names:
            name = fresh_name()
            self.store.create_collection(
                name, dimension=shape.dimension, metric=shape.metric, index=shape.index
            )
            self._names[place] = name
        if metadata is None:
            opened = self.store.collection(self._names[place])
        else:
            opened = self.store.collection(self._names[place], metadata=metadata)
        self._opened[key] = opened
        return opened

    def unused(self, shape: Shape) -> str:
        """Return the name of a collection that no test has used, of the one usual shape."""
        if len(self._stock) < STOCK:  # those made now get ready while older ones are used
            for name in [fresh_name() for _ in range(STOCK)]:
                self.store.create_collection(name, dimension=shape.dimension, metric=shape.metric)
                self._stock.append(name)
        return self._stock.pop(0)

    def retire(self) -> None:
        """Drop the pooled collections in which many namespaces were made; between tests."""
        for shape in [shape for shape, made in self.made.items() if made > self._most]:
            del self.made[shape]
            name = self._names.pop((shape, False))
            for key in [key for key in self._opened if key[:2] == (shape, False)]:
                del self._opened[key]
            self.store.drop_collection(name, missing_ok=True)

    def reopen(self) -> VectorStore:
        """Close the store and connect again, as another process would; return the new one."""
        self.store.close()
        self.store = polyvec.connect(self.url)
        self._opened.clear()
        self.kept.clear()
        return self.store

    def close(self) -> None:
        """Drop the pooled collections and close the store."""
        try:
            for name in [*self._names.values(), *self._stock]:
                self.store.drop_collection(name, missing_ok=True)
        finally:
            self.store.close()


class Lab:
    """What one test gets; undone when the test is over, passed or not.

    Parameters
    ----------
    pool
        Shared by the tests of one URL.
    run
        Waits for an awaitable where no loop runs: in the inner functions of
        Hypothesis, which are plain functions in both suites.
    examples
        Random cases for each test of the stress tier.
    """

    def __init__(self, pool: Pool, run: Callable[[Any], Any], examples: int) -> None:
        self.pool = pool
        self.run = run
        self.examples = examples
        self._spaces: list[tuple[str, Collection[Any]]] = []
        self._collections: list[str] = []
        self._stores: list[VectorStore] = []

    @property
    def store(self) -> VectorStore:
        """The store that the tests share. Do not close it: `connect` gives another."""
        return self.pool.store

    @property
    def capabilities(self) -> Capabilities:
        """What this server can do."""
        return self.pool.store.capabilities

    @property
    def metric(self) -> Metric:
        """Cosine where the store has it, else the first metric it has."""
        metrics = self.capabilities.metrics
        return Metric.COSINE if Metric.COSINE in metrics else min(metrics)

    @property
    def everything(self) -> int:
        """A `top_k` that covers every namespace of the suite, within the store's limit."""
        return min(EVERYTHING, self.capabilities.limits.top_k)

    def has(self, feature: Feature) -> bool:
        """Tell whether the store declares a feature."""
        return feature in self.capabilities.features

    def namespace(
        self,
        *,
        name: str | None = None,
        dimension: int = DIMENSION,
        metric: Metric | None = None,
        index: Index | None = None,
        metadata: Any = None,
    ) -> Collection[Any]:
        """Return a fresh namespace of a pooled collection."""
        shape = Shape(dimension, metric or self.metric, index)
        base = self.pool.collection(shape, metadata)
        self.pool.made[shape] += 1
        name = fresh_name("ns") if name is None else name
        space = base.namespace(name)
        self._spaces.append((name, space))
        return space

    def name_of(self, space: Collection[Any]) -> str:
        """Return the name of a namespace that `namespace` made."""
        return next(name for name, made in self._spaces if made is space)

    def filled(self, rows: Rows, **shape: Any) -> Collection[Any]:
        """Return a fresh namespace that holds the rows."""
        space = self.namespace(**shape)
        self.write(space, rows)
        return space

    def kept(self, label: str, rows: Rows, index: Index | None = None) -> Collection[Any]:
        """Return a namespace with the rows that is written once for the run; only read it."""
        if label not in self.pool.kept:
            base = self.pool.collection(Shape(DIMENSION, self.metric, index), kept=True)
            space = base.namespace(fresh_name(label))
            self.write(space, rows)
            self.pool.kept[label] = space
        return self.pool.kept[label]

    def scratch(self, rows: Rows) -> Collection[Any]:
        """Return a kept namespace that tests change and put right again, hundreds of times.

        Without a graph where the store can: a graph keeps the places of deleted records for
        minutes, and whatever is written walks through them.
        """
        flat = Flat() if "flat" in self.store.capabilities.index_kinds else None
        return self.kept(SCRATCH, rows, flat)

    def discard(self, label: str) -> None:
        """Forget a kept namespace that a failed test may have left half changed."""
        self.pool.kept.pop(label, None)

    def collection(
        self, *, dimension: int = DIMENSION, metric: Metric | None = None, **settings: Any
    ) -> Collection[Any]:
        """Return a collection of the test's own, dropped afterwards."""
        if dimension == DIMENSION and metric in (None, self.metric) and not settings:
            unused = self.pool.unused(Shape(dimension, self.metric, None))
            return self.store.collection(self.drop_later(unused))
        name = self.collection_name()
        made: Collection[Any] = self.store.create_collection(
            name, dimension=dimension, metric=metric or self.metric, **settings
        )
        return made

    def collection_name(self) -> str:
        """Return a name for a collection; whatever has it afterwards is dropped."""
        name = fresh_name()
        self._collections.append(name)
        return name

    def drop_later(self, name: str) -> str:
        """Have a collection dropped afterwards, if it is there."""
        self._collections.append(name)
        return name

    def connect(self) -> VectorStore:
        """Return another store object on the same URL, closed afterwards."""
        store = polyvec.connect(self.pool.url)
        self._stores.append(store)
        return store

    def reopen(self) -> VectorStore:
        """Close the store of all tests and connect again; handles of this test are void."""
        self._spaces.clear()
        return self.pool.reopen()

    def write(self, space: Collection[Any], rows: Rows) -> None:
        """Upsert rows and wait until they can be read and queried."""
        space.upsert(records(rows))
        self.settle(space, list(rows))

    def settle(self, space: Collection[Any], ids: Sequence[str], *, absent: bool = False) -> None:
        """Wait until a write is visible, where reads do not see it at once."""
        if ids and self.capabilities.consistency is Consistency.EVENTUAL:
            space.wait_until_visible(list(ids), timeout_s=VISIBLE_WITHIN_S, absent=absent)

    def read_all(
        self, space: Collection[Any], **scan: Any
    ) -> dict[str, tuple[Vector | None, dict[str, Any] | None, str | None]]:
        """Read a namespace by a scan; a record that comes twice is an error."""
        found: dict[str, tuple[Vector | None, dict[str, Any] | None, str | None]] = {}
        for batch in space.scan(include=ALL, **scan):
            for at, key in enumerate(batch.ids):
                assert key not in found, f"the scan returned {key!r} twice"
                found[key] = (
                    None if batch.vectors is None else batch.vectors[at],
                    None if batch.metadata is None else batch.metadata[at],
                    None if batch.texts is None else batch.texts[at],
                )
        return found

    def ids(self, space: Collection[Any], **scan: Any) -> list[str]:
        """Return the ids that a scan yields, in its order, repeats included."""
        return [key for batch in space.scan(include=(), **scan) for key in batch.ids]

    def holds(self, space: Collection[Any], rows: Rows) -> None:
        """Assert that a namespace holds exactly the rows, whole and as written."""

        def check() -> None:
            check_rows(self.read_all(space), rows, self.capabilities)
            assert space.count() == len(rows)

        self.eventually(check)

    def eventually(self, check: Callable[[], None]) -> None:
        """Run a check; where reads see writes late, run it again until it passes."""
        patience = time.monotonic() + VISIBLE_WITHIN_S
        while True:
            try:
                check()
            except AssertionError:
                late = time.monotonic() > patience
                if late or self.capabilities.consistency is not Consistency.EVENTUAL:
                    raise
            else:
                return

    def close(self) -> None:
        """Undo what the test made."""
        for store in self._stores:
            store.close()
        for name in self._collections:
            self.store.drop_collection(name, missing_ok=True)
        for _, space in self._spaces:
            space.clear()
        self.pool.retire()
