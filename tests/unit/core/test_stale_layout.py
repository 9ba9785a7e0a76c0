"""A layout that no longer fits: read again, the verb repeated, given up after the limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.core.drivers import Driver, Verb
from tests.unit.core.fake import FakeAdapter, able
from tests.unit.core.samples import QUERY, fill, ids_of, names, vectors

from polyvec import F
from polyvec._scope import MAX_REOPENINGS
from polyvec.capabilities import Feature
from polyvec.errors import PolyvecError
from polyvec.primitives import StaleLayout

WHERE = F("n") >= 3

VERBS: list[tuple[str, Verb]] = [
    ("upsert", lambda c: c.upsert(ids=names(9), vectors=vectors(9))),
    ("get", lambda c: ids_of(c.get(names(9)))),
    ("search", lambda c: ids_of(c.query(QUERY, filter=WHERE))),
    ("exact_search", lambda c: ids_of(c.query(QUERY, filter=WHERE, exact=True))),
    ("update", lambda c: c.update(names(9), set={"a": 1})),
    ("update", lambda c: c.update(filter=WHERE, set={"a": 1})),
    ("delete_ids", lambda c: c.delete(names(9))),
    ("delete_where", lambda c: c.delete(filter=WHERE)),
    ("delete_where", lambda c: c.clear()),
    ("count", lambda c: c.count(WHERE)),
    ("scan", lambda c: [batch.ids for batch in c.scan(WHERE)]),
    ("namespaces", lambda c: c.namespaces()),
    ("namespaces", lambda c: c.describe().count),
    ("get", lambda c: c.why("r01", WHERE).found),
    ("get", lambda c: c.wait_until_visible(["r01"])),
]


def nothing(fake: FakeAdapter) -> None:
    """Let all go well."""


def outcome(
    driver: Driver, verb: Verb, prepare: Callable[[FakeAdapter], None]
) -> tuple[Any, FakeAdapter]:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.forget()
    prepare(fake)
    return verb(collection), fake


@pytest.mark.parametrize(("operation", "verb"), VERBS)
def test_a_stale_primitive_is_repeated_after_reopening(
    driver: Driver, operation: str, verb: Verb
) -> None:
    expected, plain = outcome(driver, verb, nothing)
    found, fake = outcome(driver, verb, lambda fake: fake.script(operation, StaleLayout()))
    assert found == expected
    assert len(fake.of("open_collection")) == len(plain.of("open_collection")) + 1
    assert {k: r.metadata for k, r in fake.rows().items()} == {
        k: r.metadata for k, r in plain.rows().items()
    }


@pytest.mark.parametrize(
    ("verb"), [verb for operation, verb in VERBS if operation in ("search", "scan", "delete_where")]
)
def test_a_stale_leaf_is_compiled_again(driver: Driver, verb: Verb) -> None:
    def bump(fake: FakeAdapter) -> None:
        fake.version += 1

    expected, _ = outcome(driver, verb, nothing)
    found, fake = outcome(driver, verb, bump)
    assert found == expected
    assert len(fake.of("open_collection")) <= 1


def test_explain_reads_the_layout_again(driver: Driver) -> None:
    def bump(fake: FakeAdapter) -> None:
        fake.version += 1

    told, fake = outcome(driver, lambda c: c.explain(WHERE), bump)
    assert told.pushed == WHERE
    assert fake.operations() == ["open_collection"]


@pytest.mark.parametrize(("operation", "verb"), VERBS)
def test_it_is_given_up_in_the_end(driver: Driver, operation: str, verb: Verb) -> None:
    fake = FakeAdapter(able(concurrency=1))
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.forget()
    fake.always(operation, StaleLayout())
    with pytest.raises(PolyvecError, match=r"layout of 'c' changed 4 times.*again") as caught:
        verb(collection)
    assert isinstance(caught.value.__cause__, StaleLayout)
    assert len(fake.of(operation)) == MAX_REOPENINGS + 1


def test_a_leaf_that_is_always_stale_is_given_up_too(driver: Driver) -> None:
    class Never(FakeAdapter):
        def leaf(self, node: Any, negated: bool, layout: Any) -> Any:
            raise StaleLayout

    fake = Never()
    collection = driver.collection(fake)
    fill(collection, 3)
    fake.forget()
    verbs: list[Verb] = [
        lambda c: c.explain(WHERE),
        lambda c: c.count(WHERE),
        lambda c: list(c.scan(WHERE)),
        lambda c: c.query(QUERY, filter=WHERE),
    ]
    for verb in verbs:
        fake.forget()
        with pytest.raises(PolyvecError, match="changed 4 times"):
            verb(collection)
        assert len(fake.of("open_collection")) == MAX_REOPENINGS


def test_a_scan_goes_on_where_it_was(driver: Driver) -> None:
    fake = FakeAdapter(able(scan_batch=2))
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.script("scan", None, StaleLayout(), None, StaleLayout())
    found = [batch.ids for batch in collection.scan(WHERE)]
    assert found == [["r03", "r04"], ["r05", "r06"], ["r07", "r08"]]
    assert len(fake.of("open_collection")) == 2


def test_every_page_of_a_long_scan_may_be_stale_once(driver: Driver) -> None:
    fake = FakeAdapter(able(scan_batch=1))
    collection = driver.collection(fake)
    fill(collection, 9)
    fake.script("scan", *[StaleLayout() if at % 2 else None for at in range(18)])
    assert [key for batch in collection.scan() for key in batch.ids] == names(9)


def test_a_collection_keeps_to_what_its_alias_meant(driver: Driver) -> None:
    fake = FakeAdapter()
    store = driver.store(fake)
    for name, dimension in (("old", 3), ("new", 5)):
        store.create_collection(name, dimension=dimension, metric="dot")
    store.set_alias("live", "old")
    collection = store.collection("live")
    store.set_alias("live", "new")
    assert collection.describe().name == "old"
    fake.script("upsert", StaleLayout())
    fill(collection, 2)
    assert list(fake.rows("old")) == names(2)
    assert fake.rows("new") == {}
    assert Feature.ALIASES in store.capabilities.features
