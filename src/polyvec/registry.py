"""Which adapters there are, and how a name becomes one.

An adapter is found by the name of its backend or by a URL scheme. Memory and
Parquet are part of the core and are always there; every other adapter, ours or
a third party's, is an entry point of the group `polyvec.adapters`. Loading a
plug-in imports no client library: only `open_adapter` does.
"""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from polyvec._version import __version__
from polyvec.errors import ConfigError, MissingDependencyError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from importlib.metadata import EntryPoint

    from polyvec.adapter import Adapter
    from polyvec.adapter_async import AsyncAdapter
    from polyvec.config import StoreConfig

GROUP: Final = "polyvec.adapters"
DISTRIBUTION: Final = "polyvec"

# Also found in a source checkout that was never installed.
BUILT_IN: Final[dict[str, str]] = {
    "memory": "polyvec.memory:PLUGIN",
    "parquet": "polyvec.snapshot:PLUGIN",
}


@dataclass(frozen=True, slots=True)
class AdapterPlugin:
    """What an adapter package says about itself; its entry points name this object.

    Parameters
    ----------
    backend
        Name of the backend, for example `"qdrant"`; equal to `backend` of its configuration.
    schemes
        URL schemes in lower case, the preferred one first. The package needs an entry
        point for the backend and for each scheme.
    config
        The configuration class.
    module
        Import path of the module that has `open_store(config) -> Adapter` and, where the
        client has an asynchronous form, `open_store_async(config) -> AsyncAdapter`. Both
        are plain functions that do no I/O: the first verb opens the connection. None: the
        adapter is still to come, and only the configuration exists.
    extra
        The extra of `polyvec` that installs the client library, None for none.
    packages
        Import names of the client library, whose absence is a `MissingDependencyError`.
    """

    backend: str
    schemes: tuple[str, ...]
    config: type[StoreConfig]
    module: str | None
    extra: str | None = None
    packages: tuple[str, ...] = ()


def known_names() -> list[str]:
    """Return every backend name and URL scheme that is registered, sorted; loads nothing."""
    return sorted({*BUILT_IN, *(entry.name for entry in _entry_points())})


def plugin_for(name: str) -> AdapterPlugin:
    """Return the plug-in of a backend or a URL scheme.

    Raises
    ------
    ConfigError
        Nothing has that name, two distributions claim it, or the entry point does not
        lead to an `AdapterPlugin` of that name.
    """
    entries = [entry for entry in _entry_points() if entry.name == name]
    if name in BUILT_IN:
        entries = [entry for entry in entries if not _is_ours(entry)]
        if entries:
            raise _claimed_twice(name, [DISTRIBUTION, *map(_distribution, entries)])
        return _load_built_in(name)
    if not entries:
        raise ConfigError(_unknown(name))
    if len({entry.value for entry in entries}) > 1:
        raise _claimed_twice(name, map(_distribution, entries))
    return _load(entries[0])


def installed() -> list[AdapterPlugin]:
    """Return every registered plug-in once, sorted by backend.

    Raises
    ------
    ConfigError
        As for `plugin_for`.
    """
    plugins: dict[str, AdapterPlugin] = {}
    for name in known_names():
        plugin = plugin_for(name)
        plugins[plugin.backend] = plugin
    return [plugins[backend] for backend in sorted(plugins)]


def open_adapter(config: StoreConfig) -> Adapter:
    """Return the adapter for a configuration; no I/O.

    Raises
    ------
    ConfigError
        The configuration lacks something that only opening needs, or its class is not
        the one its backend uses.
    NotSupportedError
        There is no adapter yet for the backend.
    MissingDependencyError
        The client library is not installed.
    """
    plugin = _plugin_of(config)
    with _client_library(plugin):
        return cast("Adapter", _module(plugin).open_store(config))


def open_adapter_async(config: StoreConfig) -> AsyncAdapter:
    """Return the asynchronous adapter for a configuration; no I/O, hence not a coroutine.

    An adapter that has only a synchronous form runs in worker threads. Raises what
    `open_adapter` raises.
    """
    plugin = _plugin_of(config)
    with _client_library(plugin):
        module = _module(plugin)
        if (open_store := getattr(module, "open_store_async", None)) is not None:
            return cast("AsyncAdapter", open_store(config))
        from polyvec.threaded import threaded

        return threaded(module.open_store(config))


def _plugin_of(config: StoreConfig) -> AdapterPlugin:
    plugin = plugin_for(config.backend)
    if not isinstance(config, plugin.config):
        raise ConfigError(
            f"the configuration of backend {config.backend!r} is a {type(config).__qualname__}, "
            f"expected {plugin.config.__qualname__}"
        )
    if plugin.module is None:
        raise NotSupportedError(
            f"no adapter yet for {plugin.backend!r} in polyvec {__version__}; upgrade polyvec "
            "when a release has it, install a package that provides one (entry point group "
            f"{GROUP!r}), or use 'memory://' meanwhile"
        )
    config.check_complete()
    return plugin


def _module(plugin: AdapterPlugin) -> Any:
    assert plugin.module is not None, "refused by _plugin_of"
    return importlib.import_module(plugin.module)


@contextmanager
def _client_library(plugin: AdapterPlugin) -> Generator[None]:
    """Report the absence of the client library; any other missing module is a bug and passes."""
    try:
        yield
    except ModuleNotFoundError as exc:
        missing = exc.name or ""
        if not any(_overlap(missing, package) for package in plugin.packages):
            raise
        remedy = f"pip install '{DISTRIBUTION}[{plugin.extra}]'" if plugin.extra else "install it"
        raise MissingDependencyError(
            f"the adapter for {plugin.backend!r} needs the package {missing!r}, "
            f"which is not installed: {remedy}",
            name=missing,
        ) from exc


def _overlap(missing: str, package: str) -> bool:
    """Return whether one of two dotted names is the other, or lies inside it."""
    return f"{missing}.".startswith(f"{package}.") or f"{package}.".startswith(f"{missing}.")


def _entry_points() -> Iterable[EntryPoint]:
    # Not at import time: reading the metadata of an environment is slow, and few need it.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def _is_ours(entry: EntryPoint) -> bool:
    return entry.value == BUILT_IN[entry.name]


def _load_built_in(name: str) -> AdapterPlugin:
    module, _, attribute = BUILT_IN[name].partition(":")
    return cast("AdapterPlugin", getattr(importlib.import_module(module), attribute))


def _load(entry: EntryPoint) -> AdapterPlugin:
    plugin = entry.load()
    if not isinstance(plugin, AdapterPlugin):
        raise ConfigError(
            f"entry point {entry.name!r} of {_distribution(entry)!r} leads to a "
            f"{type(plugin).__name__} at {entry.value!r}, expected an AdapterPlugin"
        )
    if entry.name not in (plugin.backend, *plugin.schemes):
        raise ConfigError(
            f"entry point {entry.name!r} of {_distribution(entry)!r} leads to the plug-in of "
            f"{plugin.backend!r}, which has the schemes {', '.join(plugin.schemes)}; "
            "register each name with the plug-in that has it"
        )
    return plugin


def _claimed_twice(name: str, distributions: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"{name!r} is claimed by the adapters of two distributions, "
        f"{' and '.join(map(repr, dict.fromkeys(distributions)))}; uninstall one of them"
    )


def _unknown(name: str) -> str:
    from polyvec.options import did_you_mean

    names = known_names()
    return (
        f"no adapter is named {name!r}{did_you_mean(name, names)}; known: {', '.join(names)}"
        f" (others come with a package that has an entry point in the group {GROUP!r})"
    )
