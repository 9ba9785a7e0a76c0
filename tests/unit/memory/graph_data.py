"""Records for the tests of the store's graphs."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from polyvec import Hit
from polyvec.memory import hnsw_costs

Floats = npt.NDArray[np.float32]

ALWAYS = "memory://?hnsw=always"


def clustered(n: int, dimension: int = 32, seed: int = 0) -> Floats:
    """Rows and queries are made alike: a curved sheet of 12 dimensions in more."""
    spread = np.random.default_rng(99).standard_normal((12, dimension))
    inner = np.random.default_rng(seed).standard_normal((n, 12))
    return (np.tanh(inner) @ spread).astype(np.float32)


@contextmanager
def forced(way: str) -> Generator[None]:
    """Let searches of a `Graph` walk, or scan its codes, whatever that costs."""
    before = hnsw_costs.SIFT_NS
    hnsw_costs.SIFT_NS = {"walk": (1e9, 0.0), "scan": (0.0, 0.0)}[way]
    try:
        yield
    finally:
        hnsw_costs.SIFT_NS = before


def even(rows: Floats) -> Floats:
    """The same directions, lengths of 0.8 to 1.2: a graph serves inner products of such rows."""
    lengths = np.linspace(0.8, 1.2, len(rows))[:, None]
    scaled: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True) * lengths
    return scaled.astype(np.float32)


def names(n: int, start: int = 0) -> list[str]:
    return [f"r{at}" for at in range(start, start + n)]


def wait_for_threads() -> None:
    """Return when no graph is being made."""
    for thread in threading.enumerate():
        if thread.name == "polyvec-hnsw" and thread.is_alive():
            thread.join()


def ids_of(answers: Sequence[Sequence[Hit[Any]]]) -> list[list[str]]:
    return [[hit.id for hit in hits] for hits in answers]


def recall(found: Sequence[Sequence[Hit[Any]]], true: Sequence[Sequence[Hit[Any]]]) -> float:
    """Share of the true hits that were found; every true answer has as many hits as the other."""
    pairs = list(zip(ids_of(found), ids_of(true), strict=True))
    assert [len(here) for here, _ in pairs] == [len(there) for _, there in pairs]
    shares = [len(set(here) & set(there)) / len(there) for here, there in pairs]
    return float(np.mean(shares))
