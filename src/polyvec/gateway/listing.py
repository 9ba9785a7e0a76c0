"""Ids and names in Pinecone's order, page by page.

Pinecone lists ids sorted by code point. A store scans in an order of its own, so the first page
reads every id of the namespace (without vectors and metadata) and keeps them, sorted, for the
pages that follow. A token holds the last id of its page: where the ids are no longer kept, or
another gateway is asked, they are read again.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeAlias

from polyvec.gateway.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.gateway.indexes import Index

KEPT: Final = 16
"""Listings that are kept at once."""
KEPT_S: Final = 60.0
MOST_KEPT_IDS: Final = 1_000_000
"""A longer listing is not kept: each of its pages reads the ids again."""

_Key: TypeAlias = tuple[str, str, str]


class Listings:
    """The listings under way."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[float, list[str]]] = OrderedDict()

    async def page(
        self, index: Index, namespace: str, prefix: str, limit: int, token: str | None
    ) -> tuple[list[str], str | None]:
        """Return the ids of a page, and the token of the next one."""
        key = (index.name, namespace, prefix)
        after = None if token is None else read_token(token)
        ids = None if after is None else self._recent(key)
        if ids is None:
            ids = await _sorted_ids(index, namespace, prefix)
            self._keep(key, ids)
        return cut(ids, limit, after)

    def _recent(self, key: _Key) -> list[str] | None:
        until, ids = self._kept.get(key, (0.0, None))
        return ids if time.monotonic() < until else None

    def _keep(self, key: _Key, ids: list[str]) -> None:
        self._kept.pop(key, None)
        if len(ids) <= MOST_KEPT_IDS:
            self._kept[key] = (time.monotonic() + KEPT_S, ids)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


async def _sorted_ids(index: Index, namespace: str, prefix: str) -> list[str]:
    ids: list[str] = []
    async for batch in index.collection.namespace(namespace).scan(batch_size=10_000, include=()):
        ids += [i for i in batch.ids if i.startswith(prefix)] if prefix else batch.ids
    ids.sort()
    return ids


def cut(names: Sequence[str], limit: int, after: str | None) -> tuple[list[str], str | None]:
    """Return a page of sorted names, and the token of the next one."""
    start = 0 if after is None else bisect.bisect_right(names, after)
    page = list(names[start : start + limit])
    more = start + limit < len(names)
    return page, (write_token(page[-1]) if more else None)


def write_token(last: str) -> str:
    """Return the token of the page behind a name."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_token(token: str) -> str:
    """Return the name that a token holds."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise invalid("paginationToken is none of this gateway") from None
