"""The store's verbs: collections, aliases, what a capability forbids, what an index asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.core.drivers import Driver, Verb
from tests.unit.core.fake import FakeAdapter, FakeConfig, able
from tests.unit.core.samples import fill, vectors

from polyvec import (
    HNSW,
    IVF,
    CollectionExistsError,
    CollectionNotFoundError,
    Flat,
    InvalidRecordError,
    InvalidRequestError,
    Metadata,
    NativeLayout,
    NotSupportedError,
    RejectedError,
)
from polyvec.capabilities import Capabilities, Feature
from polyvec.types import Metric


class Article(Metadata):
    n: int


def test_create_open_list_drop(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    for name in ("b", "a"):
        made = store.create_collection(
            name, dimension=3, metric="euclidean", index=HNSW(m=8), index_fields={"a.b": float}
        )
    assert (made.name, made.dimension, made.metric) == ("a", 3, Metric.EUCLIDEAN)
    assert fake.stored["a"].spec.index == HNSW(m=8)
    assert fake.stored["a"].spec.index_fields == {"a.b": float}
    assert store.list_collections() == ["a", "b"]
    assert store.has_collection("a")
    assert not store.has_collection("c")
    store.drop_collection("a")
    with pytest.raises(CollectionNotFoundError):
        store.drop_collection("a")
    store.drop_collection("a", missing_ok=True)
    with pytest.raises(CollectionNotFoundError):
        store.collection("a")
    assert store.list_collections() == ["b"]


def test_an_error_that_is_not_absence_is_not_taken_for_it(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    fake.always("open_collection", RejectedError("no"))
    with pytest.raises(RejectedError):
        store.has_collection("a")
    fake.always("drop_collection", RejectedError("no"))
    with pytest.raises(RejectedError):
        store.drop_collection("a", missing_ok=True)


def test_exist_ok_opens_the_same_and_refuses_another(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    first = store.create_collection("c", dimension=3, metric="dot")
    fill(first, 2)
    with pytest.raises(CollectionExistsError, match="'c' exists"):
        store.create_collection("c", dimension=3, metric="dot")
    again = store.create_collection("c", dimension=3, metric=Metric.DOT, exist_ok=True)
    assert again.count() == 2
    typed = store.create_collection("c", dimension=3, metric="dot", exist_ok=True, metadata=Article)
    assert typed.get(["r01"])[0].metadata == Article(n=1)
    asked: Any
    for asked in ({"dimension": 4, "metric": "dot"}, {"dimension": 3, "metric": "cosine"}):
        with pytest.raises(CollectionExistsError, match="dimension 3 and metric 'dot'; asked for"):
            store.create_collection("c", exist_ok=True, **asked)


def test_a_typed_collection_stays_typed_in_its_namespaces(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake, metadata=Article).namespace("x")
    collection.upsert(ids=["a"], vectors=vectors(1), metadata=[{"n": 5}])
    (hit,) = collection.query([1, 0, 0])
    assert hit.record.metadata == Article(n=5)
    assert collection.get(["a"])[0].metadata == Article(n=5)
    assert collection.namespace_name == "x"


def test_what_others_stored_may_not_fit_the_model(driver: Driver) -> None:
    fake = FakeAdapter()
    plain = driver.collection(fake)
    plain.upsert(ids=["a"], vectors=vectors(1), metadata=[{"n": "five"}])
    typed = plain.with_metadata(Article)
    with pytest.raises(InvalidRecordError, match="'a': its stored metadata does not fit Article"):
        typed.query([1, 0, 0])
    with pytest.raises(InvalidRecordError, match="open the collection without metadata=Article"):
        typed.get(["a"])
    assert typed.get(["a"], include=("text",))[0].id == "a"


def test_models_can_be_written_without_a_typed_collection(driver: Driver) -> None:
    class Loose(Metadata, extra="allow"):
        n: int = 0

    fake = FakeAdapter()
    collection = driver.collection(fake)
    collection.upsert(ids=["a", "b"], vectors=vectors(2), metadata=[Article(n=1), None])
    assert [row.metadata for row in fake.rows().values()] == [{"n": 1}, {}]
    loose = collection.with_metadata(Loose)
    loose.update(["a"], set={"n": 2, "more": "x"})
    assert fake.rows()["a"].metadata == {"n": 2, "more": "x"}
    loose.upsert(ids=["c"], vectors=vectors(1))
    assert fake.rows()["c"].metadata == {"n": 0}


def test_capabilities_and_namespaces_and_describe(driver: Driver) -> None:
    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection.namespace("b"), 3)
    fill(collection.namespace(""), 2)
    assert collection.namespaces() == {"": 2, "b": 3}
    info = collection.describe()
    assert (info.name, info.dimension, info.metric, info.index) == ("c", 3, Metric.DOT, None)
    assert (info.count, info.namespaces) == (5, {"": 2, "b": 3})
    assert (info.layout, info.details) == ("polyvec", {"fake": 1})


ALIASES: list[Verb] = [
    lambda s: s.set_alias("live", "c"),
    lambda s: s.aliases(),
    lambda s: s.drop_alias("live"),
]


@pytest.mark.parametrize("verb", ALIASES)
def test_aliases_that_are_not_supported_ask_nothing(driver: Driver, verb: Verb) -> None:
    fake = FakeAdapter(able(without=[Feature.ALIASES]))
    store = driver.store(fake)
    with pytest.raises(NotSupportedError, match="fake has no aliases; keep the name"):
        verb(store)
    assert fake.calls == []


def test_aliases(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    store.create_collection("one", dimension=3)
    store.create_collection("two", dimension=3)
    store.set_alias("live", "one")
    store.set_alias("b", "two")
    assert store.aliases() == {"b": "two", "live": "one"}
    assert list(store.aliases()) == ["b", "live"]
    assert store.collection("live").name == "one"
    assert store.has_collection("live")
    store.set_alias("live", "two")
    assert store.collection("live").name == "two"
    store.drop_alias("live")
    store.drop_alias("live")
    assert store.aliases() == {"b": "two"}


def test_an_index_is_a_requirement_unless_best_effort(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    with pytest.raises(NotSupportedError, match=r"fake has no ivf index \(it has: flat, hnsw\)"):
        store.create_collection("c", dimension=3, index=IVF(lists=10))
    assert fake.calls == []
    store.create_collection("c", dimension=3, index=IVF(lists=10, best_effort=True))
    assert fake.stored["c"].spec.index is None
    store.create_collection("d", dimension=3, index=Flat())
    assert fake.stored["d"].spec.index == Flat()


def test_a_metric_that_is_not_there_asks_nothing(driver: Driver) -> None:
    fake = FakeAdapter(able(metrics=frozenset({Metric.DOT})))
    store = driver.store(fake)
    with pytest.raises(NotSupportedError, match="fake has no metric 'cosine'; it has dot"):
        store.create_collection("c", dimension=3)
    assert fake.calls == []


def test_an_index_without_kinds_says_none() -> None:
    from polyvec._checks import check_index

    can: Capabilities = able(index_kinds=frozenset[str]())
    with pytest.raises(NotSupportedError, match="it has: none"):
        check_index(HNSW(), can, "index")


def test_how_to_read_a_native_collection_reaches_the_adapter(driver: Driver) -> None:
    layout, configured = NativeLayout(id="doc_no"), NativeLayout(id="key")
    fake = FakeAdapter()
    store = driver.store(fake, FakeConfig(native={"c": configured}))
    store.create_collection("c", dimension=3)
    store.collection("c", native=layout)
    opened = store.collection("c")
    opened.describe()
    natives = [call.args[1] for call in fake.of("open_collection")]
    assert natives == [configured, layout, configured, configured]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: HNSW(m=0), r"HNSW\(m=0\): expected a number of at least 1"),
        (lambda: HNSW(ef_search=True), r"HNSW\(ef_search=True\): expected an int, got bool"),
        (lambda: HNSW(ef_construction="3"), "got str"),  # type: ignore[arg-type]  # the point
        (lambda: IVF(lists=-1), r"IVF\(lists=-1\)"),
        (lambda: IVF(probes=1.5), "got float"),  # type: ignore[arg-type]  # the point
    ],
)
def test_settings_of_an_index_are_checked_when_built(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        make()


def test_why_and_explain(driver: Driver) -> None:
    from polyvec import F

    fake = FakeAdapter()
    collection = driver.collection(fake)
    fill(collection, 3)
    where = (F("n") > 1) & F("n").exists() & (F("a") == 1)
    told = collection.why("r00", where)
    assert (told.found, told.matches) == (True, False)
    assert set(told.rejected_by) == {F("n") > 1, F("a") == 1}
    assert collection.why("r02", F("n") > 1).matches
    assert collection.why("r02", None).matches
    gone = collection.why("gone", where)
    assert (gone.found, gone.matches, gone.rejected_by) == (False, False, ())
    assert collection.explain(None).native is None
    assert collection.explain(F("n").is_in([])).native is None
