"""Names, markers, indexes and cursors."""

from __future__ import annotations

from typing import Any

import pytest

from polyvec import HNSW, IVF, Flat, InvalidRequestError, NativeLayout, NotSupportedError
from polyvec._wording import refuse_newer
from polyvec.schema import CollectionSpec
from polyvec.types import Metric
from polyvec_chroma import _schema
from polyvec_chroma._keys import SPACE, Position, cuts, first_width, key_of, next_width

LAYOUT = _schema.Layout("an-id", "articles", ours=True, mixed=False, configuration={})


@pytest.mark.parametrize("name", ["a", "ab", "abc", "a_", "a-", "A" * 63, "a" * 62 + "-"])
def test_names_round_trip(name: str) -> None:
    theirs = _schema.server_name(name)
    assert theirs is not None
    assert len(theirs) >= 3
    assert theirs[-1].isalnum()
    marked = _schema.collection_metadata(CollectionSpec(name, 3))
    assert _schema.own_name(theirs, marked) == name


@pytest.mark.parametrize("name", ["' OR 1=1 --", "", "../x", "é", "a b", "x" * 600, ".."])
def test_names_that_chroma_cannot_have(name: str) -> None:
    assert _schema.server_name(name) is None


def test_a_name_of_others_stays() -> None:
    assert _schema.server_name("my.docs.polyvec") == "my.docs.polyvec"
    assert _schema.own_name("my.docs.polyvec", {"topic": "x"}) == "my.docs.polyvec"
    assert _schema.own_name("docs", None) == "docs"


def test_namespaces_have_names_of_their_own() -> None:
    spaces = ["a", "A", "a ", "é", "e\u0301", "n" * 256, "'; --", "/", "a/b", "..", "\x01"]
    names = [_schema.namespace_name(LAYOUT, space) for space in spaces]
    assert len({name.casefold() for name in names}) == len(spaces)
    for name in names:
        assert _schema.server_name(name) == name
        assert ".." not in name
    assert names[0].startswith("articles.a."), "readable for people with Chroma's own tools"
    other = _schema.Layout("another", "articles", ours=True, mixed=False, configuration={})
    assert _schema.namespace_name(other, "a") != names[0], "a new collection starts empty"


def test_the_collection_of_a_namespace_is_not_listed() -> None:
    assert _schema.own_name("x", _schema.namespace_metadata(LAYOUT, "t")) is None


@pytest.mark.parametrize(
    "metadata", [None, {}, {"polyvec": 1}, {"polyvec": "{"}, {"polyvec": "[]"}]
)
def test_what_is_no_marker(metadata: Any) -> None:
    assert _schema.marker_of(metadata) is None


def test_a_newer_layout_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="upgrade polyvec"):
        refuse_newer("articles", 2, _schema.LAYOUT_VERSION)


def test_index_settings_are_passed_on() -> None:
    spec = CollectionSpec("a", 3, Metric.DOT, HNSW(m=8, ef_search=70))
    made = _schema.configuration_of(spec)
    assert made["hnsw"] == {"space": "ip", "max_neighbors": 8, "ef_search": 70}
    told = {"hnsw": {"max_neighbors": 8, "ef_construction": 100, "ef_search": 70}}
    assert _schema.index_of(told) == HNSW(m=8, ef_construction=100, ef_search=70)
    assert _schema.index_of({"spann": {"space": "l2"}}) is None


@pytest.mark.parametrize("index", [Flat(), IVF(lists=4)])
def test_other_indexes_are_refused_unless_wished(index: Any) -> None:
    with pytest.raises(NotSupportedError, match=index.kind):
        _schema.configuration_of(CollectionSpec("a", 3, Metric.DOT, index))
    wished = type(index)(best_effort=True)
    _schema.configuration_of(CollectionSpec("a", 3, Metric.DOT, wished))


def test_settings_of_one_search_are_refused_unless_wished() -> None:
    with pytest.raises(NotSupportedError, match="exact=True"):
        _schema.check_params(HNSW(ef_search=100))
    _schema.check_params(HNSW(ef_search=100, best_effort=True))
    _schema.check_params(None)


@pytest.mark.parametrize("role", ["id", "vector", "text", "namespace"])
def test_roles_that_chroma_does_not_have(role: str) -> None:
    with pytest.raises(NotSupportedError, match=role):
        _schema.check_native(NativeLayout(**{role: "x"}), "docs")  # type: ignore[arg-type]  # a role is a str
    _schema.check_native(NativeLayout(dimension=3, metric=Metric.DOT), "docs")


def test_the_space_is_found_wherever_it_stands() -> None:
    assert _schema.metric_of({"hnsw": {"space": "ip"}}, None) is Metric.DOT
    assert _schema.metric_of({"hnsw": None}, {"hnsw:space": "cosine"}) is Metric.COSINE
    assert _schema.metric_of({}, None) is Metric.EUCLIDEAN


POSITIONS = [
    Position(),
    Position(True, 2**61, "a.b.c", 17),
    Position(True, 5, "", SPACE),
    Position(False, record_id=""),
    Position(False, record_id="token.an.id"),
]


@pytest.mark.parametrize("position", POSITIONS)
def test_cursors_round_trip(position: Position) -> None:
    assert position.cursor
    assert Position.parse(position.cursor) == position


@pytest.mark.parametrize("cursor", ["", "x", "k.1", "k.1.zz.a", "q.1.1.a"])
def test_cursors_of_others_are_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequestError, match="start anew"):
        Position.parse(cursor)


def test_keys_are_spread_and_fixed() -> None:
    keys = [key_of(f"r{at}") for at in range(4_000)]
    assert all(0 <= key < SPACE for key in keys)
    quarters = [
        sum(SPACE * at // 4 <= key < SPACE * (at + 1) // 4 for key in keys) for at in (0, 3)
    ]
    assert all(850 < count < 1_150 for count in quarters)
    assert key_of("r1") == 2375475643624877900, "a stored key must be found by later versions"


def test_widths_reach_the_end_for_any_page() -> None:
    for limit in (1, 2, 7, 1_000):
        width = first_width(10_000, limit)
        for found in (0, 0, 1, limit, 5 * limit, 0):
            width = next_width(width, found, limit)
            assert 1 <= width <= SPACE
    assert first_width(10, 1_000) == SPACE
    assert next_width(8, 0, 1) > 8
    assert next_width(8, 1, 1) > 8
    assert next_width(1_000, 1_000, 100) < 200


def test_cuts_are_even() -> None:
    assert cuts(1) == []
    assert cuts(4) == [SPACE // 4, SPACE // 2, 3 * SPACE // 4]
