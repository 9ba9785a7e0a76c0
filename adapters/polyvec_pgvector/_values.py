r"""Metadata values as jsonb that filters can compare, and what jsonb cannot hold. Pure.

jsonb keeps str, bool, None, lists, objects and numbers with their scale, so most metadata is
stored as it is. Its own forms have:

* a datetime: `{"$datetime": "2024-01-31T09:30:00.000000Z"}`, always UTC and of one width, so
  that texts compare as the instants do. Keys of users never start with `$`.
* an integral float from 1e16 on: all its digits and `.0`, because jsonb would make an int of
  the exponent form, and because the shortest text of a float is not its exact value there.
* a text with NUL, which jsonb refuses, or with U+0001: NUL becomes U+0001 U+0001, and U+0001
  becomes U+0001 U+0002. The order of code points is kept, so comparisons stay exact.

Values that cannot be read back from these forms (texts of the last kind, datetimes with another
offset than UTC) are also in the sidecar, as JSON text.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from polyvec.metadata import DATETIME_TAG, from_json, to_json
from polyvec.operands import instant_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.types import MetadataDict

_DAY_US: Final = 86_400_000_000
_LAST_DAY: Final = date.max.toordinal() - 1
_LOSSLESS_FLOAT: Final = 1e16
"""Below it `repr` writes an integral float with `.0`."""


def encode(metadata: MetadataDict) -> tuple[str, dict[str, str]]:
    """Return metadata as JSON text for the jsonb column, and its part of the sidecar.

    The sidecar holds top-level keys, each with the exact value as JSON text.
    """
    if not metadata:
        return "{}", {}
    text = to_json(metadata)
    # Written out: a loop over the marks costs as much as making the text.
    if not ("e+" in text or '"$datetime"' in text or "\\u0000" in text or "\\u0001" in text):
        return text, {}
    lossy = {key: exact_json(value) for key, value in metadata.items() if _is_lossy(value)}
    return canonical(metadata), lossy


def decode(text: str, sidecar: dict[str, str] | None) -> MetadataDict:
    """Return the metadata of a row; what no polyvec wrote reads as it stands."""
    if '"$datetime"' in text:
        metadata: MetadataDict = json.loads(text, object_hook=_lenient)
    else:
        metadata = json.loads(text)
    if sidecar:
        for key, exact in sidecar.items():
            if not key.startswith("$"):
                metadata[key] = from_json(exact)
    return metadata


def decode_all(
    texts: Sequence[str], sidecars: Sequence[dict[str, str] | None]
) -> list[MetadataDict]:
    """Return the metadata of rows: by one call of the parser where none needs a second look."""
    joined = f"[{','.join(texts)}]"
    if '"$datetime"' in joined or any(sidecars):
        return [decode(text, sidecar) for text, sidecar in zip(texts, sidecars, strict=True)]
    metadata: list[MetadataDict] = json.loads(joined)
    return metadata


def exact_json(value: object) -> str:
    """Return one value as lossless JSON text."""
    return to_json(cast("MetadataDict", value))


def canonical(value: object) -> str:
    """Return the JSON text whose jsonb is equal exactly when two values mean the same."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(escape(value), ensure_ascii=False)
        case int():
            return str(value)
        case float():
            return number(value)
        case datetime():
            return f'{{"{DATETIME_TAG}":"{instant(value)}"}}'
        case list() | tuple():
            items = cast("list[object]", value)
            return f"[{','.join(map(canonical, items))}]"
        case dict():
            pairs = cast("dict[str, object]", value).items()
            shown = (f"{json.dumps(k, ensure_ascii=False)}:{canonical(v)}" for k, v in pairs)
            return f"{{{','.join(shown)}}}"
        case _:
            raise AssertionError(f"unchecked metadata value of type {type(value).__name__}")


def number(value: float) -> str:
    """Return the text of a float: all its digits from 1e16 on, else the shortest."""
    if abs(value) >= _LOSSLESS_FLOAT:
        return f"{int(value)}.0"
    return repr(value)


def escape(text: str) -> str:
    """Return a text without NUL; injective, and keeps order and prefixes."""
    if "\x00" in text or "\x01" in text:
        return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01")
    return text


def instant(moment: datetime) -> str:
    """Return a text of 27 characters that sorts as the instant.

    With an offset, an instant may lie up to a day outside the years 1 to 9999: the day before is
    day 31 of month 12 of year 0000, the day after is written as hours 24 to 47 of the last one.
    """
    micros = instant_us(moment)
    assert micros is not None, "checked: aware"
    day, of_day = divmod(micros, _DAY_US)
    late = day > _LAST_DAY
    if late:
        day -= 1
    day_text = "0000-12-31"
    if day >= 0:
        first = datetime.fromordinal(day + 1)
        day_text = f"{first.year:04}-{first.month:02}-{first.day:02}"
    seconds, micro = divmod(of_day, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{day_text}T{hour + 24 * late:02}:{minute:02}:{second:02}.{micro:06}Z"


def _is_lossy(value: object) -> bool:
    match value:
        case str():
            return "\x00" in value or "\x01" in value
        case datetime():
            return value.utcoffset() != timedelta(0)
        case list():
            return any(map(_is_lossy, cast("list[object]", value)))
        case dict():
            return any(map(_is_lossy, cast("dict[str, object]", value).values()))
        case _:
            return False


def _lenient(value: dict[str, Any]) -> Any:
    """Read a datetime; leave what is none, which the sidecar replaces or somebody else wrote."""
    if len(value) != 1 or not isinstance(text := value.get(DATETIME_TAG), str):
        return value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return value
    return moment if moment.tzinfo is not None else value
