"""Waiting for what was written, on backends whose reads see it a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from polyvec import Collection, VectorStore
from polyvec.capabilities import Consistency

PATIENCE_S: Final = 60.0


def is_late(store: VectorStore) -> bool:
    """Tell whether reads see a write later than it returns."""
    return store.capabilities.consistency is Consistency.EVENTUAL


def level(store: VectorStore) -> str | None:
    """Return the consistency to ask for where a store sees only its own writes at once."""
    return "strong" if store.capabilities.consistency is Consistency.SESSION else None


def settle(
    store: VectorStore, collection: Collection[Any], ids: Sequence[str], *, absent: bool = False
) -> None:
    """Wait until ids are seen, or with `absent` are not."""
    if is_late(store):
        collection.wait_until_visible(ids, timeout_s=PATIENCE_S, absent=absent)


def eventually(store: VectorStore, check: Callable[[], object]) -> None:
    """Run a check that asserts; where reads see writes late, again until it passes."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            check()
        except AssertionError:
            if not is_late(store) or time.monotonic() > end:
                raise
        else:
            return


def counts(store: VectorStore, collection: Collection[Any], wanted: int, where: Any = None) -> None:
    """Assert the number of records that match."""

    def check() -> None:
        assert collection.count(where, consistency=level(store)) == wanted, where

    eventually(store, check)
