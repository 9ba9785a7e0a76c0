"""URLs, fields and targets become configurations; every mistake is a `ConfigError`."""

from __future__ import annotations

import os
import pickle
import traceback
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from polyvec.config import StoreConfig, build, from_url, resolve
from polyvec.errors import ConfigError
from polyvec.memory._config import MemoryConfig
from polyvec.options import MASK
from polyvec.schema import NativeLayout
from polyvec.types import Metric
from polyvec_chroma import ChromaConfig
from polyvec_milvus import MilvusConfig
from polyvec_pgvector import PgvectorConfig
from polyvec_pinecone import PineconeConfig
from polyvec_qdrant import QdrantConfig
from polyvec_weaviate import WeaviateConfig

HERE = Path.cwd()

# Every form of a URL, and the fields it sets; all others have their defaults.
FORMS: list[tuple[str, str, dict[str, Any]]] = [
    ("memory://", "memory", {"dir": None}),
    ("memory:///dir", "memory", {"dir": Path("/dir")}),
    ("memory:///my%20dir/sub/", "memory", {"dir": Path("/my dir/sub")}),
    ("memory:./dir", "memory", {"dir": HERE / "dir"}),
    ("memory:../dir", "memory", {"dir": HERE / "../dir"}),
    ("MEMORY:.", "memory", {"dir": HERE}),
    ("parquet:///dir", "parquet", {"dir": Path("/dir")}),
    ("parquet:./dir", "parquet", {"dir": HERE / "dir"}),
    ("chroma:///dir", "chroma", {"dir": Path("/dir"), "in_memory": False, "host": None}),
    ("chroma:./dir", "chroma", {"dir": HERE / "dir"}),
    ("chroma:///:memory:", "chroma", {"in_memory": True, "dir": None, "host": None}),
    ("chroma:///%3Amemory%3A", "chroma", {"in_memory": True}),
    ("chroma://host:8000", "chroma", {"host": "host", "port": 8000, "tls": False}),
    ("chroma://host", "chroma", {"port": 8000}),
    ("chroma://[::1]:9000/?tls=true", "chroma", {"host": "::1", "port": 9000, "tls": True}),
    (
        "chroma://me:p%40ss@host?tenant=t&database=d",
        "chroma",
        {"user": "me", "password": "p@ss", "tenant": "t", "database": "d"},
    ),
    ("chroma://host?api_key=k", "chroma", {"api_key": "k"}),
    ("chroma:///dir?tenant=t", "chroma", {"tenant": "t"}),
    (
        "qdrant://host:6333?grpc_port=6334",
        "qdrant",
        {"host": "host", "port": 6333, "grpc_port": 6334, "tls": False, "prefix": None},
    ),
    ("qdrant://host", "qdrant", {"port": 6333, "grpc_port": None}),
    ("qdrant:///dir", "qdrant", {"dir": Path("/dir")}),
    ("qdrant:./dir", "qdrant", {"dir": HERE / "dir"}),
    ("qdrant:///:memory:", "qdrant", {"in_memory": True}),
    ("qdrant://h:443/a/b/?tls=true", "qdrant", {"port": 443, "tls": True, "prefix": "a/b"}),
    ("qdrant://h?api_key=a%26b%2Bc", "qdrant", {"api_key": "a&b+c"}),
    (
        "weaviate://host:8080?grpc_port=50051",
        "weaviate",
        {"host": "host", "port": 8080, "grpc_port": 50051, "grpc_host": None, "tls": False},
    ),
    ("weaviate://host", "weaviate", {"port": 8080, "grpc_port": 50051}),
    (
        "weaviate://h:443?tls=true&grpc_host=grpc.h&grpc_port=443&api_key=k",
        "weaviate",
        {"port": 443, "grpc_host": "grpc.h", "grpc_port": 443, "tls": True, "api_key": "k"},
    ),
    (
        "milvus://host:19530/db",
        "milvus",
        {"host": "host", "port": 19530, "database": "db", "file": None, "token": None},
    ),
    ("milvus://host", "milvus", {"port": 19530, "database": None}),
    ("milvus:///file.db", "milvus", {"file": Path("/file.db"), "host": None}),
    ("milvus:./sub/file.db", "milvus", {"file": HERE / "sub/file.db"}),
    ("milvus://root:Milvus@host/", "milvus", {"user": "root", "password": "Milvus"}),
    ("milvus://host?token=a:b&tls=true", "milvus", {"token": "a:b", "tls": True}),
    ("milvus://host?default_index=auto", "milvus", {"default_index": "auto"}),
    ("postgresql://", "pgvector", {"host": None, "password": None, "schema_name": "public"}),
    (
        "postgresql://me:p%2Fw@host:5433/db?schema=s",
        "pgvector",
        {
            "user": "me",
            "password": "p/w",
            "host": "host",
            "port": "5433",
            "dbname": "db",
            "schema_name": "s",
        },
    ),
    ("postgres://host/db", "pgvector", {"host": "host", "dbname": "db", "port": None}),
    ("pgvector://host/db", "pgvector", {"host": "host"}),
    ("postgresql:///db?host=/run/pg", "pgvector", {"host": "/run/pg", "dbname": "db"}),
    ("postgresql://postgres:@/postgres?host=/d", "pgvector", {"host": "/d", "password": None}),
    ("postgresql://%2Frun%2Fpg/db", "pgvector", {"host": "/run/pg"}),
    ("postgresql://a:1,b:2,[::1]/db", "pgvector", {"host": "a,b,::1", "port": "1,2,"}),
    (
        "postgresql://h/db?sslmode=verify-full&options=-c%20x%3D1&sslpassword=p",
        "pgvector",
        {"parameters": {"sslmode": "verify-full", "options": "-c x=1", "sslpassword": "p"}},
    ),
    (
        "pinecone://?cloud=gcp&region=europe-west4",
        "pinecone",
        {"cloud": "gcp", "region": "europe-west4", "host": None, "tls": True, "grpc": False},
    ),
    ("pinecone://", "pinecone", {"cloud": "aws", "region": "us-east-1"}),
    ("pinecone://?api_key=k&grpc=true", "pinecone", {"api_key": "k", "grpc": True}),
    (
        "pinecone://127.0.0.1:5080?tls=false",
        "pinecone",
        {"host": "127.0.0.1", "port": 5080, "tls": False},
    ),
    (
        "memory://?timeout_s=1.5&max_concurrency=2&max_attempts=1&max_metadata_bytes=100",
        "memory",
        {"timeout_s": 1.5, "max_concurrency": 2, "max_attempts": 1, "max_metadata_bytes": 100},
    ),
    ("memory://?timeout_s=30", "memory", {"timeout_s": 30.0}),
    (
        "qdrant://h?native.articles.id=doc_no&native.articles.vector=emb&native.a.b%2Ec.text=t",
        "qdrant",
        {
            "native": {
                "articles": NativeLayout(id="doc_no", vector="emb"),
                "a.b.c": NativeLayout(text="t"),
            }
        },
    ),
    (
        "chroma:///d?native.x%2Fy.metric=dot&native.x%2Fy.dimension=3&native.x%2Fy.namespace=n",
        "chroma",
        {"native": {"x/y": NativeLayout(metric=Metric.DOT, dimension=3, namespace="n")}},
    ),
]

# URL, and what the message must say.
REFUSED: list[tuple[str, str]] = [
    ("qdrnt://h", "did you mean 'qdrant'"),
    ("nosuch://h", "known: chroma, memory"),
    ("memory://host", "takes a directory, not a host"),
    ("memory://host/dir", "'memory:///'"),
    ("memory:///", "expected a directory"),
    ("memory:///:memory:", "has no form ':memory:'"),
    ("memory:dir", "'memory:./relative/path'"),
    ("memory:", "'memory:./relative/path'"),
    ("memory://?dir=/d", "unknown option 'dir'"),
    ("memory://?max_atempts=3", "did you mean 'max_attempts'"),
    ("memory://?max_attempts=3&max_attempts=4", "'max_attempts' is given twice"),
    ("memory://?max_attempts=", "'max_attempts' has an empty value"),
    ("memory://?max_attempts=0", "max_attempts=0"),
    ("memory://?max_attempts=1.5", "max_attempts='1.5'"),
    ("memory://?max_concurrency=-1", "max_concurrency=-1"),
    ("memory://?timeout_s=0", "timeout_s=0"),
    ("memory://?timeout_s=inf", "timeout_s='inf'"),
    ("memory://?backend=qdrant", "unknown option 'backend'"),
    ("memory://?native=x", "unknown option 'native'"),
    ("memory://?native.id=x", "names no collection"),
    ("memory://?native.a.vectors=x", "unknown role 'vectors'; did you mean 'vector'"),
    ("memory://?native.a.dimension=x", "expected a whole number"),
    ("memory://?native.a.dimension=0", "at least 1"),
    ("memory://?native.a.metric=manhattan", "expected one of cosine, dot, euclidean"),
    ("memory://?native.a.id=", "empty value"),
    ("parquet://", "no directory given"),
    ("parquet://host", "not a host"),
    ("chroma://", "no place given"),
    ("chroma:///", "expected a directory"),
    ("chroma://host/path", "takes no path after the host"),
    ("chroma://a,b", "more than one host"),
    ("chroma://me@host", "one of them is missing"),
    ("chroma://me:p@/dir", "not a host"),
    ("chroma:///dir?tls=true", "tls only with a host"),
    ("chroma:///:memory:?api_key=k", "api_key only with a host"),
    ("chroma://:8000", "no host"),
    ("qdrant://", "no place given"),
    ("qdrant://h:99999", "port"),
    ("qdrant://h:http", "port"),
    ("qdrant://h?grpc_port=0", "grpc_port=0"),
    ("qdrant://h?grpc_port=70000", "grpc_port=70000"),
    ("qdrant://h?grpc_port=x", "grpc_port='x'"),
    ("qdrant://h?port=1", "unknown option 'port'"),
    ("qdrant://h?tls=yes", "tls='yes': expected 'true' or 'false'"),
    ("qdrant://h?tls=1", "expected 'true' or 'false'"),
    ("qdrant://h?api_key=", "'api_key' has an empty value"),
    ("qdrant://h?apikey=k", "did you mean 'api_key'"),
    ("qdrant://key@h", "use ?api_key="),
    ("qdrant:///dir?grpc_port=1", "grpc_port only with a host"),
    ("weaviate://", "no host"),
    ("weaviate:///dir", "takes no path"),
    ("weaviate:./dir", "takes no path"),
    ("weaviate://h/path", "takes no path"),
    ("weaviate://h:8080?grpc_port=8080", "both 8080"),
    ("weaviate://h:1?grpc_port=1&grpc_host=h", "both 1"),
    ("milvus://", "no place given"),
    ("milvus:///file", "must end in '.db'"),
    ("milvus:///:memory:", "has no form ':memory:'"),
    ("milvus://h/a/b", "one name"),
    ("milvus://root@h", "one of them is missing"),
    ("milvus://u:p@h?token=t", "user and token are both given"),
    ("milvus:///file.db?token=t", "token only with a host"),
    ("milvus://u:p@/file.db", "not a host"),
    ("postgresql:./dir", "no form without a server"),
    ("postgresql://h/db?sslmod=require", "did you mean 'sslmode'"),
    ("postgresql://h/db?sslmode=", "empty value"),
    ("postgresql://h/db?port=70000", "port"),
    ("postgresql://h/db?port=x", "port"),
    ("postgresql://h/db?schema=a&schema=b", "'schema' is given twice"),
    ("pinecone://host/path", "takes no path"),
    ("pinecone://key@", "use ?api_key="),
    ("pinecone://?environment=x", "unknown option 'environment'"),
]

SECRET_PLACES = [
    "chroma://u:{}@h",
    "chroma://h?api_key={}",
    "chroma://h?api_key={}&tenant=",
    "qdrant://h?api_key={}",
    "qdrant:///dir?api_key={}",
    "qdrant://h?api_kye={}",
    "qdrant://u:{}@h",
    "qdrant://{}@h",
    "weaviate://h:1?grpc_port=1&api_key={}",
    "milvus://u:{}@h/db",
    "milvus://h?token={}",
    "milvus://u:p@h?token={}",
    "milvus://u:{}@h/a/b",
    "postgresql://u:{}@h/db",
    "postgresql://u:{}@h:1,g:2/db?port=x",
    "postgresql://h/db?password={}",
    "postgresql://h/db?password={}&nosuch=1",
    "postgresql://h/db?sslpassword={}",
    "postgresql://h/db?options={}",
    "pinecone://?api_key={}",
    "pinecone://?api_key={}&grpc=x",
    "nosuch://u:{}@h",
]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("POLYVEC_") or name.endswith(("_API_KEY", "_TOKEN")):
            monkeypatch.delenv(name)


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, object]", value).items()}
    return value


@pytest.mark.parametrize(("text", "backend", "fields"), FORMS, ids=[form[0] for form in FORMS])
def test_every_form_of_a_url(text: str, backend: str, fields: dict[str, Any]) -> None:
    config = resolve(text)
    assert config.backend == backend
    assert {name: _plain(getattr(config, name)) for name in fields} == fields


def test_a_url_sets_nothing_but_what_it_says() -> None:
    assert resolve("qdrant://h") == QdrantConfig(host="h")
    assert resolve("memory://") == MemoryConfig()
    assert resolve("postgresql://") == PgvectorConfig()


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refused_url_says_why(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(text)
    assert message in str(caught.value)


def test_unknown_option_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"known: api_key, grpc_port, .*native\.<collection>\.id"):
        resolve("qdrant://h?x=1")


@pytest.mark.parametrize("place", SECRET_PLACES)
@settings(max_examples=50)  # in each of many places
@given(secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6))
def test_no_secret_is_shown(place: str, secret: str) -> None:
    secret = f"hunter2{secret}"
    text = place.format("".join(f"%{byte:02X}" for byte in secret.encode()))
    try:
        config = resolve(text)
    except ConfigError as exc:
        shown = "".join(traceback.format_exception(exc)) + repr((exc, exc.args, exc.__context__))
    else:
        shown = f"{config} {config!r} {config.model_dump()} {config.model_dump_json()}"
    for form in (secret, "hunter2", "%68%75%6E%74%65%72%32"):
        assert form not in shown


@given(st.text() | st.text(st.sampled_from("memory:/?#@&=%[],.1a_ \0é")).map("qdrant:".__add__))
def test_junk_is_never_more_than_a_config_error(text: str) -> None:
    try:
        config = resolve(text)
    except ConfigError:
        return
    assert isinstance(config, StoreConfig)


def test_a_config_is_returned_as_it_is() -> None:
    config = MemoryConfig(max_attempts=2)
    assert resolve(config) is config


@pytest.mark.parametrize("target", [5, b"memory://", Path("/d"), object()])
def test_other_targets_are_refused(target: Any) -> None:
    with pytest.raises(ConfigError, match=f"got an object of class {type(target).__name__}"):
        resolve(target)


@pytest.mark.parametrize(
    ("variable", "url", "field"),
    [
        ("PINECONE_API_KEY", "pinecone://", "api_key"),
        ("QDRANT_API_KEY", "qdrant://h", "api_key"),
        ("WEAVIATE_API_KEY", "weaviate://h", "api_key"),
        ("CHROMA_API_KEY", "chroma://h", "api_key"),
        ("MILVUS_TOKEN", "milvus://h", "token"),
    ],
)
def test_key_from_the_environment_unless_given(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, field: str
) -> None:
    assert getattr(resolve(url), field) is None
    monkeypatch.setenv(variable, " ")
    assert getattr(resolve(url), field) is None
    monkeypatch.setenv(variable, "hunter2")
    assert _plain(getattr(resolve(url), field)) == "hunter2"
    assert "hunter2" not in repr(resolve(url))
    query = "&" if "?" in url else "?"
    assert _plain(getattr(resolve(f"{url}{query}{field}=given"), field)) == "given"


def test_key_in_the_environment_does_not_disturb_an_embedded_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "k")
    monkeypatch.setenv("MILVUS_TOKEN", "k")
    assert isinstance(resolve("qdrant:///:memory:"), QdrantConfig)
    assert isinstance(resolve("milvus:///f.db"), MilvusConfig)
    assert isinstance(resolve("milvus://u:p@h"), MilvusConfig)


def test_pinecone_itself_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="PINECONE_API_KEY"):
        PineconeConfig().check_complete()
    PineconeConfig(api_key=SecretStr("k")).check_complete()
    PineconeConfig(host="127.0.0.1").check_complete()


def test_relative_directory_survives_a_change_of_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    config = MemoryConfig(dir=Path("d"))
    monkeypatch.chdir("/")
    assert config.dir == tmp_path / "d"


def test_libpq_parameters_are_what_psycopg_takes() -> None:
    config = resolve("postgresql://u:p@h:1/db?sslmode=require&schema=s&timeout_s=5")
    assert isinstance(config, PgvectorConfig)
    assert config.libpq_parameters() == {
        "host": "h",
        "port": "1",
        "dbname": "db",
        "user": "u",
        "password": "p",
        "sslmode": "require",
    }


def test_libpq_parameters_beside_our_fields() -> None:
    config = build({"backend": "pgvector", "port": 5433, "sslmode": "require", "schema": "s"})
    assert isinstance(config, PgvectorConfig)
    assert config.schema_name == "s"
    assert config.libpq_parameters() == {"port": "5433", "sslmode": "require"}


def test_a_model_built_by_hand_hides_its_input_too() -> None:
    with pytest.raises(ValidationError) as caught:
        QdrantConfig(host="h", api_kye="hunter2")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the mistake under test
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs 'url' or 'backend'"),
        ({"backend": 5}, "needs 'url' or 'backend'"),
        ({"backend": "nosuch"}, "no adapter is named 'nosuch'"),
        ({"backend": "qdrant", "host": "h", "port": "6333"}, "port='6333'"),
        ({"backend": "qdrant", "host": "h", "port": True}, "port=True"),
        ({"backend": "qdrant", "host": "h", "tls": 1}, "tls=1"),
        ({"backend": "qdrant", "host": ""}, "host=''"),
        ({"backend": "qdrant", "host": "h", "in_memory": True}, "got in_memory and host"),
        ({"backend": "qdrant"}, "got none of them"),
        ({"backend": "qdrant", "host": "h", "prot": 1}, "did you mean 'port'"),
        ({"backend": "qdrant", "host": "h", "url": "x"}, "unknown option 'url'"),
        ({"backend": "memory", "dir": ""}, "dir='': empty"),
        ({"backend": "memory", "native": {"a": {"ident": "x"}}}, "native.a: unknown role 'ident'"),
        ({"backend": "memory", "native": {"a": {"metric": "x"}}}, "native.a.metric"),
        ({"backend": "memory", "native": {"a": {"dimension": True}}}, "dimension"),
        ({"backend": "memory", "native": {"a": {"dimension": "3"}}}, "dimension"),
        ({"backend": "memory", "native": {"a": 5}}, "native.a"),
        ({"backend": "memory", "native": "x"}, "native"),
        ({"backend": "pgvector", "parameters": {"nosuch": "x"}}, "no parameter 'nosuch'"),
        ({"backend": "milvus", "host": "h", "file": "/f.db"}, "got both"),
        ({"backend": "parquet"}, "dir: field required"),
    ],
)
def test_refused_fields_say_why(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(fields)
    assert message in str(caught.value)


def test_a_config_is_frozen_and_can_be_pickled() -> None:
    config = from_url("qdrant://h?api_key=k")
    with pytest.raises(ValidationError):
        config.max_attempts = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # the mistake under test
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301  # our own bytes
    assert MASK in repr(config)


def test_defaults_of_classes_are_those_of_the_documentation() -> None:
    assert ChromaConfig(in_memory=True).port == 8000
    assert WeaviateConfig(host="h").grpc_port == 50051
    assert MemoryConfig().max_metadata_bytes == 40_960
