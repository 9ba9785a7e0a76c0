# Generated from _read_verbs_async.py by tools/unasync.py. Do not edit.
"""The verbs that read, count, scan and explain (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyvec import _checks, _cursor, _ranking, _reads
from polyvec._bound import Bound
from polyvec.answers import Explanation, Why
from polyvec.bounds import ALL, NONE
from polyvec.evaluate import why
from polyvec.records import M, make_record
from polyvec.schema import CollectionInfo
from polyvec.types import METADATA, USUAL, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from polyvec._scope import Scope
    from polyvec.filters import Filter
    from polyvec.primitives import KeyRange
    from polyvec.records import RecordBatch, VectorRecord
    from polyvec.types import Include


class ReadVerbs(Bound[M]):
    """Get, count, scan, describe, explain, why, wait."""

    def get(
        self,
        ids: Sequence[str],
        *,
        include: Sequence[Include] = WHOLE,
        consistency: str | None = None,
        timeout_s: float | None = None,
    ) -> list[VectorRecord[M]]:
        """Return the records that exist, in the order asked; a repeated id comes once.

        Parameters
        ----------
        ids
            Any number of ids; absent ones are absent from the answer.
        include
            Columns: any of `"metadata"`, `"text"`, `"vector"`.
        consistency
            `"strong"`, or None for the backend's default.
        timeout_s
            Seconds until `DeadlineError`, None for the store's default.
        """
        scope = self._scope(timeout_s, consistency)
        wanted, columns = _checks.check_ids(ids), _checks.check_columns(include)
        if not wanted:
            return []
        batch = self._attempt(scope, lambda: _reads.get(scope, wanted, columns))
        return self._records(batch)

    def _records(self, batch: RecordBatch) -> list[VectorRecord[Any]]:
        records = batch.records()
        if self._model is None or batch.metadata is None:
            return records
        return [
            make_record(
                {**record.__dict__, "metadata": _ranking.typed(self._model, record.id, item)}
            )
            for record, item in zip(records, batch.metadata, strict=True)
        ]

    def count(
        self,
        filter: Filter | Mapping[str, Any] | None = None,
        *,
        consistency: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Return the exact number of records that match, None for all of this namespace."""
        scope, where = self._scope(timeout_s, consistency), self._where(filter)
        return self._attempt(scope, lambda: _reads.count(scope, where))

    def scan(
        self,
        filter: Filter | Mapping[str, Any] | None = None,
        *,
        batch_size: int = 1000,
        after: str | None = None,
        include: Sequence[Include] = USUAL,
        span: KeyRange | None = None,
        consistency: str | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[RecordBatch]:
        """Iterate over the records that match, in batches; arguments are checked at once.

        A record present throughout comes exactly once, whatever is written
        meanwhile (where `capabilities.scan_stability` is STABLE).

        Parameters
        ----------
        filter
            Which records; None for all of this namespace.
        batch_size
            Most records of a batch, at least 1; a filter may make batches shorter.
        after
            The cursor of a batch of the same scan, from any process: continue behind it.
        include
            Columns: any of `"metadata"`, `"text"`, `"vector"`.
        span
            One of `ranges`: the records in it alone; None for all of them.
        consistency
            `"strong"`, or None for the backend's default.
        timeout_s
            Seconds for the whole scan, None for the store's default.

        Yields
        ------
        RecordBatch
            Never empty; its `cursor` is where the next one starts.
        """
        scope, where = self._scope(timeout_s, consistency), self._where(filter)
        size, columns = (
            _checks.check_int(batch_size, "batch_size", 1),
            _checks.check_columns(include),
        )
        _cursor.decode(after, scope.place, _cursor.fingerprint(where))
        return _reads.scan(scope, where, size, after, columns, span)

    def ranges(self, parts: int, *, timeout_s: float | None = None) -> list[KeyRange]:
        """Cut this namespace into about `parts` ranges, to scan side by side.

        Half-open, disjoint, in the server's own key order; together they cover the whole
        key space, also for records that come later. One range where the store cannot cut.
        """
        scope, wanted = self._scope(timeout_s), _checks.check_int(parts, "parts", 1)
        return self._attempt(scope, lambda: _reads.ranges(scope, wanted))

    def namespaces(self, *, timeout_s: float | None = None) -> dict[str, int]:
        """Return each namespace of the collection that holds a record, with its count."""
        scope = self._scope(timeout_s)
        found = self._attempt(scope, lambda: self._namespaces(scope))
        return dict(sorted(found.items()))

    def _namespaces(self, scope: Scope) -> dict[str, int]:
        lister, opened = scope.adapter.namespaces, self._source.opened
        return scope.caller.run("namespaces", lister, opened, deadline=scope.deadline)

    def describe(self, *, timeout_s: float | None = None) -> CollectionInfo:
        """Return dimension, metric, index, counts and layout, as they are on the server now."""
        scope = self._scope(timeout_s)
        opened = self._source.reopen(scope.deadline)
        found = self._attempt(scope, lambda: self._namespaces(scope))
        return CollectionInfo(
            name=opened.name,
            dimension=opened.dimension,
            metric=opened.metric,
            index=opened.index,
            count=sum(found.values()),
            namespaces=dict(sorted(found.items())),
            layout=opened.layout_kind,
            details=dict(opened.details),
        )

    def explain(
        self,
        filter: Filter | Mapping[str, Any] | None,
        *,
        timeout_s: float | None = None,
    ) -> Explanation:
        """Return what of a filter the server decides and what is checked here; runs no query."""
        scope, where = self._scope(timeout_s), self._where(filter)
        compiled = scope.compile(where)
        upper = compiled.bounds.upper
        constant = upper is ALL or upper is NONE  # `in` would compare, which vendors overload
        native = None if constant else scope.adapter.render(upper)
        return Explanation(compiled.pushed, native, compiled.residual)

    def why(
        self,
        id: str,
        filter: Filter | Mapping[str, Any] | None,
        *,
        consistency: str | None = None,
        timeout_s: float | None = None,
    ) -> Why:
        """Return whether a record exists and matches, and the smallest clauses that reject it."""
        scope, where = self._scope(timeout_s, consistency), self._where(filter)
        wanted = [_checks.check_id(id)]
        columns = METADATA
        batch = self._attempt(scope, lambda: _reads.get(scope, wanted, columns))
        if not len(batch):
            return Why(found=False, matches=False, rejected_by=())
        assert batch.metadata is not None
        rejected = why(where, batch.metadata[0])
        return Why(found=True, matches=not rejected, rejected_by=rejected)

    def wait_until_visible(
        self, ids: Sequence[str], *, timeout_s: float | None = 30.0, absent: bool = False
    ) -> None:
        """Wait until every id can be read and queried; with `absent`, until none can be read.

        Raises
        ------
        DeadlineError
            Time ran out; names the first ids it waited for.
        """
        scope, wanted = self._scope(timeout_s), _checks.check_ids(ids)
        if wanted:
            self._attempt(scope, lambda: _reads.wait_until_visible(scope, wanted, absent=absent))

    def wait_for_writes(self, *, timeout_s: float | None = 30.0) -> None:
        """Wait until reads of this namespace see every write acknowledged so far, to anybody.

        For stores whose consistency is EVENTUAL; elsewhere it returns at once: there, reads with
        `consistency="strong"` see them.

        Raises
        ------
        NotSupportedError
            The backend does not tell how far its reads are.
        DeadlineError
            Time ran out.
        """
        scope = self._scope(timeout_s)
        self._attempt(scope, lambda: _reads.wait_for_writes(scope))
