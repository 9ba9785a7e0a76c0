"""The meaning of filters, in plain Python: the oracle that every store is tested against.

Logic is two-valued. None is the same as missing, and a comparison with a missing field is false.
The classes number (int and float), bool, str, datetime, list and object are distinct: across
classes every comparison is false, so `True` is not 1. `Not` is the exact complement.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from polyvec.filters import (
    And,
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Filter,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    Not,
    Or,
    StartsWith,
)
from polyvec.operands import Operand, instant_us, operand_key
from polyvec.paths import Path
from polyvec.rewrite import flatten, normal_form

_Comparison: TypeAlias = Callable[[Any, Any], bool]
_RecordTest: TypeAlias = Callable[[Mapping[str, object]], bool]
_ValueTest: TypeAlias = Callable[[object], bool]

_COMPARISONS: Final[Mapping[type, _Comparison]] = {
    Lt: operator.lt,
    Le: operator.le,
    Gt: operator.gt,
    Ge: operator.ge,
}


def matches(filter: Filter | None, metadata: Mapping[str, object]) -> bool:
    """Tell whether a record with this metadata satisfies the filter; None is satisfied by all.

    Recursive, so the filter must have passed `filter_check.check_depth`; a long chain that was
    nested by hand is made flat by `rewrite.flatten`.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> matches(F("price") < 50, {"price": 9.5})
    True
    >>> matches(F("price") != 50, {})
    True
    """
    match filter:
        case None:
            return True
        case Eq(path, value):
            return equal(value, find(path, metadata))
        case In(path, values):
            found = find(path, metadata)
            return any(equal(value, found) for value in values)
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            return _ordered(_COMPARISONS[type(filter)], find(path, metadata), value)
        case Contains(path, value):
            return _contains(find(path, metadata), value)
        case ContainsAny(path, values):
            found = find(path, metadata)
            return any(_contains(found, value) for value in values)
        case ContainsAll(path, values):
            found = find(path, metadata)
            return _is_list(found) and all(_contains(found, value) for value in values)
        case StartsWith(path, prefix):
            found = find(path, metadata)
            return isinstance(found, str) and found.startswith(prefix)
        case Exists(path):
            return find(path, metadata) is not None
        case And(operands):
            return all(matches(operand, metadata) for operand in operands)
        case Or(operands):
            return any(matches(operand, metadata) for operand in operands)
        case Not(operand):
            return not matches(operand, metadata)


def why(filter: Filter | None, metadata: Mapping[str, object]) -> tuple[Filter, ...]:
    """Return the smallest clauses that reject the record; empty exactly when it matches.

    Clauses are those of the normal form: each is a leaf or the `Not` of one. Of an `And` those
    that reject are named, of an `Or` all of them, since each would have been enough. A filter
    that nothing satisfies is named itself, as `Or()`.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> why((F("price") < 50) & ~F("tags").contains("old"), {"price": 60, "tags": ["old"]})
    (F('price') < 50, ~F('tags').contains('old'))
    """
    if filter is None:
        return ()
    return tuple(dict.fromkeys(_rejecting(normal_form(filter), metadata)))


def compile_predicate(filter: Filter | None) -> _RecordTest:
    """Return a function of the metadata that answers as `matches` does, several times faster.

    For many records and one filter; the filter must have passed `filter_check.check_depth`.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> list(map(compile_predicate(F("a").is_in([1, 2])), [{"a": 2.0}, {"a": True}, {}]))
    [True, False, False]
    """
    if filter is None:
        return lambda _: True
    return _compile(flatten(filter))


def find(path: Path, metadata: Mapping[str, object]) -> object:
    """Return the value at the path, or None where a key is absent or a step is not an object."""
    found: object = metadata.get(path[0])
    for key in path[1:]:
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, object]", found).get(key)
    return found


def equal(operand: Operand | None, value: object) -> bool:
    """Tell whether a metadata value equals an operand, in class and in value.

    None as operand stands for an item of a list operand, and equals a None item.
    """
    match operand:
        case None:
            return value is None
        case bool():
            return isinstance(value, bool) and value == operand
        case int() | float():
            return _is_number(value) and value == operand
        case str():
            return isinstance(value, str) and value == operand
        case datetime():
            return isinstance(value, datetime) and instant_us(value) == instant_us(operand)
        case tuple():
            if not _is_list(value):
                return False
            items = cast("list[object]", value)
            return len(items) == len(operand) and all(map(equal, operand, items))


def _ordered(compare: _Comparison, value: object, operand: object) -> bool:
    """Compare two values of the same ordered class; false for anything else."""
    if _is_number(operand):
        return _is_number(value) and compare(value, operand)
    if isinstance(operand, str):
        return isinstance(value, str) and compare(value, operand)
    if isinstance(operand, datetime) and isinstance(value, datetime):
        instant = instant_us(value)
        return instant is not None and compare(instant, instant_us(operand))
    return False


def _contains(value: object, operand: Operand) -> bool:
    return _is_list(value) and any(equal(operand, item) for item in cast("list[object]", value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _rejecting(node: Filter, metadata: Mapping[str, object]) -> list[Filter]:
    if matches(node, metadata):
        return []
    if isinstance(node, (And, Or)) and node.operands:
        return [clause for part in node.operands for clause in _rejecting(part, metadata)]
    return [node]


def _compile(node: Filter) -> _RecordTest:
    match node:
        case And(operands):
            return _all_of([_compile(operand) for operand in operands])
        case Or(operands):
            return _any_of([_compile(operand) for operand in operands])
        case Not(operand):
            test = _compile(operand)
            return lambda metadata: not test(metadata)
        case _:
            return _compile_leaf(node.path, _compile_value_test(node))


def _compile_leaf(path: Path, test: _ValueTest) -> _RecordTest:
    if len(path) == 1:
        key = path[0]
        return lambda metadata: test(metadata.get(key))
    return lambda metadata: test(find(path, metadata))


# Loops in place of `all` and `any`, which would make a generator for each record.
def _all_of(tests: list[_RecordTest]) -> _RecordTest:
    def all_of(metadata: Mapping[str, object]) -> bool:
        for test in tests:  # noqa: SIM110
            if not test(metadata):
                return False
        return True

    return all_of


def _any_of(tests: list[_RecordTest]) -> _RecordTest:
    def any_of(metadata: Mapping[str, object]) -> bool:
        for test in tests:  # noqa: SIM110
            if test(metadata):
                return True
        return False

    return any_of


def _compile_value_test(leaf: Leaf) -> _ValueTest:
    """Return the test of one leaf for the value that was found at its path."""
    match leaf:
        case Eq(_, str(text)):
            return lambda found: isinstance(found, str) and found == text
        case Eq(_, value):
            return lambda found: equal(value, found)
        case In(_, values):
            return _is_one_of(values)
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            compare = _COMPARISONS[type(leaf)]
            return lambda found: _ordered(compare, found, value)
        case Contains(_, value):
            return lambda found: _contains(found, value)
        case ContainsAny(_, values):
            return lambda found: any(_contains(found, value) for value in values)
        case ContainsAll(_, values):
            return lambda found: _is_list(found) and all(_contains(found, v) for v in values)
        case StartsWith(_, prefix):
            return lambda found: isinstance(found, str) and found.startswith(prefix)
        case Exists():
            return lambda found: found is not None


def _is_one_of(values: tuple[Operand, ...]) -> _ValueTest:
    """Test membership by hash, so that a long `In` costs no more than a short one."""
    lists = [value for value in values if isinstance(value, tuple)]
    keys = frozenset(operand_key(value) for value in values if not isinstance(value, tuple))

    def is_one_of(found: object) -> bool:
        if isinstance(found, (str, int, float, datetime)):
            return operand_key(found) in keys
        return any(equal(value, found) for value in lists)

    return is_one_of
