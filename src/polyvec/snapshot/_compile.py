"""Leaves to native filters: a snapshot evaluates filter nodes as they are. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyvec.bounds import Bounds
from polyvec.filters import And, Not, Or

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.filters import Filter, Leaf


def compile_leaf(node: Leaf, negated: bool) -> Bounds:
    """Return the leaf itself, or its complement; always exact."""
    return Bounds.exactly(Not(node) if negated else node)


def all_of(filters: Sequence[Filter]) -> Filter:
    """Join native filters by and."""
    return And(*filters)


def any_of(filters: Sequence[Filter]) -> Filter:
    """Join native filters by or."""
    return Or(*filters)
