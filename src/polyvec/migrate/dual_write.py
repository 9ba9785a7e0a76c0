"""A store whose writes reach a second store too, through a durable log.

The primary decides. A write is logged, sent to the primary, and then the touched records are read
from the primary and brought to the secondary, by one process at a time; so two writers that race
for a record leave the same state in both stores. When the secondary fails, the records stay in the
log, the outbox, and later writes or `replay` bring them over. Applying twice changes nothing.
Where the primary shows writes only later, a thread waits for that and brings them over.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from polyvec.capabilities import AsyncKind, Consistency, Feature
from polyvec.config import resolve
from polyvec.errors import (
    CollectionNotFoundError,
    InvalidRecordError,
    InvalidRequestError,
    NotSupportedError,
    PolyvecError,
    RejectedError,
)
from polyvec.migrate.courier import Courier
from polyvec.migrate.shadow import ShadowReader
from polyvec.migrate.syncing import NO_TRANSFORMS, SEEN_WITHIN_S, sync_events
from polyvec.migrate.touched import TouchedLog
from polyvec.store import VectorStore, connect
from polyvec.store_async import AsyncVectorStore
from polyvec.threaded import threaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from polyvec.adapter import Adapter
    from polyvec.capabilities import Capabilities
    from polyvec.collection import Collection
    from polyvec.migrate.plan import Plan
    from polyvec.migrate.sides import Endpoint
    from polyvec.migrate.touched import Event
    from polyvec.migrate.transforms import Transforms
    from polyvec.primitives import Patch, Target
    from polyvec.records import RecordBatch

_logger = logging.getLogger("polyvec")

REPLAY_WITH_A_WRITE: Final = 100
"""Records of the outbox that a write brings over besides its own."""


class Mirror:
    """Brings touched records from the primary to the secondary.

    Parameters
    ----------
    primary, secondary
        Open stores.
    log
        The touched-log.
    collections
        Name in the primary to name in the secondary; others are not mirrored.
    transforms
        What a migration changes on the way.
    """

    def __init__(
        self,
        primary: VectorStore,
        secondary: VectorStore,
        log: TouchedLog,
        collections: Mapping[str, str],
        transforms: Transforms,
    ) -> None:
        self.primary = primary
        self.secondary = secondary
        self.log = log
        self.collections = dict(collections)
        self.transforms = transforms
        self._opened: dict[tuple[str, str], Collection[Any]] = {}
        self._courier: Courier | None = None
        if primary.capabilities.consistency is Consistency.EVENTUAL:
            self._courier = Courier(self.replay)

    def close(self) -> None:
        """End the thread, if there is one; what it has not brought over stays in the log."""
        if self._courier is not None:
            self._courier.close()
        self.log.close()

    def write(self, target: Target, ids: Sequence[str], work: Callable[[], None]) -> None:
        """Write to the primary by `work`, then bring the records over."""
        name = target.collection.name
        if name not in self.collections:
            work()
            return
        seqs = self.log.begin(name, target.namespace, ids)
        try:
            work()
        finally:
            # Also after an error: the primary may have written, and reading it tells.
            self.log.ready(seqs)
        if self._courier is not None:
            self._courier.wake()
            return
        try:
            with self.log.applying():
                refusals: list[PolyvecError] = []
                self._bring_most(self.log.of_records(seqs), refusals)
                self._bring_most(self.log.outbox(REPLAY_WITH_A_WRITE), refusals)
            error = refusals[0] if refusals else None
        except PolyvecError as exc:
            error = exc
        if error is not None:
            _logger.warning("the secondary lags, records wait in the log: %s", error)

    def replay(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Bring over what waits in the outbox by now, oldest first; return how many records.

        Parameters
        ----------
        stop
            Asked now and then; True ends it early.

        Raises
        ------
        PolyvecError
            A store fails, or the secondary cannot hold a record; these stay in the outbox.
        """
        self.log.free_the_dead()
        end, after, count = self.log.end(), 0, 0
        refusals: list[PolyvecError] = []
        while not stop():
            with self.log.applying():
                events = self.log.outbox(after=after, below=end)
                if not events:
                    break
                count += self._bring_most(events, refusals)
            after = events[-1].seq
        if refusals:
            raise refusals[0]
        return count

    def _bring_most(self, events: list[Event], refusals: list[PolyvecError]) -> int:
        """Bring records over but for those that the secondary refuses; return how many.

        Halves tell which those are, so that one of them does not keep the others waiting.
        """
        try:
            return self._bring(events)
        except (InvalidRecordError, RejectedError) as exc:
            if len(events) == 1:
                refusals.append(exc)
                return 0
        middle = len(events) // 2
        first = self._bring_most(events[:middle], refusals)
        return first + self._bring_most(events[middle:], refusals)

    def _bring(self, events: list[Event]) -> int:
        """Bring records over and return how many; the log's lock is held."""
        events = [event for event in events if event.collection in self.collections]
        if events:
            sync_events(
                events,
                lambda name: self._collection("primary", name),
                lambda name: self._collection("secondary", self.collections[name]),
                self.transforms,
            )
            self.log.applied(events)
        return len(events)

    def _collection(self, side: str, name: str) -> Collection[Any]:
        if (side, name) not in self._opened:
            store = self.primary if side == "primary" else self.secondary
            self._opened[side, name] = store.collection(name)
        return self._opened[side, name]


class DualAdapter:
    """The primary's adapter, with writes that are mirrored.

    Deletes by filter become a scan and deletes by id, so that every touched id is known.
    """

    def __init__(self, adapter: Adapter, mirror: Mirror, close: Callable[[], None]) -> None:
        self._adapter = adapter
        self._mirror = mirror
        self._close = close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    @property
    def capabilities(self) -> Capabilities:
        """The primary's, but for deletes by filter; the async form waits in threads."""
        can = self._adapter.capabilities
        features = can.features - {Feature.DELETE_BY_FILTER}
        return replace(can, features=features, async_kind=AsyncKind.THREAD)

    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        """Mirror an upsert."""
        self._mirror.write(
            target, batch.ids, lambda: self._adapter.upsert(target, batch, timeout_s=timeout_s)
        )

    def update(
        self, target: Target, ids: Sequence[str], patch: Patch, *, timeout_s: float | None
    ) -> None:
        """Mirror an update."""
        self._mirror.write(
            target, ids, lambda: self._adapter.update(target, ids, patch, timeout_s=timeout_s)
        )

    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        """Mirror a delete."""
        self._mirror.write(
            target, ids, lambda: self._adapter.delete_ids(target, ids, timeout_s=timeout_s)
        )

    def close(self) -> None:
        """Close what was opened for this store."""
        self._close()


class DualWriteStore(VectorStore):
    """The primary store, whose writes to some collections reach a secondary store too.

    Use it in every writer before a migration is planned, and give its log to the migration. Reads
    are the primary's. Creating and dropping collections is the primary's alone.

    Parameters
    ----------
    primary, secondary
        A URL, a profile, a configuration or an open store each.
    log
        File of the touched-log, one for all writers of a machine.
    collections
        Names of the collections to mirror, or name in the primary to name in the secondary.
    plan
        Of the migration, where that changes records on the way: they are changed here too.

    Raises
    ------
    NotSupportedError
        The primary shows writes only later, and does not tell when.
    """

    def __init__(
        self,
        primary: Endpoint,
        secondary: Endpoint,
        *,
        log: Path | str,
        collections: Sequence[str] | Mapping[str, str],
        plan: Plan | None = None,
    ) -> None:
        adapter, self.mirror = _mirrored(primary, secondary, log, collections, plan)
        super().__init__(adapter, self.mirror.primary.config)

    def replay(self) -> int:
        """Bring over what waits in the outbox; return how many records."""
        return self.mirror.replay()

    def shadow(self, collection: str, share: float = 1.0) -> ShadowReader:
        """Return a reader that asks both stores and compares; close it for the last answers.

        Parameters
        ----------
        collection
            A mirrored collection.
        share
            Of the queries that are asked twice, a ratio in [0, 1].
        """
        other = self.mirror.collections.get(collection)
        if other is None:
            raise InvalidRequestError(f"collection {collection!r} is not mirrored")
        return ShadowReader(
            self.mirror.primary.collection(collection),
            self.mirror.secondary.collection(other),
            share,
        )


def dual_write_async(
    primary: Endpoint,
    secondary: Endpoint,
    *,
    log: Path | str,
    collections: Sequence[str] | Mapping[str, str],
    plan: Plan | None = None,
) -> AsyncVectorStore:
    """Return the asynchronous form of a `DualWriteStore`: its calls wait in threads."""
    adapter, mirror = _mirrored(primary, secondary, log, collections, plan)
    return AsyncVectorStore(threaded(adapter), mirror.primary.config)


def _mirrored(
    primary: Endpoint,
    secondary: Endpoint,
    log: Path | str,
    collections: Sequence[str] | Mapping[str, str],
    plan: Plan | None,
) -> tuple[Adapter, Mirror]:
    if isinstance(collections, str) or not collections:
        raise InvalidRequestError(f"collections={collections!r}: expected names, or a mapping")
    if isinstance(collections, Mapping):
        names = dict(collections)
    else:
        names = {name: name for name in collections}
    opened: list[VectorStore] = []

    def store_of(end: Endpoint) -> VectorStore:
        if isinstance(end, VectorStore):
            return end
        opened.append(connect(resolve(end)))
        return opened[-1]

    def close_opened() -> None:
        for store in opened:
            store.close()

    try:
        first, second = store_of(primary), store_of(secondary)
        _check_primary(first, list(names))
        transforms = NO_TRANSFORMS if plan is None else plan.transforms
        mirror = Mirror(first, second, TouchedLog(log), names, transforms)
    except BaseException:
        close_opened()
        raise

    def close() -> None:
        mirror.close()
        close_opened()

    own = first._adapter  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it wraps a store's own adapter
    return cast("Adapter", DualAdapter(own, mirror, close)), mirror


def _check_primary(primary: VectorStore, names: list[str]) -> None:
    """Refuse a primary of which nobody can tell whether it shows a write."""
    if primary.capabilities.consistency is not Consistency.EVENTUAL:
        return
    for name in names:
        try:
            docs = primary.collection(name)
        except CollectionNotFoundError:
            continue  # it may be made later
        try:
            for namespace in list(docs.namespaces())[:1]:
                docs.namespace(namespace).wait_for_writes(timeout_s=SEEN_WITHIN_S)
        except NotSupportedError as exc:
            raise NotSupportedError(
                f"{primary.capabilities.store} shows writes only later, and does not tell when; "
                "a dual write reads them back"
            ) from exc
