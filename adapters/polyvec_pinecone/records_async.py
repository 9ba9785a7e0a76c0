"""Requests on the records of one index, and how far its namespaces are (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from polyvec import _runtime_async
from polyvec.errors import DeadlineError
from polyvec_pinecone import _answers, _errors, _requests
from polyvec_pinecone._marks import MarksOf, noting
from polyvec_pinecone._names import DEFAULT
from polyvec_pinecone._transport import seconds_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.primitives import Target
    from polyvec_pinecone._answers import Row
    from polyvec_pinecone._marks import Marks
    from polyvec_pinecone._schema import Layout
    from polyvec_pinecone.collections_async import AsyncCollections
    from polyvec_pinecone.links import AsyncLink

FIRST_POLL_S: Final = 0.02
LONGEST_POLL_S: Final = 1.0

WRITES: Final = frozenset({"upsert", "delete"})

NOBODY: Final = "polyvec-fence-"
"""Begins the ids of records that never are."""

KNOWN_WITHIN_S: Final = 30.0
"""Ours: after that, a namespace that Pinecone does not know has no records."""


class AsyncRecords:
    """What the verbs ask of an index.

    Parameters
    ----------
    link
        The connection.
    collections
        Tells whether an index is still the one that was opened.
    """

    def __init__(self, link: AsyncLink, collections: AsyncCollections) -> None:
        self._link = link
        self._collections = collections
        self._marks = MarksOf()

    async def settle(self, target: Target, ids: Sequence[str]) -> Sequence[str]:
        """Wait until what was written to a namespace can be searched; see the protocol."""
        marks = self.marks(target)
        if not marks.complete:
            patience_s = KNOWN_WITHIN_S if marks.holds else 0.0
            if not await self._number(target, "settle", patience_s):
                return ()
        wanted, pause_s = marks.committed, FIRST_POLL_S
        anything = [1.0] + [0.0] * (target.collection.dimension - 1)
        while marks.indexed < wanted:
            before = marks.indexed
            await self.call(target, "query", rest=True, top_k=1, vector=anything)
            if marks.indexed >= wanted:
                break
            if not before and not marks.indexed:
                return ()  # it does not tell
            if seconds_left() <= pause_s:
                raise DeadlineError(
                    "the last write cannot be read yet", store="pinecone", operation="settle"
                )
            await _runtime_async.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_POLL_S)
        return marks.known(ids) if wanted else ()

    async def fence(self, target: Target) -> bool:
        """Wait until what anybody wrote to a namespace can be read; see the protocol."""
        if _answers.space_of(target) is None:
            return True
        marks = self.marks(target)
        before = marks.committed
        if not await self._number(target, "fence", KNOWN_WITHIN_S):
            return True
        if marks.committed == before:
            return False  # it does not tell
        await self.settle(target, ())
        return marks.indexed > before

    async def _number(self, target: Target, operation: str, patience_s: float) -> bool:
        """Learn a number above those of all writes that were acknowledged, also to others.

        It is that of deleting a record that never was, which changes nothing.

        Returns
        -------
        bool
            False: the namespace is not known, also not after so many seconds.
        """
        marks = self.marks(target)
        untold, pause_s, waited_s = marks.untold, FIRST_POLL_S, 0.0
        nobody = f"{NOBODY}{uuid4().hex}"
        while await self.call(target, "delete", rest=True, absent=True, ids=[nobody]):
            # A namespace that somebody has just begun may not be known everywhere.
            if waited_s >= patience_s:
                return False
            if seconds_left() <= pause_s:
                raise DeadlineError(
                    "the namespace is not there yet", store="pinecone", operation=operation
                )
            await _runtime_async.sleep(pause_s)
            waited_s, pause_s = waited_s + pause_s, min(2 * pause_s, LONGEST_POLL_S)
        marks.cover(untold)
        return True

    def marks(self, target: Target) -> Marks:
        """Return how far a namespace is, and what was written to it."""
        layout: Layout = target.collection.layout
        return self._marks.get(layout.host, _answers.space_of(target) or "")

    async def page(
        self, target: Target, condition: Any, token: str | None, limit: int
    ) -> tuple[list[Row], str | None]:
        """Return the records of one page by metadata, and the token of the next.

        Over REST in any case: its object of records has the server's order, a map over gRPC none.
        """
        answer = await self.call(
            target,
            "fetch_by_metadata",
            rest=True,
            filter=condition,
            limit=_requests.page_rows(target.collection.dimension, limit),
            pagination_token=token,
        )
        if answer is None:
            return [], None
        rows = _answers.rows_of(answer.vectors.values())
        return rows, None if answer.pagination is None else answer.pagination.next

    async def listed(
        self, target: Target, token: str | None, limit: int, *, whole: bool
    ) -> tuple[list[Row], str | None]:
        """Return up to `limit` ids, or records, and the token behind them."""
        size = _requests.page_rows(target.collection.dimension, limit) if whole else limit
        ids: list[str] = []
        while True:
            asked = min(_requests.LISTED, size - len(ids))
            answer = await self.call(target, "list_paginated", limit=asked, pagination_token=token)
            if answer is None:
                return [], None
            ids += [one.id for one in answer.vectors]
            token = None if answer.pagination is None else answer.pagination.next
            if not token or len(ids) >= size:
                break
        if whole:
            return await self.fetch(target, ids), token
        rows: list[Row] = [(one, (), {}) for one in ids]
        return await self.resolved(target, rows), token

    async def resolved(self, target: Target, rows: list[Row]) -> list[Row]:
        """Return rows whose ids can be told: records that have hashes for ids are fetched."""
        hashed = _answers.unresolved(target, rows)
        if not hashed:
            return rows
        known = {row[0]: row for row in await self.fetch(target, hashed)}
        kept = [row for row in rows if row[0] in known or row[0] not in hashed]
        return [
            (one, values, known[one][2] if one in known else stored) for one, values, stored in kept
        ]

    async def fetch(self, target: Target, ids: Sequence[str]) -> list[Row]:
        """Return the records that exist of these stored ids, in their order."""
        rows: list[Row] = []
        for part in _requests.url_parts(ids):
            answer = await self.call(target, "fetch", ids=part)
            if answer is not None:
                found = answer.vectors
                rows += _answers.rows_of(found[one] for one in part if one in found)
        return rows

    async def size(self, target: Target) -> int:
        """Return the number of records of a namespace, which Pinecone knows."""
        space = _answers.space_of(target)
        if space is None:
            return 0
        layout: Layout = target.collection.layout
        index = await self._link.index(layout.host)
        try:
            answer: Any = await index.describe_namespace(
                name=space or DEFAULT, **self._link.limits()
            )
        except Exception as exc:
            if not _errors.is_doubtful(exc):
                raise
            await self._collections.confirm(target.collection)
            if _errors.is_absent(exc):
                return 0
            raise
        return int(answer.record_count or 0)

    async def call(
        self,
        target: Target,
        method: str,
        *,
        absent: Any = None,
        rest: bool = False,
        **arguments: Any,
    ) -> Any:
        """Return what an index answers; `absent` where the namespace does not exist.

        With `rest` over REST in any case, for what gRPC does not tell: log sequence numbers, and
        the order of records.

        Raises
        ------
        CollectionNotFoundError, StaleLayout
            The index is gone, or another than was opened.
        """
        space = _answers.space_of(target)
        if space is None:
            return absent
        layout: Layout = target.collection.layout
        index = await self._link.index(layout.host, rest=rest)
        marks = self._marks.get(layout.host, space)
        try:
            call = getattr(index, method)
            with noting(marks):
                answer = await call(namespace=space, **self._link.limits(), **arguments)
        except Exception as exc:
            if not _errors.is_doubtful(exc):
                raise
            await self._collections.confirm(target.collection)
            if _errors.is_absent(exc):
                return absent
            raise
        if method in WRITES and not (rest or self._link.tells):
            marks.wrote_untold()
        return answer
