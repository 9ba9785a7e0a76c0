# Generated from _reads_async.py by tools/unasync.py. Do not edit.
"""Reading by id, counting, scanning, waiting (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polyvec import _cursor, _runtime
from polyvec._checks import unique
from polyvec._ranking import rows_that_match
from polyvec.bounds import ALL, NONE, uncertain
from polyvec.capabilities import Consistency, Feature
from polyvec.errors import DeadlineError
from polyvec.evaluate import compile_predicate
from polyvec.records import RecordBatch, concat
from polyvec.types import METADATA, NO_COLUMNS, VECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyvec._scope import Scope
    from polyvec.filters import Filter
    from polyvec.primitives import Columns

FIRST_POLL_S: Final = 0.02
LONGEST_POLL_S: Final = 1.0
POLL_TOP_K: Final = 100


def get(scope: Scope, ids: Sequence[str], columns: Columns) -> RecordBatch:
    """Return the records that exist, in the order asked; a repeated id comes once."""
    wanted = unique(ids)
    batches = [batch for batch in scope.get(wanted, columns) if len(batch)]
    if not batches:
        return RecordBatch([])
    batch = concat(batches)
    row_of = {record_id: row for row, record_id in enumerate(batch.ids)}
    rows = [row_of[record_id] for record_id in wanted if record_id in row_of]
    return batch if rows == list(range(len(batch))) else batch.take(rows)


def count(scope: Scope, where: Filter | None) -> int:
    """Count the records that match: what is certain by the server, the rest one by one."""
    compiled = scope.compile(where)
    bounds = compiled.bounds
    if bounds.upper is NONE:
        return 0
    if Feature.SERVER_SIDE_COUNT not in scope.capabilities.features:
        return _count_scan(scope, bounds.upper, compiled.residual)
    lower = None if bounds.lower is ALL else bounds.lower
    certain = 0
    if lower is not NONE:
        certain = scope.read("count", scope.adapter.count, lower)
    if bounds.exact:
        return certain
    rest = uncertain(compiled, scope.adapter, scope.source.opened.layout)
    return certain + _count_scan(scope, rest, compiled.filter)


def _count_scan(scope: Scope, native: object, check: Filter | None) -> int:
    total = 0
    predicate = None if check is None else compile_predicate(check)
    for page in scope.pages(native, NO_COLUMNS if predicate is None else METADATA):
        if predicate is None:
            total += len(page.batch)
        else:
            total += len(rows_that_match(page.batch, predicate))
    return total


def scan(
    scope: Scope,
    where: Filter | None,
    batch_size: int,
    after: str | None,
    columns: Columns,
) -> Iterator[RecordBatch]:
    """Yield batches of records that match, each with the cursor behind it."""
    fingerprint = _cursor.fingerprint(where)
    start = _cursor.decode(after, scope.namespace, fingerprint)
    if start.done:
        return
    compiled = scope.compile(where)
    predicate = None if compiled.residual is None else compile_predicate(compiled.residual)
    fetched = columns if predicate is None else columns | METADATA
    pages = scope.pages(compiled.bounds.upper, fetched, limit=batch_size, after=start.position)
    for page in pages:
        batch = page.batch
        if predicate is not None:
            batch = batch.take(rows_that_match(batch, predicate)).only(columns)
        if len(batch):
            cursor = _cursor.encode(page.cursor, scope.namespace, fingerprint)
            yield _with_cursor(batch, cursor)


def _with_cursor(batch: RecordBatch, cursor: str) -> RecordBatch:
    return RecordBatch(batch.ids, batch.vectors, batch.metadata, batch.texts, batch.present, cursor)


def matching_ids(scope: Scope, where: Filter | None) -> Iterator[list[str]]:
    """Yield the ids of the records that match, page by page."""
    compiled = scope.compile(where)
    predicate = None if compiled.residual is None else compile_predicate(compiled.residual)
    columns = NO_COLUMNS if predicate is None else METADATA
    for page in scope.pages(compiled.bounds.upper, columns):
        batch = page.batch
        if predicate is not None:
            batch = batch.take(rows_that_match(batch, predicate))
        if len(batch):
            yield batch.ids


def wait_until_visible(scope: Scope, ids: Sequence[str], *, absent: bool) -> None:
    """Poll until every id can be read and queried, or with `absent` no id can be read.

    Raises
    ------
    DeadlineError
        Time ran out; names the first ids that are still missing, or still there.
    """
    waiting = unique(ids)
    try:
        _poll(scope, waiting, absent=absent)
    except DeadlineError as exc:
        what = "still visible" if absent else "not visible yet"
        raise DeadlineError(
            f"{len(waiting)} of {len(ids)} ids are {what} after "
            f"{scope.deadline.timeout_s!r} s: {waiting[:5]!r}",
            store=scope.capabilities.store,
            operation="wait_until_visible",
        ) from exc


def _poll(scope: Scope, waiting: list[str], *, absent: bool) -> None:
    """Shorten `waiting` until it is empty."""
    pause_s = FIRST_POLL_S
    while True:
        waiting[:] = _unsettled(scope, waiting, absent=absent)
        if not waiting:
            return
        left_s = scope.deadline.left()
        _runtime.sleep(pause_s if left_s is None else min(pause_s, left_s))
        pause_s = min(2 * pause_s, LONGEST_POLL_S)


def _unsettled(scope: Scope, ids: Sequence[str], *, absent: bool) -> list[str]:
    """Return the ids that are not yet as they should be."""
    eventual = scope.capabilities.consistency is Consistency.EVENTUAL
    batch = get(scope, ids, VECTOR if eventual else NO_COLUMNS)
    there = set(batch.ids)
    if absent:
        return [record_id for record_id in ids if record_id in there]
    if eventual and len(batch):
        there &= _queryable(scope, batch)
    return [record_id for record_id in ids if record_id not in there]


def _queryable(scope: Scope, batch: RecordBatch) -> set[str]:
    """Return the ids that a search by the record's own vector finds; no vector, no search."""
    limits = scope.capabilities.limits
    assert batch.vectors is not None
    found: set[str] = set()
    if batch.present is not None:
        found = {batch.ids[row] for row in (~batch.present).nonzero()[0]}
        batch = batch.take(batch.present.nonzero()[0])
    assert batch.vectors is not None
    for start in range(0, len(batch), limits.query_batch):
        queries = batch.vectors[start : start + limits.query_batch]
        k = min(POLL_TOP_K, limits.top_k)
        answers = scope.read("search", scope.adapter.search, queries, None, k, NO_COLUMNS, None)
        for answer in answers:
            found.update(answer.batch.ids)
    return found
