"""Which collections this store wrote and has not looked at since. Pure.

A session read waits for this process's own inserts. It does not wait for deletes, which the server
answers without a time (measured, 2.3.5), and pages of a scan have no session at all: the client
drops it there. One strong read waits for both, and whatever comes after it sees them too. The
first read of a collection is strong, so that a store sees all that was finished before it, by
whomever: a store that was closed, and this one opened in its place (an update came back undone).
"""

from __future__ import annotations

import threading
from collections import Counter


class Freshness:
    """Counts of writes and deletes, and how many of them a strong read has covered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writes: Counter[str] = Counter()
        self._deletes: Counter[str] = Counter()
        self._covered: dict[str, tuple[int, int]] = {}

    def wrote(self, name: str) -> None:
        """Note a finished write of a collection."""
        with self._lock:
            self._writes[name] += 1

    def deleted(self, name: str) -> None:
        """Note a finished delete."""
        with self._lock:
            self._deletes[name] += 1

    def state(self, name: str) -> tuple[int, int]:
        """Return what a strong read that starts now will have covered."""
        with self._lock:
            return self._writes[name], self._deletes[name]

    def covered(self, name: str, state: tuple[int, int]) -> None:
        """Note that a strong read has come back."""
        with self._lock:
            old = self._covered.get(name, (0, 0))
            self._covered[name] = (max(old[0], state[0]), max(old[1], state[1]))

    def needs_strong(self, name: str, *, session: bool) -> bool:
        """Tell whether the next read must be strong, as the first one is."""
        with self._lock:
            covered = self._covered.get(name)
            if covered is None:
                return True
            writes, deletes = covered
            return self._deletes[name] > deletes or (not session and self._writes[name] > writes)
