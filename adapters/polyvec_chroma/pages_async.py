"""One page of a scan: a range of keys, or the next ids (asynchronous source)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from polyvec_chroma import _answers
from polyvec_chroma._keys import Position, first_width, key_of, next_width
from polyvec_chroma._layout import KEY
from polyvec_chroma._where import Json, join

if TYPE_CHECKING:
    from polyvec_chroma.handles import AsyncCollection

MOST_LISTS: Final = 8
"""Lists of ids that are kept for the scans under way."""


class AsyncPages:
    """Reads pages; keeps the lists of ids that scans in the order of ids go through."""

    def __init__(self) -> None:
        self._lists: dict[str, list[str]] = {}

    async def by_key(
        self,
        space: AsyncCollection,
        where: Json | None,
        position: Position,
        stop: int,
        limit: int,
        include: Any,
    ) -> tuple[dict[str, Any], Position | None]:
        """Read the records whose keys follow a position: `limit` of them, or all to the end.

        Returns
        -------
        tuple
            The records, in order; the position behind them, None at the end.
        """
        page: dict[str, Any] = {"ids": []}
        at: Position | None = position
        if not position.width:
            at = replace(position, width=first_width(await space.count(), limit))
        while at is not None and len(page["ids"]) < limit:
            rest = limit - len(page["ids"])
            got, at = await self._range(space, where, at, stop, rest, include)
            page = _answers.joined(page, got)
        return page, at

    async def _range(
        self,
        space: AsyncCollection,
        where: Json | None,
        position: Position,
        stop: int,
        limit: int,
        include: Any,
    ) -> tuple[dict[str, Any], Position | None]:
        """Read one range of keys; at most `limit` of its records."""
        high = min(position.key + position.width, stop)
        span: Json = {"$and": [{KEY: {"$gte": position.key}}, {KEY: {"$lt": high}}]}
        condition = span if where is None else join("$and", [span, where])
        got: Any = await space.get(where=condition, include=include)
        ids: list[str] = got["ids"]
        after = (position.key, position.record_id)
        places = [(key_of(record_id), record_id) for record_id in ids]
        rows = sorted((r for r, p in enumerate(places) if p > after), key=places.__getitem__)
        width = next_width(position.width, len(rows), limit)
        if len(rows) > limit:
            rows = rows[:limit]
            key, record_id = places[rows[-1]]
            return _answers.pick(got, rows), Position(True, key, record_id, width)
        behind = None if high >= stop else Position(True, high, "", width)
        return _answers.pick(got, rows), behind

    async def by_id(
        self,
        space: AsyncCollection,
        where: Json | None,
        position: Position,
        limit: int,
        include: Any,
    ) -> tuple[dict[str, Any], Position | None]:
        """Read the records whose ids follow a position, in the order of ids.

        The ids are listed once and kept; where the list is gone (another process, a cursor of
        yesterday) they are listed again, which changes no order.
        """
        token, _, last = position.record_id.partition(".")
        ids = self._lists.get(token)
        if ids is None:
            listed: Any = await space.get(where=where, include=[])
            ids = sorted(listed["ids"])
            token = self._keep(ids)
        start = bisect_right(ids, last) if position.record_id else 0
        page = ids[start : start + limit]
        got: Any = {"ids": [], "metadatas": [], "documents": [], "embeddings": []}
        if page:
            got = await space.get(ids=page, include=include)
        if start + limit >= len(ids):
            self._lists.pop(token, None)
            return got, None
        return got, Position(False, record_id=f"{token}.{page[-1]}")

    def _keep(self, ids: list[str]) -> str:
        while len(self._lists) >= MOST_LISTS:
            self._lists.pop(next(iter(self._lists)), None)
        token = uuid4().hex
        self._lists[token] = ids
        return token
