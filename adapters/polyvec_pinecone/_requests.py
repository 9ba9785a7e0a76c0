"""How much goes into one request, and where a scan stands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from polyvec.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_IDS: Final = 1_000
"""Ids of one fetch or delete: docs.pinecone.io/reference/api/database-limits."""

URL_BYTES: Final = 6_000
"""Ids of a fetch stand in its URL. Client 10.2 refuses 64 KiB; proxies take 8 KiB."""

LISTED: Final = 100
"""Ids of one page of a list: docs.pinecone.io/reference/api/database-limits."""

ANSWER_BYTES: Final = 2_000_000
"""Of vectors in one answer, four bytes a number: Pinecone stops at 4 MB of a query's."""

METADATA_ROWS: Final = 1_000
"""Hits that are asked for with metadata; the records of more are fetched by their ids."""

BY_LIST: Final = "l"
BY_METADATA: Final = "m"


def url_parts(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield ids in parts that fit into a URL."""
    part: list[str] = []
    used = 0
    for one in ids:
        need = len(quote_plus(one)) + 5  # &ids=
        if part and (used + need > URL_BYTES or len(part) == MOST_IDS):
            yield part
            part, used = [], 0
        part.append(one)
        used += need
    if part:
        yield part


def page_rows(dimension: int, limit: int) -> int:
    """Return how many records one page with vectors may have."""
    return max(1, min(limit, ANSWER_BYTES // (4 * dimension)))


def fits_one_answer(rows: int, dimension: int, *, values: bool) -> bool:
    """Tell whether so many hits come with their records in one answer."""
    return rows <= METADATA_ROWS and (not values or rows * 4 * dimension <= ANSWER_BYTES)


def show(kind: str, token: str) -> str:
    """Return the cursor of a page token."""
    return f"{kind}.{token}"


def parse(cursor: str) -> tuple[str, str]:
    """Return kind and token of a cursor.

    Raises
    ------
    InvalidRequestError
        It is none of a scan of Pinecone.
    """
    kind, dot, token = cursor.partition(".")
    if kind not in (BY_LIST, BY_METADATA) or not dot or not token:
        raise InvalidRequestError(f"cursor {cursor!r} is not one of a scan of pinecone; start anew")
    return kind, token
