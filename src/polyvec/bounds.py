"""From leaves to a whole filter: two native filters around the right answer.

An adapter compiles a leaf to `Bounds`: `lower` selects only right records,
`upper` selects all right records, and where the server is exact they are one
object. `And` and `Or` keep that property side by side, so the algebra lives
here once. Filters are brought to negation normal form first; no adapter ever
negates a compiled filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from polyvec.filters import And, Not, Or
from polyvec.rewrite import normal_form

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyvec.filters import Filter, Leaf
    from polyvec.primitives import Native


class Constant(Enum):
    """A bound that needs no server: every record, or none."""

    ALL = "all"
    NONE = "none"


ALL: Final = Constant.ALL
NONE: Final = Constant.NONE


@dataclass(frozen=True, slots=True)
class Bounds:
    """Two native filters: a subset and a superset of the right records.

    Parameters
    ----------
    lower
        Selects only records that match; `NONE` where nothing is certain.
    upper
        Selects every record that matches; `ALL` where nothing can be excluded.
        The same object as `lower` where the server is exact.
    """

    lower: Native
    upper: Native

    @classmethod
    def exactly(cls, native: Native) -> Bounds:
        """Return the bounds of a leaf that the server decides exactly as polyvec does."""
        return cls(native, native)

    @property
    def exact(self) -> bool:
        """Whether the server's answer needs no check."""
        return self.lower is self.upper


UNKNOWN: Final = Bounds(NONE, ALL)
"""The bounds of a leaf that the server cannot help with."""


class Compiler(Protocol):
    """The part of an adapter that compiles filters; pure."""

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        """Compile one leaf."""
        ...

    def all_of(self, filters: Sequence[Native]) -> Native:
        """Join two or more native filters by and."""
        ...

    def any_of(self, filters: Sequence[Native]) -> Native:
        """Join two or more native filters by or."""
        ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter in normal form, its bounds, and what is left to check.

    Parameters
    ----------
    filter
        In normal form; `And()` for all records.
    bounds
        For the whole filter.
    pushed
        The part the server decides exactly; `And()` where that is nothing.
    residual
        The part to check on the records that come back; None where nothing is.
    """

    filter: Filter
    bounds: Bounds
    pushed: Filter
    residual: Filter | None


EVERYTHING: Final = Compiled(And(), Bounds.exactly(ALL), And(), None)
"""No filter: all records."""


def compile_filter(node: Filter, compiler: Compiler, layout: Any) -> Compiled:
    """Compile a checked filter; pure, may raise `StaleLayout` from the adapter."""
    node = normal_form(node)
    if not isinstance(node, And):
        bounds = _bounds(node, compiler, layout)
        return Compiled(node, bounds, *((node, None) if bounds.exact else (And(), node)))
    clauses = node.operands
    parts = [_bounds(clause, compiler, layout) for clause in clauses]
    bounds = _join(parts, compiler.all_of, neutral=ALL, absorbing=NONE)
    if bounds.exact:
        return Compiled(node, bounds, node, None)
    pushed = tuple(c for c, part in zip(clauses, parts, strict=True) if part.exact)
    rest = tuple(c for c, part in zip(clauses, parts, strict=True) if not part.exact)
    return Compiled(node, bounds, And(*pushed), rest[0] if len(rest) == 1 else And(*rest))


def uncertain(compiled: Compiled, compiler: Compiler, layout: Any) -> Native:
    """Return a native filter for the records that only a check can decide.

    They are in `upper` and not in `lower`.
    """
    both = (compiled.bounds.upper, _outside(compiled.filter, compiler, layout))
    return _side(both, compiler.all_of, neutral=ALL, absorbing=NONE)


def _outside(node: Filter, compiler: Compiler, layout: Any) -> Native:
    """Return the complement of the lower bound of a filter in normal form.

    For a leaf that is the upper bound of its complement, by the rule that `leaf(n, True)` is
    the crosswise complement of `leaf(n, False)`. Where nothing is certain it is everything,
    also for a server that knows a superset of a leaf and no complement of that.
    """
    match node:
        case And(operands):
            parts = [_outside(operand, compiler, layout) for operand in operands]
            return _side(parts, compiler.any_of, neutral=NONE, absorbing=ALL)
        case Or(operands):
            parts = [_outside(operand, compiler, layout) for operand in operands]
            return _side(parts, compiler.all_of, neutral=ALL, absorbing=NONE)
        case Not(operand):
            leaf, negated = cast("Leaf", operand), True
        case _:
            leaf, negated = node, False
    lower = compiler.leaf(leaf, negated, layout).lower
    if isinstance(lower, Constant):
        return ALL if lower is NONE else NONE
    return compiler.leaf(leaf, not negated, layout).upper


def _bounds(node: Filter, compiler: Compiler, layout: Any) -> Bounds:
    match node:
        case And(operands):
            parts = [_bounds(operand, compiler, layout) for operand in operands]
            return _join(parts, compiler.all_of, neutral=ALL, absorbing=NONE)
        case Or(operands):
            parts = [_bounds(operand, compiler, layout) for operand in operands]
            return _join(parts, compiler.any_of, neutral=NONE, absorbing=ALL)
        case Not(And() | Or() | Not()):
            raise AssertionError(f"normal form left {node!r}")
        case Not(operand):
            return compiler.leaf(cast("Leaf", operand), True, layout)
        case _:
            return compiler.leaf(node, False, layout)


def _join(
    parts: Sequence[Bounds],
    combine: Callable[[Sequence[Native]], Native],
    *,
    neutral: Constant,
    absorbing: Constant,
) -> Bounds:
    lower = _side([p.lower for p in parts], combine, neutral=neutral, absorbing=absorbing)
    if all(part.exact for part in parts):
        return Bounds(lower, lower)
    upper = _side([p.upper for p in parts], combine, neutral=neutral, absorbing=absorbing)
    return Bounds(lower, upper)


def _side(
    natives: Sequence[Native],
    combine: Callable[[Sequence[Native]], Native],
    *,
    neutral: Constant,
    absorbing: Constant,
) -> Native:
    """Fold constants, then combine what is left; adapters never see a constant."""
    if any(native is absorbing for native in natives):
        return absorbing
    rest = [native for native in natives if native is not neutral]
    if not rest:
        return neutral
    return rest[0] if len(rest) == 1 else combine(rest)
