"""A memory store that fails as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from polyvec import RecordBatch, VectorStore
from polyvec.capabilities import Capabilities
from polyvec.memory._config import MemoryConfig
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Columns, KeyRange, Native, ScanPage, Target

Hook = Callable[[RecordBatch], None]


class Faulty(MemoryAdapter):
    """Calls a hook before every write and every page of a scan; remembers what it did."""

    def __init__(self) -> None:
        super().__init__()
        self.before_upsert: Hook = lambda _: None
        self.before_scan: Callable[[], None] = lambda: None
        self.changed: dict[str, Any] = {}
        self.written: list[int] = []
        self.scanned: list[tuple[KeyRange | None, str | None]] = []

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, **self.changed)

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        self.before_upsert(batch)
        super().upsert(target, batch, timeout_s=timeout_s)
        self.written.append(len(batch))

    def scan(
        self,
        target: Target,
        native: Native | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        self.before_scan()
        self.scanned.append((span, after))
        return super().scan(
            target,
            native,
            span,
            after,
            limit,
            columns,
            consistency=consistency,
            timeout_s=timeout_s,
        )


def faulty() -> tuple[VectorStore, Faulty]:
    """Return a store that tries everything once, and its adapter."""
    adapter = Faulty()
    return VectorStore(adapter, MemoryConfig(max_attempts=1)), adapter


def failing_times(times: int, error: Callable[[], Exception]) -> Callable[..., None]:
    """Return a hook that fails the first few times."""
    left = [times]

    def hook(*_: Sequence[object]) -> None:
        if left[0]:
            left[0] -= 1
            raise error()

    return hook
