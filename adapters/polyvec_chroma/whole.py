# Generated from whole_async.py by tools/unasync.py. Do not edit.
"""Reads that see each record as one write left it (synchronous source).

Chroma reads the scalars, the lists and the vector of a record one after the other, and a write
may come in between (measured with `chroma run` 1.5.9: the scalars of one version beside the lists
of another). So each write leaves its mark in three places, see `_codec`, and where the marks
differ the record is read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import UnavailableError
from polyvec_chroma import _answers, _codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec_chroma.handles import Collection

MOST_READINGS: Final = 20
"""A record that is torn this often is written all the time, or damaged."""


def whole(space: Collection, got: dict[str, Any], include: Sequence[Any]) -> dict[str, Any]:
    """Return an answer without torn records.

    Raises
    ------
    UnavailableError
        A record was torn in each of many readings.
    """
    for _ in range(MOST_READINGS):
        torn = _codec.torn_rows(got)
        if not torn:
            return got
        ids: list[str] = got["ids"]
        again: Any = space.get(ids=[ids[row] for row in torn], include=list(include))
        got = _answers.renewed(got, again, torn)
    raise UnavailableError(
        f"record {got['ids'][_codec.torn_rows(got)[0]]!r} was changed during each of "
        f"{MOST_READINGS} readings, or is damaged; read it again when nobody writes it",
        store="chroma",
    )
