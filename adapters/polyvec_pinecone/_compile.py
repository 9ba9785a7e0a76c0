"""Leaves to conditions, for indexes of ours. Pure.

Only what Pinecone documents is used. `$eq` and `$in` on a list mean that it contains one; `$exists`
tells what is missing; orderings are of numbers. `$ne` and `$nin` are used on single values, inside
a class that is known. What they do on a list is documented nowhere: there they bound a complement
from above, and the core checks what comes back.

So a leaf on a top-level field is a choice by class: for some classes a test decides. Its complement
is: the field is missing, has another class, or has one of these and fails the test. All of that is
exact, but for lists (above), the order of strings, which Pinecone has none of, and numbers beyond
2 ** 53. Fields inside objects are told by terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never, cast

from polyvec.filters import (
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    Not,
    StartsWith,
)
from polyvec.metadata import to_json
from polyvec_pinecone._layout import (
    AT,
    CLASSES,
    SAFE,
    TERMS,
    class_term,
    micros,
    value_term,
)
from polyvec_pinecone._where import Json, Side, among, both, bounds, either, exists, outside

if TYPE_CHECKING:
    from polyvec.bounds import Bounds
    from polyvec.operands import Operand
    from polyvec.paths import Path

OPS: Final[dict[type, str]] = {Lt: "$lt", Le: "$lte", Gt: "$gt", Ge: "$gte"}
INVERSE: Final = {"$lt": "$gte", "$lte": "$gt", "$gt": "$lte", "$gte": "$lt"}


@dataclass(frozen=True, slots=True)
class Test:
    """What decides for some classes.

    Parameters
    ----------
    codes
        The classes, letters of `CLASSES`.
    holds
        The condition for the records of these classes; True for all of them.
    fails
        Its complement, or a superset of it.
    certain
        False: more records hold than match.
    """

    codes: str
    holds: Side
    fails: Side = False
    certain: bool = True


Tests: TypeAlias = "list[Test]"


def leaf(node: Leaf, negated: bool) -> Bounds:
    """Compile a leaf or its complement.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> leaf(F("tags").contains("red"), False).upper.condition["$or"][0]["$and"]
    [{'_polyvec_terms': {'$eq': '?tags:l'}}, {'tags': {'$eq': 'red'}}]
    """
    whole = Not(node) if negated else node
    key, *deeper = node.path
    if deeper:
        return _inside(node, whole, negated)
    if isinstance(node, Exists):
        there = exists(key, not negated)
        return bounds(whole, there, there)
    tests, listed = _tests(node)
    certain = [test for test in tests if test.certain]
    if not negated:
        lower = _matching(node.path, certain)
        return bounds(
            whole, lower, lower if len(certain) == len(tests) else _matching(node.path, tests)
        )
    upper = _failing(node.path, certain)
    if listed:  # no more than a superset: what `$nin` does on a list is not documented
        return bounds(whole, False, upper)
    return bounds(whole, upper if len(certain) == len(tests) else _failing(node.path, tests), upper)


def _matching(path: Path, tests: Tests) -> Side:
    """Return the condition of the records for which one of the tests holds."""
    if len(tests) == 1:  # most leaves: no groups to make
        return both(_has_class(path, tests[0].codes), tests[0].holds)
    return either(
        *(
            both(_has_class(path, codes), either(*(test.holds for test in group)))
            for codes, group in _groups(tests)
            if group
        )
    )


def _failing(path: Path, tests: Tests) -> Side:
    """Return the complement: missing, of another class, or of this one and no test holds."""
    if not tests:
        return True
    sides: list[Side] = [exists(path[0], False)]
    for codes, group in _groups(tests):
        guard = _has_class(path, codes)
        sides.append(both(guard, *(False if t.holds is True else t.fails for t in group)))
    return either(*sides)


def _groups(tests: Tests) -> list[tuple[str, Tests]]:
    """Return the classes, in groups for which the same tests are made."""
    found: dict[tuple[int, ...], str] = {}
    for code in CLASSES:
        made = tuple(at for at, test in enumerate(tests) if code in test.codes)
        found[made] = found.get(made, "") + code
    return [(codes, [tests[at] for at in made]) for made, codes in found.items()]


def _has_class(path: Path, codes: str) -> Json:
    return among(TERMS, [class_term(path, code) for code in codes])


def _tests(node: Leaf) -> tuple[Tests, bool]:
    """Return the tests of a leaf on a top-level field, and whether one looks at a list."""
    path = node.path
    match node:
        case Eq(_, str(text)) if "\0" not in text:  # most filters: nothing to sort by class
            return [_is_one_of("s", path[0], [text])], False
        case Eq(_, value):
            return _equal(path, (value,))
        case In(_, values):
            return _equal(path, values)
        case Contains(_, value):
            return _any_item(path, (value,)), True
        case ContainsAny(_, values):
            return _any_item(path, values), True
        case ContainsAll(_, values):
            return (_every_item(path, values), True) if values else ([Test("lm", True)], False)
        case StartsWith(_, prefix):
            return [Test("sS", True, certain=not prefix)], False
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            return _ordered(OPS[type(node)], path[0], value), False
        case Exists():
            raise AssertionError("an Exists has no tests")
        case _:
            assert_never(node)


def _equal(path: Path, values: Sequence[Operand]) -> tuple[Tests, bool]:
    """Return the tests of a field that equals one of the values, by class."""
    key = path[0]
    tests: Tests = []
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    moments = [micros(v) for v in values if isinstance(v, datetime)]
    tests += _equal_numbers(key, "if", "I", numbers) + _equal_numbers(AT + key, "d", "D", moments)
    texts = [v for v in values if isinstance(v, str)]
    bools = list(dict.fromkeys(v for v in values if isinstance(v, bool)))
    plain = [text for text in texts if "\0" not in text]
    odd = [to_json(cast("Any", text)) for text in texts if "\0" in text]
    for codes, found in (("s", plain), ("S", odd)):
        if found:
            tests.append(_is_one_of(codes, key, found))
    if bools:
        both_of_them = len(bools) == 2
        tests.append(Test("b", both_of_them or among(key, bools), outside(key, bools)))
    lists = [value_term("=", path, v) for v in values if isinstance(v, tuple)]
    if lists:
        tests.append(_is_one_of("lm", TERMS, lists))
    return tests, bool(lists)


def _is_one_of(codes: str, key: str, values: Sequence[Any]) -> Test:
    """Return the test of a field, or of a list of terms, that is or has one of the values."""
    return Test(codes, among(key, values), outside(key, values))


def _equal_numbers(key: str, exact: str, rough: str, numbers: Sequence[float]) -> Tests:
    """Return the tests of equality with numbers; `rough` is the class of rounded ones."""
    held = [float(number) for number in numbers if float(number) == number]
    large = [float(number) for number in numbers if abs(number) > SAFE]
    tests: Tests = []
    if held:
        tests.append(_is_one_of(exact, key, held))
    if large:
        tests.append(Test(rough, among(key, large), outside(key, large), certain=False))
    return tests


def _any_item(path: Path, values: Sequence[Any]) -> Tests:
    plain = [value for value in values if isinstance(value, str) and "\0" not in value]
    terms = [value_term("@", path, value) for value in values]
    tests = [_is_one_of("m", TERMS, terms)]
    if plain:
        tests.append(_is_one_of("l", path[0], plain))
    return tests


def _every_item(path: Path, values: Sequence[Any]) -> Tests:
    terms = [value_term("@", path, value) for value in values]
    tests = [_every("m", TERMS, terms)]
    if all(isinstance(value, str) and "\0" not in value for value in values):
        tests.append(_every("l", path[0], values))
    return tests


def _every(code: str, key: str, values: Sequence[Any]) -> Test:
    holds = both(*(among(key, [value]) for value in values))
    return Test(code, holds, either(*(outside(key, [value]) for value in values)))


def _ordered(op: str, key: str, value: Operand) -> Tests:
    match value:
        case str():  # Pinecone orders numbers only
            return [Test("sS", True, certain=False)]
        case datetime():
            return _ordered_numbers(op, AT + key, "d", "D", micros(value))
        case _:
            return _ordered_numbers(op, key, "if", "I", cast("float", value))


def _ordered_numbers(op: str, key: str, exact: str, rough: str, value: float) -> Tests:
    """Return the tests of an ordering of numbers.

    `exact` are classes of numbers that are stored as they are. Those of `rough` are ints, stored
    as the nearest float: which keeps their order, but for those that share a float.
    """
    near = float(value)
    strict = op.removesuffix("e")
    if near == value:
        fitting = op
    else:  # no float between `near` and the value
        below = near < value
        fitting = f"{strict}e" if below == (strict == "$lt") else strict
    if abs(value) < SAFE:  # what was rounded is far from here
        return [_compared(exact + rough, key, op, near)]
    return [
        _compared(exact, key, fitting, near),
        _compared(rough, key, strict, near),
        Test(rough, among(key, [near]), outside(key, [near]), certain=False),
    ]


def _compared(codes: str, key: str, op: str, value: float) -> Test:
    return Test(codes, {key: {op: value}}, {key: {INVERSE[op]: value}})


def _inside(node: Leaf, whole: Any, negated: bool) -> Bounds:
    """Compile a leaf on a field inside an object, which only terms know."""
    path = node.path
    match node:
        case Exists():
            holds = [[class_term(path, code) for code in CLASSES]]
        case Eq(_, value):
            holds = [[value_term("=", path, value)]]
        case In(_, values):
            holds = [[value_term("=", path, value) for value in values]]
        case Contains(_, value):
            holds = [[value_term("@", path, value)]]
        case ContainsAny(_, values):
            holds = [[value_term("@", path, value) for value in values]]
        case ContainsAll(_, values):
            lists = [[class_term(path, "l"), class_term(path, "m")]]
            holds = [[value_term("@", path, value)] for value in values] or lists
        case StartsWith() | Lt(_, str()) | Le(_, str()) | Gt(_, str()) | Ge(_, str()):
            return _superset(path, "sS", whole, negated)
        case Lt(_, value) | Le(_, value) | Gt(_, value) | Ge(_, value):
            return _superset(path, "dD" if isinstance(value, datetime) else "ifI", whole, negated)
        case _:
            assert_never(node)
    if negated:
        return bounds(whole, False, either(*(outside(TERMS, terms) for terms in holds)))
    found = both(*(among(TERMS, terms) for terms in holds))
    return bounds(whole, found, found)


def _superset(path: Path, codes: str, whole: Any, negated: bool) -> Bounds:
    """Return the bounds of a leaf of which only the class is known; none of its complement."""
    return bounds(whole, False, True if negated else _has_class(path, codes))
