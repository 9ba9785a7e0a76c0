"""Names, markers, indexes, ranges and what is refused; no server."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from polyvec import HNSW, IVF, Flat, InvalidRecordError, NotSupportedError
from polyvec.primitives import KeyRange, OpenedCollection, Target
from polyvec.records import RecordBatch
from polyvec.schema import CollectionSpec
from polyvec.types import Metric
from polyvec_milvus import _checks, _requests, _schema
from polyvec_milvus._freshness import Freshness
from polyvec_milvus._schema import Layout

OURS = Layout("articles", 1, ours=True, server=True, kind="FLAT")


def target(namespace: str = "", metric: Metric = Metric.COSINE, dimension: int = 2) -> Target:
    opened = OpenedCollection("articles", dimension, metric, Flat(), "polyvec", OURS, {})
    return Target(opened, namespace)


def batch(*vectors: list[float], metadata: dict[str, Any] | None = None) -> RecordBatch:
    ids = [f"r{at}" for at in range(len(vectors))]
    items = [metadata or {} for _ in vectors]
    texts: list[str | None] = [None] * len(ids)
    return RecordBatch(ids, np.array(vectors, np.float32), items, texts)


@pytest.mark.parametrize(
    "name", ["a", "A_b", "a-b", "a_-_", "polyvec__x", "polyvec__a-b", "z" * 63]
)
def test_names_round_trip(name: str) -> None:
    theirs = _schema.physical(name)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", theirs)
    assert _schema.logical(theirs) == name


def test_names_do_not_meet() -> None:
    names = ["a-b", "a_b", "a__b", "a-_b", "a_-b", "polyvec__a_db", "polyvec__a_ub", "A-b"]
    assert len({_schema.physical(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["docs", "_docs", "polyvec__", "polyvec__a_b", "polyvec__a_x"])
def test_a_name_of_others_stays(name: str) -> None:
    assert _schema.logical(name) == name
    assert name in _schema.spellings(name)


def test_the_spelling_of_ours_is_no_name_of_others() -> None:
    theirs = _schema.physical("a-b")
    assert _schema.spellings("a-b") == [theirs]
    assert theirs not in _schema.spellings(theirs)


@pytest.mark.parametrize("name", ["' or 1 == 1", "", "../x", "é", "a b", "a.b", "x" * 300, "1x"])
def test_names_that_milvus_cannot_have(name: str) -> None:
    assert _schema.spellings(name) == []


def described(spec: CollectionSpec, **changed: Any) -> dict[str, Any]:
    """Return what a server would tell of a new collection."""
    schema = _schema.schema_for(spec).to_dict()
    return {"fields": schema["fields"], "description": schema["description"], **changed}


def test_the_fields_are_the_marker() -> None:
    made = described(CollectionSpec("a", 3))
    assert [one["name"] for one in made["fields"]] == [
        *("pk", "ns", "vector", "meta", "text", "_polyvec_v1")
    ]
    assert _schema.is_ours(made, "a")
    more = [*made["fields"], {"name": "extra"}]
    assert not _schema.is_ours({"fields": more}, "a")
    assert not _schema.is_ours({"fields": [{"name": "pk"}, {"name": "vector"}]}, "a")


def test_a_newer_layout_is_refused() -> None:
    fields = [{"name": "pk"}, {"name": "_polyvec_v2"}]
    with pytest.raises(NotSupportedError, match=r"layout version 2, expected 1; upgrade polyvec"):
        _schema.is_ours({"fields": fields}, "articles")


@pytest.mark.parametrize(
    ("index", "kind", "params"),
    [
        (None, "FLAT", {}),
        (Flat(), "FLAT", {}),
        (HNSW(), "HNSW", {"M": 16, "efConstruction": 200}),
        (HNSW(m=8, ef_construction=77, ef_search=33), "HNSW", {"M": 8, "efConstruction": 77}),
        (IVF(), "IVF_FLAT", {"nlist": 128}),
        (IVF(lists=4, probes=3), "IVF_FLAT", {"nlist": 4}),
    ],
    ids=repr,
)
def test_an_index_goes_out_and_comes_back(index: Any, kind: str, params: dict[str, int]) -> None:
    spec = CollectionSpec("a", 3, Metric.DOT, index)
    (made,) = _schema.index_for(spec, True, "FLAT")
    sent = made.to_dict()
    assert (sent["index_type"], sent["metric_type"]) == (kind, "IP")
    assert {name: sent.get(name, sent.get("params", {}).get(name)) for name in params} == params
    effort = _schema.marked_effort(described(spec))
    found = _schema.index_of({"index_type": kind, **{k: str(v) for k, v in params.items()}}, effort)
    if index is None or isinstance(index, Flat):
        assert found == Flat()
    elif isinstance(index, HNSW):
        assert found == HNSW(params["M"], params["efConstruction"], index.ef_search)
    else:
        assert found == IVF(params["nlist"], index.probes)


def test_the_default_may_be_the_servers_choice() -> None:
    (made,) = _schema.index_for(CollectionSpec("a", 3), True, "AUTOINDEX")
    assert made.to_dict()["index_type"] == "AUTOINDEX"
    (made,) = _schema.index_for(CollectionSpec("a", 3, index=Flat()), True, "AUTOINDEX")
    assert made.to_dict()["index_type"] == "FLAT"
    assert _schema.index_of({"index_type": "AUTOINDEX"}, None) is None


@pytest.mark.parametrize("index", [HNSW(), IVF(lists=4)])
def test_milvus_lite_compares_only(index: Any) -> None:
    with pytest.raises(NotSupportedError, match=f"no {index.kind} index"):
        _schema.index_for(CollectionSpec("a", 3, index=index), False, "FLAT")
    wished = type(index)(best_effort=True)
    (made,) = _schema.index_for(CollectionSpec("a", 3, index=wished), False, "FLAT")
    assert made.to_dict()["index_type"] == "FLAT"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"polyvec": 1}', '{"polyvec": {"effort": "x"}}'])
def test_what_is_no_marker_of_effort(text: str) -> None:
    assert _schema.marked_effort({"description": text}) is None


@pytest.mark.parametrize(
    ("kind", "effort", "params", "k", "settings"),
    [
        ("FLAT", None, None, 10, {}),
        ("FLAT", None, HNSW(ef_search=50), 10, {}),
        ("HNSW", None, None, 10, {"ef": 100}),
        ("HNSW", 40, None, 10, {"ef": 40}),
        ("HNSW", 40, None, 60, {"ef": 60}),
        ("HNSW", 40, HNSW(ef_search=50), 10, {"ef": 50}),
        ("HNSW", 40, IVF(probes=3, best_effort=True), 10, {"ef": 40}),
        ("IVF_FLAT", None, None, 10, {"nprobe": 16}),
        ("IVF_FLAT", 2, IVF(probes=3), 10, {"nprobe": 3}),
        ("AUTOINDEX", None, None, 10, {}),
    ],
)
def test_settings_of_a_search(
    kind: str, effort: int | None, params: Any, k: int, settings: dict[str, int]
) -> None:
    layout = Layout("a", 1, ours=True, server=True, kind=kind, effort=effort)
    found = _schema.search_params(params, layout, Metric.EUCLIDEAN, k)
    assert found == {"metric_type": "L2", "params": settings}


@pytest.mark.parametrize(
    ("kind", "params"),
    [("HNSW", HNSW(m=3)), ("HNSW", IVF(probes=1)), ("IVF_FLAT", HNSW(ef_search=9))],
)
def test_settings_a_search_cannot_have(kind: str, params: Any) -> None:
    layout = Layout("a", 1, ours=True, server=True, kind=kind)
    with pytest.raises(NotSupportedError, match="best_effort=True"):
        _schema.search_params(params, layout, Metric.DOT, 10)


def test_pages_are_keysets_of_one_namespace() -> None:
    assert _requests.page(target("a/b"), None, None, None) == 'ns == "a/b"'
    span = KeyRange('x"', "y")
    assert _requests.page(target("a/b"), 'meta["n"] < 3', span, "x1") == (
        'ns == "a/b" and meta["n"] < 3 and pk > "a%2Fb/x1" and pk >= "a%2Fb/x\\"" and '
        'pk < "a%2Fb/y"'
    )


def test_ids_are_never_pasted() -> None:
    assert _requests.keys(target(), ['x"] or pk not in ["']) == (
        'pk in ["/x\\"] or pk not in [\\""]'
    )


def test_vectors_beyond_float32_squares_are_refused() -> None:
    _checks.check_batch(target(metric=Metric.DOT), batch([1e17, 0]))
    with pytest.raises(InvalidRecordError, match="'r1': its vector has length 1e"):
        _checks.check_batch(target(metric=Metric.EUCLIDEAN), batch([1, 0], [1e19, 0]))
    _checks.check_batch(target(metric=Metric.COSINE), batch([1e30, 0]))


def test_a_long_vector_of_odd_length_has_no_room_beside() -> None:
    wide = [1e-20] * 8_000
    with pytest.raises(InvalidRecordError, match="8000 numbers"):
        _checks.check_batch(target(dimension=8_000), batch(wide))
    _checks.check_batch(target(dimension=8_000), batch([1.0] * 8_000))


def test_a_record_without_a_vector_is_refused() -> None:
    from dataclasses import replace

    some = replace(batch([1, 0], [0, 0]), present=np.array([True, False]))
    with pytest.raises(NotSupportedError, match="record 'r1' has no vector"):
        _checks.check_batch(target(), some)


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({"text": "x" * 70_000}, "metadata"),
        ({"at": [datetime(2024, 1, 1, tzinfo=UTC)] * 3_000}, "metadata"),
        ({f"{n:05}" + "k" * 30: None if n % 2 else 1 for n in range(3_000)}, "metadata"),
        ({f"k{n}": {f"m{m}": 1 for m in range(60)} for n in range(110)}, "sidecar"),
    ],
)
def test_json_that_a_field_cannot_hold_is_refused(metadata: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidRecordError, match=f"the {what} takes"):
        _checks.check_batch(target(), batch([1, 0], metadata=metadata))


def test_metadata_within_the_default_limit_fits() -> None:
    worst = {"k" * 40 + f"{n:04}": n for n in range(750)}
    assert len(json.dumps(worst, separators=(",", ":"))) < 40_960
    _checks.check_batch(target(), batch([1, 0], metadata=worst))


def test_the_first_read_of_a_collection_is_strong() -> None:
    """Who opens a store after another was closed sees what that one wrote."""
    fresh = Freshness()
    for session in (True, False):
        assert fresh.needs_strong("a", session=session)
    fresh.covered("a", fresh.state("a"))
    for session in (True, False):
        assert not fresh.needs_strong("a", session=session)
        assert fresh.needs_strong("b", session=session)


def test_one_strong_read_covers_what_was_deleted_before_it() -> None:
    fresh = Freshness()
    for name in "ab":
        fresh.covered(name, fresh.state(name))
    fresh.wrote("a")
    assert not fresh.needs_strong("a", session=True), "the session waits for inserts"
    assert fresh.needs_strong("a", session=False), "a page of a scan has none"
    fresh.deleted("a")
    assert fresh.needs_strong("a", session=True)
    assert not fresh.needs_strong("b", session=True)
    state = fresh.state("a")
    fresh.deleted("a")
    fresh.covered("a", state)
    assert fresh.needs_strong("a", session=True), "it was deleted while the read ran"
    fresh.covered("a", fresh.state("a"))
    assert not fresh.needs_strong("a", session=False)
