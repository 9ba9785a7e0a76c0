"""Records as Pinecone has them, names and ids, and vectors it would refuse; without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pinecone._internal.vector_factory import VectorFactory

from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.evaluate import matches
from polyvec.filters import Eq
from polyvec.primitives import OpenedCollection, Target
from polyvec.records import RecordBatch
from polyvec.testing.strategies import metadata
from polyvec.types import ALL_COLUMNS, Metric
from polyvec_pinecone import _answers, _codec, _names, _vectors
from polyvec_pinecone._layout import code_of, value_term
from polyvec_pinecone._schema import Layout

INDIA = timezone(timedelta(hours=5, minutes=30))


def target(metric: Metric = Metric.COSINE, *, ours: bool = True, namespace: str = "") -> Target:
    layout = Layout(ours, "docs", "https://docs.example", "0" if ours else "")
    opened = OpenedCollection("docs", 2, metric, None, "polyvec", layout, {})
    return Target(opened, namespace)


def batch(*vectors: list[float], ids: list[str] | None = None, **columns: Any) -> RecordBatch:
    count = len(vectors)
    return RecordBatch(
        ids or [f"r{at}" for at in range(count)],
        np.array(vectors, dtype=np.float32),
        columns.get("metadata", [{}] * count),
        columns.get("texts", [None] * count),
    )


def read(rows: list[Any]) -> RecordBatch:
    """Return rows as they come back: every number is a float."""

    def value(item: Any) -> Any:
        return float(item) if isinstance(item, int) and not isinstance(item, bool) else item

    found = [(one, values, {k: value(v) for k, v in more.items()}) for one, values, more in rows]
    return _codec.batch_of(found, ALL_COLUMNS, 2)


def test_what_others_see() -> None:
    stored = _codec.encode(
        {
            "category": "billing",
            "price": 9.5,
            "stock": 7,
            "on": True,
            "tags": ["a", "b"],
            "at": datetime(2024, 6, 1, 12, tzinfo=INDIA),
            "author": {"name": "Ann"},
            "none": None,
        }
    )
    natural = {key: value for key, value in stored.items() if not key.startswith("_polyvec")}
    assert natural == {
        "category": "billing",
        "price": 9.5,
        "stock": 7,
        "on": True,
        "tags": ["a", "b"],
        "at": "2024-06-01T12:00:00+05:30",
        "author": '{"name":"Ann"}',
    }
    assert stored["_polyvec_at.at"] == 1_717_223_400_000_000
    assert stored["_polyvec_json"] == '{"none":null}'
    assert stored["_polyvec_terms"][:3] == ["*", "?category:s", "?price:f"]
    assert "=author.name:sAnn" in stored["_polyvec_terms"]


@given(metadata())
def test_metadata_reads_back(item: dict[str, Any]) -> None:
    rows = _codec.rows_of(batch([1.0, 2.0], metadata=[item]), "", Metric.COSINE)
    found = read(rows).metadata
    assert found is not None
    assert found == [item]
    for key, value in item.items():
        assert type(found[0][key]) is type(value)
    # What the vendor's own client checks before it sends anything:
    VectorFactory.build(rows[0])


@given(metadata())
def test_sizes_are_not_less_than_what_is_sent(item: dict[str, Any]) -> None:
    made = batch([1.0, 2.0], metadata=[item], texts=["täxt"])
    (_, _, stored) = _codec.rows_of(made, "", Metric.COSINE)[0]
    assert _codec.sizes_of(made, "")[0] >= len(orjson.dumps(stored))


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        2**53 + 1,
        -(2**63),
        2**63 - 1,
        1e300,
        5e-324,
        -0.0,
        0.1 + 0.2,
        "",
        "a\0b",
        [],
        [""],
        ["a\0b"],
        [1, 1.0, True],
        ["a", 1],
        [["a"]],
        {},
        {"a": {"b": [None, {"c": datetime(1, 1, 1, tzinfo=UTC)}]}},
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=23, minutes=59))),
        datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=timezone(timedelta(seconds=1))),
    ],
    ids=repr,
)
def test_values_at_the_edges(value: Any) -> None:
    found = read(_codec.rows_of(batch([1.0, 2.0], metadata=[{"v": value}]), "", Metric.COSINE))
    assert found.metadata is not None
    assert found.metadata[0] == {"v": value}
    assert type(found.metadata[0]["v"]) is type(value)
    if isinstance(value, datetime):
        assert found.metadata[0]["v"].utcoffset() == value.utcoffset()


@given(st.lists(metadata(), min_size=2, max_size=2))
def test_terms_of_lists_are_equal_when_the_lists_are(items: list[dict[str, Any]]) -> None:
    lists: list[list[Any]] = [v for item in items for v in item.values() if isinstance(v, list)]
    for one in lists:
        for other in lists:
            plain = all(not isinstance(part, (dict, list)) for part in other)
            if plain and None not in other:
                same = matches(Eq(("v",), tuple(other)), {"v": one})
                assert same == (value_term("=", ("v",), one) == value_term("=", ("v",), other))


@pytest.mark.parametrize("text", [None, "", "x", "a\0b", "ü" * 100])
def test_texts(text: str | None) -> None:
    rows = _codec.rows_of(batch([1.0, 2.0], texts=[text]), "", Metric.COSINE)
    assert read(rows).texts == [text]
    assert "\0" not in str(rows[0][2])


@given(st.text(min_size=1, max_size=512).filter(lambda text: "\0" not in text and _encodes(text)))
def test_ids_read_back(record_id: str) -> None:
    rows = _codec.rows_of(batch([1.0, 2.0], ids=[record_id]), "", Metric.COSINE)
    stored = rows[0][0]
    assert stored.isascii()
    assert stored.isprintable()
    assert 1 <= len(stored) <= 512
    assert read(rows).ids == [record_id]


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("record_id", "stored"),
    [
        ("doc_1", "doc_1"),
        ("a/b c?d=%20#", "a/b c?d=%20#"),
        ("café", "~caf%C3%A9"),
        ("~x", "~~x"),
        (" x", "~%20x"),
        ("x ", "~x%20"),
        ("a\nb", "~a%0Ab"),
        ("~#", "~~%23"),
    ],
)
def test_ids_that_pinecone_sees(record_id: str, stored: str) -> None:
    assert _names.to_id(record_id) == stored
    assert _names.from_id(stored) == record_id


def test_long_ids_and_namespaces_are_hashed_and_kept() -> None:
    long = "ü" * 200
    rows = _codec.rows_of(batch([1.0, 2.0], ids=[long]), long, Metric.COSINE)
    assert rows[0][0].startswith("~#")
    assert rows[0][2]["_polyvec_id"] == long
    assert rows[0][2]["_polyvec_space"] == long
    assert read(rows).ids == [long]
    assert _names.from_space(_names.to_space(long), long) == long


@pytest.mark.parametrize("name", ["", "tenant_1", "a/b", "__default__", "__x", "~", "naïve", " "])
def test_namespaces_read_back(name: str) -> None:
    stored = _names.to_space(name)
    assert stored.isascii()
    assert not stored.startswith("__")
    assert _names.from_space(stored or "__default__") == name


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True))
def test_names_of_indexes(name: str) -> None:
    index = _names.to_index(name)
    assert _names.is_index_name(index)
    assert len(index) <= 45
    assert _names.from_index(index, name) == name
    if not index.startswith("pv2-"):
        assert _names.from_index(index) == name


def test_names_differ_by_case() -> None:
    names = ["docs", "Docs", "DOCS", "doc_s", "doc-s", "docs-", "zdocs", "pv1-docs", "pv2-docs"]
    assert len({_names.to_index(name) for name in names}) == len(names)
    assert _names.to_index("docs") == "docs"
    assert _names.to_index("Docs_2") == "pv1-zdocsz12"
    assert _names.from_index("pv1-somebodys") == "pv1-somebodys"  # nobody encoded this


@pytest.mark.parametrize("metric", list(Metric))
def test_vectors_read_back_bit_for_bit(metric: Metric) -> None:
    vectors = np.array(
        [[1.5, -2.25], [1e-30, 3e-38], [0.1, 0.2], [1e17, 1.0], [1.0, 1e-45]], dtype=np.float32
    )
    if metric is Metric.COSINE:
        vectors = np.vstack([vectors, np.array([[3e38, -1e38]], dtype=np.float32)])
    else:
        vectors = np.vstack([vectors, np.zeros((1, 2), dtype=np.float32)])
    values, beside = _vectors.to_values(vectors, metric)
    assert all(any(row) for row in values), "Pinecone refuses zeros"
    sent = np.array(values, dtype=np.float32)
    found = _vectors.from_values(sent.tolist(), beside, 2)
    assert found.tobytes() == vectors.tobytes()


def test_a_vector_too_long_to_square_is_refused() -> None:
    made = batch([1e20, 1.0])
    with pytest.raises(InvalidRecordError, match=r"record 'r0': its vector has length 1e\+20"):
        _answers.sizes_of(target(Metric.DOT), made)
    assert _answers.sizes_of(target(), made)  # under cosine only the direction counts


def test_a_record_without_a_vector_is_refused() -> None:
    made = batch([1.0, 2.0], [0.0, 0.0])
    made = RecordBatch(made.ids, made.vectors, made.metadata, made.texts, np.array([True, False]))
    with pytest.raises(NotSupportedError, match="record 'r1' has no vector"):
        _answers.sizes_of(target(), made)


def test_scores() -> None:
    assert _vectors.to_scores([4.0, 0.0, -1e-9], Metric.EUCLIDEAN).tolist() == [-2.0, -0.0, -0.0]
    assert _vectors.to_scores([0.5], Metric.COSINE).tolist() == [0.5]


def test_codes() -> None:
    values: list[Any] = [True, 1, 1.0, 2**53 + 1, "a", "\0", ["a"], [], [1], {}]
    assert "".join(code_of(value) for value in values) == "bifIsSlmmo"
