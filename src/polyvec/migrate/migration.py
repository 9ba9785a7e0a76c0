"""Plan, copy, verify: a migration from its start, or from where it was interrupted."""

from __future__ import annotations

import hashlib
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyvec import _checks
from polyvec.capabilities import ScanStability
from polyvec.errors import InvalidRequestError, NotSupportedError
from polyvec.migrate.engine import Settings
from polyvec.migrate.journal import Journal
from polyvec.migrate.plan import Plan, load_plan
from polyvec.migrate.planner import Planner
from polyvec.migrate.reembed import load, name_of
from polyvec.migrate.run import Run, check_fidelity, check_pairing
from polyvec.migrate.sides import Endpoint, Side, open_sides
from polyvec.migrate.steps import check_portable, check_reachable
from polyvec.migrate.touched import TouchedLog
from polyvec.migrate.transforms import Transforms, make_transforms
from polyvec.migrate.watch import LogLine, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from polyvec.filters import Filter
    from polyvec.migrate.reembed import Embed
    from polyvec.migrate.report import Progress
    from polyvec.migrate.results import MigrationReport, VerifyReport

JOURNALS: Final = "polyvec-migrations"
"""Where journals go unless a directory is given, below the working directory."""

ENGINES: Final = ("local", "ray")
VERIFY: Final = ("full", "sample", "none")
QUERIES: Final = 20


def make_plan(
    source: Endpoint,
    target: Endpoint,
    collection: str,
    *,
    to: str | None = None,
    where: Filter | Mapping[str, Any] | None = None,
    rename: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    namespace_map: Mapping[str, str] | None = None,
    reembed: Embed | str | None = None,
    merge: bool = False,
    fidelity: str = "full",
    workers: int = 4,
    progress: Callable[[Progress], None] | None = None,
    log: Callable[[LogLine], None] | None = None,
) -> Plan:
    """Read the source and return what a migration would do; nothing is written.

    Takes what `migrate` takes and raises what it raises.
    """
    transforms = make_transforms(
        where=where,
        rename=rename,
        drop=drop,
        namespace_map=namespace_map,
        reembed=None if reembed is None else name_of(reembed),
    )
    embed = load(reembed) if isinstance(reembed, str) else reembed
    watch = Watch(progress, log)
    with open_sides(source, target) as (here, there):
        planner = Planner(here, there, transforms, _workers(workers), watch, embed)
        return planner.plan(collection, to, merge=merge, fidelity=fidelity)


def migrate(
    source: Endpoint,
    target: Endpoint,
    collection: str | None = None,
    *,
    to: str | None = None,
    where: Filter | Mapping[str, Any] | None = None,
    rename: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    namespace_map: Mapping[str, str] | None = None,
    reembed: Embed | str | None = None,
    merge: bool = False,
    fidelity: str = "full",
    plan: Plan | Path | str | None = None,
    journal: Path | str | None = None,
    resume: bool = False,
    workers: int = 4,
    engine: str = "local",
    batch_size: int | None = None,
    max_errors: int = 0,
    patience_s: float = 60.0,
    verify: str = "full",
    queries: int = QUERIES,
    touched: Path | str | None = None,
    progress: Callable[[Progress], None] | None = None,
    log: Callable[[LogLine], None] | None = None,
) -> MigrationReport:
    """Move a collection with all its namespaces from one store to another; the source stays.

    Parameters
    ----------
    source, target
        A URL, the name of a profile, a `StoreConfig` or an open store each.
    collection
        Its name in the source, or an alias; None with `plan` or `resume`, which know it.
    to
        Its name in the target; None for the same.
    where
        Move the records that match; None for all.
    rename, drop
        Metadata fields to rename and to leave behind, with dots for steps into objects.
    namespace_map
        Source namespace to target namespace; others keep their name.
    reembed
        A function from texts to `(n, dimension)` numbers, or `"package.module:function"`: the
        target gets new vectors, of another dimension if need be. Each text is embedded once.
    merge
        True: write into a target collection that holds records; equal ids are replaced.
    fidelity
        `"full"` holds every record against the target's rules before anything is written,
        `"sample"` a thousand of each namespace, `"none"` no record.
    plan
        A plan of `make_plan`, or its file, instead of a new one.
    journal
        Directory of the journal; None for one in `polyvec-migrations`, by the names of both ends.
    resume
        Go on with the journal's migration; finished ranges are not read again.
    workers
        Ranges under way at once, at least 1.
    engine
        `"local"`: threads of this process; `"ray"`: tasks of a Ray cluster (extra `ray`), whose
        workers must reach both stores. The journal stays here.
    batch_size
        Records read and written at a time; None for about 8 MB of them.
    max_errors
        Records that may be left out, as dead letters, before the migration stops.
    patience_s
        Seconds that a store may fail, after the retries of its own, before the migration stops.
    verify
        `"full"` compares every record, `"sample"` a thousand at random and the counts, `"none"`
        none.
    queries
        Records whose vectors are asked for their neighbours in both stores; 0 for none.
    touched
        File of the touched-log, where writers are active through a `DualWriteStore`: after the
        copy, what they touched is read again and applied or deleted.
    progress
        Called after every batch.
    log
        Called with a dict for every event.

    Raises
    ------
    MigrationError
        The journal belongs to another migration or is in use, records cannot be stored, or the
        plan does not fit any more.
    CollectionNotFoundError, CollectionExistsError, NotSupportedError, InvalidRequestError
        As for `make_plan`.
    StoreError
        A store failed. The journal stays: resume.
    """
    transforms = make_transforms(
        where=where,
        rename=rename,
        drop=drop,
        namespace_map=namespace_map,
        reembed=None if reembed is None else name_of(reembed),
    )
    embed = load(reembed) if isinstance(reembed, str) else reembed
    settings = Settings(_workers(workers), batch_size, max_errors, patience_s, check_engine(engine))
    check_verify(verify)
    watch = Watch(progress, log)
    with open_sides(source, target) as (here, there):
        _check_sides(here, there, transforms, engine, online=touched is not None)
        if resume:
            directory = _directory(journal, here, there, collection, to, plan)
            opened = _resumed(directory, here, there, collection, to, transforms)
        else:
            if plan is None:
                planner = Planner(here, there, transforms, settings.workers, watch, embed)
                plan = planner.plan(_required(collection), to, merge=merge, fidelity=fidelity)
            plan = plan if isinstance(plan, Plan) else load_plan(Path(plan))
            check_pairing(plan, here, there, collection, to, transforms)
            check_fidelity(plan, max_errors)
            if engine == "ray":
                check_portable(plan.transforms)
            opened = Journal.create(_directory(journal, here, there, collection, to, plan), plan)
        with (
            closing(opened),
            _opened(touched) as writers,
            closing(Run(opened, here, there, settings, watch, writers, embed)) as run,
        ):
            return run.whole(verify, queries, fresh=not resume)


def verify(
    source: Endpoint,
    target: Endpoint,
    collection: str | None = None,
    *,
    journal: Path | str | None = None,
    to: str | None = None,
    mode: str = "full",
    queries: int = QUERIES,
    touched: Path | str | None = None,
    embed: Embed | None = None,
    seed: int | None = None,
    workers: int = 4,
    patience_s: float = 60.0,
    progress: Callable[[Progress], None] | None = None,
    log: Callable[[LogLine], None] | None = None,
) -> VerifyReport:
    """Compare both stores again, by the journal of a migration that is over.

    Parameters are those of `migrate`; `mode` is its `verify`. `seed` chooses the records of a
    sample, those of an earlier report again; None for others each time.
    """
    check_verify(mode, also_none=False)
    watch = Watch(progress, log)
    settings = Settings(_workers(workers), None, 0, patience_s)
    with open_sides(source, target) as (here, there):
        directory = _directory(journal, here, there, collection, to, None)
        with (
            closing(_resumed(directory, here, there, collection, to, Transforms())) as opened,
            _opened(touched) as writers,
            closing(Run(opened, here, there, settings, watch, writers, embed)) as run,
        ):
            return run.verify(mode, queries, seed)


def _resumed(
    directory: Path,
    source: Side,
    target: Side,
    collection: str | None,
    to: str | None,
    transforms: Transforms,
) -> Journal:
    """Open the journal of a migration that was begun, if it is the one that is meant."""
    opened = Journal.resume(directory)
    try:
        check_pairing(opened.plan, source, target, collection, to, transforms)
    except BaseException:
        opened.close()
        raise
    return opened


def _check_sides(
    source: Side, target: Side, transforms: Transforms, engine: str, *, online: bool
) -> None:
    """Refuse what these two stores cannot do, before anything is read.

    Writers beside a scan that promises nothing while they write leave no complete copy.
    """
    can = source.store.capabilities
    if online and can.scan_stability is ScanStability.QUIESCENT:
        raise NotSupportedError(
            f"touched: a scan of {can.store} may miss records while others write, so that no copy "
            "beside writers can be complete; stop them, and migrate without the touched-log"
        )
    if engine == "ray":
        if online and can.scan_stability is ScanStability.IDS:
            raise NotSupportedError(f"touched: {can.store} beside writers needs engine='local'")
        check_portable(transforms)
        check_reachable(source.store.config, target.store.config)


@contextmanager
def _opened(path: Path | str | None) -> Generator[TouchedLog | None]:
    if path is None:
        yield None
        return
    log = TouchedLog(path)
    try:
        yield log
    finally:
        log.close()


def check_engine(engine: str) -> str:
    """Refuse an unknown engine."""
    if engine not in ENGINES:
        raise InvalidRequestError(f"engine={engine!r}; expected one of {ENGINES}")
    return engine


def check_verify(mode: str, *, also_none: bool = True) -> None:
    """Refuse an unknown way to verify."""
    known = VERIFY if also_none else VERIFY[:2]
    if mode not in known:
        raise InvalidRequestError(f"verify={mode!r}; expected one of {known}")


def _workers(workers: object) -> int:
    return _checks.check_int(workers, "workers", 1)


def _required(collection: str | None) -> str:
    if collection is None:
        raise InvalidRequestError("migrate needs the name of a collection, a plan, or a journal")
    return collection


def _directory(
    journal: Path | str | None,
    source: Side,
    target: Side,
    collection: str | None,
    to: str | None,
    plan: Plan | Path | str | None,
) -> Path:
    """Return the journal's directory; by default one that the same two ends find again."""
    if journal is not None:
        return Path(journal)
    if isinstance(plan, Plan):
        collection, to = plan.source.collection, plan.target.collection
    name = _required(collection)
    if not isinstance(plan, Plan):
        name = source.store.collection(name).name  # it may have been given by an alias
    pair = f"{source.identity}{target.identity}{name}"
    mark = hashlib.sha256(pair.encode()).hexdigest()[:8]
    safe = "".join(c if c.isalnum() or c in "_-" else "_" for c in f"{name}-to-{to or name}")
    return Path(JOURNALS) / f"{safe}-{mark}"
