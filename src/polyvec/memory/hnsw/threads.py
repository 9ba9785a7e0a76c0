"""Sharing work out among threads: the compiled routines release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np


def edges(start: int, stop: int, parts: int) -> list[int]:
    """Return where to cut a range into about equal parts, its ends included."""
    cuts: list[int] = np.linspace(start, stop, parts + 1).astype(int).tolist()
    return cuts


def share(
    work: Callable[[int, int], None], cuts: Sequence[int], workers: ThreadPoolExecutor
) -> None:
    """Do the parts between the cuts, one alone in this thread; return when all are done."""
    parts = [(begin, end) for begin, end in pairwise(cuts) if end > begin]
    if len(parts) == 1:
        work(*parts[0])
        return
    for done in [workers.submit(work, begin, end) for begin, end in parts]:
        done.result()


def in_parts(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """Do what is numbered from 0 to `count`, shared out among at most so many threads."""
    parts = min(threads, count)
    if parts <= 1:  # starting a thread takes longer than a search
        work(0, count)
        return
    with ThreadPoolExecutor(parts) as workers:  # it starts a thread when it is given work
        share(work, edges(0, count, parts), workers)
