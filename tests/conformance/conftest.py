"""Variants of the memory store that exercise the suite, and the longer ways of the core.

`poor://` declares no hint, has tiny limits and compiles no filter: the core
scans, splits and checks everything itself. `late://` shows a write only after
several reads, as an eventual store does.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import pytest
from tests.conformance import sampling

from polyvec import registry
from polyvec.bounds import UNKNOWN, Bounds
from polyvec.capabilities import Capabilities, Consistency, Feature, Limits, UpdateAtomicity
from polyvec.config import StoreConfig
from polyvec.errors import CollectionNotFoundError
from polyvec.memory.capabilities import CAPABILITIES
from polyvec.memory.store import MemoryAdapter
from polyvec.registry import AdapterPlugin
from polyvec.types import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.adapter import Adapter
    from polyvec.filters import Leaf
    from polyvec.primitives import Native, Patch, Target
    from polyvec.records import RecordBatch
    from polyvec.url import StoreUrl

MODULE = "polyvec_test_variants"
READS_UNTIL_VISIBLE = 3


class _NoPlace(StoreConfig, frozen=True):
    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:  # noqa: ARG003 - there is no place
        return {}


class PoorConfig(_NoPlace, frozen=True):
    """`poor://`."""

    backend: Literal["poor"] = "poor"


class LateConfig(_NoPlace, frozen=True):
    """`late://`."""

    backend: Literal["late"] = "late"


class PoorAdapter(MemoryAdapter):
    """As little as an adapter may do."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            CAPABILITIES,
            store="poor",
            features=frozenset[Feature](),
            metrics=frozenset({Metric.COSINE, Metric.EUCLIDEAN}),
            index_kinds=frozenset[str](),
            limits=Limits(
                dimensions=500,
                top_k=400,
                batch_records=100,
                batch_bytes=100_000,
                id_batch=60,
                query_batch=7,
                scan_batch=90,
                id_bytes=2048,
                namespace_bytes=600,
                text_bytes=30_000,
                record_bytes=60_000,
                concurrency=2,
            ),
            update_atomicity=UpdateAtomicity.READ_MODIFY_WRITE,
            short_answer_is_complete=False,
        )

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        return UNKNOWN


class LateAdapter(MemoryAdapter):
    """Writes wait in a queue until they have been overtaken by a few reads."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[tuple[int, Callable[[], None]]] = []
        self._ticks = 0
        self._queueing = Lock()

    @property
    def capabilities(self) -> Capabilities:
        return replace(CAPABILITIES, store="late", consistency=Consistency.EVENTUAL)

    def _later(self, write: Callable[..., None], *args: Any) -> None:
        with self._queueing:
            due = self._ticks + READS_UNTIL_VISIBLE
            self._queue.append((due, lambda: write(*args, timeout_s=None)))

    def _tick(self) -> None:
        with self._queueing:
            self._ticks += 1
            while self._queue and self._queue[0][0] <= self._ticks:
                # A write that comes late finds that its collection was dropped: it is void.
                with suppress(CollectionNotFoundError):
                    self._queue.pop(0)[1]()

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        self._later(super().upsert, target, batch)

    def update(
        self, target: Target, ids: Sequence[str], patch: Patch, *, timeout_s: float | None
    ) -> None:
        self._later(super().update, target, ids, patch)

    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        self._later(super().delete_ids, target, ids)

    def delete_where(
        self, target: Target, native: Native | None, *, timeout_s: float | None
    ) -> None:
        self._later(super().delete_where, target, native)

    def get(self, *args: Any, **kw: Any) -> Any:
        self._tick()
        return super().get(*args, **kw)

    def search(self, *args: Any, **kw: Any) -> Any:
        self._tick()
        return super().search(*args, **kw)

    def exact_search(self, *args: Any, **kw: Any) -> Any:
        self._tick()
        return super().exact_search(*args, **kw)

    def scan(self, *args: Any, **kw: Any) -> Any:
        self._tick()
        return super().scan(*args, **kw)

    def count(self, *args: Any, **kw: Any) -> Any:
        self._tick()
        return super().count(*args, **kw)

    def namespaces(self, *args: Any, **kw: Any) -> Any:
        self._tick()
        return super().namespaces(*args, **kw)


def open_store(config: StoreConfig) -> Adapter:
    """Return the adapter of a variant."""
    return PoorAdapter() if config.backend == "poor" else LateAdapter()


POOR = AdapterPlugin(backend="poor", schemes=("poor",), config=PoorConfig, module=MODULE)
LATE = AdapterPlugin(backend="late", schemes=("late",), config=LateConfig, module=MODULE)

# The way an entry point would lead here, without a package to install.
sys.modules[MODULE] = sys.modules[__name__]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is repeated, see `tests.conformance.sampling`."""
    sampling.take(items, config)


@pytest.fixture(autouse=True)
def _variants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the variants for the tests of this folder, and for no others."""
    for name in ("poor", "late"):
        monkeypatch.setitem(registry.BUILT_IN, name, f"{MODULE}:{name.upper()}")


@pytest.fixture(autouse=True)
def _fewer_random_cases(request: pytest.FixtureRequest, _variants: None) -> None:
    """Draw fewer random cases where classes repeat one another."""
    place = getattr(request, "cls", None)
    if isinstance(place, type) and "lab" in request.fixturenames:
        lab: Any = request.getfixturevalue("lab")
        lab.examples = sampling.examples(place.__name__, lab.examples)
