"""How far the namespaces of a store are: log sequence numbers that come with answers."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Final

from polyvec._setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    import httpx

FIELDS: Final = {
    b"x-pinecone-request-lsn": "committed",
    b"x-pinecone-lsn-committed": "committed",
    b"x-pinecone-max-indexed-lsn": "indexed",
    b"x-pinecone-lsn-reconciled": "indexed",
}
"""Headers with log sequence numbers, the new and the old ones: client 10.2, `ResponseInfo`."""

MOST_REMEMBERED: Final = 50_000
"""Ids that a namespace's marks hold."""

MOST_WITH_IDS: Final = 16
"""Namespaces whose marks hold ids: the last ones that were used."""

MOST_SPACES: Final = 10_000
"""Namespaces whose marks are kept at all."""

_marks: ContextVar[Marks | None] = ContextVar("polyvec_pinecone_marks", default=None)


class Marks:
    """How far a namespace is: log sequence numbers that come in the headers of answers.

    A write's answer says which number it has, a search's up to which number it saw. The client
    shows them, but not for a delete, whose answer it drops; so they are read here. Over gRPC it
    shows none: those writes are counted, and a number above theirs is asked for over REST.

    Attributes
    ----------
    committed, indexed
        The highest number of a write, and up to which one a search saw; 0 for none.
    untold
        Writes whose answers had no number, so far.
    """

    def __init__(self) -> None:
        self.committed = 0
        self.indexed = 0
        self.untold = 0
        self._covered = 0
        self._written: dict[str, None] = {}
        self._lock = threading.Lock()

    def note(self, headers: httpx.Headers) -> None:
        """Take the numbers of an answer."""
        for name, value in headers.raw:
            field = FIELDS.get(name.lower())
            if field is not None and value.isdigit():
                with self._lock:
                    setattr(self, field, max(getattr(self, field), int(value)))

    @property
    def complete(self) -> bool:
        """Whether `committed` is above the numbers of all writes."""
        return self._covered == self.untold

    def wrote_untold(self) -> None:
        """Count a write whose answer had no number."""
        with self._lock:
            self.untold += 1

    def cover(self, untold: int) -> None:
        """Take `committed` as above the first `untold` of them."""
        with self._lock:
            self._covered = max(self._covered, untold)

    def wrote(self, ids: Iterable[str]) -> None:
        """Remember ids as written, the last of them where there are many."""
        with self._lock:
            self._written |= dict.fromkeys(ids)
            for _ in range(len(self._written) - MOST_REMEMBERED):
                del self._written[next(iter(self._written))]

    def deleted(self, ids: Iterable[str] | None) -> None:
        """Forget ids, None for all."""
        with self._lock:
            for one in list(self._written) if ids is None else ids:
                self._written.pop(one, None)

    @property
    def holds(self) -> bool:
        """Whether anything is known to be there."""
        return bool(self._written)

    def known(self, ids: Iterable[str]) -> list[str]:
        """Return the ids that were written and not deleted."""
        with self._lock:
            return [one for one in ids if one in self._written]


def noting(marks: Marks) -> AbstractContextManager[None]:
    """Have the answers to the requests made inside noted."""
    return Setting(_marks, marks)


def note(response: httpx.Response) -> httpx.Response:
    """Take the numbers of an answer to the running request, and return the answer."""
    if (marks := _marks.get()) is not None and response.is_success:
        marks.note(response.headers)
    return response


class MarksOf:
    """The marks of every namespace that a store wrote or read."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Marks] = {}
        self._lock = threading.Lock()

    def get(self, host: str, space: str) -> Marks:
        """Return the marks of a namespace; those of many are forgotten bit by bit."""
        key = host, space
        with self._lock:
            marks = self._found.pop(key, None) or Marks()
            self._found[key] = marks  # the last one now
            if len(self._found) > MOST_WITH_IDS:
                next(islice(reversed(self._found.values()), MOST_WITH_IDS, None)).deleted(None)
            if len(self._found) > MOST_SPACES:
                del self._found[next(iter(self._found))]
        return marks
