"""Upsert, update, delete: split, bounded, accounted for (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polyvec import _prepare, _reads_async, _runtime_async
from polyvec._ranking import rows_that_match
from polyvec.bounds import ALL, NONE, uncertain
from polyvec.capabilities import Feature, ScanStability, UpdateAtomicity
from polyvec.errors import PartialWriteError
from polyvec.evaluate import compile_predicate
from polyvec.primitives import Patch, StaleLayout
from polyvec.records import RecordBatch
from polyvec.types import ALL_COLUMNS, METADATA, NO_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from polyvec._prepare import Rules
    from polyvec._scope_async import AsyncScope
    from polyvec.filters import Filter
    from polyvec.primitives import Columns, Native
    from polyvec.types import MetadataDict


METADATA_AND_TEXT: Final[Columns] = frozenset(("metadata", "text"))


def _sharing(scope: AsyncScope) -> AbstractAsyncContextManager[None]:
    """Let whole-record writes pass each other, but not an update that reads first."""
    lock = scope.caller.lock(scope.source.opened.name, scope.namespace)
    return lock.shared(scope.deadline)


async def upsert(scope: AsyncScope, batch: RecordBatch, sizes: Sequence[int]) -> None:
    """Write a checked batch in as few calls as the limits allow."""
    parts = list(_prepare.split(batch, sizes, scope.capabilities.limits))

    def writing(part: RecordBatch) -> Callable[[], Awaitable[None]]:
        return lambda: scope.run("upsert", scope.adapter.upsert, part)

    async with _sharing(scope):
        await _all_or_partial(scope, "upsert", [p.ids for p in parts], [writing(p) for p in parts])


async def delete_ids(scope: AsyncScope, ids: Sequence[str]) -> None:
    """Delete records by id."""
    size = scope.capabilities.limits.id_batch
    chunks = [ids[start : start + size] for start in range(0, len(ids), size)]

    def deleting(chunk: Sequence[str]) -> Callable[[], Awaitable[None]]:
        return lambda: scope.run("delete_ids", scope.adapter.delete_ids, chunk)

    async with _sharing(scope):
        await _all_or_partial(scope, "delete", chunks, [deleting(chunk) for chunk in chunks])


async def _all_or_partial(
    scope: AsyncScope,
    operation: str,
    chunks: Sequence[Sequence[str]],
    calls: Sequence[Callable[[], Awaitable[None]]],
    *,
    at_once: int | None = None,
) -> None:
    """Run writes; when some failed and others did not, say which ids were not written."""
    done = await _marked(calls, scope.concurrency if at_once is None else at_once)
    errors = [outcome for outcome in done if isinstance(outcome, Exception)]
    if not errors:
        return
    for error in errors:
        if isinstance(error, StaleLayout):  # not a failure: the verb starts again
            raise error
    written = any(outcome is True for outcome in done)
    if not written and not isinstance(errors[0], PartialWriteError):
        raise errors[0]
    failed: dict[str, BaseException] = {}
    for chunk, outcome in zip(chunks, done, strict=True):
        if isinstance(outcome, PartialWriteError):
            failed.update(outcome.failed)
        elif outcome is not True:
            cause = outcome if isinstance(outcome, Exception) else errors[0]
            failed.update(dict.fromkeys(chunk, cause))
    total = sum(len(chunk) for chunk in chunks)
    raise PartialWriteError(
        f"{len(failed)} of {total} records were not written: {errors[0]}; "
        "repeating the call is safe",
        failed=failed,
        store=scope.capabilities.store,
        operation=operation,
    ) from errors[0]


async def _marked(
    calls: Sequence[Callable[[], Awaitable[None]]], at_once: int
) -> list[bool | Exception | None]:
    def marking(call: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[bool]]:
        async def marked() -> bool:
            await call()
            return True

        return marked

    return await _runtime_async.outcomes([marking(c) for c in calls], at_once)


async def delete_where(scope: AsyncScope, where: Filter | None) -> None:
    """Delete the records that match: what is certain by the server, the rest after a check."""
    compiled = await scope.compile(where)
    bounds = compiled.bounds
    if bounds.upper is NONE:
        return
    if Feature.DELETE_BY_FILTER not in scope.capabilities.features:
        await _delete_scan(scope, bounds.upper, compiled.residual)
        return
    rest: Native = NONE
    if not bounds.exact:
        rest = uncertain(compiled, scope.adapter, scope.source.opened.layout)
    if bounds.lower is not NONE:
        lower = None if bounds.lower is ALL else bounds.lower
        async with _sharing(scope):
            await scope.run("delete_where", scope.adapter.delete_where, lower)
    await _delete_scan(scope, rest, compiled.filter)


async def _delete_scan(scope: AsyncScope, native: Native, check: Filter | None) -> None:
    """Delete page by page; where a scan is disturbed by deletes, only after its end."""
    predicate = None if check is None else compile_predicate(check)
    columns = NO_COLUMNS if predicate is None else METADATA
    at_once = scope.capabilities.scan_stability is ScanStability.STABLE
    later: list[str] = []
    async for page in scope.pages(native, columns):
        batch = page.batch
        if predicate is not None:
            batch = batch.take(rows_that_match(batch, predicate))
        if at_once and len(batch):
            await delete_ids(scope, batch.ids)
        else:
            later += batch.ids
    if later:
        await delete_ids(scope, later)


async def ids_that_match(scope: AsyncScope, ids: Sequence[str], where: Filter) -> list[str]:
    """Return those of the ids whose records exist and match."""
    batch = await _reads_async.get(scope, ids, METADATA)
    if not len(batch):
        return []
    rows = rows_that_match(batch, compile_predicate(where))
    return [batch.ids[row] for row in rows]


async def update(scope: AsyncScope, ids: Sequence[str], patch: Patch, rules: Rules) -> None:
    """Merge a patch into the records that exist.

    All of them are checked before the first one is written: a merge that would
    break a rule of the collection changes nothing.
    """
    size = min(scope.capabilities.limits.id_batch, scope.capabilities.limits.batch_records)
    chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
    parts = [_part(patch, start, start + size) for start in range(0, len(ids), size)]
    if patch.set or patch.unset or patch.texts is not None:
        for chunk, part in zip(chunks, parts, strict=True):
            await _check_merge(scope, chunk, part, rules)

    def changing(chunk: Sequence[str], part: Patch) -> Callable[[], Awaitable[None]]:
        return lambda: _update_chunk(scope, chunk, part, rules)

    calls = [changing(chunk, part) for chunk, part in zip(chunks, parts, strict=True)]
    await _all_or_partial(scope, "update", chunks, calls, at_once=1)


async def _update_chunk(scope: AsyncScope, ids: Sequence[str], patch: Patch, rules: Rules) -> None:
    lock = scope.caller.lock(scope.source.opened.name, scope.namespace)
    if Feature.SERVER_SIDE_UPDATE not in scope.capabilities.features:
        async with lock.alone(scope.deadline):
            await _reads_async.settle(scope, ())
            await _read_modify_write(scope, ids, patch, rules)
        return
    atomic = scope.capabilities.update_atomicity is UpdateAtomicity.RECORD
    async with lock.shared(scope.deadline) if atomic else lock.alone(scope.deadline):
        await scope.run("update", scope.adapter.update, ids, patch)


def _part(patch: Patch, start: int, stop: int) -> Patch:
    return Patch(
        patch.set,
        patch.unset,
        None if patch.vectors is None else patch.vectors[start:stop],
        None if patch.texts is None else patch.texts[start:stop],
    )


async def _check_merge(scope: AsyncScope, ids: Sequence[str], patch: Patch, rules: Rules) -> None:
    batch = await _reads_async.get(scope, ids, METADATA_AND_TEXT)
    if not len(batch):
        return
    whole = merged(rules, batch, ids, patch)
    store, limits = scope.capabilities.store, scope.capabilities.limits
    _prepare.check_sizes(whole, scope.namespace, limits, sizes(scope, whole), store)


def sizes(scope: AsyncScope, batch: RecordBatch) -> Sequence[int]:
    """Return the encoded bytes of each record, at least, or zeros where no limit asks for them."""
    limits = scope.capabilities.limits
    if limits.record_bytes is None and limits.batch_bytes is None:
        return [0] * len(batch)
    own = scope.adapter.record_sizes(scope.target, batch)
    if own is not None:
        return own
    # Requests may be cut a little early, records must not be refused.
    return _prepare.sizes_of(batch, scope.namespace, exact=limits.record_bytes is not None)


async def _read_modify_write(
    scope: AsyncScope, ids: Sequence[str], patch: Patch, rules: Rules
) -> None:
    batch = await _reads_async.get(scope, ids, ALL_COLUMNS)
    if not len(batch):
        return
    whole = merged(rules, batch, ids, patch)
    parts = list(_prepare.split(whole, sizes(scope, whole), scope.capabilities.limits))

    def writing(part: RecordBatch) -> Callable[[], Awaitable[None]]:
        return lambda: scope.run("upsert", scope.adapter.upsert, part)

    calls = [writing(part) for part in parts]
    await _all_or_partial(scope, "update", [part.ids for part in parts], calls, at_once=1)


def merged(rules: Rules, batch: RecordBatch, ids: Sequence[str], patch: Patch) -> RecordBatch:
    """Return the records with the patch applied, checked.

    Parameters
    ----------
    rules
        Of the collection.
    batch
        Records as they are, in any order, with metadata.
    ids
        What the patch's vectors and texts are parallel to.
    patch
        The change.
    """
    assert batch.metadata is not None
    at = {record_id: row for row, record_id in enumerate(ids)}
    rows = [at[record_id] for record_id in batch.ids]
    metadata = [_merge(item, patch) for item in batch.metadata]
    _prepare.check_merged(rules, batch.ids, metadata)
    vectors, present, texts = batch.vectors, batch.present, batch.texts
    if patch.vectors is not None and vectors is not None:
        vectors, present = patch.vectors[rows], None  # every record has a vector now
    if patch.texts is not None:
        texts = [patch.texts[row] for row in rows]
    return RecordBatch(batch.ids, vectors, metadata, texts, present)


def _merge(metadata: MetadataDict, patch: Patch) -> MetadataDict:
    """Set and unset top-level keys; the others stay."""
    kept = {key: value for key, value in metadata.items() if key not in patch.unset}
    return {**kept, **patch.set}
