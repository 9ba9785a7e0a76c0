# Generated from _reads_async.py by tools/unasync.py. Do not edit.
"""Reading by id, counting, scanning, waiting (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec import _cursor, _runtime
from polyvec._checks import unique
from polyvec._ranking import rows_that_match
from polyvec.bounds import ALL, NONE, uncertain
from polyvec.capabilities import Consistency, Feature
from polyvec.errors import DeadlineError, NotSupportedError
from polyvec.evaluate import compile_predicate
from polyvec.primitives import KeyRange, ScanPage, StaleLayout
from polyvec.records import RecordBatch, concat
from polyvec.scoring import exact_scores
from polyvec.types import METADATA, NO_COLUMNS, VECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyvec._scope import Scope
    from polyvec.filters import Filter
    from polyvec.primitives import Columns, Found
    from polyvec.types import Vector

FIRST_POLL_S: Final = 0.02
LONGEST_POLL_S: Final = 1.0
POLL_TOP_K: Final = 100
POLL_GROWTH: Final = 10


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
    span: KeyRange | None = None,
) -> Iterator[RecordBatch]:
    """Yield batches of records that match, each with the cursor behind it."""
    fingerprint = _cursor.fingerprint(where)
    start = _cursor.decode(after, scope.place, fingerprint)
    if start.done:
        return
    position, times = start.position, 0
    while True:
        try:
            pages = _matching_pages(scope, where, batch_size, position, columns, span)
            for page in pages:
                position, times = page.cursor, 0
                if len(page.batch):
                    cursor = _cursor.encode(position, scope.place, fingerprint)
                    yield _with_cursor(page.batch, cursor)
            return
        except StaleLayout as stale:  # go on behind the last page
            scope.source.refresh(stale, times, scope.deadline)
            times += 1


def _matching_pages(
    scope: Scope,
    where: Filter | None,
    limit: int,
    after: str | None,
    columns: Columns,
    span: KeyRange | None,
) -> Iterator[ScanPage]:
    """Yield every page, reduced to the records that match; some become empty."""
    compiled = scope.compile(where)
    predicate = None if compiled.residual is None else compile_predicate(compiled.residual)
    fetched = columns if predicate is None else columns | METADATA
    upper = compiled.bounds.upper
    for page in scope.pages(upper, fetched, limit=limit, span=span, after=after):
        if predicate is None:
            yield page
        else:
            rows = rows_that_match(page.batch, predicate)
            yield ScanPage(page.batch.take(rows).only(columns), page.cursor, page.done)


def _with_cursor(batch: RecordBatch, cursor: str) -> RecordBatch:
    return RecordBatch(batch.ids, batch.vectors, batch.metadata, batch.texts, batch.present, cursor)


def ranges(scope: Scope, parts: int) -> list[KeyRange]:
    """Cut the key space of a namespace, or return it whole where the store cannot."""
    if parts == 1 or Feature.SPLIT not in scope.capabilities.features:
        return [KeyRange()]
    return scope.run("split", scope.adapter.split, parts)


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
    waiting = wanted = unique(ids)
    pause_s = FIRST_POLL_S
    settled: frozenset[str] | None = None
    while True:
        try:
            if settled is None:
                settled = settle(scope, wanted)
            waiting = _unsettled(scope, waiting, settled, absent=absent)
            if not waiting:
                return
            left_s = scope.deadline.left()
        except DeadlineError as exc:
            what = "still visible" if absent else "not visible yet"
            raise DeadlineError(
                f"{len(waiting)} of {len(wanted)} ids are {what} after "
                f"{scope.deadline.timeout_s!r} s: {waiting[:5]!r}",
                store=scope.capabilities.store,
                operation="wait_until_visible",
            ) from exc
        _runtime.sleep(pause_s if left_s is None else min(pause_s, left_s))
        pause_s = min(2 * pause_s, LONGEST_POLL_S)


def settle(scope: Scope, ids: Sequence[str]) -> frozenset[str]:
    """Wait until this store's own writes are seen, where the backend tells how far it is.

    Returns those of the ids that searches are known to find.
    """
    if scope.capabilities.consistency is not Consistency.EVENTUAL:
        return frozenset()
    return frozenset(scope.run("settle", scope.adapter.settle, ids))


def wait_for_writes(scope: Scope) -> None:
    """Wait until reads see every write that was acknowledged before, also to others.

    Raises
    ------
    NotSupportedError
        The backend does not tell how far it is.
    """
    if scope.capabilities.consistency is not Consistency.EVENTUAL:
        return
    if not scope.run("fence", scope.adapter.fence):
        raise NotSupportedError(
            f"this {scope.capabilities.store} does not tell up to which write its reads are; "
            "use wait_until_visible"
        )


def _unsettled(
    scope: Scope, ids: Sequence[str], settled: frozenset[str], *, absent: bool
) -> list[str]:
    """Return the ids that are not yet as they should be."""
    eventual = scope.capabilities.consistency is Consistency.EVENTUAL
    searched = eventual and not absent and not settled.issuperset(ids)
    batch = get(scope, ids, VECTOR if searched else NO_COLUMNS)
    there = set(batch.ids)
    if absent:
        return [record_id for record_id in ids if record_id in there]
    if searched and len(batch):
        rows = [row for row, record_id in enumerate(batch.ids) if record_id not in settled]
        found = _queryable(scope, batch.take(rows)) if rows else set[str]()
        there &= found | settled
    return [record_id for record_id in ids if record_id not in there]


def _queryable(scope: Scope, batch: RecordBatch) -> set[str]:
    """Return the ids that a search by the record's own vector finds; no vector, no search."""
    found: set[str] = set()
    if batch.present is not None:
        found = {batch.ids[row] for row in (~batch.present).nonzero()[0]}
        batch = batch.take(batch.present.nonzero()[0])
    size = scope.capabilities.limits.query_batch
    for start in range(0, len(batch), size):
        found |= _found_by_itself(scope, batch.slice(start, start + size))
    return found


def _found_by_itself(scope: Scope, batch: RecordBatch) -> set[str]:
    """Ask for more hits where others, at least as near, may hide a record.

    Equal vectors do that, and by inner product all longer ones. Where they fill the
    longest answer that the store gives, no search can tell, and the read decides.
    """
    most = scope.capabilities.limits.top_k
    k = min(POLL_TOP_K, most)
    assert batch.vectors is not None
    while True:
        answers = scope.read(
            "search", scope.adapter.search, batch.vectors, None, k, NO_COLUMNS, None
        )
        found = {record_id for answer in answers for record_id in answer.batch.ids}
        hidden = {
            record_id
            for record_id, vector, answer in zip(batch.ids, batch.vectors, answers, strict=True)
            if record_id not in found and len(answer.batch) >= k and _hides(scope, vector, answer)
        }
        if not hidden:
            return found
        if k >= most:
            return found | hidden
        k = min(k * POLL_GROWTH, most)


def _hides(scope: Scope, vector: Vector, answer: Found) -> bool:
    """Whether all hits are at least as near to a vector as it is to itself."""
    block = vector[None, :]
    own = float(exact_scores(block, block, scope.source.opened.metric)[0, 0])
    slack = scope.capabilities.score_tolerance * (1.0 + float(np.dot(vector, vector)))
    return float(answer.scores.min()) >= own - slack
