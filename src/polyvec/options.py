"""Option values that arrive as text, from a URL or the environment, and their names."""

from __future__ import annotations

import math
import re
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import SecretBytes, SecretStr

from polyvec.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK: Final = "***"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_INT: Final = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLS: Final = {"true": True, "false": False}


def plain_type(annotation: Any) -> Any:
    """Return the class behind `X | None` and `Annotated[X, ...]`, None for no single class."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return plain_type(get_args(annotation)[0])
    if origin in (Union, UnionType):
        others = [arg for arg in get_args(annotation) if arg is not type(None)]
        return plain_type(others[0]) if len(others) == 1 else None
    return annotation


def is_secret(annotation: Any) -> bool:
    """Return whether a field of this type may never be shown."""
    return plain_type(annotation) in (SecretStr, SecretBytes)


def read_text(name: str, text: str, annotation: Any) -> object:
    """Return the value that `text` stands for in a field of type `annotation`.

    `true` and `false` for a bool, decimal digits for an int, a finite number for a float;
    the text itself for everything else.

    Raises
    ------
    ConfigError
        The text is empty or stands for no such value; the message names the option, and
        shows the text unless the option is a secret.
    """
    if not text:
        raise ConfigError(f"option {name!r} has an empty value; give one or leave the option out")
    kind = plain_type(annotation)
    if kind is bool:
        if text not in _BOOLS:
            raise ConfigError(f"option {name}={text!r}: expected 'true' or 'false'")
        return _BOOLS[text]
    if kind is int:
        if not _INT.fullmatch(text):
            raise ConfigError(f"option {name}={text!r}: expected a whole number")
        return int(text)
    if kind is float:
        return _read_float(name, text)
    return text


def show_name(name: str) -> str:
    """Return the name of an option as it may be shown.

    A text that no option is called may be the rest of a password in which `?` or `&` was
    not percent-encoded.
    """
    return name if _NAME.fullmatch(name) else MASK


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the closest known name, `""` when none is close."""
    from difflib import get_close_matches  # only on the way to an error

    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown_option(name: str, known: Iterable[str], *, backend: str) -> ConfigError:
    """Return the error for an option that a backend does not have."""
    names = sorted(known)
    return ConfigError(
        f"unknown option {show_name(name)!r} for {backend!r}{did_you_mean(name, names)}; "
        f"known: {', '.join(names)}"
    )


def _read_float(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"option {name}={text!r}: expected a number")
    return number
