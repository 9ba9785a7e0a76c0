"""Finding plug-ins by entry point, and opening their adapters."""

from __future__ import annotations

import asyncio
import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polyvec import registry
from polyvec._version import __version__
from polyvec.config import StoreConfig, resolve
from polyvec.errors import ConfigError, MissingDependencyError, NotSupportedError
from polyvec.memory._config import MemoryConfig
from polyvec.registry import AdapterPlugin
from polyvec_qdrant import QdrantConfig

BACKENDS = ["chroma", "memory", "milvus", "parquet", "pgvector", "pinecone", "qdrant", "weaviate"]

PACKAGE = """
from typing import Literal
from polyvec.config import StoreConfig
from polyvec.registry import AdapterPlugin

class Config(StoreConfig, frozen=True):
    backend: Literal["{backend}"] = "{backend}"
    key: str | None = None

    @classmethod
    def place_of(cls, url):
        return {{}}

    def check_complete(self):
        if self.key == "bad":
            from polyvec.errors import ConfigError
            raise ConfigError("incomplete")

PLUGIN = AdapterPlugin("{backend}", ("{backend}", "{backend}s"), Config, {module!r},
                       {extra!r}, ("{backend}_sdk", "pair.{backend}"))
WRONG = 5
"""

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give a function that lays out an installed distribution with one adapter."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])

    def install(
        backend: str,
        adapter: str | None = "",
        *,
        names: tuple[str, ...] | None = None,
        extra: str | None = None,
        distribution: str | None = None,
        attribute: str = "PLUGIN",
    ) -> str:
        distribution = distribution or f"dist-{backend}"
        package = f"registry_test_{distribution.replace('-', '_')}"
        (site / package).mkdir()
        module_name = None if adapter is None else f"{package}.adapter"
        source = PACKAGE.format(backend=backend, module=module_name, extra=extra)
        (site / package / "__init__.py").write_text(source)
        if adapter is not None:
            (site / package / "adapter.py").write_text(textwrap.dedent(adapter))
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        lines = [f"{name} = {package}:{attribute}" for name in names or (backend, f"{backend}s")]
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n" + "\n".join(lines) + "\n")
        importlib.invalidate_caches()
        return package

    yield install
    for name in list(sys.modules):
        if name.partition(".")[0] in ("shelf_sdk", "pair") or name.startswith("registry_test_"):
            del sys.modules[name]


def test_every_backend_is_registered() -> None:
    assert [plugin.backend for plugin in registry.installed()] == BACKENDS


@pytest.mark.parametrize("plugin", registry.installed(), ids=lambda plugin: plugin.backend)
def test_every_name_of_a_plugin_leads_to_it(plugin: AdapterPlugin) -> None:
    for name in (plugin.backend, *plugin.schemes):
        assert registry.plugin_for(name) is plugin


@pytest.mark.parametrize(
    "url",
    ["chroma://h", "milvus://h", "postgresql://h", "pinecone://", "qdrant://h", "weaviate://h"],
)
def test_backend_without_adapter_says_what_to_do(url: str) -> None:
    config = resolve(url)
    if registry.plugin_for(config.backend).module is not None:
        pytest.skip("the adapter has come")
    with pytest.raises(NotSupportedError) as caught:
        registry.open_adapter(config)
    message = f"no adapter yet for {config.backend!r} in polyvec {__version__}; upgrade polyvec"
    assert message in str(caught.value)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'qdrent'; did you mean 'qdrant'\?; known: chroma, mem"):
        registry.plugin_for("qdrent")


def test_third_party_plugin_is_found_by_backend_and_scheme(install: Install) -> None:
    install("shelf")
    assert registry.plugin_for("shelf") is registry.plugin_for("shelfs")
    assert {"shelf", "shelfs"} <= set(registry.known_names())
    assert "shelf" in [plugin.backend for plugin in registry.installed()]
    assert resolve("shelfs://?key=k").backend == "shelf"


def test_built_ins_need_no_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entry_points", tuple)
    assert registry.plugin_for("memory").backend == "memory"
    assert registry.plugin_for("parquet").backend == "parquet"
    assert registry.known_names() == ["memory", "parquet"]


def test_built_in_scheme_cannot_be_replaced(install: Install) -> None:
    install("shelf", names=("memory",), distribution="intruder")
    with pytest.raises(ConfigError, match=r"'memory' is claimed .*'polyvec' and 'intruder'"):
        resolve("memory://")


def test_scheme_claimed_twice_names_both_distributions(install: Install) -> None:
    install("shelf", distribution="first")
    install("shelf", distribution="second")
    with pytest.raises(ConfigError) as caught:
        registry.plugin_for("shelf")
    assert "'first'" in str(caught.value)
    assert "'second'" in str(caught.value)


def test_entry_point_that_is_no_plugin_names_its_distribution(install: Install) -> None:
    install("shelf", attribute="WRONG")
    with pytest.raises(
        ConfigError, match=r"'dist-shelf' leads to a int .*expected an AdapterPlugin"
    ):
        registry.plugin_for("shelf")


def test_entry_point_under_a_name_that_the_plugin_lacks(install: Install) -> None:
    install("shelf", names=("rack",))
    with pytest.raises(ConfigError, match="'rack' of 'dist-shelf' leads to the plug-in of 'shelf'"):
        registry.plugin_for("rack")


def test_loading_a_plugin_imports_no_adapter_module(install: Install) -> None:
    package = install("shelf", "raise AssertionError('loaded')")
    assert registry.plugin_for("shelf").module == f"{package}.adapter"
    assert f"{package}.adapter" not in sys.modules


def test_open_adapter_hands_over_the_config(install: Install) -> None:
    install("shelf", "def open_store(config): return ('opened', config)")
    config = resolve("shelf://?key=k")
    assert registry.open_adapter(config) == ("opened", config)  # type: ignore[comparison-overlap]  # a stand-in


def test_async_adapter_is_preferred_where_there_is_one(install: Install) -> None:
    install(
        "shelf",
        """
        def open_store(config): raise AssertionError
        def open_store_async(config): return ('async', config)
        """,
    )
    config = resolve("shelf://")
    assert registry.open_adapter_async(config) == ("async", config)  # type: ignore[comparison-overlap]  # a stand-in


def test_sync_adapter_runs_in_a_thread_where_there_is_no_other(install: Install) -> None:
    install(
        "shelf",
        """
        import threading
        class Shelf:
            def ping(self, *, timeout_s=None): self.thread = threading.current_thread()
            def close(self): pass
        def open_store(config): return Shelf()
        """,
    )
    adapter: Any = registry.open_adapter_async(resolve("shelf://"))
    asyncio.run(adapter.ping(timeout_s=1))
    assert adapter.thread.name != "MainThread"


@pytest.mark.parametrize("missing", ["shelf_sdk", "shelf_sdk.client", "pair.shelf", "pair"])
@pytest.mark.parametrize("when", ["import {}", "def open_store(config):\n    import {}"])
@pytest.mark.parametrize("opener", [registry.open_adapter, registry.open_adapter_async])
def test_missing_client_library_says_how_to_install_it(
    install: Install,
    tmp_path: Path,
    opener: Callable[[StoreConfig], object],
    when: str,
    missing: str,
) -> None:
    if missing == "shelf_sdk.client":  # the package is there, a part of it is not
        (tmp_path / "site" / "shelf_sdk").mkdir()
    if missing == "pair.shelf":  # a namespace shared with another distribution
        (tmp_path / "site" / "pair").mkdir()
    install("shelf", when.format(missing), extra="shelf")
    config = resolve("shelf://")
    with pytest.raises(MissingDependencyError) as caught:
        opener(config)
    assert "pip install 'polyvec[shelf]'" in str(caught.value)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.name == missing


def test_missing_client_library_of_a_plugin_without_extra(install: Install) -> None:
    install("shelf", "import shelf_sdk")
    with pytest.raises(MissingDependencyError, match="'shelf_sdk', which is not installed: inst"):
        registry.open_adapter(resolve("shelf://"))


@pytest.mark.parametrize("missing", ["polyvec.nosuch", "shelf_sdk_extra", "pair_shelf"])
def test_any_other_missing_module_is_a_bug_and_passes(install: Install, missing: str) -> None:
    install("shelf", f"import {missing}", extra="shelf")
    with pytest.raises(ModuleNotFoundError) as caught:
        registry.open_adapter(resolve("shelf://"))
    assert not isinstance(caught.value, MissingDependencyError)
    assert caught.value.name == missing


def test_incomplete_config_is_refused_before_the_adapter_is_loaded(install: Install) -> None:
    install("shelf", "raise AssertionError('loaded')")
    with pytest.raises(ConfigError, match="incomplete"):
        registry.open_adapter(resolve("shelf://?key=bad"))


def test_config_of_another_class_is_refused() -> None:
    class Other(StoreConfig, frozen=True):
        backend: str = "qdrant"

    with pytest.raises(ConfigError, match="Other, expected QdrantConfig"):
        registry.open_adapter(Other())


def test_open_memory() -> None:
    adapter = registry.open_adapter(MemoryConfig())
    assert adapter.capabilities.store == "memory"
    adapter.close()


def test_subclass_of_a_config_is_fine() -> None:
    class Mine(MemoryConfig, frozen=True):
        pass

    registry.open_adapter(Mine()).close()
    assert isinstance(QdrantConfig(host="h"), StoreConfig)
