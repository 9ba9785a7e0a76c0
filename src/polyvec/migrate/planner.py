"""Making a plan: the source is read, nothing is written."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec import _checks
from polyvec._prepare import Rules
from polyvec.capabilities import ScanStability
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    InvalidRequestError,
    NotSupportedError,
)
from polyvec.migrate.fidelity import Check, FidelityScan, check_by_rules, faults
from polyvec.migrate.plan import (
    End,
    Estimate,
    Fidelity,
    Finding,
    NamespacePlan,
    Plan,
    Range,
    Spec,
)
from polyvec.migrate.reembed import NO_TEXT, dimension_of
from polyvec.migrate.syncing import strongest
from polyvec.migrate.transforms import apply

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.migrate.reembed import Embed
    from polyvec.migrate.sides import Side
    from polyvec.migrate.transforms import Transforms
    from polyvec.migrate.watch import Watch
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionInfo
    from polyvec.types import Include

WHOLE: Final[tuple[Include, ...]] = ("metadata", "text", "vector")
RANGE_RECORDS: Final = 20_000
MOST_RANGES: Final = 1_000
READ_BATCH: Final = 1_000
SAMPLE: Final = 1_000
FIDELITY: Final = ("full", "sample", "none")

SOURCE_RIGHTS: Final = ["describe the collection", "list its namespaces", "read its records"]
TARGET_RIGHTS: Final = ["create the collection", "write records", "read records, to verify"]


class Planner:
    """Reads the source and says what a migration would do.

    Parameters
    ----------
    source, target
        The two ends.
    transforms
        Which records move, and how they change.
    workers
        How many ranges there should be at least, where the collection is large enough.
    watch
        Told of the progress.
    embed
        Makes new vectors; asked for one of them, for the dimension.
    """

    def __init__(
        self,
        source: Side,
        target: Side,
        transforms: Transforms,
        workers: int,
        watch: Watch,
        embed: Embed | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._transforms = transforms
        self._workers = workers
        self._watch = watch
        self._embed = embed

    def plan(self, name: str, to: str | None, *, merge: bool, fidelity: str) -> Plan:
        """Return the plan.

        Raises
        ------
        CollectionNotFoundError
            The source has no such collection.
        CollectionExistsError
            The target collection has another dimension or metric, or holds records and
            `merge` is False.
        InvalidRequestError
            Source and target are one collection, or two namespaces would become one.
        NotSupportedError
            The target has no such metric or number of dimensions.
        """
        if fidelity not in FIDELITY:
            raise InvalidRequestError(f"fidelity={fidelity!r}; expected one of {FIDELITY}")
        origin = self._source.store.collection(name)
        info = origin.describe()
        to = info.name if to is None else to
        if self._embed is not None:
            info = replace(info, dimension=dimension_of(self._embed))
        if to == info.name and self._same_place():
            raise InvalidRequestError(
                f"source and target are the collection {to!r} of one store; name another one"
            )
        goal = self._goal(to, info, merge=merge)
        self._check_namespaces(info)
        namespaces = [self._namespace(origin, space, n) for space, n in info.namespaces.items()]
        began = time.monotonic()
        scan = FidelityScan()
        if fidelity != "none":
            self._watch.start("plan", info.count if fidelity == "full" else None)
            for space in info.namespaces:
                self._read(origin, goal, info, space, scan, whole=fidelity == "full")
        elapsed_s = time.monotonic() - began
        complete = fidelity == "full"
        report = scan.report(complete=complete, changes=self._changes(info))
        return Plan(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            source=self._end(self._source, info.name),
            target=self._end(self._target, to),
            spec=Spec(
                dimension=info.dimension, metric=info.metric, exists=goal is not None, merge=merge
            ),
            transforms=self._transforms,
            namespaces=namespaces,
            fidelity=report if fidelity != "none" else Fidelity(changes=report.changes),
            estimate=_estimate(info, scan, elapsed_s),
            rights={"source": SOURCE_RIGHTS, "target": TARGET_RIGHTS},
        )

    def _same_place(self) -> bool:
        """Whether both ends are one store; every `memory://` without a folder is one of its own."""
        if self._source.store is self._target.store:
            return True
        config = self._source.store.config
        in_process = config.backend == "memory" and getattr(config, "dir", None) is None
        return self._source.identity == self._target.identity and not in_process

    @staticmethod
    def _end(side: Side, collection: str) -> End:
        return End(
            shown=side.shown,
            identity=side.identity,
            backend=side.store.config.backend,
            collection=collection,
        )

    def _goal(self, to: str, info: CollectionInfo, *, merge: bool) -> Collection[Any] | None:
        """Return the target collection if it is there; refuse one that cannot take the records."""
        store, can = self._target.store, self._target.store.capabilities
        try:
            goal = store.collection(to)
        except CollectionNotFoundError:
            _checks.check_new_name(to)
            if info.metric not in can.metrics:
                raise NotSupportedError(
                    f"{can.store} has no metric {info.metric.value!r}, which the source has; "
                    f"it has {', '.join(sorted(can.metrics))}"
                ) from None
            _checks.check_dimension(info.dimension, can.limits, can.store)
            return None
        if (goal.dimension, goal.metric) != (info.dimension, info.metric):
            raise CollectionExistsError(
                f"collection {to!r} of the target has dimension {goal.dimension} and metric "
                f"{goal.metric.value!r}, the source {info.dimension} and {info.metric.value!r}; "
                "choose another name",
                store=can.store,
                operation="migrate",
            )
        held = sum(goal.namespaces().values())
        if held and not merge:
            raise CollectionExistsError(
                f"collection {to!r} of the target holds {held} records; "
                "choose another name, drop it, or merge into it",
                store=can.store,
                operation="migrate",
            )
        return goal

    def _check_namespaces(self, info: CollectionInfo) -> None:
        """Refuse that two namespaces become one: equal ids in them would overwrite each other."""
        taken: dict[str, str] = {}
        for name in sorted({*info.namespaces, *self._transforms.namespace_map}):
            target = _checks.check_namespace(self._transforms.target_of(name))
            if target in taken:
                raise InvalidRequestError(
                    f"namespaces {taken[target]!r} and {name!r} would both become {target!r}, and "
                    "records with equal ids would be lost; migrate them into two collections"
                )
            taken[target] = name

    def _namespace(self, origin: Collection[Any], name: str, count: int) -> NamespacePlan:
        parts = -(-count // RANGE_RECORDS)
        if count >= self._workers * READ_BATCH:
            parts = max(parts, self._workers)
        spans = origin.namespace(name).ranges(max(1, min(parts, MOST_RANGES)))
        return NamespacePlan(
            source=name,
            target=self._transforms.target_of(name),
            count=count,
            ranges=[Range(start=span.start, stop=span.stop) for span in spans],
        )

    def _read(
        self,
        origin: Collection[Any],
        goal: Collection[Any] | None,
        info: CollectionInfo,
        namespace: str,
        scan: FidelityScan,
        *,
        whole: bool,
    ) -> None:
        """Hold the records of one namespace against the target's rules."""
        target = self._transforms.target_of(namespace)
        check: Check
        if goal is None:
            config = self._target.store.config
            rules = Rules(info.dimension, info.metric, None, config.max_metadata_bytes)
            check = check_by_rules(rules, self._target.store.capabilities, target)
        else:
            check = goal.namespace(target).check
        where = self._transforms.filter
        read = 0
        strong = strongest(self._source.store.capabilities)
        scan_all = origin.namespace(namespace).scan(
            where, batch_size=READ_BATCH, include=WHOLE, consistency=strong
        )
        for batch in scan_all:
            changed, bad = apply(self._transforms, batch)
            if self._embed is not None:
                changed, bare = _with_some_vectors(changed, info.dimension)
                bad = {**bad, **bare}
            rows = [row for row in range(len(batch)) if row not in bad]
            found = faults(check, changed if not bad else changed.take(rows))
            scan.add(namespace, changed, {**bad, **{rows[at]: text for at, text in found.items()}})
            self._watch.add(namespace, len(batch))
            read += len(batch)
            if not whole and read >= SAMPLE:
                return

    def _changes(self, info: CollectionInfo) -> list[Finding]:
        """Return what the two stores themselves make different."""
        here, there = self._source.store.capabilities, self._target.store.capabilities
        found: list[Finding] = []
        if there.vector_tolerance > here.vector_tolerance:
            found.append(
                Finding(
                    what=f"vectors: {there.store} gives them back within a relative error of "
                    f"{there.vector_tolerance:g}, {here.store} within {here.vector_tolerance:g}"
                )
            )
        if info.index is not None:
            what = f"index: {info.index!r} of the source is not copied; the target builds its own"
            found.append(Finding(what=what))
        if info.layout == "native":
            found.append(
                Finding(
                    what="layout: the source was not made by polyvec; its fields become metadata, "
                    f"its ids text ({_shown_details(info.details)})"
                )
            )
        if here.scan_stability is not ScanStability.STABLE:
            what = f"order: {here.store} has no stable order to read in; stop writing meanwhile"
            if here.scan_stability is ScanStability.IDS:
                what += ", or write through a DualWriteStore and give its touched-log"
            found.append(Finding(what=what))
        return found


def _with_some_vectors(batch: RecordBatch, dimension: int) -> tuple[RecordBatch, dict[int, str]]:
    """Stand in for vectors that will be made; nothing is embedded to plan."""
    bare = {row: NO_TEXT for row, text in enumerate(batch.texts or ()) if text is None}
    vectors = np.ones((len(batch), dimension), dtype=np.float32)
    return replace(batch, vectors=vectors, present=None), bare


def _shown_details(details: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in details.items())[:500]


def _estimate(info: CollectionInfo, scan: FidelityScan, elapsed_s: float) -> Estimate:
    each = scan.bytes / scan.read if scan.read else 4.0 * info.dimension
    rate = scan.read / elapsed_s if scan.read and elapsed_s > 0 else 0.0
    return Estimate(
        records=info.count,
        bytes=int(each * info.count),
        read_s=round(info.count / rate, 3) if rate else 0.0,
    )
