# Generated from scans_async.py by tools/unasync.py. Do not edit.
"""Pages of records in the order of their UUIDs (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from weaviate.classes.query import Filter, Sort

from polyvec.primitives import KeyRange, ScanPage
from polyvec_weaviate import _answers, _conditions, _pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.primitives import Columns, Target
    from polyvec_weaviate._conditions import Condition
    from polyvec_weaviate._schema import Layout
    from polyvec_weaviate.requests import Requests

PROBE: Final = 200
"""Records that a scan asks for first, without an order: most namespaces and filters have no more.
Measured: the server takes 5 ms for 100, and sorts 10,000 to give 1,000 in 120 ms."""

ONLY_IDS: Final[Columns] = frozenset()


class Scans:
    """Reads pages, each in the cheapest of three ways.

    All that a filter or a namespace has, where that is little; the collection as it lies, dropping
    what belongs to others, while most of it belongs here; else what a filter selects, sorted by the
    server, which looks at all that is left for each page.

    Parameters
    ----------
    requests
        The store's requests.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def page(
        self,
        target: Target,
        native: Condition | None,
        span: KeyRange,
        after: str | None,
        limit: int,
        columns: Columns,
    ) -> ScanPage:
        """Return one page behind a cursor."""
        layout: Layout = target.collection.layout
        where = _answers.filter_of(target, native)
        if after is None and where is not None:
            keys = _pages.keys_in(span, None)
            most = min(limit, PROBE)
            few = self._select(target, _answers.filter_of(target, native, *keys), most, columns)
            if len(few) <= most:
                return self._answer(target, few, columns, done=True, sort=True)
        if native is None and _pages.may_walk(layout, span, after):
            return self._walk(target, span, after, limit, columns)
        found = self._sorted(target, native, span, after, limit, columns)
        # A first page of others' objects is sorted for their nil UUID only.
        sort = after is not None or native is not None or layout.ours
        return self._answer(target, found[:limit], columns, done=len(found) <= limit, sort=sort)

    def _sorted(
        self,
        target: Target,
        native: Condition | None,
        span: KeyRange,
        after: str | None,
        limit: int,
        columns: Columns,
    ) -> list[Any]:
        """Return what a filter selects behind a cursor, and one more than asked."""
        where = _answers.filter_of(target, native, *_pages.keys_in(span, after))
        return self._select(target, where, limit, columns, sort=Sort.by_id())

    def _select(
        self, target: Target, where: Condition | None, limit: int, columns: Columns, **more: Any
    ) -> list[Any]:
        """Return what a filter selects, one more than asked at most, by UUID.

        Looks twice: an object that is being replaced is in no filter's answer for 0.3 ms.
        """
        found = self._requests.fetch(target, where, limit + 1, columns, **more)
        if len(found) > limit and not more:
            return found  # of no order, so that it is no page
        again = self._requests.fetch(target, where, limit + 1, ONLY_IDS, **more)
        missed = {str(each.uuid) for each in again} - {str(each.uuid) for each in found}
        if missed:
            these = Filter.by_id().contains_any(sorted(missed))
            both = these if where is None else _conditions.all_of([where, these])
            found += self._requests.fetch(target, both, len(missed), columns)
        found.sort(key=_pages.place_of)
        return found[: limit + 1]

    def _walk(
        self, target: Target, span: KeyRange, after: str | None, limit: int, columns: Columns
    ) -> ScanPage:
        """Read the collection as it lies: no filter and no order are the server's fastest way."""
        start, asked, sort, done = _pages.start_of(span, after), limit, False, False
        ours: list[Any] = []
        looked = 0
        while len(ours) < limit and not done and not sort:
            found = self._requests.fetch(target, None, asked, columns, own=True, after=start)
            inside = _pages.before(found, span.stop)
            ours += [each for each in inside if _answers.is_of(target, each)]
            looked += len(inside)
            done = len(found) < asked or len(inside) < len(found)
            start = str(found[-1].uuid) if found else start
            sort = len(ours) < looked * _pages.SHARE
            asked = _pages.more_to_ask(limit, len(ours), looked)
        if looked and not ours:
            # None of all these: of the same collection, or of another one with its name?
            self._requests.check(target.collection.layout)
        if sort and not done and len(ours) < limit:
            found = self._sorted(target, None, span, start, limit - len(ours), columns)
            rest = found[: limit - len(ours)]
            done = len(found) == len(rest)
            start = str(rest[-1].uuid) if rest else start
            ours += _answers.inside(target, rest)
        elif len(ours) > limit:
            ours, done = ours[:limit], False
            start = str(ours[-1].uuid)
        return self._page(target, ours, start, columns, done=done, sort=sort)

    def _answer(
        self, target: Target, page: Sequence[Any], columns: Columns, *, done: bool, sort: bool
    ) -> ScanPage:
        ours = _answers.inside(target, page)
        if not page:
            return ScanPage(_answers.batch_of(ours, columns, target), None, done)
        return self._page(target, ours, str(page[-1].uuid), columns, done=done, sort=sort)

    def _page(
        self,
        target: Target,
        ours: Sequence[Any],
        place: str,
        columns: Columns,
        *,
        done: bool,
        sort: bool,
    ) -> ScanPage:
        batch = _answers.batch_of(ours, columns, target)
        return ScanPage(batch, _pages.cursor_at(place, sort=sort), done)
