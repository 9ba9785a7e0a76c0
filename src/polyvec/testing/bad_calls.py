"""Records that must be refused before any I/O, and the error each must end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np

from polyvec.errors import DimensionMismatchError, InvalidRecordError, PolyvecError
from polyvec.testing.rows import DIMENSION, vector, vectors

GOOD: Final = vector(5)


@dataclass(frozen=True, slots=True)
class BadCall:
    """One impossible call on a collection that holds the records `kept_1` and `kept_2`.

    Parameters
    ----------
    name
        Of the test case.
    call
        Makes the call; what it returns is awaited in the asynchronous suite.
    error
        The class that must be raised; also where it is only a base of it.
    mentions
        Text the message must have: what was found, or where.
    """

    name: str
    call: Callable[[Any], Any]
    error: type[PolyvecError]
    mentions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the name of the test case."""
        return self.name


def _upserting(**columns: Any) -> Callable[[Any], Any]:
    """Upsert a good record first and the bad one last: neither may be written."""
    lists: list[list[Any]] = [value for value in columns.values() if isinstance(value, list)]
    count = max(map(len, lists))
    columns.setdefault("ids", [f"bad_{at}" for at in range(count)])
    columns.setdefault("vectors", vectors(count, seed=5))
    return lambda ns: ns.upsert(**columns)


def calling(verb: str, *args: Any, **kw: Any) -> Callable[[Any], Any]:
    """Call one verb with fixed arguments."""
    return lambda ns: getattr(ns, verb)(*args, **kw)


def _with_id(bad: Any) -> Callable[[Any], Any]:
    return _upserting(ids=["bad_0", bad])


def _with_vector(numbers: Any) -> Callable[[Any], Any]:
    return _upserting(ids=["bad_0", "bad_1"], vectors=[GOOD.tolist(), numbers])


def _with_metadata(bad: Any) -> Callable[[Any], Any]:
    return _upserting(metadata=[{"fine": 1}, bad])


def _with_value(bad: Any) -> Callable[[Any], Any]:
    return _with_metadata({"field": bad})


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


class _Unknown:
    """An object of a class that nothing knows."""


def _ids() -> list[BadCall]:
    bad: dict[str, tuple[Any, str]] = {
        "empty": ("", "1 to 512"),
        "513_code_points": ("x" * 513, "513"),
        "nul": ("a\0b", "NUL"),
        "surrogate": ("a\ud800", "surrogate"),
        "int": (7, "7"),
        "none": (None, "None"),
        "bytes": (b"id", "bytes"),
    }
    calls = [
        BadCall(f"upsert_id_{name}", _with_id(value), InvalidRecordError, (text,))
        for name, (value, text) in bad.items()
    ]
    for name, (value, text) in bad.items():
        calls.extend(
            BadCall(
                f"{verb}_id_{name}",
                calling(verb, ["kept_1", value]),
                PolyvecError,
                (text,),
            )
            for verb in ("get", "delete")
        )
        calls.append(
            BadCall(
                f"update_id_{name}",
                calling("update", ["kept_1", value], set={"n": 9}),
                PolyvecError,
                (text,),
            )
        )
    return calls


def _vectors() -> list[BadCall]:
    nan, inf = float("nan"), float("inf")
    short, long = [1.0] * (DIMENSION - 1), [1.0] * (DIMENSION + 1)
    return [
        BadCall("vector_nan", _with_vector([nan, 1.0, 1.0, 1.0]), InvalidRecordError, ("bad_1",)),
        BadCall("vector_inf", _with_vector([1.0, inf, 1.0, 1.0]), InvalidRecordError, ("inf",)),
        BadCall("vector_overflow", _with_vector([1e39, 1.0, 1.0, 1.0]), InvalidRecordError),
        BadCall("vector_text", _with_vector(["1", "2", "3", "4"]), PolyvecError),
        BadCall("vector_ragged", _with_vector(short), PolyvecError),
        BadCall("vector_nested", _with_vector([[1.0]] * DIMENSION), PolyvecError),
        BadCall(
            "vectors_short",
            _upserting(ids=["bad_0", "bad_1"], vectors=[short, short]),
            DimensionMismatchError,
            ("3", "4"),
        ),
        BadCall(
            "vectors_long",
            _upserting(ids=["bad_0", "bad_1"], vectors=[long, long]),
            DimensionMismatchError,
        ),
        BadCall(
            "vectors_one_dimensional",
            _upserting(ids=["bad_0", "bad_1"], vectors=GOOD),
            PolyvecError,
        ),
        BadCall(
            "vectors_bool",
            _upserting(ids=["bad_0", "bad_1"], vectors=np.ones((2, DIMENSION), dtype=bool)),
            PolyvecError,
            ("bool",),
        ),
        BadCall(
            "vectors_complex",
            _upserting(ids=["bad_0", "bad_1"], vectors=np.ones((2, DIMENSION), dtype=complex)),
            PolyvecError,
            ("complex",),
        ),
        BadCall(
            "vectors_too_few",
            _upserting(ids=["bad_0", "bad_1", "bad_2"], vectors=vectors(2)),
            PolyvecError,
        ),
        BadCall("vectors_missing", lambda ns: ns.upsert(ids=["bad_0"]), PolyvecError),
    ]


_VALUES: Final[dict[str, Any]] = {
    "set": {1, 2},
    "tuple": (1, 2),
    "bytes": b"x",
    "object": _Unknown(),
    "class": _Unknown,
    "complex": 1j,
    "naive_datetime": datetime(2024, 1, 1),  # noqa: DTZ001 - naive on purpose
    "date": date(2024, 1, 1),
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus_infinity": float("-inf"),
    "int_65_bits": 2**63,
    "int_negative_65_bits": -(2**63) - 1,
    "lone_surrogate": "a\ud800",
    "array": np.zeros(2),
    "set_in_list": [1, {2}],
    "nan_in_list": [1.0, float("nan")],
    "naive_in_object": {"at": datetime(2024, 1, 1)},  # noqa: DTZ001
    "bad_key_in_object": {"$set": 1},
    "int_key_in_object": {1: 2},
    "too_deep": _nested(80),
}
_KEYS: Final[dict[str, Any]] = {
    "empty": "",
    "129_code_points": "k" * 129,
    "dollar": "$set",
    "reserved": "_polyvec_x",
    "int": 1,
    "none": None,
    "nul": "a\0b",
    "surrogate": "a\ud800",
}


def _metadata() -> list[BadCall]:
    return [
        *(
            BadCall(f"value_{name}", _with_value(value), InvalidRecordError, ("bad_1",))
            for name, value in _VALUES.items()
        ),
        *(
            BadCall(f"key_{name}", _with_metadata({key: 1}), InvalidRecordError, ("bad_1",))
            for name, key in _KEYS.items()
        ),
        *(
            BadCall(f"update_value_{name}", _updating(value), PolyvecError)
            for name, value in _VALUES.items()
        ),
        *(
            BadCall(f"update_key_{name}", _setting({key: 1}), PolyvecError)
            for name, key in _KEYS.items()
        ),
        BadCall("metadata_is_list", _with_metadata([1]), InvalidRecordError),
        BadCall("metadata_is_text", _with_metadata("{}"), InvalidRecordError),
        BadCall(
            "metadata_too_few", _upserting(ids=["bad_0", "bad_1"], metadata=[{}]), PolyvecError
        ),
        BadCall(
            "metadata_over_size", _with_value("x" * 40_960), InvalidRecordError, ("bad_1", "40960")
        ),
        BadCall("text_int", _upserting(texts=["fine", 7]), InvalidRecordError, ("bad_1",)),
        BadCall("text_surrogate", _upserting(texts=["fine", "\ud800"]), InvalidRecordError),
        BadCall("texts_too_few", _upserting(ids=["bad_0", "bad_1"], texts=["x"]), PolyvecError),
    ]


def _updating(value: Any) -> Callable[[Any], Any]:
    return _setting({"field": value})


def _setting(patch: Any) -> Callable[[Any], Any]:
    return lambda ns: ns.update(["kept_1"], set=patch)


BAD_RECORDS: Final = [*_ids(), *_vectors(), *_metadata()]
"""Records, and values of an update, that cannot be stored."""
