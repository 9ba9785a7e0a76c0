"""A fixed world of metadata: every class, missing and None, side by side in the same fields.

Small on purpose: an enumerated corpus finds a wrong branch every time, a random
one under some seeds. Each row differs from its neighbours in what a peer's
adapter got wrong: token subsets, prefixes, case, classes, offsets, absence.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any, Final

from polyvec.testing.oracle import Rows
from polyvec.testing.rows import rows_of

ABSENT: Final = object()

EAST: Final = timezone(timedelta(hours=2))
MIDNIGHT: Final = datetime(2024, 1, 1, tzinfo=UTC)
SAME_MIDNIGHT: Final = datetime(2024, 1, 1, 2, tzinfo=EAST)
EASTERN_MIDNIGHT: Final = datetime(2024, 1, 1, tzinfo=EAST)
"""Two hours before `MIDNIGHT`, with the same digits on the wall."""

NUMBERS: Final[tuple[Any, ...]] = (
    0,
    1,
    1.0,
    -1,
    2,
    7,
    0.1,
    0.3,
    0.30000000000000004,
    1.5,
    2.5,
    -2.5,
    3,
    3.7,
    10,
    100,
    2**53,
    float(2**53),
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    1e300,
    5e-324,
    True,
    "1",
    None,
)

TEXTS: Final[tuple[Any, ...]] = (
    "",
    "a",
    "A",
    "aa",
    "ab",
    "a b",
    "b a",
    "b",
    "New York",
    "York New",
    "New York City",
    "york",
    "the",
    "O'Brien",
    'say "hi"',
    "back\\",
    "\\",
    "a%",
    "a_",
    "a*",
    "a?",
    "%",
    "*",
    "2024_1",
    "123",
    "1",
    "true",
    "null",
    "é",
    "e\u0301",
    "日本",
    "日本語",
    "😀",
    "\uffff",
    "a\x00b",
    " a",
    "a ",
    "line\nbreak",
    "{}",
    "$eq",
    1,
    True,
    ["a"],
    None,
)

FLAGS: Final[tuple[Any, ...]] = (True, False, 1, 0, "true", "True", "false", [True], None)

MOMENTS: Final[tuple[Any, ...]] = (
    MIDNIGHT,
    SAME_MIDNIGHT,
    EASTERN_MIDNIGHT,
    MIDNIGHT + timedelta(microseconds=1),
    MIDNIGHT - timedelta(microseconds=1),
    MIDNIGHT + timedelta(days=400),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=EAST),
    datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-11))),
    MIDNIGHT.isoformat(),
    int(MIDNIGHT.timestamp()),
    None,
)

LISTS: Final[tuple[Any, ...]] = (
    [],
    ["a"],
    ["b"],
    ["a", "b"],
    ["b", "a"],
    ["a", "b", "c"],
    ["ab"],
    ["A"],
    ["a b"],
    ["a", "a"],
    [1],
    [1.0, 2],
    [0.1],
    [2**53 + 1],
    [True],
    ["1"],
    ["true"],
    [None],
    ["a", None],
    [["a"]],
    [{"a": 1}],
    [MIDNIGHT],
    [SAME_MIDNIGHT, "b"],
    "a",
    "ab",
    1,
    {"a": "b"},
    None,
)

MIXED: Final[tuple[Any, ...]] = (
    1,
    1.0,
    "1",
    True,
    [1],
    ["1"],
    {"x": 1},
    MIDNIGHT,
    2,
    "2",
    False,
    "x",
    None,
)

OBJECTS: Final[tuple[dict[str, Any], ...]] = (
    {"deep": {"a": {"b": 1}}},
    {"deep": {"a": {"b": "1"}}},
    {"deep": {"a": {"b": None}}},
    {"deep": {"a": {"b": [1]}}},
    {"deep": {"a": {"b": {"c": 1}}}},
    {"deep": {"a": {"c": 1}}},
    {"deep": {"a": 1}},
    {"deep": {"a": [{"b": 1}]}},
    {"deep": {}},
    {"deep": {"b": 1}},
    {"deep": 1},
    {"b": 1},
    {"a": {"b": 1}},
    {"deep.a.b": 1},
    {"deep": {"a.b": 1}},
    {"deep": {"deep": {"a": {"b": 1}}}},
)

NAMED: Final[tuple[dict[str, Any], ...]] = (
    {"id": "x"},
    {"text": "x"},
    {"vector": "x"},
    {"class": "x"},
    {"namespace": "x"},
    {"score": 1},
    {"metadata": {"id": "x"}},
    {"a b": 1},
    {"a-b": 1},
    {"a'b": 1},
    {'a"b': 1},
    {"a\\b": 1},
    {"a.b": 1},
    {"a%b": 1},
    {"Case": 1},
    {"case": 1},
    {"CASE": 2},
    {"ключ": "значение"},
    {"_x": 1},
    {"1": 1},
    {"select": 1},
    {"k" * 128: 1},
    {},
)


def _combinations() -> list[dict[str, Any]]:
    """Three fields, each absent or one of two values: every combination."""
    fields = {"x": (ABSENT, 1, 2), "y": (ABSENT, "p", "q"), "z": (ABSENT, True, False)}
    return [
        {name: value for name, value in zip(fields, values, strict=True) if value is not ABSENT}
        for values in product(*fields.values())
    ]


def _metadata() -> list[dict[str, Any]]:
    fields = {
        "num": NUMBERS,
        "txt": TEXTS,
        "flag": FLAGS,
        "when": MOMENTS,
        "tags": LISTS,
        "mixed": MIXED,
    }
    single = [{name: value} for name, values in fields.items() for value in values]
    return [*_combinations(), *single, *OBJECTS, *NAMED]


WORLD: Final[Rows] = rows_of(_metadata(), seed=7, prefix="w")
"""About 180 rows; each of the last 150 has one field."""
