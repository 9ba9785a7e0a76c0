"""The types of configuration fields, shared by the configurations of all backends."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

from polyvec.errors import ConfigError
from polyvec.options import did_you_mean, read_text, show_name
from polyvec.schema import NativeLayout
from polyvec.types import Metric

ROLES: Final = tuple(field.name for field in dataclasses.fields(NativeLayout))
NATIVE_PREFIX: Final = "native."


def _not_empty(value: object) -> object:
    if value == "":
        raise ValueError("empty; give a path or leave the field out")
    return value


def _absolute(path: Path, info: ValidationInfo) -> Path:
    context = cast("dict[str, Any]", info.context or {})
    bases: Mapping[str, Path] = context.get("bases", {})
    if path.is_absolute():
        return path
    try:
        return (bases.get(info.field_name or "") or Path.cwd()) / path
    except FileNotFoundError:
        problem = "relative to a working directory that does not exist any more"
    raise ValueError(problem)


def _check_layout(value: object) -> object:
    """Refuse unknown roles: pydantic ignores unknown keys of a dataclass."""
    if not isinstance(value, Mapping):
        return value
    roles = cast("Mapping[object, object]", value)
    for role, name in roles.items():
        if role not in ROLES:
            raise ValueError(_unknown_role(str(role)))
        if name == "":
            raise ValueError(f"role {role!r} has an empty value; give one or leave the role out")
    dimension = roles.get("dimension")
    if dimension is not None and (
        not isinstance(dimension, int) or isinstance(dimension, bool) or dimension < 1
    ):
        raise ValueError("role 'dimension': expected a whole number of at least 1")
    return roles


StorePath = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_absolute)]
"""A directory or file, made absolute: a later change of the working directory moves nothing."""

Layout = Annotated[NativeLayout, BeforeValidator(_check_layout)]
Count = Annotated[int, Field(strict=True, ge=1)]
Port = Annotated[int, Field(strict=True, ge=1, le=65_535)]
Flag = Annotated[bool, Field(strict=True)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Text = Annotated[str, Field(strict=True, min_length=1)]


def add_role(native: dict[str, dict[str, object]], option: str, text: str) -> None:
    """Add the role that an option `native.<collection>.<role>` gives.

    Raises
    ------
    ConfigError
        The option names no collection or no role, or the value is impossible.
    """
    # The last dot splits: the name of a collection may have dots, a role has none.
    collection, _, role = option.removeprefix(NATIVE_PREFIX).rpartition(".")
    if not collection:
        raise ConfigError(
            f"option {show_name(option)!r} names no collection; "
            "expected 'native.<collection>.<role>'"
        )
    if role not in ROLES:
        raise ConfigError(f"option {show_name(option)!r}: {_unknown_role(role)}")
    if role == "metric" and text not in tuple(Metric):
        raise ConfigError(f"option {option}={text!r}: expected one of {', '.join(Metric)}")
    kind = int if role == "dimension" else str
    native.setdefault(collection, {})[role] = read_text(option, text, kind)


def _unknown_role(role: str) -> str:
    return f"unknown role {show_name(role)!r}{did_you_mean(role, ROLES)}; known: {', '.join(ROLES)}"
