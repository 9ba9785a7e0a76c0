"""Where profiles are written: a TOML file and environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from polyvec.errors import ConfigError
from polyvec.options import did_you_mean

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

FILE_NAME: Final = "polyvec.toml"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A configuration file: profiles by their normal name, and where they were looked for."""

    path: Path | None
    stores: Mapping[str, Mapping[str, object]]
    looked: str


def normal_name(name: str) -> str:
    """Return a profile's name as it is compared: lower case, `_` for `-`."""
    return name.lower().replace("-", "_")


def read_file() -> ProfileFile:
    """Return the configuration file that is in force, an empty one where there is none.

    Raises
    ------
    ConfigError
        The file cannot be read, or is no table of profiles.
    """
    if named := os.environ.get("POLYVEC_CONFIG"):
        path = _here() / named
        if not _is_file(path):
            raise ConfigError(f"POLYVEC_CONFIG={named!r}: no such file")
        return ProfileFile(path, _parse(path), f"read {str(path)!r}, which POLYVEC_CONFIG names")
    here, user = _here(), _user_directory()
    for directory in (here, *here.parents, *user):
        if _is_file(path := directory / FILE_NAME):
            return ProfileFile(path, _parse(path), f"read {str(path)!r}")
    places = [f"from {str(here)!r} upwards", *(f"in {str(directory)!r}" for directory in user)]
    return ProfileFile(None, {}, f"there is no {FILE_NAME} {' or '.join(places)}")


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        pass
    raise ConfigError("the working directory does not exist any more; change to another one")


def _user_directory() -> tuple[Path, ...]:
    """Return the user's configuration directory, nothing for a user without a home."""
    # An empty or relative value of the variable is void, says the XDG specification.
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if given.is_absolute():
        return (given / "polyvec",)
    try:
        return (Path.home() / ".config" / "polyvec",)
    except RuntimeError:
        return ()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory that this user may not enter
        return False


def _parse(path: Path) -> dict[str, Mapping[str, object]]:
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        problem = f"cannot read {str(path)!r}: {reason}"
    except tomllib.TOMLDecodeError as exc:
        problem = f"cannot read {str(path)!r}: {exc}"
    else:
        return _stores(content, str(path))
    raise ConfigError(problem)


def _stores(content: Mapping[str, object], where: str) -> dict[str, Mapping[str, object]]:
    """Check the outline of a file; return its profiles by their normal name."""
    if unknown := sorted(content.keys() - {"stores"}):
        raise ConfigError(
            f"{where!r}: unknown table or key {unknown[0]!r}"
            f"{did_you_mean(unknown[0], ['stores'])}; known: stores (profiles are [stores.<name>])"
        )
    stores = content.get("stores", {})
    if not isinstance(stores, Mapping):
        raise ConfigError(f"{where!r}: 'stores' is not a table; a profile is [stores.<name>]")
    found: dict[str, Mapping[str, object]] = {}
    for name, profile in cast("Mapping[str, object]", stores).items():
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{where!r}: profile {name!r}: a name is of letters, digits, _ and -")
        if not isinstance(profile, Mapping):
            raise ConfigError(f"{where!r}: profile {name!r} is not a table [stores.{name}]")
        if normal_name(name) in found:
            raise ConfigError(
                f"{where!r}: profile {name!r} is there twice; "
                "upper and lower case, and - and _, are the same in a name"
            )
        found[normal_name(name)] = cast("Mapping[str, object]", profile)
    return found


@cache
def _settings() -> type[BaseSettings]:
    # Imported and defined late: pydantic-settings takes longer to load than all of polyvec.
    from pydantic_settings import BaseSettings, SettingsConfigDict

    class Environment(BaseSettings):
        """`POLYVEC_URL` and `POLYVEC_STORES__<PROFILE>__<FIELD>`."""

        model_config = SettingsConfigDict(
            env_prefix="POLYVEC_",
            env_nested_delimiter="__",
            env_ignore_empty=True,
            extra="ignore",
            hide_input_in_errors=True,
        )
        url: str | None = None
        stores: dict[str, dict[str, Any]] = {}

    return Environment


def read_environment() -> dict[str, dict[str, object]]:
    """Return the profiles in the environment by their normal name, their values as text.

    Raises
    ------
    ConfigError
        A variable has no profile or no field in its name, or `POLYVEC_URL` is at odds with
        the variable for the profile `default`.
    """
    if not any(name.upper().startswith(("POLYVEC_URL", "POLYVEC_STORES")) for name in os.environ):
        return {}
    model = _settings()
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    try:
        read = model().model_dump()
    except (SettingsError, ValidationError):
        read = None
    if read is None:  # not in the handler: both errors hold the values
        raise ConfigError(
            "cannot read the variables POLYVEC_STORES…; expected "
            "POLYVEC_STORES__<PROFILE>__URL or POLYVEC_STORES__<PROFILE>__<FIELD>"
        )
    stores: dict[str, dict[str, object]] = {normal_name(k): v for k, v in read["stores"].items()}
    if read["url"] is not None:
        default = stores.setdefault("default", {})
        if default.setdefault("url", read["url"]) != read["url"]:
            raise ConfigError(
                "POLYVEC_URL and POLYVEC_STORES__DEFAULT__URL differ; unset one of them"
            )
    return stores
