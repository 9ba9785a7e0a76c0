"""Random rows, queries and updates for the stress tier, over the universe of `strategies`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from polyvec.testing import strategies
from polyvec.testing.oracle import Row
from polyvec.testing.rows import DIMENSION

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from polyvec.filters import Filter
    from polyvec.types import Vector

IDS: Final = ("1", "10", "a", "A", "a b", "é", "x'y", "z", "zz", "0")
"""Few, so that ids meet; some are prefixes of others."""


def texts() -> SearchStrategy[str | None]:
    """Return texts of records."""
    return st.sampled_from((None, "", "text", "é\x00'"))


def vectors() -> SearchStrategy[Vector]:
    """Return vectors of small whole numbers, so that equal scores happen; never zero."""
    return st.integers(1, 10_000).map(_vector)


@st.composite
def rows(draw: st.DrawFn, ids: tuple[str, ...] = IDS) -> list[tuple[str, Row]]:
    """Return rows to upsert; an id may come twice."""
    return [
        (key, Row(draw(vectors()), draw(strategies.metadata()), draw(texts())))
        for key in draw(st.lists(st.sampled_from(ids), min_size=1, max_size=6))
    ]


# Composites, also where an alias would do: Hypothesis prints the arguments of a failing rule, and
# the whole universe of `strategies` is a text of 45 kB.
@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Return a filter."""
    return draw(strategies.filters())


@st.composite
def maybe_filter(draw: st.DrawFn) -> Filter | None:
    """Return a filter, or None for all records."""
    return draw(strategies.filters()) if draw(st.booleans()) else None


@st.composite
def values(draw: st.DrawFn) -> Any:
    """Return a metadata value."""
    return draw(strategies.metadata_values())


def changes() -> SearchStrategy[dict[str, Any]]:
    """Return top-level keys to set, with their new values."""
    return st.dictionaries(keys(), values(), min_size=1, max_size=2)


def keys() -> SearchStrategy[str]:
    """Return top-level keys of the universe."""
    return st.sampled_from(("a", "b", "o", "o.a"))


def stress(examples: int) -> settings:
    """Return the settings of a stress test: a fixed number of cases, however slow the store."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
        ],
    )


def _vector(seed: int) -> Vector:
    numbers = np.random.default_rng(seed).integers(-3, 4, size=DIMENSION)
    numbers[seed % DIMENSION] = 1 + seed % 3
    lattice: Vector = numbers.astype(np.float32)
    return lattice
