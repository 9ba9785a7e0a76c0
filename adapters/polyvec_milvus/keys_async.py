"""Namespaces and ranges of a collection, found by its keys (asynchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from polyvec_milvus import _expressions, _native, _requests
from polyvec_milvus._layout import NS, PK, escape_namespace

if TYPE_CHECKING:
    from polyvec.primitives import Target
    from polyvec_milvus._schema import Layout
    from polyvec_milvus.calls_async import AsyncCalls

LARGEST_PAGE: Final = 16_384
"""Rows of one answer: quotaAndLimits.limits.topK."""

MOST_CUTS: Final = 4_096
"""Ids that are kept while looking for ranges; every second one goes when there are more."""


class AsyncKeys:
    """Reads nothing but keys.

    Parameters
    ----------
    calls
        The requests of the store.
    """

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def namespaces(self, layout: Layout) -> dict[str, int]:
        """Return each namespace that holds a record, with their number."""
        fields = layout.fields
        if fields is not None and fields.namespace is None:
            count = await self._calls.count(layout, _native.selection(fields, "", None), None)
            return {"": count} if count else {}
        await self._calls.refresh(layout, None)
        if fields is not None:
            return await self._tallied(layout, fields)
        return await self._leaped(layout)

    async def _leaped(self, layout: Layout) -> dict[str, int]:
        """Read a page of namespaces, count the last one, and leap over the rest of it."""
        found: dict[str, int] = {}
        start = f'{PK} >= ""'
        while True:
            rows, done = await self._calls.page(layout, start, [PK, NS], LARGEST_PAGE)
            for row in rows:
                found[row[NS]] = found.get(row[NS], 0) + 1
            if done:
                return found
            last = str(rows[-1][NS])
            found[last] = await self._calls.count(layout, _expressions.within(last, None), None)
            # "0" comes after "/", which ends the namespace in a key.
            start = f"{PK} >= {_expressions.quoted(escape_namespace(last) + '0')}"

    async def _tallied(self, layout: Layout, fields: _native.Fields) -> dict[str, int]:
        found: dict[str, set[Any]] = {}
        space = str(fields.namespace)
        expression = f'{space} >= ""'
        while True:
            rows, done = await self._calls.page(
                layout, expression, [fields.id, space], LARGEST_PAGE
            )
            for row in rows:
                found.setdefault(str(row[space] or ""), set()).add(row[fields.id])
            if done:
                return {one: len(ids) for one, ids in found.items()}
            last = _native.key_literal(str(rows[-1][fields.id]), fields)
            expression = f'{space} >= "" and {fields.id} > {last}'

    async def cuts(self, target: Target, parts: int) -> list[str]:
        """Return ids, in order, that part a namespace into about equal shares.

        Milvus has no histogram of keys, so all of them are read, and evenly spaced ones kept.
        """
        layout: Layout = target.collection.layout
        fields = _requests.output_fields(target, frozenset())
        kept: list[str] = []
        stride, seen = 1, 0
        after: str | None = None
        while True:
            expression = _requests.page(target, None, None, after)
            rows, done = await self._calls.page(layout, expression, fields, LARGEST_PAGE)
            for one in _requests.batch_of(rows, frozenset(), target).ids:
                if seen % stride == 0:
                    kept.append(one)
                seen += 1
                after = one
            while len(kept) > max(MOST_CUTS, 2 * parts):
                kept, stride = kept[::2], 2 * stride
            if done:
                break
        chosen = [kept[len(kept) * at // parts] for at in range(1, parts)] if kept else []
        return [one for one in dict.fromkeys(chosen) if one != kept[0]]
