"""Native filters of the fake adapter, and leaves whose bounds are as bad as the law allows.

A native filter is a function of a record. How well the server understands a leaf is its
`Quality`; which records an uncertain leaf leaves undecided is a pure function of seed, leaf and
id, so that a leaf and its complement keep the crosswise law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

from polyvec.bounds import ALL, NONE, UNKNOWN, Bounds
from polyvec.evaluate import matches
from polyvec.filters import Leaf

Decide = Callable[[str, Mapping[str, Any]], bool]


class Native:
    """A filter in the words of the fake server.

    The core may only pass it on: comparing two, or asking for a truth value, is what a real
    vendor's filter objects make something else of, so here it raises.
    """

    __hash__ = None  # type: ignore[assignment]  # nothing may look it up either

    def __init__(self, text: str, decide: Decide) -> None:
        self.text = text
        self.decide = decide

    def __repr__(self) -> str:
        return f"<{self.text}>"

    def __eq__(self, other: object) -> bool:
        raise AssertionError(f"the core compared the native filter {self!r}")

    def __bool__(self) -> bool:
        raise AssertionError(f"the core asked for the truth value of the native filter {self!r}")


def all_of(filters: Sequence[Native]) -> Native:
    check_joined(filters)
    return Native(
        " and ".join(f.text for f in filters),
        lambda key, metadata: all(f.decide(key, metadata) for f in filters),
    )


def any_of(filters: Sequence[Native]) -> Native:
    check_joined(filters)
    return Native(
        "(" + " or ".join(f.text for f in filters) + ")",
        lambda key, metadata: any(f.decide(key, metadata) for f in filters),
    )


def check_joined(filters: Sequence[Native]) -> None:
    """Hold the core to what the protocol promises: two or more, and never a constant."""
    assert len(filters) >= 2
    assert all(isinstance(part, Native) for part in filters), filters  # pyright: ignore[reportUnnecessaryIsInstance]  # what is tested


class Quality(StrEnum):
    """How well the fake server understands a leaf."""

    EXACT = "exact"
    """As polyvec does."""
    UNKNOWN = "unknown"
    """Not at all."""
    LOOSE = "loose"
    """A random subset and a random superset of the right records."""
    LOWER = "lower"
    """The leaf has a subset only, its complement a superset only."""
    UPPER = "upper"
    """The leaf has a superset only, its complement a subset only."""
    ONE_SIDED = "one-sided"
    """The leaf has a superset only, and its complement nothing at all."""
    MIXED = "mixed"
    """Each leaf has one of the others, by chance."""


SINGLE: Final = tuple(quality for quality in Quality if quality is not Quality.MIXED)


def leaf_bounds(node: Leaf, negated: bool, quality: Quality, seed: int) -> Bounds:
    """Return bounds of the given quality.

    They keep the crosswise-complement law, but for what nothing is known of.
    """
    if quality is Quality.MIXED:
        quality = SINGLE[chance(seed, node, "quality") % len(SINGLE)]
    if quality is Quality.UNKNOWN or (quality is Quality.ONE_SIDED and negated):
        return UNKNOWN
    name = f"{'not ' if negated else ''}{node!r}"

    def right(key: str, metadata: Mapping[str, Any]) -> bool:
        return matches(node, metadata) is not negated

    if quality is Quality.EXACT:
        return Bounds.exactly(Native(name, right))
    percent = chance(seed, node, "percent") % 101

    def unsure(key: str) -> bool:
        return chance(seed, node, key) % 100 < percent

    lower = Native(f"sure {name}", lambda key, data: right(key, data) and not unsure(key))
    upper = Native(f"maybe {name}", lambda key, data: right(key, data) or unsure(key))
    if quality is Quality.LOOSE:
        return Bounds(lower, upper)
    has_lower = (quality is Quality.LOWER) is not negated
    return Bounds(lower, ALL) if has_lower else Bounds(NONE, upper)


def chance(seed: int, node: Leaf, what: str) -> int:
    """Return a number that looks random, and is the same in every process."""
    digest = blake2b(f"{seed}|{node!r}|{what}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")
