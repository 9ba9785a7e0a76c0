"""Filters over the fixed world: every leaf against every class, and their combinations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from polyvec.filters import And, ContainsAll, ContainsAny, F, Filter, In, Not, Or
from polyvec.testing.world import EASTERN_MIDNIGHT, MIDNIGHT, SAME_MIDNIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Case:
    """One filter; `empty` and `all` say that matching nothing, or everything, is meant."""

    where: Filter
    empty: bool = False
    all: bool = False

    def __str__(self) -> str:
        """Return the name of the test case: the filter, as a user would write it."""
        return repr(self.where)


def _each(filters: tuple[Filter, ...]) -> Iterator[Case]:
    """Yield a case for each filter that matches some rows and not others."""
    return map(Case, filters)


def _equalities() -> Iterator[Case]:
    operands: dict[str, tuple[Any, ...]] = {
        "num": (0, 1, 1.0, -1, 0.1, 0.3, 2.5, 3.7, 3, 2**53, 2**53 + 1, -(2**63), True, "1"),
        "txt": (
            *("", "a", "A", "a b", "New York", "O'Brien", 'say "hi"', "back\\", "\\", "a%", "a*"),
            *(
                "2024_1",
                "123",
                "1",
                "é",
                "日本",
                "😀",
                "a\x00b",
                "a ",
                "line\nbreak",
                "$eq",
                1,
                True,
            ),
        ),
        "flag": (True, False, 1, 0, "true", "True"),
        "when": (MIDNIGHT, SAME_MIDNIGHT, EASTERN_MIDNIGHT, MIDNIGHT.isoformat()),
        "tags": ([], ["a"], ["a", "b"], ["b", "a"], [1], [1.0], [True], [None], ["a", None], "a"),
        "mixed": (1, "1", True, False, [1], MIDNIGHT, 2),
    }
    for name, values in operands.items():
        for value in values:
            yield Case(F(name) == value)
            yield Case(F(name) != value)
    yield Case(F("num") == 42, empty=True)
    yield Case(F("txt") == "york new", empty=True)
    yield Case(F("nowhere") == 1, empty=True)
    yield Case(F("nowhere") != 1, all=True)
    yield Case(F("tags") == ["A", "B"], empty=True)
    yield Case(F("tags") == [["a"]])


def _orderings() -> Iterator[Case]:
    operands: dict[str, tuple[Any, ...]] = {
        "num": (0, 1, 1.5, -1, 0.3, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300),
        "txt": ("a", "b", "", "New York", "é", "\uffff", "😀"),
        "when": (MIDNIGHT, EASTERN_MIDNIGHT, MIDNIGHT.replace(year=1970)),
        "mixed": (1, "1", MIDNIGHT, 2),
        "flag": (0, 1),
    }
    for name, values in operands.items():
        for value in values:
            field = F(name)
            for where in (field < value, field <= value, field > value, field >= value):
                empty = repr(where) in _EMPTY_ORDERINGS
                yield Case(where, empty=empty)
                yield Case(~where, all=empty)


_EMPTY_ORDERINGS: Final = frozenset(
    repr(where)
    for where in (
        F("num") < -(2**63),
        F("num") > 1e300,
        F("txt") < "",
        F("txt") > "😀",
        F("mixed") < 1,
        F("mixed") > 2,
        F("mixed") < "1",
        F("mixed") < MIDNIGHT,
        F("mixed") > MIDNIGHT,
        F("flag") < 0,
        F("flag") > 1,
    )
)
"""At the edges of the world: nothing is beyond them."""


def _memberships() -> Iterator[Case]:
    values: tuple[tuple[str, list[Any]], ...] = (
        ("num", [1]),
        ("num", [1, 0.1, 7]),
        ("num", [2**53 + 1, -1]),
        ("num", ["1", True]),
        ("txt", ["a", "New York", "O'Brien"]),
        ("txt", ["a", 1]),
        ("txt", ["a,b", "a"]),
        ("flag", [True, "true"]),
        ("when", [SAME_MIDNIGHT]),
        ("tags", [["a"], ["b", "a"]]),
        ("tags", ["a"]),
        ("mixed", [1, "2"]),
        ("txt", [None, "a"]),
    )
    for name, operands in values:
        yield Case(F(name).is_in(operands))
        yield Case(F(name).not_in(operands))
    yield Case(F("num").is_in([]), empty=True)
    yield Case(F("num").not_in([]), all=True)
    yield Case(F("txt").is_in([f"no{at}" for at in range(100)]), empty=True)
    yield Case(F("txt").is_in(["a", *(f"no{at}" for at in range(300)), "b"]))


def _lists() -> Iterator[Case]:
    for value in ("a", "A", "ab", "a b", 1, 1.0, 2, 0.1, 2**53 + 1, True, "1", "true", MIDNIGHT):
        yield Case(F("tags").contains(value))
        yield Case(~F("tags").contains(value))
    several: tuple[list[Any], ...] = (["a"], ["a", "b"], ["c", "nowhere"], [1, "1"], [True, "A"])
    for values in several:
        yield Case(F("tags").contains_any(values))
        yield Case(~F("tags").contains_any(values))
        empty = values in (["c", "nowhere"], [1, "1"], [True, "A"])
        yield Case(F("tags").contains_all(values), empty=empty)
        yield Case(~F("tags").contains_all(values), all=empty)
    yield Case(ContainsAny(("tags",), ()), empty=True)
    yield Case(Not(ContainsAny(("tags",), ())), all=True)
    yield Case(ContainsAll(("tags",), ()))
    yield Case(Not(ContainsAll(("tags",), ())))
    yield Case(F("txt").contains("a"))  # a list under `txt` has it; no str contains anything
    yield Case(F("num").contains(1), empty=True)


def _presence() -> Iterator[Case]:
    for name in ("num", "txt", "flag", "when", "tags", "mixed", "x", "deep", "deep.a", "deep.a.b"):
        yield Case(F(name).exists())
        yield Case(F(name).is_missing())
    yield Case(F("nowhere").exists(), empty=True)
    yield Case(F("nowhere").is_missing(), all=True)
    yield Case(F("txt") == None)  # noqa: E711 - the way a user of SQLAlchemy writes it
    yield Case(F("txt") != None)  # noqa: E711


def _prefixes() -> Iterator[Case]:
    for prefix in (
        "a",
        "A",
        "New",
        "New York",
        "a%",
        "a_",
        "a*",
        "back\\",
        "日",
        "e",
        "é",
        " ",
        "O'",
    ):
        yield Case(F("txt").starts_with(prefix))
        yield Case(~F("txt").starts_with(prefix))
    yield Case(F("txt").starts_with(""))
    yield Case(F("txt").starts_with("York City"), empty=True)
    yield Case(F("num").starts_with(""))
    yield Case(F("flag").starts_with("t"))
    yield Case(F("when").starts_with("2024"))
    yield Case(F("tags").starts_with("a"))


def _paths() -> Iterator[Case]:
    for value in (1, "1"):
        yield Case(F("deep.a.b") == value)
        yield Case(F("deep.a.b") != value)
    yield Case(F("b") == 1)
    yield Case(F("deep.b") == 1)
    yield Case(F("a.b") == 1)
    yield Case(F(r"a\.b") == 1)
    yield Case(F(r"deep\.a\.b") == 1)
    yield Case(F(("deep", "a.b")) == 1)
    yield Case(F("deep.deep.a.b") == 1)
    yield Case(F("deep.a.b.c") == 1)
    yield Case(F("deep.a") == 1)
    yield Case(F("deep.a").contains(1), empty=True)
    for name in ("id", "text", "vector", "class", "namespace"):
        yield Case(F(name) == "x")
        yield Case(F(name) != "x")
    yield Case(F("metadata.id") == "x")
    for name in ("score", "a b", "a-b", "a'b", 'a"b', "a%b", "Case", "case", "_x", "1", "select"):
        yield Case(F(name) == 1)
    yield Case(F(("a\\b",)) == 1)
    yield Case(F("ключ") == "значение")
    yield Case(F("k" * 128) == 1)


def _combined() -> Iterator[Case]:
    x, y, z = F("x") == 1, F("y") == "p", F("z") == True  # noqa: E712 - builds a filter
    yield from _each((x & y, x | y, ~(x & y), ~(x | y), x & ~y, ~x & ~y, ~x | ~y, ~~x, ~~~x))
    yield from _each(((x | y) & z, x | (y & z), (x & y) | z, x & (y | z), ~((x | y) & z)))
    yield from _each((~(x | ~(y & ~z)), x & y & z, x | y | z, And(x, Or(y, And(z, ~x)))))
    yield from _each((And(x), Or(x), Not(And(x)), And(Or(x, y), Or(y, z), Or(x, z))))
    yield from _each(((F("num") > 0) & (F("num") < 2), (F("num") < 0) | (F("num") > 2)))
    yield from _each((~(F("num") > 0) & F("num").exists(), (F("x") != 1) & (F("x") != 2)))
    yield from _each(((F("y") == None) & x, (F("y") != None) & ~x))  # noqa: E711
    yield from _each((~(F("x") < 2) & F("y").exists(), (F("x") >= 2) | (F("x") < 2)))
    yield from _each((F("x").is_in([1, 2]) & ~F("y").is_in(["p"]), ~(F("x").is_in([1]) & y)))
    yield Case(x & ~x, empty=True)
    yield Case(x | ~x, all=True)
    yield Case(And(), all=True)
    yield Case(Or(), empty=True)
    yield Case(Not(And()), empty=True)
    yield Case(x & Or(), empty=True)
    yield Case(x | And(), all=True)
    yield Case(And(x, And()))
    yield Case(Or(y, Or()))
    yield Case(x | In(("y",), ()))
    yield Case(Or(*(F("num") == at for at in range(40))))
    yield Case(And(*(F("num") != at for at in range(40))))


def _truth_tables() -> Iterator[Case]:
    """Every two leaves over fields that may be absent, in each of four forms."""
    lefts = (F("x") == 1, F("x") != 1, F("x") < 2, F("x").exists())
    rights = (F("y") == "p", F("y") != "p", F("y").is_in(["p"]), ~F("y").exists())
    for left, right in product(lefts, rights):
        yield from _each((left & right, left | right, ~(left & right), ~(left | right)))


def _all_cases() -> list[Case]:
    groups = (
        *(_equalities(), _orderings(), _memberships(), _lists(), _presence(), _prefixes()),
        *(_paths(), _combined(), _truth_tables()),
    )
    unique = {str(case): case for group in groups for case in group}
    return list(unique.values())


CASES: Final = _all_cases()
"""Each distinct filter once."""
