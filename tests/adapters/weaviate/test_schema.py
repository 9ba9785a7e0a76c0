"""Collections and properties as Weaviate is asked for them, without a server."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from weaviate.classes.config import DataType, VectorDistances

from polyvec import HNSW, IVF, Flat, Metric, NotSupportedError
from polyvec._wording import refuse_newer
from polyvec.schema import CollectionSpec
from polyvec_weaviate import _columns, _names, _schema

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True)


@pytest.mark.laws
@given(NAMES)
@example("docs")
@example("Docs")
@example("d-o_c_S")
@example("a__a-_A")
def test_a_name_comes_back_and_is_legal(name: str) -> None:
    theirs = _names.encode(name)
    assert _names.is_legal(theirs)
    assert _names.decode(theirs) == name


@pytest.mark.laws
@given(NAMES, NAMES)
def test_names_differ_without_case(one: str, other: str) -> None:
    same = _names.encode(one).lower() == _names.encode(other).lower()
    assert same == (one == other)


@pytest.mark.parametrize("name", ["Articles", "Polyvec_A", "Polyvec_x_", "Polyvec_a_b_q"])
def test_a_name_that_was_never_encoded(name: str) -> None:
    found = _names.decode(name)
    assert found is None or _names.encode(found) == name


def spec(**settings: Any) -> CollectionSpec:
    return CollectionSpec(name="docs", dimension=3, **settings)


@pytest.mark.parametrize(
    ("metric", "distance"),
    [
        (Metric.COSINE, VectorDistances.COSINE),
        (Metric.DOT, VectorDistances.DOT),
        (Metric.EUCLIDEAN, VectorDistances.L2_SQUARED),
    ],
    ids=str,
)
def test_creation(metric: Metric, distance: VectorDistances) -> None:
    made = _schema.creation_of(
        spec(metric=metric, index=HNSW(m=8, ef_construction=50, ef_search=70)), "Polyvec_docs"
    )
    marker = _schema.marker_of(made["description"])
    assert marker is not None
    assert (marker["name"], marker["dimension"], marker["metric"]) == ("docs", 3, metric.value)
    index = made["vector_config"].vectorIndexConfig
    assert index.distance is distance
    assert (index.maxConnections, index.efConstruction, index.ef) == (8, 50, 70)
    assert f"_polyvec_in_{marker['number']}" in {each.name for each in made["properties"]}


def test_two_collections_have_two_numbers() -> None:
    one, other = (_schema.creation_of(spec(), "Polyvec_docs")["description"] for _ in range(2))
    assert json.loads(one)["polyvec"]["number"] != json.loads(other)["polyvec"]["number"]


def test_index_kinds() -> None:
    flat = _schema.creation_of(spec(index=Flat()), "Polyvec_docs")["vector_config"]
    assert flat.vectorIndexConfig.vector_index_type() == "flat"
    wish = _schema.creation_of(spec(index=IVF(best_effort=True)), "Polyvec_docs")["vector_config"]
    assert wish.vectorIndexConfig.vector_index_type() == "hnsw"
    with pytest.raises(NotSupportedError, match="no ivf index"):
        _schema.creation_of(spec(index=IVF()), "Polyvec_docs")


def test_known_fields_get_properties_at_once() -> None:
    fields: dict[str, Any] = {"price": float, "author.name": str, "at": datetime, "Price": int}
    made = _schema.creation_of(spec(index_fields=fields), "Polyvec_docs")["properties"]
    named = {each.name: each.dataType for each in made if not each.name.startswith("_polyvec")}
    assert named == {
        "price": DataType.NUMBER,
        "author__name": DataType.TEXT,
        "at": DataType.DATE,
    }
    rest = [each for each in made if each.name.startswith("_polyvec_n_")]
    assert [json.loads(each.description)["path"] for each in rest] == [["Price"]]


@pytest.mark.parametrize(
    ("path", "kind", "first"),
    [
        (("category",), "s", "category"),
        (("author", "name"), "s", "author__name"),
        (("tags",), "ls", "tags"),
    ],
)
def test_a_property_is_named_after_its_field(path: Any, kind: str, first: str) -> None:
    assert _columns.names_for((path, kind))[0] == first


@pytest.mark.parametrize(
    "key", ["Category", "id", "vector", "a b", "é", "a-b", "_polyvec", "x_nullState", "k" * 201, ""]
)
def test_a_property_of_an_impossible_name(key: str) -> None:
    (name,) = _columns.names_for(((key,), "n"))
    assert name.startswith("_polyvec_n_")
    assert _columns.names_for(((key,), "lb")) == []


def test_fields_that_would_share_a_name_do_not() -> None:
    one, other = _columns.names_for((("a", "b"), "s")), _columns.names_for((("a__b",), "s"))
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_the_schema_tells_the_fields() -> None:
    columns: list[Any] = [(("a.b", "c"), "s"), (("n",), "n"), (("tags",), "ld")]
    made = [_columns.property_for(each, _columns.names_for(each)[0]) for each in columns]
    read = [
        SimpleNamespace(name=each.name, description=each.description, data_type=each.dataType)
        for each in made
    ]
    assert list(_columns.columns_of(read)) == columns
    read[1].data_type = DataType.TEXT  # another writer's type won
    assert list(_columns.columns_of(read)) == [columns[0], columns[2]]


@pytest.mark.parametrize(
    ("claims", "kind", "expected"),
    [
        ({}, "n", "price"),
        ({"price": "ranged"}, "n", "price"),
        ({"price": "ranged"}, "d", "price"),
        ({"price": "plain"}, "s", "price"),
        ({"price": "plain"}, "n", "_polyvec_n_"),
        ({"price": "ranged"}, "s", "_polyvec_s_"),
        ({"price": "ranged"}, "lb", None),
    ],
)
def test_a_name_that_is_claimed_for_others(
    claims: dict[str, str], kind: str, expected: str | None
) -> None:
    layout = _schema.Layout(ours=True, name="C", claims=claims)
    found = layout.free_name((("price",), kind))
    assert (found or "")[:11] == (expected or "")
    assert found is None or layout.is_claimed(found) == bool(claims)


def test_the_schema_tells_the_claims() -> None:
    column: Any = (("authorName",), "n")
    made = _columns.claim_for(column, "authorName")
    read = [SimpleNamespace(name=made.name, description=made.description)]
    assert _columns.claims_of(read) == {"authorname": "ranged"}
    layout = _schema.Layout(ours=True, name="C", claims=_columns.claims_of(read))
    assert layout.free_name(column) == "authorName"


def test_a_newer_layout_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="upgrade polyvec"):
        refuse_newer("docs", 2, _schema.LAYOUT_VERSION)


@pytest.mark.parametrize(
    ("kind", "quantizer", "expected"),
    [("hnsw", None, 20_000), ("hnsw", "bq", 0), ("flat", None, None), ("dynamic", None, 0)],
)
def test_how_much_is_compared_exactly(kind: str, quantizer: Any, expected: int | None) -> None:
    settings = SimpleNamespace(
        quantizer=quantizer, flat_search_cutoff=40_000, vector_index_type=lambda: kind
    )
    assert _schema.exact_of(settings) == expected


@pytest.mark.parametrize("params", [None, HNSW(), HNSW(ef_search=9, best_effort=True)], ids=repr)
def test_a_search_without_settings(params: Any) -> None:
    assert _schema.check_search(params) is False


def test_a_search_with_settings() -> None:
    assert _schema.check_search(Flat()) is True
    with pytest.raises(NotSupportedError, match="no settings for one search"):
        _schema.check_search(HNSW(ef_search=9))
