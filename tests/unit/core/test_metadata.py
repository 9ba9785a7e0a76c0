"""Metadata: what is stored reads back equal, class by class; all else is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import Enum, IntEnum, StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyvec import InvalidRecordError
from polyvec.metadata import (
    MAX_DEPTH,
    from_json,
    has_surrogate,
    key_fault,
    normalise,
    size_at_most,
    size_of,
    to_json,
)
from polyvec.testing.strategies import metadata as corpus

PLAIN = {str, int, float, bool, type(None), datetime, list, dict}

OFFSETS = st.one_of(
    st.just(UTC),
    st.integers(-86_399, 86_399).map(lambda s: timezone(timedelta(seconds=s))),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]).map(ZoneInfo),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=128
).filter(lambda key: not key.startswith(("$", "_polyvec")))
SCALARS = st.one_of(
    TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.datetimes(timezones=OFFSETS),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
GOOD = st.dictionaries(KEYS, VALUES, max_size=5)
BAD_VALUES = st.one_of(
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 2**63, -(2**63) - 1]),
    st.binary(max_size=3),
    st.sets(st.integers(), max_size=2),
    st.tuples(st.integers()),
    st.complex_numbers(),
    st.datetimes(),
    st.dates(),
    st.decimals(),
    st.just("\ud800"),
    st.builds(object),
)
BAD_KEYS: st.SearchStrategy[Any] = st.one_of(
    st.integers(),
    st.none(),
    st.sampled_from(["", "$a", "_polyvec", "a\0", "\ud800", "k" * 129]),
)


def entries(value: object) -> list[tuple[object, object]] | None:
    """Return keys and values of an object, positions and items of a list, None of a scalar."""
    if isinstance(value, dict):
        return list(cast("dict[object, object]", value).items())
    return list(enumerate(cast("list[object]", value))) if isinstance(value, list) else None


def same(left: object, right: object) -> bool:
    """Whether two values are equal, and of the same class at every depth."""
    if type(left) is not type(right):
        return False
    if isinstance(left, datetime) and isinstance(right, datetime):
        # Not ==: a time that a zone skips equals none of another zone, whatever the instant.
        naive = left.replace(tzinfo=None) == right.replace(tzinfo=None)
        return naive and left.utcoffset() == right.utcoffset()
    mine, theirs = entries(left), entries(right)
    if mine is None or theirs is None:
        return left == right
    other = dict(theirs)
    return len(mine) == len(other) and all(k in other and same(v, other[k]) for k, v in mine)


def is_plain(value: object) -> bool:
    if isinstance(value, datetime):
        return isinstance(value.tzinfo, timezone)
    inside = entries(value) or []
    return type(value) in PLAIN and all(type(k) in (str, int) and is_plain(v) for k, v in inside)


SKIPPED_TIME = datetime(2028, 3, 12, 2, 0, tzinfo=ZoneInfo("America/St_Johns"))


@given(st.one_of(GOOD, corpus()))
@example({"at": SKIPPED_TIME})
def test_good_metadata_reads_back_equal_class_by_class(given_: dict[str, Any]) -> None:
    plain = normalise(given_, "a")
    assert same(plain, given_)
    assert is_plain(plain)
    assert same(from_json(to_json(plain)), plain)
    assert same(from_json(to_json(plain).encode()), plain)
    assert normalise(plain, "a") == plain


@given(GOOD)
def test_the_size_is_that_of_compact_utf8_json(given_: dict[str, Any]) -> None:
    plain = normalise(given_, "a")
    assert size_of(plain) == len(to_json(plain).encode())
    assert from_json(to_json(plain)) == json.loads(
        json.dumps(json.loads(to_json(plain))), object_hook=_tagged
    )


@given(st.one_of(GOOD, corpus()))
@example({"\u2028" * 128: "\x01" * 100, "f": -1.2345678901234567e-300, "i": -(2**63)})
@example({"a": "\x1f" * 200, "b": False, "c": None})
@example({"a": "\x1f" * 20_000})
def test_what_a_size_is_at_most_is_little_more(given_: dict[str, Any]) -> None:
    plain = normalise(given_, "a")
    assert size_of(plain) <= size_at_most(plain) <= size_of(plain) + 1024


def _tagged(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["$datetime"]) if "$datetime" in value else value


@given(GOOD)
def test_the_canonical_text_does_not_know_the_order_of_keys(given_: dict[str, Any]) -> None:
    def reversed_(value: object) -> object:
        inside = entries(value)
        if inside is None:
            return value
        if isinstance(value, dict):
            return {key: reversed_(item) for key, item in reversed(inside)}
        return [reversed_(item) for _, item in inside]

    other = normalise(reversed_(given_), "a")
    assert to_json(normalise(given_, "a"), sort_keys=True) == to_json(other, sort_keys=True)


@given(GOOD, KEYS, BAD_VALUES, st.sampled_from(["top", "list", "object"]))
def test_a_bad_value_anywhere_is_refused(
    given_: dict[str, Any], key: str, bad: Any, where: str
) -> None:
    value = {"top": bad, "list": [1, bad], "object": {"fine": 1, "bad": bad}}[where]
    with pytest.raises(InvalidRecordError, match=r"^record 'the id': metadata") as caught:
        normalise({**given_, key: value}, "the id")
    assert f"[{key!r}]" in str(caught.value)


@given(GOOD, BAD_KEYS, st.booleans())
def test_a_bad_key_anywhere_is_refused(given_: dict[str, Any], bad: Any, nested: bool) -> None:
    spoilt = {**given_, bad: 1}
    with pytest.raises(InvalidRecordError, match=r"^record 'a': metadata"):
        normalise({"x": [spoilt]} if nested else spoilt, "a")


def test_the_deepest_allowed_is_allowed() -> None:
    def nested(levels: int, make: Callable[[Any], Any]) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels - 1):
            value = make(value)
        return {"a": value}

    makers: list[Callable[[Any], Any]] = [lambda inner: {"a": inner}, lambda inner: [inner]]
    for make in makers:
        deepest = nested(MAX_DEPTH, make)
        assert from_json(to_json(normalise(deepest, "a"))) == deepest
        with pytest.raises(InvalidRecordError, match=f"nested deeper than {MAX_DEPTH} levels"):
            normalise(nested(MAX_DEPTH + 1, make), "a")
    round_and_round: dict[str, Any] = {}
    round_and_round["self"] = round_and_round
    with pytest.raises(InvalidRecordError, match="nested deeper"):
        normalise(round_and_round, "a")


class Text(StrEnum):
    ONE = "one"


class Number(IntEnum):
    ONE = 1


class Old(str, Enum):  # noqa: UP042 - the older form is what is tested
    ONE = "one"


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


class Odd(int):
    def __int__(self) -> int:
        return 99


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        (Text.ONE, "one"),
        (Old.ONE, "one"),
        (Loud("quiet"), "quiet"),
        (np.str_("s"), "s"),
        (Number.ONE, 1),
        (Odd(7), 7),
        (np.float64(0.5), 0.5),
    ],
)
def test_subclasses_become_what_they_hold(given_: Any, plain: Any) -> None:
    found = normalise({"a": given_, "b": [given_]}, "a")
    assert same(found, {"a": plain, "b": [plain]})
    assert from_json(to_json(found)) == {"a": plain, "b": [plain]}


def test_keys_that_are_subclasses_become_plain() -> None:
    found = normalise({Text.ONE: 1, Loud("quiet"): 2}, "a")
    assert found == {"one": 1, "quiet": 2}
    assert all(type(key) is str for key in found)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": {"b[0]": [1, np.float64("inf")]}}, r"metadata['a']['b[0]'][1]"),
        ({"a": [Odd(2**64)]}, r"metadata['a'][0]"),
        ({"x[": Loud("\ud800")}, r"metadata['x[']"),
        ({"a": {"b": Old}}, r"metadata['a']['b']"),
    ],
)
def test_the_path_to_a_bad_value_is_exact(value: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        normalise(value, "r")
    assert str(caught.value).startswith(f"record 'r': {path}: ")


class Nanoseconds(datetime):
    """What `pandas.Timestamp` is: a datetime with more digits."""

    nanosecond = 0

    @classmethod
    def of(cls, nanosecond: int) -> Nanoseconds:
        made = cls(2024, 1, 1, tzinfo=UTC)
        made.nanosecond = nanosecond
        return made


class NotATime(datetime):
    """What `pandas.NaT` is: a datetime whose methods raise ValueError."""

    def utcoffset(self) -> timedelta | None:
        raise ValueError("NaTType does not support utcoffset")


class Flexible(tzinfo):
    """A zone whose offset depends on the moment, as every zone with summer time."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(hours=2 if dt is not None and dt.month == 7 else 1)

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        return "flexible"


def test_datetimes_keep_instant_microseconds_and_offset() -> None:
    summer = datetime(2024, 7, 1, 12, 30, 15, 123456, tzinfo=Flexible())
    found = normalise({"a": summer, "b": Nanoseconds.of(0)}, "a")
    for read in (found, from_json(to_json(found))):
        assert read["a"] == summer
        assert read["a"].utcoffset() == timedelta(hours=2)
        assert type(read["a"].tzinfo) is timezone
        assert type(read["b"]) is datetime
        assert read["b"].tzinfo is UTC
    for edge in (
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=1, microseconds=5))),
    ):
        assert same(from_json(to_json(normalise({"a": edge}, "a"))), {"a": edge})


def test_datetimes_of_pandas_that_hold_more_or_nothing_are_refused() -> None:
    with pytest.raises(InvalidRecordError, match=r"'a'\]: .*nanoseconds; round it to microseconds"):
        normalise({"a": Nanoseconds.of(1)}, "r")
    missing = NotATime(2024, 1, 1)
    with pytest.raises(InvalidRecordError, match=r"metadata\['a'\]\[0\]: .*is no moment; use None"):
        normalise({"a": [missing]}, "r")


def test_a_datetime_in_json_cannot_be_confused_with_a_user_s_object() -> None:
    assert key_fault("$datetime") is not None
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert to_json({"a": moment}) == '{"a":{"$datetime":"2024-01-01T00:00:00+00:00"}}'
    assert to_json({"b": 1.0, "a": 1}, sort_keys=True) == '{"a":1,"b":1.0}'
    assert to_json({"a": "é"}) == '{"a":"é"}'


def test_unchecked_values_do_not_reach_the_text() -> None:
    with pytest.raises(TypeError, match="unchecked metadata value of type set"):
        to_json({"a": {1}})
    with pytest.raises(ValueError, match="JSON"):
        to_json({"a": float("nan")})


@given(st.text(max_size=5))
def test_lone_surrogates_are_seen(text: str) -> None:
    assert has_surrogate(text) is any(0xD800 <= ord(character) <= 0xDFFF for character in text)
    assert has_surrogate(text + "\ud800")
    assert not has_surrogate("\U0001f600")


def test_the_sizes_of_small_things() -> None:
    assert size_of({}) == 2
    assert size_of({"a": "é"}) == len('{"a":"é"}'.encode())
