"""The configuration of a store, and how a URL, a profile or fields become one.

StoreConfig               fields of every backend; each backend has a subclass
resolve(target)           URL, configuration or profile name -> configuration
from_url(url)             URL -> configuration
build(fields)             fields, `backend` among them -> configuration
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from polyvec.config_types import NATIVE_PREFIX, ROLES, Count, Layout, add_role
from polyvec.errors import ConfigError
from polyvec.options import is_secret, read_text, show_name, unknown_option
from polyvec.registry import plugin_for
from polyvec.schema import NativeLayout
from polyvec.url import StoreUrl, looks_like_url


class StoreConfig(BaseModel, frozen=True):
    """What every backend's configuration has. Use the subclass of the backend.

    Building one checks types and ranges and raises `pydantic.ValidationError`; through
    `resolve`, `from_url` and `build` the same mistake is a `ConfigError`. Secrets are
    `SecretStr`: no `repr`, dump or message shows them.

    Parameters
    ----------
    backend
        Name of the backend; a subclass narrows it to one literal.
    timeout_s
        Seconds that a verb may take unless the call says otherwise, above 0. None: no limit
        but the client library's own.
    max_concurrency
        Requests that one store has in flight at most, at least 1.
    max_attempts
        Tries of a request that fails with a `retryable` error, the first one included, at
        least 1.
    max_metadata_bytes
        Most bytes of one record's metadata as compact UTF-8 JSON.
    native
        Collection name to the roles of its native fields, for collections that polyvec did
        not make.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    placed: ClassVar[frozenset[str]] = frozenset()
    """Fields that the part of a URL before the `?` sets, and no option does."""

    backend: str
    timeout_s: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = None
    max_concurrency: Count = 8
    max_attempts: Count = 5
    max_metadata_bytes: Count = 40_960
    native: dict[str, Layout] = Field(default_factory=dict[str, NativeLayout])

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        """Return the fields that the part of a URL before its `?` stands for.

        Raises
        ------
        ConfigError
            The backend cannot be reached under such a URL.
        """
        raise NotImplementedError

    @classmethod
    def option_fields(cls) -> dict[str, Any]:
        """Return the options a URL may have, each with the type of its field."""
        return {
            field.alias or name: field.annotation
            for name, field in cls.model_fields.items()
            if name not in cls.placed and name not in ("backend", "native")
        }

    @classmethod
    def fields_of(cls, url: StoreUrl) -> dict[str, object]:
        """Return all fields that a URL sets, ready for `model_validate`.

        Raises
        ------
        ConfigError
            An unknown option, an impossible value, or a place the backend does not have.
        """
        fields = cls.place_of(url)
        known = cls.option_fields()
        native: dict[str, dict[str, object]] = {}
        for name, value in url.options:
            if name.startswith(NATIVE_PREFIX):
                add_role(native, name, value)
            elif name in known:
                fields[name] = read_text(name, value, known[name])
            else:
                names = [*known, *(f"native.<collection>.{role}" for role in ROLES)]
                raise unknown_option(name, names, backend=backend_of(cls))
        return {**fields, "native": native} if native else fields

    def check_complete(self) -> None:
        """Raise `ConfigError` for what only opening the store needs, such as a key."""


def backend_of(config: type[StoreConfig]) -> str:
    """Return the name of the backend that a configuration class belongs to."""
    (name,) = get_args(config.model_fields["backend"].annotation)
    return str(name)


def secret_from_environment(variable: str) -> SecretStr | None:
    """Return the secret in an environment variable, None when it is unset or blank."""
    text = os.environ.get(variable, "").strip()
    return SecretStr(text) if text else None


def resolve(target: str | StoreConfig | None = None) -> StoreConfig:
    """Return the configuration that a URL, a profile name or a configuration stands for.

    Parameters
    ----------
    target
        A URL (anything with a colon), the name of a profile, a configuration (returned as
        it is), or None for the profile `"default"`, which is also `POLYVEC_URL`.

    Raises
    ------
    ConfigError
        The target cannot be used; the message says which part of it, never a secret.
    """
    if isinstance(target, StoreConfig):
        return target
    if target is not None and not isinstance(target, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are not always typed
        raise ConfigError(
            "expected a URL, the name of a profile or a StoreConfig, "
            f"got an object of class {type(target).__name__}"
        )
    if target is not None and looks_like_url(target):
        return from_url(target)
    from polyvec.profiles import load_profile

    return load_profile("default" if target is None else target)


def from_url(text: str) -> StoreConfig:
    """Return the configuration that a URL stands for; a relative path is one from here.

    Raises
    ------
    ConfigError
        The URL, one of its options or its scheme is not known or not possible.
    """
    url = StoreUrl.parse(text)
    model = plugin_for(url.scheme).config
    return validate(model, model.fields_of(url), origin=f"bad URL {url.masked!r}")


def build(
    fields: Mapping[str, object],
    *,
    origin: str = "bad configuration",
    bases: Mapping[str, Path] | None = None,
) -> StoreConfig:
    """Return the configuration of the backend that `fields["backend"]` names.

    Parameters
    ----------
    fields
        Fields of the configuration class, with `backend`.
    origin
        How an error message begins.
    bases
        Field name to the directory at which its relative path starts; the working directory
        for other fields.

    Raises
    ------
    ConfigError
        An unknown backend, an unknown field, or an impossible value.
    """
    backend = fields.get("backend")
    if not isinstance(backend, str):
        raise ConfigError(f"{origin}: needs 'url' or 'backend', the name of a backend")
    return validate(plugin_for(backend).config, fields, origin=origin, bases=bases)


def validate(
    model: type[StoreConfig],
    fields: Mapping[str, object],
    *,
    origin: str,
    bases: Mapping[str, Path] | None = None,
) -> StoreConfig:
    """Return `model` with these fields; see `build`."""
    values = {"backend": backend_of(model), **fields}
    try:
        return model.model_validate(values, context={"bases": bases or {}})
    except ValidationError as exc:
        problems = [_problem(model, dict(error)) for error in exc.errors(include_url=False)]
    # Raised here, not in the handler: the pydantic error holds the input, secrets included.
    raise ConfigError(f"{origin}: {'; '.join(problems)}")


def _problem(model: type[StoreConfig], error: dict[str, Any]) -> str:
    location: tuple[str | int, ...] = error["loc"]
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not location:
        return message
    name = str(location[0])
    if error["type"] == "extra_forbidden":
        known = [*model.option_fields(), *model.placed, "native"]
        return str(unknown_option(name, known, backend=backend_of(model)))
    where = ".".join(show_name(str(part)) for part in location)
    field = next((f for n, f in model.model_fields.items() if name in (n, f.alias)), None)
    value = error["input"]
    # Below the top level it cannot be told what is secret.
    shown = field is not None and not is_secret(field.annotation) and len(location) == 1
    if not shown or not isinstance(value, (int, float, str)):
        return f"{where}: {message}"
    return f"{where}={value!r}: {message}"
