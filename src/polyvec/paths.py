r"""Field paths: tuples of metadata keys, and their text with dots.

The text form is what `F("author.name")` and the keys of filter dicts use: a dot is a step into an
object, `\.` is a dot of the key, `\\` is a backslash of the key, and any other backslash stands
for itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias, cast

from polyvec.errors import FilterError
from polyvec.metadata import key_fault

Path: TypeAlias = tuple[str, ...]

PATHS: Final = 1_024
"""Paths that are remembered: an application's filters name the same few."""

_PIECE: Final = re.compile(r"\\[\\.]|\.|\\|[^\\.]+")


def parse_path(text: str) -> Path:
    r"""Split a dotted text into its keys.

    Raises
    ------
    FilterError
        If a key is empty, too long, reserved, or holds NUL or a lone surrogate.

    Examples
    --------
    >>> parse_path("author.name")
    ('author', 'name')
    >>> parse_path(r"v1\.2")
    ('v1.2',)
    """
    return _parsed(str.__str__(text))


@lru_cache(maxsize=PATHS)
def _parsed(text: str) -> Path:
    keys = [""]
    for piece in _PIECE.findall(text):
        if piece == ".":
            keys.append("")
        elif piece in ("\\.", "\\\\"):
            keys[-1] += piece[1]
        else:
            keys[-1] += piece
    return check_path(tuple(keys))


def format_path(path: Path) -> str:
    r"""Join keys with dots; the inverse of `parse_path`.

    Examples
    --------
    >>> print(format_path(("author", "na.me")))
    author.na\.me
    """
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)


def check_path(path: object) -> Path:
    """Return `path` as a tuple of plain str keys.

    Raises
    ------
    FilterError
        If it is no tuple of str, is empty, or a key could not be a metadata key.
    """
    if not isinstance(path, tuple):
        raise FilterError(
            f"a field path is a tuple of keys, got {show(path)}; "
            "write F('a.b') or the tuple ('a', 'b')"
        )
    if not path:
        raise FilterError("a field path is empty; expected at least one key")
    keys = cast("tuple[object, ...]", path)
    try:
        return _checked(keys)  # of paths, most were seen before
    except TypeError:  # something that cannot be hashed, so it is no str
        return _check_keys(keys)


def _check_keys(path: tuple[object, ...]) -> Path:
    return tuple(_check_key(key, path) for key in path)


_checked: Final = lru_cache(maxsize=PATHS)(_check_keys)


def _check_key(key: object, path: tuple[object, ...]) -> str:
    if key == "":
        raise FilterError(
            f"field path {show(path)}: a key is empty; check for a leading, trailing or double dot "
            r"(a dot inside a key is written as '\.')"
        )
    if (fault := key_fault(key)) is not None:
        raise FilterError(f"field path {show(path)}: {fault}")
    return str.__str__(cast("str", key))


def show(value: object) -> str:
    """Return `repr(value)`, cut to a length that fits an error message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of too many digits, or a hostile nesting
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}…"
