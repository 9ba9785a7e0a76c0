"""Profiles from `polyvec.toml` and the environment."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from polyvec.config import resolve
from polyvec.errors import ConfigError
from polyvec.profiles import profile_names
from polyvec.schema import NativeLayout
from polyvec.types import Metric


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty project, with an empty home and no variable set."""
    for name in os.environ:
        if name.startswith("POLYVEC_") or name.endswith(("_API_KEY", "_TOKEN")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    project = tmp_path / "project"
    home.mkdir()
    project.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.chdir(project)
    return project


def write(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "polyvec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def fields(name: str | None = None) -> Any:
    return resolve(name)


def test_profile_with_a_url(project: Path) -> None:
    write(project, '[stores.prod]\nurl = "qdrant://h:1?grpc_port=2&api_key=k"\n')
    config = fields("prod")
    assert (config.backend, config.host, config.port, config.grpc_port) == ("qdrant", "h", 1, 2)
    assert config.api_key.get_secret_value() == "k"


def test_further_fields_win_over_the_url(project: Path) -> None:
    write(
        project,
        """
        [stores.prod]
        url = "qdrant://h:1?max_attempts=2&native.a.id=x"
        max_attempts = 3
        timeout_s = 1.5
        [stores.prod.native.a]
        vector = "v"
        [stores.prod.native."b.c"]
        metric = "dot"
        dimension = 3
        """,
    )
    config = fields("prod")
    assert (config.port, config.max_attempts, config.timeout_s) == (1, 3, 1.5)
    assert config.native == {
        "a": NativeLayout(id="x", vector="v"),
        "b.c": NativeLayout(metric=Metric.DOT, dimension=3),
    }


def test_profile_with_a_backend_and_fields(project: Path) -> None:
    write(
        project,
        """
        [stores.pg]
        backend = "pgvector"
        host = "h"
        port = 5433
        password = "p"
        schema = "s"
        sslmode = "require"
        """,
    )
    config = fields("pg")
    assert config.schema_name == "s"
    assert config.libpq_parameters() == {
        "host": "h",
        "port": "5433",
        "password": "p",
        "sslmode": "require",
    }


@pytest.mark.parametrize("name", ["my-store", "MY_STORE", "my_store"])
def test_case_and_hyphens_do_not_matter_in_a_name(project: Path, name: str) -> None:
    write(project, '[stores.My-Store]\nurl = "memory://"\n')
    assert fields(name).backend == "memory"


def test_relative_paths_of_a_file_start_at_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        project,
        """
        [stores.a]
        url = "memory:./data"
        [stores.b]
        backend = "memory"
        dir = "data"
        [stores.c]
        url = "memory:///data"
        [stores.d]
        url = "milvus:./x.db"
        """,
    )
    below = project / "deep" / "down"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert fields("a").dir == fields("b").dir == project / "data"
    assert fields("c").dir == Path("/data")
    assert fields("d").file == project / "x.db"


def test_relative_paths_of_the_environment_start_at_the_working_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, '[stores.a]\nurl = "memory:./data"\nmax_attempts = 2\n')
    below = project / "deep"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setenv("POLYVEC_STORES__A__DIR", "mine")
    monkeypatch.setenv("POLYVEC_STORES__B__URL", "memory:./b")
    assert (fields("a").dir, fields("a").max_attempts) == (below / "mine", 2)
    assert fields("b").dir == below / "b"


def test_nearest_file_is_the_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, '[stores.a]\nurl = "memory://"\n')
    below = project / "deep"
    write(below, '[stores.b]\nurl = "memory://"\n')
    monkeypatch.chdir(below)
    assert profile_names() == ["b"]


@pytest.mark.parametrize("variable", ["HOME", "XDG_CONFIG_HOME"])
def test_file_of_the_user(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    place = tmp_path / "home" / ".config" if variable == "HOME" else tmp_path / "xdg"
    write(place / "polyvec", '[stores.a]\nurl = "memory://"\n')
    if variable != "HOME":
        monkeypatch.setenv(variable, str(place))
    assert profile_names() == ["a"]
    write(project, "")
    assert profile_names() == [], "only one file is read"


def test_named_file_is_the_only_one(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, '[stores.a]\nurl = "memory://"\n')
    other = write(tmp_path / "other", '[stores.b]\nurl = "memory:./d"\n')
    monkeypatch.setenv("POLYVEC_CONFIG", "../other/polyvec.toml")
    assert profile_names() == ["b"]
    assert fields("b").dir.resolve() == other.parent / "d"


def test_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYVEC_CONFIG", "nosuch.toml")
    with pytest.raises(ConfigError, match=r"POLYVEC_CONFIG='nosuch.toml': no such file"):
        resolve("a")


def test_polyvec_url_is_the_default_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYVEC_URL", "memory://?max_attempts=2")
    assert fields().max_attempts == fields("default").max_attempts == 2
    monkeypatch.setenv("POLYVEC_STORES__DEFAULT__MAX_ATTEMPTS", "3")
    assert fields().max_attempts == 3
    monkeypatch.setenv("POLYVEC_STORES__DEFAULT__URL", "qdrant://h")
    with pytest.raises(ConfigError, match="POLYVEC_URL and POLYVEC_STORES__DEFAULT__URL differ"):
        resolve()


def test_nothing_configured_says_how_to() -> None:
    with pytest.raises(ConfigError, match=r"no profile 'default'; there are none .*POLYVEC_URL"):
        resolve()


def test_default_profile_of_a_file(project: Path) -> None:
    write(project, '[stores.default]\nurl = "memory://"\n')
    assert fields().backend == "memory"


def test_environment_replaces_single_fields(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, '[stores.prod]\nurl = "qdrant://h:1?tls=true&api_key=file"\nmax_attempts = 2\n')
    for field, value in {
        "TIMEOUT_S": "2.5",
        "PORT": "7",
        "TLS": "false",
        "API_KEY": "12345",
        "NATIVE__ART__ID": "doc",
        "NATIVE__ART__DIMENSION": "3",
    }.items():
        monkeypatch.setenv(f"POLYVEC_STORES__PROD__{field}", value)
    config = fields("prod")
    assert (config.host, config.port, config.tls) == ("h", 7, False)
    assert (config.max_attempts, config.timeout_s) == (2, 2.5)
    assert config.api_key.get_secret_value() == "12345"
    assert config.native == {"art": NativeLayout(id="doc", dimension=3)}


@pytest.mark.parametrize(
    "variables",
    [{"URL": "weaviate://w"}, {"BACKEND": "weaviate", "HOST": "w"}],
    ids=["url", "backend"],
)
def test_url_or_backend_in_the_environment_replaces_the_whole_profile(
    project: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    write(project, '[stores.prod]\nurl = "qdrant://h?grpc_port=1"\nmax_attempts = 2\n')
    for field, value in variables.items():
        monkeypatch.setenv(f"POLYVEC_STORES__PROD__{field}", value)
    config = fields("prod")
    assert (config.backend, config.host, config.max_attempts) == ("weaviate", "w", 5)


def test_profile_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("polyvec_stores__two__backend", "memory")
    monkeypatch.setenv("POLYVEC_STORES__TWO__MAX_CONCURRENCY", "3")
    assert fields("two").max_concurrency == 3
    assert profile_names() == ["two"]


def test_unknown_profile_lists_the_known_ones_and_where_it_looked(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("prod")
    assert f"there is no polyvec.toml from {str(project)!r} upwards" in str(caught.value)
    path = write(project, '[stores.prod]\nurl = "memory://"\n')
    monkeypatch.setenv("POLYVEC_STORES__DEV__URL", "memory://")
    with pytest.raises(ConfigError) as caught:
        resolve("pord")
    assert "no profile 'pord'; did you mean 'prod'?; known: dev, prod" in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stores.prod\n", "at line 1"),
        ("[store.prod]\nurl='memory://'", "'store'; did you mean 'stores'"),
        ("stores = 5", "'stores' is not a table"),
        ("[stores]\nprod = 'memory://'", "'prod' is not a table"),
        ("[stores.prod]", "needs 'url' or 'backend'"),
        ("[stores.prod]\nhost = 'h'", "needs 'url' or 'backend'"),
        ("[stores.prod]\nurl = 'other'", "'url' is not a URL"),
        ("[stores.prod]\nurl = 5", "'url' is not a URL"),
        ("[stores.prod]\nurl = 'nosuch://h'", "profile 'prod' in "),
        ("[stores.prod]\nurl = 'qdrant://h'\nbackend = 'chroma'", "is not that of its URL"),
        ("[stores.prod]\nurl = 'qdrant://h'\nprot = 1", "did you mean 'port'"),
        ("[stores.prod]\nurl = 'qdrant://h'\nport = '1'", "profile 'prod': port='1'"),
        ("[stores.prod]\nbackend = 'nosuch'", "no adapter is named 'nosuch'"),
        ("[stores.'a b']\nurl = 'memory://'", "letters, digits"),
        ("[stores.prod]\n[stores.PROD]", "is there twice"),
        ("[stores.prod]\nurl='memory://'\n[stores.prod.native.a]\nidd='x'", "unknown role 'idd'"),
    ],
)
def test_mistakes_in_a_file(project: Path, text: str, message: str) -> None:
    write(project, text)
    with pytest.raises(ConfigError) as caught:
        resolve("prod")
    assert message in str(caught.value)


def test_file_that_is_not_text(project: Path) -> None:
    (project / "polyvec.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        resolve("prod")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"STORES__PROD": "qdrant://u:hunter2@h"}, "POLYVEC_STORES__<PROFILE>__URL"),
        ({"STORES": "hunter2"}, "POLYVEC_STORES__<PROFILE>__URL"),
        ({"STORES": '{"prod": "hunter2"}'}, "POLYVEC_STORES__<PROFILE>__URL"),
        ({"STORES__PROD__URL": "hunter2"}, "in the environment: 'url' is not a URL"),
        ({"STORES__PROD__URL": "milvus://u:hunter2@h?tls=x"}, "tls='x'"),
        ({"STORES__PROD__URL": "milvus://u:hunter2@h", "STORES__PROD__PORT": "x"}, "port='x'"),
        ({"STORES__PROD__URL": "qdrant://h?api_key=hunter2&x=1"}, "unknown option 'x'"),
        ({"STORES__PROD__URL": "qdrant://h", "STORES__PROD__API_KYE": "hunter2"}, "'api_key'"),
        ({"STORES__PROD__API_KEY": "hunter2"}, "needs 'url' or 'backend'"),
    ],
)
def test_mistakes_in_the_environment_show_no_secret(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"POLYVEC_{name}", value)
    with pytest.raises(ConfigError) as caught:
        resolve("prod")
    assert message in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_secret_of_a_file_is_not_shown(project: Path) -> None:
    write(project, '[stores.prod]\nurl = "milvus://u:hunter2@h?tls=x"\n')
    with pytest.raises(ConfigError) as caught:
        resolve("prod")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    write(project, '[stores.prod]\nurl = "qdrant://h"\napi_key = "hunter2"\n')
    assert "hunter2" not in repr(resolve("prod"))


def test_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ConfigError, match="no profile 'a'"):
        resolve("a")


def test_working_directory_that_is_gone(project: Path) -> None:
    project.rmdir()
    with pytest.raises(ConfigError, match="working directory does not exist"):
        resolve("a")
    with pytest.raises(ConfigError, match="working directory that does not exist"):
        resolve("memory:./d")
    assert fields("memory:///d").dir == Path("/d")
