"""Bad input: refused by every verb before any I/O, by an error that names the thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel
from tests.unit.core.drivers import Driver, Verb
from tests.unit.core.fake import FakeAdapter, able
from tests.unit.core.samples import QUERY, names

from polyvec import (
    DimensionMismatchError,
    F,
    FilterError,
    Flat,
    InvalidRecordError,
    InvalidRequestError,
    NotSupportedError,
    PolyvecError,
    RecordBatch,
    VectorRecord,
)
from polyvec.filters import And, Filter, Or

GOOD: dict[str, Any] = {"ids": ["a", "b"], "vectors": [[1, 2, 3], [4, 5, 6]]}
INF, NAN = float("inf"), float("nan")
V = np.array([1, 2, 3], np.float32)


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    name: str = "x"


def deep(levels: int) -> Filter:
    """Return `And` and `Or` in turn, which no flattening makes flat."""
    node: Filter = F("a") == 1
    for level in range(levels):
        kind = And if level % 2 else Or
        node = kind(node, F("b") == level)
    return node


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@dataclass(frozen=True)
class Bad:
    """One bad call: the verb, the error, and what its message must say."""

    verb: Verb
    error: type[PolyvecError]
    says: str


def upserting(**columns: Any) -> Verb:
    return lambda c: c.upsert(**{**GOOD, **columns})


def record(metadata: object) -> Verb:
    """Return an upsert whose second record has that metadata: the first is not written either."""
    return upserting(metadata=[{"fine": 1}, metadata])


def assigned(**columns: Any) -> Verb:
    """Return an upsert of a record that was spoilt after it was built."""

    def verb(collection: Any) -> Any:
        spoilt = VectorRecord(id="a", vector=V)
        for name, value in columns.items():
            setattr(spoilt, name, value)
        return collection.upsert([VectorRecord(id="b", vector=V), spoilt])

    return verb


def each(
    error: type[PolyvecError], says: str, verb: Callable[[Any, Any], Any], values: Sequence[Any]
) -> list[Bad]:
    """Return one bad call for each value."""

    def giving(value: Any) -> Verb:
        return lambda subject: verb(subject, value)

    return [Bad(giving(value), error, says) for value in values]


R, Q = InvalidRecordError, InvalidRequestError

RECORDS = [
    # -- vectors
    Bad(upserting(vectors=[[1, 2], [3, 4]]), DimensionMismatchError, "'a'.*2 dim.*has 3"),
    Bad(upserting(vectors=[[1, 2, 3], [4, 5]]), Q, "vectors is not a rectangular array"),
    Bad(upserting(vectors=[1, 2, 3]), Q, r"shape \(3,\); expected \(2, 3\)"),
    Bad(upserting(vectors=[[[1, 2, 3]], [[1, 2, 3]]]), Q, r"shape \(2, 1, 3\)"),
    Bad(upserting(vectors=[[1, 2, 3]]), Q, "1 vectors for 2 ids"),
    Bad(upserting(ids=[], vectors=[[1, 2, 3]]), Q, "1 vectors for 0 ids"),
    Bad(upserting(vectors=[["1", "2", "3"], ["4", "5", "6"]]), Q, "vectors has dtype <U1"),
    Bad(upserting(vectors=[[True] * 3] * 2), Q, "dtype bool"),
    Bad(upserting(vectors=[[1j] * 3] * 2), Q, "dtype complex128"),
    Bad(upserting(vectors=[[None] * 3] * 2), Q, "dtype object"),
    Bad(upserting(vectors="abc"), Q, "dtype <U3"),
    Bad(upserting(vectors={"a": [1, 2, 3]}), Q, "dtype object"),
    Bad(upserting(vectors=[[1, 2, 3], [4, NAN, 6]]), R, "'b': vector has nan at position 1"),
    Bad(upserting(vectors=[[1, 2, 3], [4, 5, -INF]]), R, "'b': vector has -inf at position 2"),
    Bad(upserting(vectors=[[1e39, 2, 3], [4, 5, 6]]), R, "'a': .*inf.*float64 beyond 3.4e38"),
    Bad(upserting(vectors=[[1, 2, 3], [0, 0, 0]]), R, "'b': vector is the zero vector.*cosine"),
    Bad(upserting(ids=["a"], vectors=[[0.0, -0.0, 1e-46]]), R, "'a': vector is the zero vector"),
    # -- ids
    Bad(upserting(ids=["a", ""]), R, "id '' has 0 code points; expected 1 to 512"),
    Bad(upserting(ids=["a", "x" * 513]), R, "513 code points"),
    Bad(upserting(ids=["a", "\U0001f600" * 513]), R, "513 code points"),
    Bad(upserting(ids=["a", "x\0y"]), R, r"id 'x\\x00y' holds NUL"),
    Bad(upserting(ids=["a", "\ud800"]), R, "lone surrogate"),
    Bad(upserting(ids=["a", 7]), R, "id 7 is int; expected str"),
    Bad(upserting(ids=["a", None]), R, "id None is NoneType"),
    Bad(upserting(ids=["a", b"b"]), R, "id b'b' is bytes"),
    Bad(upserting(ids="ab"), Q, "ids is str; expected a list; wrap it in a list"),
    Bad(upserting(ids=(i for i in "ab")), Q, "ids is generator; expected a list"),
    Bad(upserting(ids={"a", "b"}), Q, "ids is set"),
    Bad(upserting(ids=np.array([1, 2])), R, "id 1 is int"),
    # -- texts
    Bad(upserting(texts=["t"]), Q, "1 texts for 2 ids"),
    Bad(upserting(texts="tt"), Q, "texts is str"),
    Bad(upserting(texts=["t", 5]), R, "'b': text is int"),
    Bad(upserting(texts=["t", "\udfff"]), R, "'b': text holds a lone surrogate"),
    # -- which argument
    Bad(lambda c: c.upsert(), Q, "upsert got no ids; expected records=, or the columns"),
    Bad(lambda c: c.upsert(ids=["a"]), Q, "upsert got no vectors"),
    Bad(lambda c: c.upsert(vectors=[[1, 2, 3]]), Q, "upsert got no ids"),
    Bad(lambda c: c.upsert([], ids=["a"]), Q, "upsert got records and columns"),
    Bad(lambda c: c.upsert([], texts=["a"]), Q, "upsert got records and columns"),
    Bad(lambda c: c.upsert([{"id": "a"}]), Q, r"records\[0\] is dict; expected VectorRecord"),
    Bad(lambda c: c.upsert(VectorRecord(id="a", vector=V)), Q, "records is VectorRecord"),
    Bad(lambda c: c.upsert(RecordBatch(["a"])), Q, "the batch has no vectors; scan with include"),
    Bad(upserting(metadata=[{}]), Q, "1 metadata for 2 ids"),
    Bad(upserting(metadata={"a": 1}), Q, "metadata is dict; expected a list"),
    # -- records that were spoilt after they were built
    Bad(assigned(id=5), R, "id 5 is int"),
    Bad(assigned(vector=None), R, r"record 'a': vector: .*got shape \(\)"),
    Bad(assigned(vector=np.ones((3, 3), np.float32)), R, r"record 'a': vector: .*shape \(3, 3\)"),
    Bad(assigned(vector=np.ones(2, np.float32)), DimensionMismatchError, "'a' has 2 dimensions"),
    Bad(assigned(vector=np.array(["x"] * 3)), R, "record 'a': vector: .*dtype <U1"),
    Bad(assigned(metadata=[1]), R, "record 'a': metadata is list"),
    Bad(assigned(text=5), R, "record 'a': text is int"),
]

METADATA = [
    Bad(record("text"), R, "record 'b': metadata is str; expected a dict"),
    Bad(record([("a", 1)]), R, "record 'b': metadata is list"),
    Bad(record({1: "x"}), R, "record 'b': metadata: key 1 is int; expected str"),
    Bad(record({"": 1}), R, "key '' has 0 code points; expected 1 to 128"),
    Bad(record({"k" * 129: 1}), R, "129 code points"),
    Bad(record({"$set": 1}), R, r"key '\$set' starts with"),
    Bad(record({"_polyvec_x": 1}), R, "key '_polyvec_x' starts with"),
    Bad(record({"a\0b": 1}), R, "holds NUL"),
    Bad(record({"\ud800": 1}), R, "lone surrogate"),
    Bad(record({"o": {"$in": 1}}), R, r"metadata\['o'\]: key '\$in'"),
    Bad(record({"o": [{"x": {1}}]}), R, r"metadata\['o'\]\[0\]\['x'\]: \{1\} is set"),
    Bad(record({"a": (1, 2)}), R, r"\['a'\]: \(1, 2\) is tuple.*use a list"),
    Bad(record({"a": b"x"}), R, "b'x' is bytes.*base64"),
    Bad(record({"a": datetime(2024, 1, 1)}), R, "naive datetime.*tzinfo=timezone.utc"),  # noqa: DTZ001 - naive on purpose
    Bad(record({"a": datetime(2024, 1, 1).date()}), R, "use a timezone-aware datetime"),  # noqa: DTZ001 - naive on purpose
    Bad(record({"a": NAN}), R, r"metadata\['a'\]: nan is not a finite number"),
    Bad(record({"a": [1, -INF]}), R, r"metadata\['a'\]\[1\]: -inf is not a finite"),
    Bad(record({"a": np.float64("nan")}), R, r"metadata\['a'\]: nan is not a finite"),
    Bad(record({"a": 2**63}), R, r"metadata\['a'\]: int 9223372036854775808 needs more than 64"),
    Bad(record({"a": -(2**63) - 1}), R, "more than 64 bits"),
    Bad(record({"a": "\ud800"}), R, r"metadata\['a'\]: .* lone surrogate"),
    Bad(record({"a": np.int64(1)}), R, r"use \.item\(\)"),
    Bad(record({"a": np.bool_(True)}), R, r"use \.item\(\)"),
    Bad(record({"a": np.array([1])}), R, "cannot be stored"),
    Bad(record({"a": Colour.RED}), R, "Colour.* is Colour, which cannot be stored"),
    Bad(record({"a": object()}), R, "cannot be stored; use str, int"),
    Bad(record({"a": complex(1, 2)}), R, "is complex"),
    Bad(record({"a": Model()}), R, r"use model_dump\(\)"),
    Bad(record(nested(64)), R, "record 'b': metadata.*nested deeper than 64"),
    Bad(record({"a": "x" * 40_960}), R, "'b': metadata has 40968 bytes.*at most 40960"),
    Bad(record({"a": "é" * 20_480}), R, "40968 bytes"),
]

FILTERED: list[Callable[[Any, Any], Any]] = [
    lambda c, f: c.query(QUERY, filter=f),
    lambda c, f: c.query_many([QUERY], filter=f),
    lambda c, f: c.count(f),
    lambda c, f: c.scan(f),
    lambda c, f: c.delete(filter=f),
    lambda c, f: c.delete(["a"], filter=f),
    lambda c, f: c.update(filter=f, set={"a": 1}),
    lambda c, f: c.explain(f),
    lambda c, f: c.why("a", f),
]

FILTERS: list[tuple[Any, str]] = [
    (deep(51), "51 levels deep.*at most 50"),
    ({"a": {"$near": 1}}, r"\$near"),
    ({"a": {"$in": 5}}, "list"),
    ({"a": {"$gt": NAN}}, "finite"),
    ({"a": {"$lt": True}}, "ordering"),
    ({"a": {"$eq": {1}}}, "set"),
    ({"": 1}, "empty"),
    ({"$or": {}}, "list"),
    ({1: 1}, "1"),
    ("a == 1", "filter"),
    (5, "filter"),
    ([], "filter"),
]

READS = [
    Bad(lambda c: c.query([1, 2]), DimensionMismatchError, "query has 2 dimensions.*has 3"),
    Bad(lambda c: c.query([[1, 2, 3]]), Q, r"shape \(1, 3\).*use query_many"),
    Bad(lambda c: c.query(5), Q, r"shape \(\)"),
    Bad(lambda c: c.query(None), Q, "query has dtype object"),
    Bad(lambda c: c.query("abc"), Q, "query has dtype"),
    Bad(lambda c: c.query([1, NAN, 3]), Q, "query has nan at position 1"),
    Bad(lambda c: c.query([0, 0, 0]), Q, "query is the zero vector"),
    Bad(lambda c: c.query([True, False, True]), Q, "dtype bool"),
    Bad(lambda c: c.query_many([1, 2, 3]), Q, r"shape \(3,\); expected \(queries, dimension\)"),
    Bad(lambda c: c.query_many([[1, 2]]), DimensionMismatchError, "2 dimensions"),
    Bad(lambda c: c.query_many([[1, 2, 3], [1, INF, 3]]), Q, "query 1 has inf at position 1"),
    Bad(lambda c: c.query_many([[1, 2, 3], [1]]), Q, "not a rectangular array"),
    *each(
        Q,
        "top_k=",
        lambda c, k: c.query(QUERY, top_k=k),
        (0, -1, 21, "3", 3.0, True, None, np.int64(3), [3]),
    ),
    *each(
        Q,
        "include",
        lambda c, i: c.query(QUERY, include=i),
        ("metadata", ("meta",), ("metadata", 5), None, 5, [["text"]], ({},)),
    ),
    Bad(lambda c: c.get(["a"], include=("vectors",)), Q, "include has 'vectors'"),
    Bad(lambda c: c.scan(include=("vectors",)), Q, "include has 'vectors'"),
    *each(
        Q,
        "min_score=",
        lambda c, s: c.query(QUERY, min_score=s),
        (NAN, "0.5", True, [0.5], 10**400, {}),
    ),
    *each(
        Q,
        "max_candidates=",
        lambda c, m: c.query(QUERY, max_candidates=m),
        (0, 9, "100", 100.0, True),
    ),
    Bad(lambda c: c.query(QUERY, exact="yes"), Q, "exact='yes' is str; expected bool"),
    Bad(lambda c: c.query(QUERY, exact=True, search=Flat()), Q, "exact=True uses no index"),
    Bad(lambda c: c.query(QUERY, search="hnsw"), Q, "search='hnsw' is str"),
    Bad(lambda c: c.query(QUERY, consistency="eventual"), Q, "consistency="),
    Bad(lambda c: c.query(QUERY, consistency=["strong"]), Q, "consistency="),
    Bad(lambda c: c.scan(batch_size=0), Q, "batch_size=0"),
    Bad(lambda c: c.scan(batch_size=2.0), Q, "batch_size=2.0"),
    Bad(lambda c: c.get("a"), Q, "ids is str.*wrap it in a list"),
    Bad(lambda c: c.get(["a", 5]), R, "id 5 is int"),
    Bad(lambda c: c.get(None), Q, "ids is NoneType"),
    Bad(lambda c: c.get([["a"]]), R, "is list; expected str"),
    Bad(lambda c: c.why(5, None), R, "id 5 is int"),
    Bad(lambda c: c.wait_until_visible("a"), Q, "ids is str"),
    Bad(lambda c: c.namespace(5), Q, "namespace 5 is int"),
    Bad(lambda c: c.namespace(None), Q, "namespace None is NoneType"),
    Bad(lambda c: c.namespace("x" * 257), Q, "257 code points; expected at most 256"),
    Bad(lambda c: c.namespace("a\0"), Q, "holds NUL"),
    Bad(lambda c: c.namespace("\ud800"), Q, "lone surrogate"),
    Bad(lambda c: c.drop_namespace(5), Q, "namespace 5 is int"),
    Bad(lambda c: c.with_metadata(dict), Q, "metadata=<class 'dict'>"),
    Bad(lambda c: c.with_metadata("Article"), Q, "metadata='Article'"),
]

CHANGES = [
    Bad(lambda c: c.delete(), Q, "delete got neither ids nor a filter.*clear"),
    Bad(lambda c: c.delete(filter={}), Q, "delete got a filter that is all"),
    Bad(lambda c: c.delete(filter=And()), Q, "a filter that is all"),
    Bad(lambda c: c.delete(filter=F("a").exists() | ~F("a").exists()), Q, "a filter that is all"),
    Bad(lambda c: c.delete("a"), Q, "ids is str"),
    Bad(lambda c: c.delete([""]), R, "id ''"),
    Bad(lambda c: c.update(set={"a": 1}), Q, "update got neither ids nor a filter"),
    Bad(lambda c: c.update(filter={}, set={"a": 1}), Q, "update got a filter that is all"),
    Bad(lambda c: c.update(["a"]), Q, "update got nothing to change; expected set="),
    Bad(lambda c: c.update(["a"], set={}), Q, "nothing to change"),
    Bad(lambda c: c.update(["a"], set=[1]), R, "set is list; expected a dict"),
    Bad(lambda c: c.update(["a"], set={"$x": 1}), R, r"set: key '\$x'"),
    Bad(lambda c: c.update(["a"], set={"x": {1}}), R, r"set\['x'\]: \{1\} is set"),
    Bad(lambda c: c.update(["a"], unset="old"), Q, "unset is str"),
    Bad(lambda c: c.update(["a"], unset=[5]), R, "unset: key 5 is int"),
    Bad(lambda c: c.update(["a"], unset=[["a"]]), R, r"unset: key \['a'\] is list"),
    Bad(lambda c: c.update(["a"], unset=["$x"]), R, r"unset: key '\$x'"),
    Bad(lambda c: c.update(["a"], set={"x": 1}, unset=["x"]), Q, "both name 'x'"),
    Bad(lambda c: c.update(filter={"a": 1}, texts=["t"]), Q, "parallel to ids; pass ids="),
    Bad(lambda c: c.update(filter={"a": 1}, vectors=[[1, 2, 3]]), Q, "parallel to ids"),
    Bad(lambda c: c.update(["a"], texts=["t", "u"]), Q, "2 texts for 1 ids"),
    Bad(lambda c: c.update(["a"], texts=[5]), R, "'a': text is int"),
    Bad(lambda c: c.update(["a"], vectors=[[1, 2]]), DimensionMismatchError, "2 dimensions"),
    Bad(lambda c: c.update(["a"], vectors=[[0, 0, 0]]), R, "zero vector"),
    Bad(lambda c: c.update(["a"], vectors=[1, 2, 3]), Q, r"shape \(3,\)"),
    Bad(lambda c: c.update([], vectors=[[1, 2, 3]]), Q, "1 vectors for 0 ids"),
]

CREATED: dict[str, Any] = {"name": "new", "dimension": 3}

STORES: Sequence[Bad] = [
    *each(
        Q,
        "collection name",
        lambda s, n: s.create_collection(**{**CREATED, "name": n}),
        ("", "1a", "a b", "a.b", "é", "a" * 64, 5, None, "a\n", b"a"),
    ),
    *each(
        Q,
        "dimension=",
        lambda s, d: s.create_collection(**{**CREATED, "dimension": d}),
        (0, -1, "3", 3.0, True, None),
    ),
    Bad(lambda s: s.create_collection("new", dimension=9), NotSupportedError, "at most 8"),
    *each(
        Q,
        "metric=.*'cosine', 'dot'",
        lambda s, m: s.create_collection(**CREATED, metric=m),
        ("l2", "COSINE", None, 5, ["dot"]),
    ),
    Bad(lambda s: s.create_collection(**CREATED, index="hnsw"), Q, "index='hnsw' is str"),
    *each(
        Q,
        "index_fields",
        lambda s, f: s.create_collection(**CREATED, index_fields=f),
        (["a"], {"a": "float"}, {"a": list}, {5: int}, {"a": [int]}),
    ),
    Bad(lambda s: s.create_collection(**CREATED, index_fields={"": int}), FilterError, "empty"),
    Bad(lambda s: s.create_collection(**CREATED, metadata=dict), Q, "metadata=<class 'dict'>"),
    Bad(lambda s: s.collection("c", metadata=dict), Q, "metadata=<class 'dict'>"),
    Bad(lambda s: s.collection("c", native="id"), Q, "native='id' is str; expected NativeLayout"),
    *each(Q, "collection name", lambda s, n: s.collection(n), ("", 5, None, "a\0", "\ud800")),
    Bad(lambda s: s.has_collection(5), Q, "collection name 5 is int"),
    Bad(lambda s: s.drop_collection(""), Q, "collection name ''"),
    Bad(lambda s: s.set_alias("a b", "c"), Q, "alias 'a b'"),
    Bad(lambda s: s.set_alias("live", ""), Q, "collection name ''"),
    Bad(lambda s: s.drop_alias(""), Q, "alias ''"),
]


def refuse(subject: Any, fake: FakeAdapter, bad: Bad) -> None:
    fake.forget()
    with pytest.raises(bad.error, match=bad.says) as caught:
        bad.verb(subject)
    assert type(caught.value) is bad.error
    message = str(caught.value)
    assert message
    assert not message.endswith(".")
    assert len(message) < 500
    assert fake.calls == []


def label(value: object) -> str | None:
    return value.says[:40] if isinstance(value, Bad) else None


@pytest.mark.parametrize("bad", [*RECORDS, *METADATA, *READS, *CHANGES], ids=label)
def test_a_verb_of_a_collection_refuses(driver: Driver, bad: Bad) -> None:
    fake = FakeAdapter()
    refuse(driver.collection(fake, metric="cosine"), fake, bad)
    assert fake.rows() == {}


@pytest.mark.parametrize("bad", STORES, ids=label)
def test_a_verb_of_a_store_refuses(driver: Driver, bad: Bad) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    store.create_collection("c", dimension=3)
    refuse(store, fake, bad)
    assert list(fake.stored) == ["c"]


@pytest.mark.parametrize("verb", FILTERED)
@pytest.mark.parametrize(("bad", "says"), FILTERS)
def test_every_verb_with_a_filter_refuses(
    driver: Driver, verb: Callable[[Any, Any], Any], bad: object, says: str
) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    refuse(collection, fake, Bad(lambda c: verb(c, bad), FilterError, says))


def test_the_largest_allowed_is_allowed(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, metric="cosine")
    longest, key = "\U0001f600" * 512, "k" * 128
    space: Any = collection.namespace("\U0001f600" * 256)
    metadata = [
        {"a": "x" * (40_960 - 8)},
        {key: 2**63 - 1, "b": -(2**63), "id": 1, "text": 2, "vector": 3, "class": 4},
        nested(63),
    ]
    space.upsert(
        ids=[longest, "x", " "],
        vectors=[[1, 2, 3], [3.4e38, 0, 0], [1e-45, 0, 0]],
        metadata=metadata,
        texts=["", "\0", None],
    )
    assert [r.metadata for r in space.get([longest, "x", " "])] == metadata
    assert len(space.query(QUERY, top_k=20, max_candidates=20)) == 3
    assert space.count(deep(50)) == 0
    everything: Filter = F("a").exists()
    for _ in range(300):
        everything = And(everything, F("a").exists())
    assert space.count(everything) == 2


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_the_zero_vector_is_bad_for_cosine_only(driver: Driver, metric: str) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, metric=metric)
    collection.upsert(ids=["a"], vectors=[[0, 0, 0]])
    assert collection.query([0, 0, 0])[0].score == 0.0


def test_numbers_of_every_kind_are_vectors(driver: Driver) -> None:
    fake = FakeAdapter()
    collection: Any = driver.collection(fake)
    dtypes = ("f2", "f4", "f8", ">f4", ">f8", "i1", "i8", "u4", "longdouble")
    for dtype in dtypes:
        block = np.array([[1, 2, 3]], dtype=dtype)
        collection.upsert(ids=[dtype], vectors=np.asfortranarray(block))
        assert collection.query(block[0], top_k=1)[0].score >= 14
    for record in collection.get(list(dtypes)):
        assert record.vector.dtype == np.float32
        assert record.vector.tolist() == [1, 2, 3]


def test_ids_may_be_an_array_of_str(driver: Driver) -> None:
    fake = FakeAdapter()
    collection: Any = driver.collection(fake)
    keys = np.array(names(3))
    collection.upsert(ids=keys, vectors=np.ones((3, 3)))
    assert all(type(key) is str for key in fake.rows())
    assert len(collection.get(keys)) == 3


def test_a_higher_limit_of_metadata_can_be_configured(driver: Driver) -> None:
    from tests.unit.core.fake import FakeConfig

    fake = FakeAdapter()
    collection = driver.collection(fake, FakeConfig(max_metadata_bytes=60_000))
    collection.upsert(ids=["a"], vectors=[[1, 2, 3]], metadata=[{"a": "x" * 50_000}])
    assert len(fake.rows()) == 1


def test_limits_of_the_store_come_before_io(driver: Driver) -> None:
    fake = FakeAdapter(able(record_bytes=10))
    collection = driver.collection(fake)
    with pytest.raises(InvalidRecordError, match="record 'b' has 23 bytes; fake holds at most 10"):
        collection.upsert(ids=["a", "b"], vectors=np.ones((2, 3)), texts=["", "x" * 20])
    assert fake.calls == []
