"""Typed access to the keys of a JSON body; every wrong type is a 400 that names the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from polyvec.gateway.errors import invalid

Json: TypeAlias = dict[str, Any]

_SHOWN: Final = 40


def show(value: object) -> str:
    """Return a value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def json_object(value: object, what: str) -> Json:
    """Return a JSON object."""
    if isinstance(value, dict):
        return cast("Json", value)
    raise invalid(f"{what} must be an object, got {show(value)}")


def optional_object(body: Mapping[str, Any], key: str) -> Json | None:
    """Return an object, or None where the key is absent or null."""
    value = body.get(key)
    return None if value is None else json_object(value, key)


def text(body: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Return a string."""
    value = body.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, str):
        return value
    raise invalid(f"{key} must be a string, got {show(value)}")


def flag(body: Mapping[str, Any], key: str) -> bool:
    """Return a bool, false where the key is absent."""
    value = body.get(key)
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise invalid(f"{key} must be a boolean, got {show(value)}")


def integer(body: Mapping[str, Any], key: str, lowest: int, highest: int) -> int:
    """Return an int within bounds; a float that is whole counts, as in JSON."""
    return whole(body.get(key), key, lowest, highest)


def whole(value: object, what: str, lowest: int, highest: int) -> int:
    """Return a whole number within bounds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"{what} must be an integer, got {show(value)}")
    if not lowest <= value <= highest:
        raise invalid(f"{what} must be between {lowest} and {highest}, got {show(value)}")
    return value


def items(body: Mapping[str, Any], key: str, highest: int) -> Sequence[Any]:
    """Return a list of 1 to `highest` items."""
    value = body.get(key)
    if not isinstance(value, list):
        raise invalid(f"{key} must be a list, got {show(value)}")
    found: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # items are unknown
    if not 1 <= len(found) <= highest:
        raise invalid(f"{key} must hold 1 to {highest} items, got {len(found)}")
    return found


def texts(values: Sequence[Any], what: str) -> list[str]:
    """Return a list of strings."""
    for value in values:
        if not isinstance(value, str):
            raise invalid(f"{what} must hold strings, got {show(value)}")
    return list(values)


def query_number(text: str | None, what: str, highest: int) -> int:
    """Return a number of a query string, `highest` where it is absent."""
    if text is None:
        return highest
    # int() takes signs, spaces, underscores and the digits of any script.
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise invalid(f"{what} must be an integer, got {show(text)}")
    return whole(int(text), what, 1, highest)
