"""Giving a profile of `polyvec.toml` the content of another one, and giving it back.

The file is edited as text, so that comments and order stay, and the outcome is parsed and
compared with what it should mean before it replaces the file.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import ConfigError, MigrationError
from polyvec.profile_sources import normal_name, read_environment, read_file
from polyvec.snapshot.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEPT: Final = "_before_cutover"
"""Suffix of the profile under which the old content stays in the file."""

_HEADER: Final = re.compile(r"^\s*\[\s*(?P<name>[^\[\]]+?)\s*\]\s*(#.*)?$")


def profile_file(profile: str) -> Path:
    """Return the file that decides about a profile.

    Raises
    ------
    ConfigError
        There is no file, or the environment decides.
    """
    file = read_file()
    if file.path is None:
        raise ConfigError(f"cannot switch profile {profile!r}: {file.looked}")
    if normal_name(profile) in read_environment():
        raise ConfigError(
            f"profile {profile!r} is set by POLYVEC_STORES__… in the environment, which wins over "
            f"{str(file.path)!r}; change it there"
        )
    return file.path


def switch(path: Path, profile: str, to: str) -> None:
    """Give a profile the content of another one; keep its old content under another name.

    Raises
    ------
    MigrationError
        A profile is not there as a table, or old content is kept from an earlier switch.
    """
    text = path.read_text(encoding="utf-8")
    kept = f"{profile}{KEPT}"
    stores = _stores(text)
    for name in (profile, to):
        if name not in stores:
            raise MigrationError(f"{str(path)!r} has no table [stores.{name}]")
    if kept in stores:
        raise MigrationError(
            f"{str(path)!r} has [stores.{kept}] from an earlier cutover; roll back, or remove it"
        )
    lines = text.splitlines(keepends=True)
    old, new = _table(lines, profile), _table(lines, to)
    changed = _replaced(
        lines, profile, [*_renamed(new, to, profile), *_renamed(old, profile, kept)]
    )
    wanted = {**stores, profile: stores[to], kept: stores[profile]}
    _write(path, changed, wanted)


def switch_back(path: Path, profile: str) -> None:
    """Give a profile its old content again.

    Raises
    ------
    MigrationError
        Nothing is kept for it.
    """
    text = path.read_text(encoding="utf-8")
    kept = f"{profile}{KEPT}"
    stores = _stores(text)
    if kept not in stores or profile not in stores:
        raise MigrationError(f"{str(path)!r} has no table [stores.{kept}]; nothing to roll back")
    lines = text.splitlines(keepends=True)
    old = _table(lines, kept)
    changed = _replaced(lines, profile, _renamed(old, kept, profile))
    changed = _replaced(changed, kept, [])
    wanted = {name: table for name, table in stores.items() if name != kept}
    wanted[profile] = stores[kept]
    _write(path, changed, wanted)


def _stores(text: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text).get("stores", {})
    return found


def _belongs(line: str, profile: str) -> bool | None:
    """Whether a line begins a table of the profile; None for a line that begins no table."""
    match = _HEADER.match(line)
    if match is None:
        return True if line.lstrip().startswith("[[") else None
    keys = [key.strip().strip("\"'") for key in match["name"].split(".")]
    return keys[:2] == ["stores", profile]


def _marked(lines: Sequence[str], profile: str) -> list[bool]:
    """Return which lines are of the profile's tables."""
    marks: list[bool] = []
    inside = False
    for line in lines:
        begins = _belongs(line, profile)
        inside = inside if begins is None else begins
        marks.append(inside)
    return marks


def _table(lines: Sequence[str], profile: str) -> list[str]:
    return [line for line, mine in zip(lines, _marked(lines, profile), strict=True) if mine]


def _renamed(lines: Sequence[str], old: str, new: str) -> list[str]:
    """Return a table's lines under another name, ending with an empty line."""
    name = re.compile(rf"(stores\s*\.\s*[\"']?){re.escape(old)}")
    changed: list[str] = []
    for line in lines:
        named = name.sub(rf"\g<1>{new}", line, count=1) if _HEADER.match(line) else line
        changed.append(named if named.endswith("\n") else f"{named}\n")
    while changed and not changed[-1].strip():
        changed.pop()
    return [*changed, "\n"]


def _replaced(lines: Sequence[str], profile: str, by: Sequence[str]) -> list[str]:
    """Return the lines with the profile's tables replaced, at the place of the first one."""
    marks = _marked(lines, profile)
    first = marks.index(True) if True in marks else len(lines)
    rest = [line for line, mine in zip(lines[first:], marks[first:], strict=True) if not mine]
    return [*lines[:first], *by, *rest]


def _write(path: Path, lines: Sequence[str], wanted: dict[str, Any]) -> None:
    text = "".join(lines)
    try:
        outcome = _stores(text)
    except tomllib.TOMLDecodeError:
        outcome = {}
    if outcome != wanted:
        raise MigrationError(
            f"{str(path)!r} is written in a way that cannot be edited safely (profiles must be "
            "tables [stores.<name>]); switch the profile by hand"
        )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(path.stat().st_mode & 0o777)
