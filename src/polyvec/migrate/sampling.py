"""A random sample of all records, by reading nothing but ids.

Every id gets a number from the seed, the namespace and itself; the records with the smallest
numbers are the sample. So each set of that size is as likely as any other, whatever the order and
the ranges the ids come in, and the same seed gives the same sample again.
"""

from __future__ import annotations

import hashlib
import heapq
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polyvec.migrate.journal import Task

Chosen = tuple[int, str, str]
"""Minus the number that an id got, its namespace, and the id."""


class Sample:
    """The records with the smallest numbers of all that were offered; for several threads.

    Parameters
    ----------
    size
        How many, at least 1.
    seed
        Decides which.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._key = seed.to_bytes(16, "big", signed=True)
        self._guard = Lock()
        self._kept: list[Chosen] = []  # the largest number first
        self.population = 0

    def offer(self, namespace: str, ids: Iterable[str]) -> None:
        """Take some of the ids, or none."""
        start = hashlib.blake2b(namespace.encode() + b"\0", digest_size=8, key=self._key)
        numbered: list[Chosen] = []
        for name in ids:
            digest = start.copy()
            digest.update(name.encode())
            numbered.append((-int.from_bytes(digest.digest(), "big"), namespace, name))
        with self._guard:
            self.population += len(numbered)
            self._kept = heapq.nlargest(self._size, [*self._kept, *numbered])

    def of(self, tasks: Iterable[Task]) -> list[tuple[Task, list[str]]]:
        """Return the chosen ids by namespace, each with one range of it."""
        one_of = {task.source: task for task in tasks}
        places: dict[str, list[str]] = {}
        for _, namespace, name in self._kept:
            places.setdefault(namespace, []).append(name)
        return [(one_of[namespace], sorted(ids)) for namespace, ids in sorted(places.items())]


def chance(population: int, sample: int, differing: int) -> float:
    """Return how likely a sample has at least one of the records that differ.

    Parameters
    ----------
    population, sample
        Numbers of records; the sample is no larger.
    differing
        How many of the population are not as they should be.

    Returns
    -------
    float
        In [0, 1].
    """
    if not population:
        return 1.0
    missed = 1.0
    for at in range(differing):
        missed *= max(0, population - sample - at) / max(1, population - at)
    return 1.0 - missed
