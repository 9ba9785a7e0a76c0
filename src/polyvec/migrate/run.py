"""One run of a migration, with its journal open: copy, then verify."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from polyvec.capabilities import Consistency, ScanStability
from polyvec.errors import MigrationError
from polyvec.migrate.catch_up import CatchUp
from polyvec.migrate.cluster import ClusterEngine, ray_engine
from polyvec.migrate.dead_letters import write_dead_letters
from polyvec.migrate.engine import Engine, Reader, Settings, announce, records_per_batch, too_many
from polyvec.migrate.fidelity import faults
from polyvec.migrate.journal import DEAD_LETTERS_NAME, VERIFY_NAME, Journal
from polyvec.migrate.reembed import Reembedder, load
from polyvec.migrate.results import MigrationReport, VerifyReport
from polyvec.migrate.syncing import SEEN_WITHIN_S, batch_of, strongest
from polyvec.migrate.transforms import Transforms, apply
from polyvec.migrate.verify import Verification
from polyvec.migrate.writing import BatchSize, Writer
from polyvec.snapshot.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.collection import Collection
    from polyvec.migrate.dead_letters import DeadLetter
    from polyvec.migrate.plan import Plan
    from polyvec.migrate.reembed import Embed
    from polyvec.migrate.sides import Side
    from polyvec.migrate.touched import TouchedLog
    from polyvec.migrate.watch import Watch


class Run:
    """One run of a migration, with its journal open.

    Parameters
    ----------
    journal
        Of the migration.
    source, target
        The two ends.
    settings
        How the copy runs.
    watch
        Told of everything.
    touched
        The log of writers that are active, or None.
    embed
        The function that makes new vectors, None for the one that the plan names, if any.
    """

    def __init__(
        self,
        journal: Journal,
        source: Side,
        target: Side,
        settings: Settings,
        watch: Watch,
        touched: TouchedLog | None = None,
        embed: Embed | None = None,
    ) -> None:
        self._journal = journal
        self._plan = journal.plan
        self._source = source
        self._target = target
        self._settings = settings
        self._watch = watch
        self._touched = touched
        self._unwritten: list[DeadLetter] = []  # of the catch-up, which were too many
        self._remake: Reembedder | None = None
        if (model := self._plan.transforms.reembed) is not None:
            embed = load(model) if embed is None else embed
            self._remake = Reembedder(embed, model, self._plan.spec.dimension, journal.directory)
        self._origin: Collection[Any] = source.store.collection(self._plan.source.collection)

    def close(self) -> None:
        """Close what belongs to this run alone."""
        if self._remake is not None:
            self._remake.close()

    def whole(self, verify: str, queries: int, *, fresh: bool) -> MigrationReport:
        """Copy what is not copied yet, verify, and return the report."""
        started = [task for task in self._journal.open_tasks() if task.cursor is not None]
        skipped = self._journal.range_counts()[1]
        self._watch.event("ranges", done=skipped, begun=len(started))
        began = time.monotonic()
        self.copy(fresh=fresh)
        copy_s = time.monotonic() - began
        found = None if verify == "none" else self.verify(verify, queries)
        totals = self._journal.totals()
        plan = self._plan
        report = MigrationReport(
            collection=plan.source.collection,
            to=plan.target.collection,
            digest=plan.digest,
            journal=self._journal.directory,
            copied=self._journal.written(),
            without_vector=totals.bare,
            left_out=totals.dead,
            ranges=self._journal.range_counts()[0],
            ranges_resumed=len(started),
            ranges_skipped=skipped,
            copy_s=copy_s,
            verification=found,
        )
        self._watch.event("done", **report.as_json())
        return report

    def copy(self, *, fresh: bool) -> None:
        """Copy every range that is not done, and write the dead letters."""
        plan, spec = self._plan, self._plan.spec
        goal = self._target.store.create_collection(
            plan.target.collection, dimension=spec.dimension, metric=spec.metric, exist_ok=True
        )
        self._check_target(goal, fresh=fresh)
        self._check_source()
        if fresh:
            self._check_probes(goal)
        if self._touched is not None:
            self._touched.copying(now=True)
            # What was written before there was a log, and applied before this moment.
            for namespace in plan.namespaces:
                self._origin.namespace(namespace.source).wait_for_writes(timeout_s=SEEN_WITHIN_S)
        done = self._journal.totals().read
        self._watch.start("copy", None if plan.transforms.where else plan.count, done)
        engine = self._engine(goal)
        try:
            engine.run()
        finally:
            engine.close()
            self._write_dead_letters(engine.unwritten)
        self._journal.remember("copied", "yes")
        if self._touched is not None:
            try:
                self._catch_up(goal, self._touched).run()
            finally:
                self._write_dead_letters(self._unwritten)

    def _write_dead_letters(self, unwritten: list[DeadLetter]) -> None:
        letters = [*self._journal.dead_letters(), *unwritten]
        write_dead_letters(self._journal.directory / DEAD_LETTERS_NAME, letters)

    def _engine(self, goal: Collection[Any]) -> Engine | ClusterEngine:
        plan, journal, settings, watch = self._plan, self._journal, self._settings, self._watch
        if settings.engine == "local":
            return Engine(plan, journal, goal, settings, watch, self._reader(), self._remake)
        source, target = self._source.store.config, self._target.store.config
        return ray_engine(plan, journal, source, target, settings, watch)

    def _reader(self) -> Reader:
        can = self._source.store.capabilities
        return Reader(
            self._origin,
            self._plan.transforms.filter,
            records_per_batch(self._plan, self._settings.batch_size),
            self._watch,
            self._settings.patience_s,
            strongest(can),
            by_ids=self._touched is not None and can.scan_stability is ScanStability.IDS,
        )

    def _catch_up(self, goal: Collection[Any], touched: TouchedLog) -> CatchUp:
        settings = self._settings
        size = BatchSize(records_per_batch(self._plan, settings.batch_size))
        writer = Writer(size, self._watch, settings.patience_s)
        return CatchUp(
            self._plan,
            touched,
            self._origin,
            goal,
            self._watch,
            self._remake,
            writer,
            self._settle_dead,
        )

    def _settle_dead(self, namespace: str, ids: Sequence[str], dead: list[DeadLetter]) -> None:
        """Record dead letters of the catch-up, and that others are none any more."""
        announce(dead, self._watch)
        most = self._settings.max_errors
        count = self._journal.brought_over(namespace, ids, dead, most)
        if dead and count > most:
            self._unwritten = dead
            raise too_many(count, most, dead)

    def verify(self, mode: str, queries: int, seed: int | None = None) -> VerifyReport:
        """Compare the stores, keep the report in the journal, and return it."""
        seed = secrets.randbits(32) if seed is None else seed
        plan = self._plan
        goal = self._target.store.collection(plan.target.collection)
        left_out = self._left_out(goal)
        found = Verification(
            plan,
            self._journal.tasks(),
            left_out,
            self._origin,
            goal,
            self._source.store.capabilities,
            self._target.store.capabilities,
            self._reader(),
            self._watch,
            seed=seed if mode == "sample" else None,
            queries=queries,
            remake=self._remake,
            online=None if self._touched is None else self._catch_up(goal, self._touched),
        ).run(self._settings.workers)
        self._journal.remember("verified", "yes" if found.ok else "no")
        self._journal.remember("verified_mode", mode)
        with replacing(self._journal.directory / VERIFY_NAME) as temporary:
            text = json.dumps(found.as_json(), ensure_ascii=False, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")
        self._watch.event("verified", ok=found.ok, **found.counts)
        return found

    def _left_out(self, goal: Collection[Any]) -> set[tuple[str, str]]:
        """Return namespace and id of the dead letters that no writer has mended or deleted since.

        In a merge the target may have had a record of that id before.
        """
        places: dict[str, list[str]] = {}
        for letter in self._journal.dead_letters():
            places.setdefault(letter.namespace, []).append(letter.id)
        left: set[tuple[str, str]] = set()
        for name, ids in places.items():
            there = goal.namespace(self._plan.transforms.target_of(name))
            lost = {record.id for record in self._origin.namespace(name).get(ids, include=())}
            if not self._plan.spec.merge:
                lost -= {record.id for record in there.get(ids, include=())}
            left |= {(name, one) for one in lost}
        return left

    def _check_target(self, goal: Collection[Any], *, fresh: bool) -> None:
        """Refuse a target that was filled since the plan, or emptied since the last run."""
        if self._touched is not None:
            return  # writers fill it and empty it
        held = goal.namespaces()
        name = self._plan.target.collection
        if fresh:
            if held and not self._plan.spec.merge:
                raise MigrationError(
                    f"collection {name!r} of the target holds {sum(held.values())} records that "
                    "came after the plan was made; choose another name, drop it, or merge into it"
                )
            return
        if self._target.store.capabilities.consistency is Consistency.EVENTUAL:
            return  # its counts may lag
        for space, count in self._journal.written().items():
            if held.get(space, 0) < count:
                raise MigrationError(
                    f"namespace {space!r} of {name!r} holds {held.get(space, 0)} records, but the "
                    f"target acknowledged {count} before the interruption; it was emptied or made "
                    "anew: drop it and start again with a new journal"
                )

    def _check_source(self) -> None:
        """Refuse to go on when the source has namespaces that the plan does not know."""
        if self._touched is not None:
            return  # their records are in the log
        planned = {namespace.source for namespace in self._plan.namespaces}
        later = sorted(self._origin.namespaces().keys() - planned)
        if later:
            raise MigrationError(
                f"namespace {later[0]!r} of the source came after the plan was made; plan again"
            )

    def _check_probes(self, goal: Collection[Any]) -> None:
        """Hold the extreme records against the real collection before anything is written.

        What a server's adapter refuses by the layout of its collection can be known only when
        there is one.
        """
        bad: dict[str, str] = {}
        spaces: dict[str, list[str]] = {}
        for example in self._plan.fidelity.probes:
            spaces.setdefault(example.namespace, []).append(example.id)
        for namespace, ids in spaces.items():
            read = self._origin.namespace(namespace).get(ids)
            batch, clashes = apply(self._plan.transforms, batch_of(read, self._origin.dimension))
            if self._remake is not None:
                batch, bare = self._remake(batch)
                clashes = {**clashes, **bare}  # the plan has counted those
            batch = batch.take([row for row in range(len(batch)) if row not in clashes])
            target = goal.namespace(self._plan.transforms.target_of(namespace))
            found = faults(target.check, batch)
            bad.update((batch.ids[row], reason) for row, reason in found.items())
        # What the plan found to be refused was allowed or not before; this is what it missed.
        if bad and not self._plan.fidelity.refused and len(bad) > self._settings.max_errors:
            name, why = next(iter(bad.items()))
            raise MigrationError(
                f"the target cannot hold records like {name!r}: {why}; nothing was written; "
                "mend the source, or allow dead letters with max_errors"
            )


def check_pairing(
    plan: Plan,
    source: Side,
    target: Side,
    collection: str | None,
    to: str | None,
    transforms: Transforms,
) -> None:
    """Refuse a plan or a journal that is not about these ends, names and transforms."""
    pairs = {
        "source": (plan.source.identity == source.identity, plan.source.shown, source.shown),
        "target": (plan.target.identity == target.identity, plan.target.shown, target.shown),
        "target collection": (to in (None, plan.target.collection), plan.target.collection, to),
    }
    if collection is not None:
        # An alias is another name of the same collection.
        same = collection == plan.source.collection or (
            source.store.collection(collection).name == plan.source.collection
        )
        pairs["collection"] = (same, plan.source.collection, collection)
    for what, (same, planned, given) in pairs.items():
        if not same:
            raise MigrationError(
                f"the plan is for another {what}: it says {planned!r}, not {given!r}"
            )
    if transforms not in (Transforms(), plan.transforms):
        raise MigrationError(
            "the plan has other transforms (where, rename, drop, namespace_map) than those given; "
            "leave them out, or plan again"
        )


def check_fidelity(plan: Plan, max_errors: int) -> None:
    """Refuse to start when more records cannot be stored than may be left out."""
    count = plan.fidelity.refused_count
    if count > max_errors:
        finding = plan.fidelity.refused[0]
        example = finding.examples[0]
        raise MigrationError(
            f"{count} of the {plan.fidelity.read} records that were read cannot be stored in the "
            f"target, {max_errors} may be left out: {finding.what} (for example {example.id!r} in "
            f"namespace {example.namespace!r}); mend the source, or raise max_errors"
        )
