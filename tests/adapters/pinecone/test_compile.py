"""Leaves to conditions, without a server; and that they mean what they must, on a model of one.

The model is Pinecone's documented meaning: what it does with `$ne` and `$nin` on a list is open, so
everything is checked under both readings, "contains none" and "has another".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec import F
from polyvec.bounds import ALL, NONE, compile_filter
from polyvec.evaluate import matches
from polyvec.filters import And, Leaf, Not, Or
from polyvec.rewrite import normal_form
from polyvec.testing.strategies import filters, metadata
from polyvec.types import as_any
from polyvec_pinecone import _codec, _compile, _native, _where
from polyvec_pinecone._where import Where

Reading = Literal["none", "another"]
READINGS: list[Reading] = ["none", "another"]


def selects(condition: Any, stored: dict[str, Any], reading: Reading) -> bool:
    """Tell whether a condition selects a record, as Pinecone documents it."""
    found = True
    for key, value in condition.items():
        if key == "$and":
            found &= all(selects(part, stored, reading) for part in value)
        elif key == "$or":
            found &= any(selects(part, stored, reading) for part in value)
        else:
            found &= all(_holds(stored.get(key), op, x, reading) for op, x in value.items())
    return found


def _holds(field: Any, op: str, operand: Any, reading: Reading) -> bool:
    if op == "$exists":
        return bool((field is not None) is operand)
    if field is None:
        return False  # what `$ne` does here is open too; nothing may depend on it
    operands = operand if op in ("$in", "$nin") else [operand]
    assert len(operands) <= 10_000
    assert all(isinstance(x, (str, int, float)) for x in operands)
    if op in ("$eq", "$in"):
        return any(_same(part, x) for part in _parts(field) for x in operands)
    if op in ("$ne", "$nin"):
        each = [not any(_same(part, x) for x in operands) for part in _parts(field)]
        return all(each) if reading == "none" else any(each)
    if isinstance(field, bool) or not isinstance(field, (int, float)):
        return False
    low, same = bool(field < operand), bool(field == operand)
    return {"$lt": low, "$lte": low or same, "$gt": not (low or same), "$gte": not low}[op]


def _parts(field: Any) -> list[Any]:
    return as_any(field) if isinstance(field, list) else [field]


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and one == other


class Ours:
    """The compiling half of the adapter."""

    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Any:
        return _compile.leaf(node, negated) if layout else _native.leaf(node, negated)

    all_of = staticmethod(_where.all_of)
    any_of = staticmethod(_where.any_of)


def chosen(side: Any, stored: dict[str, Any], item: dict[str, Any], reading: Reading) -> bool:
    if side is ALL or side is NONE:
        return side is ALL
    assert isinstance(side, Where)
    if side.condition is None:
        return matches(side.node, item)
    return selects(side.condition, stored, reading)


def floats(stored: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as Pinecone keeps it."""
    return {
        key: float(v) if isinstance(v, int) and not isinstance(v, bool) else v
        for key, v in stored.items()
    }


@given(filters(), st.lists(metadata(), min_size=1, max_size=4), st.sampled_from(READINGS))
def test_the_right_records_lie_between_the_bounds(
    node: Any, items: list[dict[str, Any]], reading: Reading
) -> None:
    compiled = compile_filter(node, Ours(), True)
    for item in items:
        stored = floats(_codec.encode(item))
        right = matches(node, item)
        assert right <= chosen(compiled.bounds.upper, stored, item, reading), "a record is missing"
        assert chosen(compiled.bounds.lower, stored, item, reading) <= right, "a record too many"


@given(filters(), st.lists(metadata(), min_size=1, max_size=4))
def test_signs_are_complements(node: Any, items: list[dict[str, Any]]) -> None:
    """Under the reading that the gateway has; where lists are looked at, one side is open."""
    for leaf in leaves(normal_form(node)):
        plain, negated = _compile.leaf(leaf, False), _compile.leaf(leaf, True)
        for item in items:
            stored = floats(_codec.encode(item))

            def has(side: Any, stored: Any = stored, item: Any = item) -> bool:
                return chosen(side, stored, item, "none")

            assert has(negated.upper) != has(plain.lower) or negated.upper is ALL
            assert has(negated.lower) != has(plain.upper) or negated.lower is NONE


def leaves(node: Any) -> list[Any]:
    match node:
        case And(operands) | Or(operands):
            return [leaf for operand in operands for leaf in leaves(operand)]
        case Not(operand):
            return leaves(operand)
        case _:
            return [node]


@given(filters(), st.sampled_from(READINGS), st.data())
def test_bounds_in_an_index_of_others(node: Any, reading: Reading, data: st.DataObject) -> None:
    values = st.text(max_size=3) | st.booleans() | st.floats(-9, 9) | st.integers(0, 3).map(float)
    lists = st.lists(st.text(max_size=2), min_size=1, max_size=3)
    keys: list[str] = sorted({leaf.path[0] for leaf in leaves(normal_form(node))} or {"a"})
    item = data.draw(st.dictionaries(st.sampled_from(keys), values | lists))
    compiled = compile_filter(node, Ours(), False)
    right = matches(node, item)
    assert right <= chosen(compiled.bounds.upper, item, item, reading)
    assert chosen(compiled.bounds.lower, item, item, reading) <= right


def compiled(filter: Any) -> Any:
    node: Any = normal_form(filter)
    if isinstance(node, Not):
        return _compile.leaf(as_any(node.operand), True)
    return _compile.leaf(node, False)


def has(*terms: str) -> Any:
    first, *more = terms
    return {"_polyvec_terms": {"$in": [first, *more]} if more else {"$eq": first}}


@pytest.mark.parametrize(
    ("filter", "sent"),
    [
        (F("lang").exists(), {"lang": {"$exists": True}}),
        (F("lang") == None, {"lang": {"$exists": False}}),  # noqa: E711 - the filter's own
        (F("lang") == "de", {"$and": [has("?lang:s"), {"lang": {"$eq": "de"}}]}),
        (
            F("lang") != "de",
            {
                "$or": [
                    {"lang": {"$exists": False}},
                    has(*(f"?lang:{code}" for code in "bifISdDlmo")),
                    {"$and": [has("?lang:s"), {"lang": {"$ne": "de"}}]},
                ]
            },
        ),
        (F("n") < 5, {"$and": [has("?n:i", "?n:f", "?n:I"), {"n": {"$lt": 5.0}}]}),
        (F("a.b") == 1, has("=a.b:n1")),
        (F("t").contains_all([]), has("?t:l", "?t:m")),
        (
            F("at") > datetime(2024, 1, 1, tzinfo=UTC),
            {"$and": [has("?at:d", "?at:D"), {"_polyvec_at.at": {"$gt": 1704067200000000.0}}]},
        ),
    ],
    ids=repr,
)
def test_what_is_sent(filter: Any, sent: Any) -> None:
    found = compiled(filter)
    assert found.exact
    condition = found.upper.condition
    # The order of the parts is nobody's business.
    assert _sorted(condition) == _sorted(sent)


def _sorted(condition: Any) -> Any:
    if isinstance(condition, dict):
        return {key: _sorted(value) for key, value in as_any(condition).items()}
    if isinstance(condition, list):
        return sorted((_sorted(part) for part in as_any(condition)), key=repr)
    return condition


@pytest.mark.parametrize(
    "filter",
    [
        F("n") == 3,
        F("n") != 3,
        F("n") < 2.5,
        ~(F("n") >= 2.5),
        F("n").is_in([1, "x", True]),
        ~F("n").is_in([1, "x", True]),
        F("t").contains("x"),
        F("t").contains_any(["x", 1]),
        F("t").contains_all(["x", "y"]),
        F("t") == ["x", "y"],
        F("at") <= datetime(2024, 1, 1, tzinfo=UTC),
        F("a.b").contains("x"),
        F("s").starts_with(""),
    ],
    ids=repr,
)
def test_the_server_decides(filter: Any) -> None:
    assert compiled(filter).exact


@pytest.mark.parametrize(
    "filter",
    [
        ~F("t").contains("x"),
        F("t") != ["x"],
        F("s") < "m",
        F("s").starts_with("a"),
        F("n") < 2**53 + 1,
        F("a.b") < 5,
        F("a.b") != 5,
    ],
    ids=repr,
)
def test_the_rest_is_checked_here(filter: Any) -> None:
    assert not compiled(filter).exact


def test_long_lists_are_cut() -> None:
    condition = compiled(F("n").is_in([f"v{at}" for at in range(25_000)])).upper.condition
    lists = condition["$and"][1]["$or"]
    assert [len(part["n"]["$in"]) for part in lists] == [10_000, 10_000, 5_000]


def test_what_is_too_deep_or_too_large_is_not_sent() -> None:
    node: Any = F("a") == 1
    for at in range(20):
        node = Or(And(node, F(f"b{at}") == 1), F(f"c{at}") == 1)
    assert compile_filter(node, Ours(), True).bounds.upper.condition is None
    wide = Or(*(F("a") == f"v{at}" for at in range(3_000)))
    shallow = compile_filter(wide, Ours(), True).bounds.upper
    assert shallow.condition is None
    assert matches(shallow.node, {"a": "v7"})


def test_joining_by_the_same_word_adds_no_level() -> None:
    node = And(*(F(f"f{at}") == 1 for at in range(30)))
    condition = compile_filter(node, Ours(), True).bounds.upper.condition
    assert len(condition["$and"]) == 60
    assert not any("$and" in part for part in condition["$and"])
