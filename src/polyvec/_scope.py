# Generated from _scope_async.py by tools/unasync.py. Do not edit.
"""One verb under way: where it acts, until when, and how it pages (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from polyvec import _runtime
from polyvec.bounds import ALL, EVERYTHING, NONE, Compiled, compile_filter
from polyvec.errors import StoreError
from polyvec.primitives import StaleLayout, Target
from polyvec.records import RecordBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polyvec._calls import Caller
    from polyvec.capabilities import Capabilities
    from polyvec.deadline import Deadline
    from polyvec.filters import Filter
    from polyvec.primitives import Columns, KeyRange, Native, OpenedCollection, ScanPage
    from polyvec.schema import NativeLayout

T = TypeVar("T")

MAX_REOPENINGS: Final = 3
"""A layout that is stale this often in one verb is a bug of the adapter."""


class Source:
    """A collection as it was last opened, shared by its namespaces.

    Parameters
    ----------
    caller
        Runs the primitives.
    native
        How to read a collection that polyvec did not make, or None.
    opened
        The current snapshot.
    """

    def __init__(
        self,
        caller: Caller,
        native: NativeLayout | None,
        opened: OpenedCollection,
    ) -> None:
        self.caller = caller
        self.native = native
        self.opened = opened

    def reopen(self, deadline: Deadline) -> OpenedCollection:
        """Read the collection's marker, spec and layout again.

        By its own name: a handle that was opened through an alias stays with its
        collection when the alias is switched.

        Raises
        ------
        StoreError
            It was made anew with another dimension or metric. Vectors that were checked
            against the old ones must not reach it, and the handle stays as it is.
        """
        old = self.opened
        new = self.caller.run(
            "open_collection",
            self.caller.adapter.open_collection,
            old.name,
            self.native,
            deadline=deadline,
        )
        if (new.dimension, new.metric) != (old.dimension, old.metric):
            raise StoreError(
                f"{old.name!r} was made anew with dimension={new.dimension}, "
                f"metric={new.metric.value!r}; this handle was opened when they were "
                f"{old.dimension} and {old.metric.value!r}; open the collection again",
                store=self.caller.adapter.capabilities.store,
            )
        self.opened = new
        return new

    def refresh(self, stale: StaleLayout, times: int, deadline: Deadline) -> None:
        """Reopen the collection, whose layout was stale `times` times before in this verb.

        Raises
        ------
        StoreError
            That is too often.
        """
        if times >= MAX_REOPENINGS:
            raise StoreError(
                f"the layout of {self.opened.name!r} changed {times + 1} times during one call; "
                "call again when it has settled",
                store=self.caller.adapter.capabilities.store,
            ) from stale
        self.reopen(deadline)


class Scope:
    """One verb on one namespace of one collection.

    Parameters
    ----------
    source
        The collection.
    namespace
        Where the verb acts.
    deadline
        Until when.
    consistency
        `"strong"`, or None for the backend's default.
    most_at_once
        How many primitives may be under way at once, as the store is configured.
    """

    def __init__(
        self,
        source: Source,
        namespace: str,
        deadline: Deadline,
        consistency: str | None,
        most_at_once: int,
    ) -> None:
        self.source = source
        self.caller = source.caller
        self.adapter = source.caller.adapter
        self.namespace = namespace
        self.deadline = deadline
        self.consistency = consistency
        self._most_at_once = most_at_once

    @property
    def capabilities(self) -> Capabilities:
        """The store's capabilities."""
        return self.adapter.capabilities

    @property
    def concurrency(self) -> int:
        """Most primitives under way at once, of the verb and in the store."""
        return min(self._most_at_once, self.capabilities.limits.concurrency)

    @property
    def target(self) -> Target:
        """Where primitives act."""
        return Target(self.source.opened, self.namespace)

    @property
    def place(self) -> tuple[str, str]:
        """Collection and namespace, by name."""
        return self.source.opened.name, self.namespace

    def run(self, operation: str, primitive: Callable[..., T], *args: Any, **kw: Any) -> T:
        """Call a primitive on the target."""
        return self.caller.run(
            operation, primitive, self.target, *args, deadline=self.deadline, **kw
        )

    def read(self, operation: str, primitive: Callable[..., T], *args: Any) -> T:
        """Call a primitive that reads, with the verb's consistency."""
        return self.run(operation, primitive, *args, consistency=self.consistency)

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Run reads, a bounded number at once; the first failure is raised."""
        if len(calls) == 1:  # most reads are one call; a query's budget is 50 µs
            return [calls[0]()]
        results: list[T] = []
        for outcome in _runtime.outcomes(calls, self.concurrency):
            if isinstance(outcome, Exception):
                raise outcome
            if outcome is not None:
                results.append(outcome)
        return results

    def compile(self, where: Filter | None) -> Compiled:
        """Compile a checked filter for the collection's layout."""
        if where is None:
            return EVERYTHING
        times = 0
        while True:
            try:
                return compile_filter(where, self.adapter, self.source.opened.layout)
            except StaleLayout as stale:
                self.source.refresh(stale, times, self.deadline)
                times += 1

    def pages(
        self,
        native: Native,
        columns: Columns,
        *,
        limit: int | None = None,
        span: KeyRange | None = None,
        after: str | None = None,
    ) -> Iterator[ScanPage]:
        """Yield the pages of a scan; `native` may be the core's own `ALL` or `NONE`."""
        if native is NONE:
            return
        native = None if native is ALL else native
        most = self.capabilities.limits.scan_batch
        size = most if limit is None else min(limit, most)
        done = False
        while not done:
            page = self.read("scan", self.adapter.scan, native, span, after, size, columns)
            yield page
            if page.cursor is None and not page.done:
                raise AssertionError("a page that is not the last one needs a cursor")
            after, done = page.cursor, page.done

    def get(self, ids: Sequence[str], columns: Columns) -> list[RecordBatch]:
        """Read records by id, in as many calls as the store's limit asks for."""
        size = self.capabilities.limits.id_batch
        chunks = [ids[start : start + size] for start in range(0, len(ids), size)]

        def reading(chunk: Sequence[str]) -> Callable[[], RecordBatch]:
            return lambda: self.read("get", self.adapter.get, chunk, columns)

        return self.together([reading(chunk) for chunk in chunks])
