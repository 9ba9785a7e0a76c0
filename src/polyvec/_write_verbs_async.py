"""The verbs that write (asynchronous source): arguments checked, then carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyvec import _prepare, _reads_async, _writes_async
from polyvec._arguments import check_patch, check_selection, take_rows
from polyvec._bound_async import AsyncBound
from polyvec.records import M

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from polyvec._scope_async import AsyncScope
    from polyvec.filters import Filter
    from polyvec.primitives import Patch
    from polyvec.records import RecordBatch, VectorRecord


class AsyncWriteVerbs(AsyncBound[M]):
    """Upsert, update, delete, clear."""

    async def upsert(
        self,
        records: Sequence[VectorRecord[Any]] | RecordBatch | None = None,
        *,
        ids: Sequence[str] | None = None,
        vectors: npt.ArrayLike | None = None,
        metadata: Sequence[Any] | None = None,
        texts: Sequence[str | None] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Insert records, or replace them whole; of equal ids in one call the last wins.

        Parameters
        ----------
        records
            Records, or a batch of a scan; or instead the columns:
        ids, vectors, metadata, texts
            `n` ids; `(n, dimension)` numbers; `n` dicts or models, or None for
            none; `n` texts, or None for none.
        timeout_s
            Seconds until `DeadlineError`, None for the store's default.

        Raises
        ------
        InvalidRecordError, DimensionMismatchError
            A record cannot be stored; names it. Nothing was written.
        PartialWriteError
            The store took some records and not others.
        """
        scope = self._scope(timeout_s)
        batch = _prepare.prepare_upsert(self._rules(), records, ids, vectors, metadata, texts)
        sizes = self._sizes(scope, batch)
        if len(batch):
            await self._attempt(scope, lambda: _writes_async.upsert(scope, batch, sizes))

    def check(self, records: Sequence[VectorRecord[Any]] | RecordBatch) -> None:
        """Raise what `upsert` would raise for records that cannot be stored; sends nothing.

        Raises
        ------
        InvalidRecordError, DimensionMismatchError
            A record cannot be stored; names it.
        """
        batch = _prepare.prepare_upsert(self._rules(), records, None, None, None, None)
        self._sizes(self._scope(None), batch)

    def _sizes(self, scope: AsyncScope, batch: RecordBatch) -> Sequence[int]:
        """Return the encoded bytes of each record; refuse what is too large."""
        sizes = _writes_async.sizes(scope, batch)
        limits, store = scope.capabilities.limits, scope.capabilities.store
        _prepare.check_sizes(batch, self._namespace, limits, sizes, store)
        return sizes

    async def update(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | Mapping[str, Any] | None = None,
        set: Mapping[str, Any] | None = None,
        unset: Sequence[str] | None = None,
        vectors: npt.ArrayLike | None = None,
        texts: Sequence[str | None] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Change records in place: merge top-level metadata keys, keep the rest.

        Absent ids are skipped. A merge that would break a rule (the size limit, a
        typed model) raises before any record that was named together is written.

        Parameters
        ----------
        ids, filter
            Which records, at least one of them; both mean records satisfying both.
        set, unset
            Top-level keys to set and to remove.
        vectors, texts
            `(n, dimension)` numbers and `n` texts, parallel to `ids`; a text of
            None removes it.
        timeout_s
            Seconds until `DeadlineError`, None for the store's default.

        Raises
        ------
        InvalidRequestError
            Nothing to change, or everything would be changed.
        InvalidRecordError
            A value cannot be stored.
        """
        scope, where = self._scope(timeout_s), self._where(filter)
        wanted = check_selection("update", ids, where)
        patch = check_patch(self._rules(), ids, set, unset, vectors, texts)
        await self._attempt(scope, lambda: self._update(scope, wanted, where, patch))

    async def _update(
        self, scope: AsyncScope, wanted: list[str] | None, where: Filter | None, patch: Patch
    ) -> None:
        rules = self._rules()
        await _reads_async.settle(scope, ())
        if wanted is not None:
            chosen = await self._chosen(scope, wanted, where)
            if len(chosen) < len(wanted):
                at = {record_id: row for row, record_id in enumerate(wanted)}
                patch = take_rows(patch, [at[record_id] for record_id in chosen])
            await _writes_async.update(scope, chosen, patch, rules)
            return
        # The ids are gathered first: a change can move a record into or out of the filter,
        # and all of them are checked before the first one is written.
        found: list[str] = []
        async for ids in _reads_async.matching_ids(scope, where):
            found += ids
        await _writes_async.update(scope, found, patch, rules)

    async def delete(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Delete records by id, by filter, or those that satisfy both; absent ids are no error.

        Raises
        ------
        InvalidRequestError
            Neither ids nor a filter, or a filter that is always true: only
            `clear` empties a namespace.
        """
        scope, where = self._scope(timeout_s), self._where(filter)
        wanted = check_selection("delete", ids, where)
        await self._attempt(scope, lambda: self._delete(scope, wanted, where))

    async def _delete(
        self, scope: AsyncScope, wanted: list[str] | None, where: Filter | None
    ) -> None:
        if wanted is None:
            await _writes_async.delete_where(scope, where)
        elif chosen := await self._chosen(scope, wanted, where):
            await _writes_async.delete_ids(scope, chosen)

    async def _chosen(
        self, scope: AsyncScope, wanted: list[str], where: Filter | None
    ) -> list[str]:
        """Return the ids, or those of them whose records match."""
        if where is None or not wanted:
            return wanted
        return await _writes_async.ids_that_match(scope, wanted, where)

    async def clear(self, *, timeout_s: float | None = None) -> None:
        """Delete every record of this namespace, which then no longer exists."""
        scope = self._scope(timeout_s)
        await self._attempt(scope, lambda: _writes_async.delete_where(scope, None))
