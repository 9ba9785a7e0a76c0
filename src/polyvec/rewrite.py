"""Filters rewritten into simpler ones of the same meaning.

`normal_form` is what the core hands on: `And` and `Or` are flat and alternate, `Not` stands only
above leaves, and constants are gone, unless the whole filter is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from polyvec.filters import And, ContainsAll, ContainsAny, Eq, Filter, In, Not, Or
from polyvec.operands import Operand, operand_key

ALL: Final = And()
"""What every filter that folds to true becomes."""

NONE: Final = Or()
"""What every filter that folds to false becomes."""

_Value = TypeVar("_Value", bound=Operand)


def normal_form(filter: Filter) -> Filter:
    """Return the equivalent filter with flat, alternating `And` and `Or`, and `Not` above leaves.

    The result is its own normal form. Recursive in what `flatten` cannot make flat, so the filter
    must have passed `filter_check.check_depth`.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> normal_form(~((F("a") == 1) & ~(F("b") < 2)))
    (F('a') != 1) | (F('b') < 2)
    """
    joined = isinstance(filter, (And, Or, Not))
    return fold(push_not(flatten(filter)) if joined else filter)


def is_all(filter: Filter | None) -> bool:
    """Tell whether the filter folds to true; None, which is no filter, does."""
    return filter is None or normal_form(filter) == ALL


def is_none(filter: Filter | None) -> bool:
    """Tell whether the filter folds to false."""
    return filter is not None and normal_form(filter) == NONE


def flatten(filter: Filter) -> Filter:
    """Merge nested `And` and nested `Or`, unwrap those of one operand, drop pairs of `Not`.

    Iterative: it takes trees of any depth, such as `And(And(And(…)))` or `~~~…`.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> flatten(And(And(F("a") == 1, F("b") == 2), ~~(F("c") == 3)))
    (F('a') == 1) & (F('b') == 2) & (F('c') == 3)
    """
    done: list[Filter] = []
    # The nodes being built: their class (None is Not), and where in `done` their operands begin.
    frames: list[tuple[type[And | Or] | None, int]] = []
    todo: list[Filter | None] = [filter]  # None ends the innermost frame
    while todo:
        node = todo.pop()
        match node:
            case None:
                kind, start = frames.pop()
                parts = done[start:]
                del done[start:]
                built = _negated(parts[0]) if kind is None else _joined(kind, parts)
                inside = frames and type(built) is frames[-1][0]
                done.extend(built.operands if inside and isinstance(built, (And, Or)) else [built])
            case And((only,)) | Or((only,)) | Not(Not(only)):
                todo.append(only)
            case Not(And((only,)) | Or((only,))):
                todo.append(Not(only))
            case Not(operand):
                frames.append((None, len(done)))
                todo += [None, operand]
            case And(operands) | Or(operands):
                if not frames or frames[-1][0] is not type(node):
                    frames.append((type(node), len(done)))
                    todo.append(None)
                todo.extend(reversed(operands))
            case _:
                done.append(node)
    return done[0]


def depth(filter: Filter) -> int:
    """Return how many `And`, `Or` and `Not` stand above the deepest leaf; iterative."""
    deepest = 0
    todo = [(filter, 0)]
    while todo:
        node, above = todo.pop()
        deepest = max(deepest, above)
        match node:
            case And(operands) | Or(operands):
                # A constant counts as the leaf that is missing below it.
                deepest = max(deepest, above + 1)
                todo.extend((operand, above + 1) for operand in operands)
            case Not(operand):
                todo.append((operand, above + 1))
            case _:
                pass
    return deepest


def push_not(filter: Filter) -> Filter:
    """Move every `Not` down to a leaf, by De Morgan's laws.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> push_not(~((F("a") == 1) | (F("b") < 2)))
    (F('a') != 1) & ~(F('b') < 2)
    """
    match filter:
        case Not(Not(operand)):
            return push_not(operand)
        case Not(And(operands)):
            return Or(*(push_not(Not(operand)) for operand in operands))
        case Not(Or(operands)):
            return And(*(push_not(Not(operand)) for operand in operands))
        case And(operands):
            return And(*map(push_not, operands))
        case Or(operands):
            return Or(*map(push_not, operands))
        case _:
            return filter


def fold(filter: Filter) -> Filter:
    """Fold constants, drop repeated operands and values, and merge what has become nested.

    A leaf beside its own complement is a constant too. An `In` of one value becomes an `Eq`.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> fold((F("a") == 1) | F("b").is_in([]))
    F('a') == 1
    >>> fold((F("a") == 1) & (F("a") != 1))
    Or()
    """
    match filter:
        case And(operands):
            return _fold_joint(And, operands)
        case Or(operands):
            return _fold_joint(Or, operands)
        case Not(operand):
            return _negated(fold(operand))
        case In(path, values):
            kept = _distinct(values)
            if not kept:
                return NONE
            return Eq(path, kept[0]) if len(kept) == 1 else In(path, kept)
        case ContainsAny(path, values):
            return ContainsAny(path, _distinct(values)) if values else NONE
        case ContainsAll(path, values):
            return ContainsAll(path, _distinct(values))
        case _:
            return filter


def _fold_joint(kind: type[And | Or], operands: Sequence[Filter]) -> Filter:
    absorbing = NONE if kind is And else ALL
    # A dict keeps the first of equal operands, in order. Splicing drops the neutral constant,
    # which is `kind()`.
    kept: dict[Filter, None] = {}
    for operand in operands:
        folded = fold(operand)
        kept.update(dict.fromkeys(_parts(kind, folded)))
    if absorbing in kept or any(isinstance(o, Not) and o.operand in kept for o in kept):
        return absorbing
    return _joined(kind, list(kept))


def _parts(kind: type[And | Or], node: Filter) -> Iterable[Filter]:
    return node.operands if isinstance(node, (And, Or)) and isinstance(node, kind) else (node,)


def _joined(kind: type[And | Or], parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else kind(*parts)


def _negated(node: Filter) -> Filter:
    """Return the complement, without a `Not` above a `Not` or a constant."""
    match node:
        case Not(operand):
            return operand
        case And(()):
            return NONE
        case Or(()):
            return ALL
        case _:
            return Not(node)


def _distinct(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """Return the values without repeats, in order; the first of equal ones stays."""
    first: dict[object, _Value] = {}
    for value in values:
        first.setdefault(operand_key(value), value)
    return tuple(first.values())
