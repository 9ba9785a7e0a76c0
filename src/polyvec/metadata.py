"""Metadata: what may be stored, its canonical JSON text, and typed models.

The JSON text keeps value and class: an int stays an int, a float a float, and a
datetime is written as `{"$datetime": "<ISO 8601 with offset>"}`, which no user's
key can be confused with, because keys may not start with `$`.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timezone
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel, ConfigDict

from polyvec.errors import InvalidRecordError

if TYPE_CHECKING:
    from polyvec.types import MetadataDict

MAX_DEPTH: Final = 64
"""Objects and lists inside each other, at most; JSON readers of servers stop at 100 or so."""

MAX_KEY_LENGTH: Final = 128
INT64: Final = range(-(2**63), 2**63)
DATETIME_TAG: Final = "$datetime"
RESERVED_PREFIXES: Final = ("$", "_polyvec")

_CHARACTER_BYTES: Final = 6
"""Of a character in a JSON string, at most: a control character."""

_ENTRY_BYTES: Final = 32
"""Of a field of an object at most, without strings' characters: a float has 24 digits and signs."""

_ROUGHLY: Final = 1024

_SHORT: Final = frozenset({int, float, bool, type(None)})

MOST_GOOD_KEYS: Final = 10_000
_GOOD_KEYS: Final[set[str]] = set()
"""Keys that passed before: records of a collection share theirs, and checking costs more than
all the rest of a record."""


class Metadata(BaseModel):
    """Base of typed metadata: a pydantic model that refuses unknown keys.

    Examples
    --------
    >>> class ArticleMeta(Metadata):
    ...     category: str
    ...     price: float | None = None
    >>> ArticleMeta(category="billing").price is None
    True
    """

    model_config = ConfigDict(extra="forbid")


class _Refused(Exception):  # noqa: N818 - a signal inside this module
    """A value that cannot be stored; `where` is the path to it."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where


def normalise(metadata: object, record_id: str | None) -> MetadataDict:
    """Check one record's metadata (without an id: the `set=` of an update); return a plain copy.

    Subclasses of str, int and float become plain; datetimes keep their instant,
    microseconds and offset, with a fixed-offset time zone.

    Raises
    ------
    InvalidRecordError
        Names the record, the path, the value and what is allowed.
    """
    if not isinstance(metadata, dict):
        raise InvalidRecordError(
            f"{_subject(record_id)} is {type(metadata).__name__}; expected a dict"
        )
    try:
        return _object(cast("dict[object, object]", metadata), "", 1)
    except _Refused as refused:
        where = f"{_subject(record_id)}{refused.where}"
        raise InvalidRecordError(f"{where}: {refused.reason}") from None


def _subject(record_id: str | None) -> str:
    return "set" if record_id is None else f"record {record_id!r}: metadata"


def to_json(metadata: MetadataDict, *, sort_keys: bool = False) -> str:
    """Return checked metadata as compact JSON text.

    `sort_keys=True` is the canonical form: equal metadata gives equal text.
    """
    encoder = _SORTED_ENCODER if sort_keys else _ENCODER
    return encoder.encode(metadata)


def from_json(text: str | bytes) -> MetadataDict:
    """Return the metadata that `to_json` wrote."""
    if not isinstance(text, str):
        text = text.decode()
    tagged = DATETIME_TAG in text or "\\u" in text  # people may write a character as its code
    value: MetadataDict = (_DECODER if tagged else _UNTAGGED).decode(text)
    return value


def size_of(metadata: MetadataDict) -> int:
    """Return the bytes of checked metadata as compact UTF-8 JSON."""
    if not metadata:
        return 2
    text = to_json(metadata)
    return len(text) if text.isascii() else len(text.encode())


def size_at_most(metadata: MetadataDict) -> int:
    """Return what `size_of` surely does not exceed: itself, or up to `_ROUGHLY` bytes more.

    For flat and small metadata, at a quarter of the time that writing the JSON takes.
    """
    characters = 0
    for key, value in cast("dict[str, object]", metadata).items():
        kind = type(value)
        if kind is str:
            characters += len(key) + len(cast("str", value))
        elif kind in _SHORT:
            characters += len(key)
        else:
            return size_of(metadata)
    most = 2 + len(metadata) * _ENTRY_BYTES + characters * _CHARACTER_BYTES
    return most if most <= _ROUGHLY else size_of(metadata)


def has_surrogate(text: str) -> bool:
    """Return whether a string holds a lone surrogate, which UTF-8 cannot carry."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def key_fault(key: object) -> str | None:
    """Return why a metadata key is refused, or None for a good one."""
    if not isinstance(key, str):
        return f"key {key!r} is {type(key).__name__}; expected str"
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        shown = key if len(key) <= 40 else f"{key[:40]}…"
        return f"key {shown!r} has {len(key)} code points; expected 1 to {MAX_KEY_LENGTH}"
    if key.startswith(RESERVED_PREFIXES):
        return f"key {key!r} starts with '$' or '_polyvec', which are reserved; rename it"
    if "\0" in key or has_surrogate(key):
        return f"key {key!r} holds NUL or a lone surrogate; remove it"
    return None


def fixed_offset(value: datetime) -> datetime:
    """Return an aware datetime with the same instant and offset and a plain time zone."""
    offset = value.utcoffset()
    if offset is None:
        raise ValueError(f"naive datetime {value!r}; attach a time zone, for example tzinfo=UTC")
    zone = timezone(offset) if offset else UTC
    return datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        tzinfo=zone,
    )


def _object(value: dict[object, object], where: str, depth: int) -> MetadataDict:
    if depth > MAX_DEPTH:
        raise _Refused(f"nested deeper than {MAX_DEPTH} levels; flatten it", "")
    plain: MetadataDict = {}
    for key, item in value.items():
        if key in _GOOD_KEYS and type(key) is str:
            name = key
        else:
            if (fault := key_fault(key)) is not None:
                raise _Refused(fault, where)
            name = str.__str__(cast("str", key))
            if len(_GOOD_KEYS) < MOST_GOOD_KEYS:
                _GOOD_KEYS.add(name)
        plain[name] = _value(item, where, name, depth)
    return plain


def _value(value: object, where: str, step: object, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        if has_surrogate(cast("str", value)):
            raise _Refused(f"{value!r} holds a lone surrogate; remove it", f"{where}[{step!r}]")
        return value
    if kind is bool or value is None:
        return value
    if kind is int:
        if value not in INT64:
            raise _Refused(
                f"int {value!r} needs more than 64 bits; store it as a str", f"{where}[{step!r}]"
            )
        return value
    if kind is float:
        if value - value != 0.0:  # type: ignore[operator]  # a float, by its type; NaN and infinity differ
            raise _Refused(f"{value!r} is not a finite number; leave it out", f"{where}[{step!r}]")
        return value + 0.0  # type: ignore[operator]  # a float; -0.0 becomes 0.0: one text for equals
    return _rarer(value, where, step, depth)


def _rarer(value: object, where: str, step: object, depth: int) -> Any:
    """Handle containers, datetimes and subclasses; refuse the rest with a remedy."""
    here = f"{where}[{step!r}]"
    match value:
        case dict():
            return _object(cast("dict[object, object]", value), here, depth + 1)
        case list():
            if depth >= MAX_DEPTH:
                raise _Refused(f"nested deeper than {MAX_DEPTH} levels; flatten it", "")
            items = cast("list[object]", value)
            return [_value(item, here, at, depth + 1) for at, item in enumerate(items)]
        case datetime():
            return _datetime(value, here)
        case str():
            return _value(str.__str__(value), where, step, depth)
        case int():
            return _value(int.__int__(value), where, step, depth)
        case float():
            return _value(float.__float__(value), where, step, depth)
        case _:
            raise _Refused(_remedy(value), here)


def _datetime(value: datetime, where: str) -> datetime:
    try:
        offset = value.utcoffset()
    except ValueError:  # pandas.NaT is a datetime whose methods raise
        raise _Refused(f"{value!r} is no moment; use None", where) from None
    if offset is None:
        raise _Refused(
            f"naive datetime {value!r}; attach a time zone, for example "
            "value.replace(tzinfo=timezone.utc)",
            where,
        )
    if getattr(value, "nanosecond", 0):  # pandas.Timestamp is a datetime with more digits
        raise _Refused(f"{value!r} has nanoseconds; round it to microseconds", where)
    return fixed_offset(value)


def _remedy(value: object) -> str:
    kind = type(value).__name__
    match value:
        case tuple() | set() | frozenset():
            hint = "use a list"
        case bytes() | bytearray():
            hint = "encode it as a str, for example base64"
        case date():
            hint = "use a timezone-aware datetime, or its ISO text"
        case BaseModel():
            hint = "use model_dump()"
        case _:
            hint = (
                "use .item()"
                if hasattr(value, "item")
                else "use str, int, float, bool, None, a timezone-aware datetime, list or dict"
            )
    shown = repr(value)  # pyright: ignore[reportUnknownArgumentType]  # any object has a repr
    if len(shown) > 80:
        shown = f"{shown[:80]}…"
    return f"{shown} is {kind}, which cannot be stored; {hint}"


def _tag_datetime(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {DATETIME_TAG: value.isoformat()}
    raise TypeError(f"unchecked metadata value of type {type(value).__name__}")


def _untag_datetime(value: dict[str, Any]) -> Any:
    if len(value) == 1 and DATETIME_TAG in value:
        return fixed_offset(datetime.fromisoformat(value[DATETIME_TAG]))
    return value


def _encoder(*, sort_keys: bool) -> json.JSONEncoder:
    return json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        sort_keys=sort_keys,
        default=_tag_datetime,
    )


# Made once: `json.dumps` with options makes one for each call.
_ENCODER: Final = _encoder(sort_keys=False)
_SORTED_ENCODER: Final = _encoder(sort_keys=True)
_DECODER: Final = json.JSONDecoder(object_hook=_untag_datetime)
_UNTAGGED: Final = json.JSONDecoder()
"""For texts without a datetime: most."""
