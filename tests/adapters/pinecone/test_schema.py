"""Indexes: what Pinecone is asked for and what it tells; configuration. Without a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import polyvec
from polyvec import HNSW, ConfigError, NativeLayout
from polyvec.config import from_url
from polyvec.errors import InvalidRequestError, NotSupportedError, StoreError
from polyvec.schema import CollectionSpec
from polyvec.types import Metric
from polyvec_pinecone import PineconeConfig, _schema


def spec(name: str = "docs", **more: Any) -> CollectionSpec:
    return CollectionSpec(name=name, dimension=3, metric=Metric.DOT, **more)


def model(**more: Any) -> Any:
    """Return what the client says of an index."""
    fields: dict[str, Any] = {
        "name": "docs",
        "host": "https://docs.example",
        "dimension": 3,
        "metric": "dotproduct",
        "tags": {},
        "deletion_protection": "disabled",
        "status": SimpleNamespace(ready=True, state="Ready"),
    }
    return SimpleNamespace(**{**fields, **more})


def config(url: str = "pinecone://?api_key=k") -> PineconeConfig:
    made = from_url(url)
    assert isinstance(made, PineconeConfig)
    return made


def test_what_is_created() -> None:
    url = "pinecone://?api_key=k&cloud=gcp&region=europe-west4&tags=team=a,env=b"
    asked = _schema.creation_of(spec(), config(f"{url}&deletion_protection=true"))
    number = asked["tags"].pop("polyvec-number")
    assert len(number) == 16
    assert asked == {
        "name": "docs",
        "schema": {
            "fields": {"_values": {"type": "dense_vector", "dimension": 3, "metric": "dotproduct"}}
        },
        "deployment": {
            "deployment_type": "managed",
            "cloud": "gcp",
            "region": "europe-west4",
        },
        "deletion_protection": "enabled",
        "tags": {"team": "a", "env": "b", "polyvec": "1"},
        "timeout": -1,
    }


@pytest.mark.parametrize("name", ["Docs", "docs_1", "D" * 63, "docs-"])
def test_names_come_back(name: str) -> None:
    asked = _schema.creation_of(spec(name), config())
    assert _schema.name_of(model(name=asked["name"], tags=asked["tags"])) == name


def test_an_index_setting_is_refused() -> None:
    with pytest.raises(NotSupportedError, match=r"asks for HNSW\(m=16"):
        _schema.creation_of(spec(index=HNSW(m=16)), config())
    assert _schema.creation_of(spec(index=HNSW(m=16, best_effort=True)), config())
    with pytest.raises(NotSupportedError, match="no settings for a search"):
        _schema.check_search(HNSW(ef_search=100))
    _schema.check_search(HNSW(ef_search=100, best_effort=True))


def test_ours_and_others() -> None:
    ours = _schema.opened(model(tags={"polyvec": "1", "polyvec-number": "7", "a": "b"}), None)
    assert (ours.layout_kind, ours.layout.number, ours.index) == ("polyvec", "7", None)
    assert ours.details["tags"] == {"a": "b"}
    theirs = _schema.opened(model(tags=None), NativeLayout(text="body"))
    assert (theirs.layout_kind, theirs.layout.text) == ("native", "body")


def test_what_cannot_be_opened() -> None:
    with pytest.raises(NotSupportedError, match="layout version '2', expected at most 1"):
        _schema.opened(model(tags={"polyvec": "2"}), None)
    with pytest.raises(NotSupportedError, match="has no dense vectors"):
        _schema.opened(model(dimension=None, metric=None), None)
    with pytest.raises(StoreError, match="has no host yet"):
        _schema.opened(model(host=None), None)
    with pytest.raises(InvalidRequestError, match="leave vector= out"):
        _schema.opened(model(), NativeLayout(vector="emb"))


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ("a", "tag 'a': expected key=value"),
        ("a=1,a=2", "tag 'a' is given twice"),
        ("polyvec-x=1", "reserved"),
        (",".join(f"k{at}=v" for at in range(18)), "18 tags; expected at most 17"),
    ],
)
def test_tags_that_are_refused(tags: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        from_url(f"pinecone://?api_key=k&tags={tags}")


def test_addresses() -> None:
    assert config().address() is None
    assert config("pinecone://h:5080?tls=false").address() == "http://h:5080"
    assert config("pinecone://h").address() == "https://h"
    assert config("pinecone://[::1]:80?tls=false").address() == "http://[::1]:80"


def test_grpc_is_of_the_synchronous_colour() -> None:
    with pytest.raises(ConfigError, match="synchronous form only"):
        polyvec.connect_async("pinecone://?api_key=k&grpc=true")
