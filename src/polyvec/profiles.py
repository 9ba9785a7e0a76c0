"""Profiles: named store configurations in `polyvec.toml` and the environment.

The file is the one that `POLYVEC_CONFIG` names, else the nearest `polyvec.toml` from the
working directory upwards, else the user's. Only one file is read. The environment wins over
it: `POLYVEC_STORES__PROD__URL` (or `…__BACKEND`) replaces the whole profile `prod` of the file,
other variables, such as `POLYVEC_STORES__PROD__TIMEOUT_S`, replace single fields. `POLYVEC_URL` is
`POLYVEC_STORES__DEFAULT__URL`. Names are the same in upper and lower case, and `-` is `_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from polyvec.config import StoreConfig, build
from polyvec.errors import ConfigError
from polyvec.options import did_you_mean, read_text
from polyvec.profile_sources import ProfileFile, normal_name, read_environment, read_file
from polyvec.registry import plugin_for
from polyvec.url import StoreUrl, looks_like_url, mask_url

if TYPE_CHECKING:
    from pathlib import Path


def load_profile(name: str) -> StoreConfig:
    """Return the configuration of a profile.

    Raises
    ------
    ConfigError
        No profile has that name, the file cannot be read, or the profile is not a possible
        configuration.
    """
    file = read_file()
    environment = read_environment()
    key = normal_name(name)
    if key not in file.stores and key not in environment:
        raise ConfigError(_unknown(name, file, environment))
    origin = f"profile {name!r}"
    in_environment = environment.get(key, {})
    fields: dict[str, object] = {}
    bases: dict[str, Path] = {}
    if file.path is not None and not {"url", "backend"} & in_environment.keys():
        fields = _fields(file.stores.get(key, {}), origin=f"{origin} in {str(file.path)!r}")
        bases = dict.fromkeys(fields, file.path.parent)
    above = _fields(in_environment, origin=f"{origin} in the environment")
    for field in above:
        bases.pop(field, None)
    return build(_merge(fields, _typed(above, fields)), origin=origin, bases=bases)


def profile_names() -> list[str]:
    """Return the names of all profiles, sorted, in the form that ignores case and hyphens.

    Raises
    ------
    ConfigError
        The file or a variable cannot be read.
    """
    return sorted({*read_file().stores, *read_environment()})


def _fields(profile: Mapping[str, object], *, origin: str) -> dict[str, object]:
    """Return the fields of a profile, its URL taken apart; further fields win over the URL."""
    fields = dict(profile)
    url = fields.pop("url", None)
    if url is None:
        return fields
    if not isinstance(url, str) or not looks_like_url(url):
        raise ConfigError(f"{origin}: 'url' is not a URL; expected 'scheme://…'")
    try:
        in_url = _fields_of_url(url)
    except ConfigError as exc:
        problem = str(exc)
    else:
        if fields.get("backend", in_url["backend"]) == in_url["backend"]:
            return _merge(in_url, fields)
        problem = (
            f"backend {fields['backend']!r} is not that of its URL {mask_url(url)!r}; "
            "leave one of them out"
        )
    raise ConfigError(f"{origin}: {problem}")


def _fields_of_url(text: str) -> dict[str, object]:
    url = StoreUrl.parse(text)
    plugin = plugin_for(url.scheme)
    return {**plugin.config.fields_of(url), "backend": plugin.backend}


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Lay `above` over `below`; tables, such as `native`, are merged key by key."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            tables = cast("tuple[Mapping[str, object], Mapping[str, object]]", (under, value))
            merged[name] = _merge(*tables)
        else:
            merged[name] = value
    return merged


def _typed(fields: dict[str, object], below: Mapping[str, object]) -> dict[str, object]:
    """Turn the texts of the environment into the classes that the fields have."""
    backend = fields.get("backend", below.get("backend"))
    if not isinstance(backend, str):
        return fields
    model = plugin_for(backend).config
    annotations: dict[str, Any] = {
        key: field.annotation
        for name, field in model.model_fields.items()
        for key in (name, field.alias)
        if key is not None
    }
    typed = {
        name: read_text(name, value, annotations.get(name)) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    native = typed.get("native")
    if isinstance(native, Mapping):
        typed["native"] = {
            collection: _typed_layout(layout)
            for collection, layout in cast("Mapping[str, object]", native).items()
        }
    return typed


def _typed_layout(layout: object) -> object:
    if not isinstance(layout, Mapping):
        return layout
    roles = dict(cast("Mapping[str, object]", layout))
    if isinstance(dimension := roles.get("dimension"), str):
        roles["dimension"] = read_text("dimension", dimension, int)
    return roles


def _unknown(name: str, file: ProfileFile, environment: Mapping[str, object]) -> str:
    names = sorted({*file.stores, *environment})
    known = f"known: {', '.join(names)}" if names else "there are none"
    return (
        f"no profile {name!r}{did_you_mean(normal_name(name), names)}; {known} "
        f"({file.looked}; in the environment, a profile is POLYVEC_STORES__<NAME>__URL, "
        "and POLYVEC_URL for 'default'); a URL has the form 'scheme://…'"
    )
