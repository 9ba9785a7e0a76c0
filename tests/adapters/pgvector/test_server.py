"""What only PostgreSQL has: passwords, privileges, locks, plans, indexes, names of 63 bytes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from tests.services import server

import polyvec
from polyvec import (
    HNSW,
    IVF,
    AccessError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    F,
    Flat,
    NotSupportedError,
    RejectedError,
    StoreError,
    VectorStore,
)
from polyvec.scoring import best_rows, exact_scores
from polyvec.types import Metric
from polyvec_pgvector._sql import trusted
from polyvec_pgvector.maintenance import build_index

SECRET = "s3cret-of-the-test"  # noqa: S105 - of a role that lives for one test


def rows(count: int, dimension: int = 8, seed: int = 5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def execute(url: str, text: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(trusted(text), values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def url() -> str:
    return server("pgvector").url


@pytest.fixture
def name(url: str) -> Iterator[str]:
    made = f"pg_{uuid4().hex[:12]}"
    yield made
    with polyvec.connect(url) as store:
        store.drop_collection(made, missing_ok=True)


@pytest.fixture
def store(url: str) -> Iterator[VectorStore]:
    with polyvec.connect(url) as opened:
        yield opened


@pytest.fixture
def role(url: str) -> Iterator[str]:
    """Yield a role with a password, which TCP asks for, and no privilege."""
    made = f"role_{uuid4().hex[:8]}"
    execute(url, f"CREATE ROLE {made} LOGIN PASSWORD '{SECRET}'")
    yield made
    execute(url, f"DROP OWNED BY {made}")
    execute(url, f"DROP ROLE {made}")


def as_role(url: str, role: str, password: str = SECRET) -> str:
    return url.replace("//postgres@", f"//{role}:{password}@")


def test_wrong_password(url: str, role: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with polyvec.connect(as_role(url, role, "wrong-" + SECRET)) as store:
        started = time.monotonic()
        with pytest.raises(AccessError) as caught:
            store.ping()
        assert time.monotonic() - started < 5
    assert not caught.value.retryable
    assert SECRET not in str(caught.value) + str(caught.value.__cause__) + caplog.text


def test_unknown_database(url: str) -> None:
    with (
        polyvec.connect(url.removesuffix("/postgres") + "/nowhere_at_all") as store,
        pytest.raises(RejectedError),
    ):
        store.ping()


def test_missing_privileges(url: str, role: str, store: VectorStore, name: str) -> None:
    store.create_collection(name, dimension=8).upsert(ids=["a"], vectors=rows(1))
    with polyvec.connect(as_role(url, role)) as theirs:
        with pytest.raises(AccessError):
            theirs.create_collection(f"{name}_x", dimension=8)
        with pytest.raises(AccessError):
            theirs.collection(name)
        execute(url, f"GRANT SELECT ON _polyvec_collections, _polyvec_aliases TO {role}")
        execute(url, f'GRANT SELECT ON "{name}" TO {role}')
        reader = theirs.collection(name)
        assert reader.count() == 1
        assert reader.query(rows(1)[0], top_k=1)[0].id == "a"
        writes: list[Callable[[], None]] = [
            lambda: reader.upsert(ids=["b"], vectors=rows(1)),
            lambda: reader.delete(["a"]),
            lambda: theirs.drop_collection(name),
        ]
        for write in writes:
            with pytest.raises(AccessError):
                write()
    assert store.collection(name).count() == 1


def test_a_lock_ends_with_the_deadline(url: str, store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=8)
    made.upsert(ids=["a"], vectors=rows(1), metadata=[{"n": 1}])
    with psycopg.connect(url) as other:
        other.execute(trusted(f'LOCK TABLE "{name}" IN ACCESS EXCLUSIVE MODE'))
        started = time.monotonic()
        with pytest.raises(DeadlineError) as caught:
            made.upsert(ids=["a"], vectors=rows(1), metadata=[{"n": 2}], timeout_s=1)
        assert time.monotonic() - started < 3
        assert caught.value.retryable
        other.rollback()
    made.upsert(ids=["a"], vectors=rows(1), metadata=[{"n": 3}])
    assert made.get(["a"])[0].metadata == {"n": 3}


def test_racing_loads_of_the_same_new_records(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=8, index=Flat())
    ids = [f"r{at}" for at in range(3000)]
    block = rows(3000)

    def load(version: int) -> None:
        order = ids if version % 2 else ids[::-1]
        made.upsert(ids=order, vectors=block, metadata=[{"version": version}] * 3000)

    threads = [threading.Thread(target=load, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.count() == 3000
    assert sum(made.count(F("version") == at) > 0 for at in range(6)) == 1


def test_answers_are_whole_where_an_index_gives_up(store: VectorStore, name: str) -> None:
    """pgvector alone returns at most ef_search rows, and almost none under a narrow filter."""
    count = 6000
    made = store.create_collection(name, dimension=8, metric="euclidean", index=HNSW(ef_search=40))
    block = rows(count)
    ids = [f"r{at:05}" for at in range(count)]
    metadata = [{"n": at, "many": at % 2 == 0} for at in range(count)]
    made.upsert(ids=ids, vectors=block, metadata=metadata)
    query = rows(1, seed=9)[0]
    assert len(made.query(query, top_k=500)) == 500
    for where, matching in ((F("n") < 7, 7), (F("n") >= 5990, 10), (F("many") == True, 3000)):  # noqa: E712 - a filter
        hits = made.query(query, top_k=100, filter=where)
        assert len(hits) == min(100, matching)
    truth = exact_scores(query[None], block[:7], Metric.EUCLIDEAN)[0]
    expected: list[str] = [ids[int(at)] for at in best_rows(truth, ids[:7], 7)]
    assert [hit.id for hit in made.query(query, top_k=100, filter=F("n") < 7)] == expected
    made.delete(filter=F("n") >= 20)
    assert len(made.query(query, top_k=100)) == 20


def test_an_exact_search_pins_no_plan(store: VectorStore, name: str, url: str) -> None:
    made = store.create_collection(name, dimension=8)
    made.upsert(ids=[f"r{at}" for at in range(3000)], vectors=rows(3000))
    for at in range(20):
        made.query(rows(1, seed=at)[0], exact=True)
        made.query(rows(1, seed=at)[0])
    execute(url, f'ANALYZE "{name}"')
    made.query(rows(1)[0])
    scans = execute(
        url,
        "SELECT sum(idx_scan)::int FROM pg_stat_user_indexes "
        "WHERE relname = %s AND indexrelname LIKE '%%vector%%'",
        (name,),
    )
    deadline = time.monotonic() + 30
    while not scans[0][0] and time.monotonic() < deadline:  # statistics come a moment later
        made.query(rows(1)[0])
        scans = execute(
            url,
            "SELECT sum(idx_scan)::int FROM pg_stat_user_indexes "
            "WHERE relname = %s AND indexrelname LIKE '%%vector%%'",
            (name,),
        )
    assert scans[0][0] > 0


def plan_of(url: str, collection: Any, where: Any) -> str:
    native = collection.explain(where).native
    table = collection.describe().details["table"].partition(".")[2]
    with psycopg.connect(url) as connection:
        connection.execute("SET enable_seqscan = off")
        text = f"EXPLAIN SELECT id FROM \"{table}\" WHERE namespace = '' AND {native}"
        found = connection.execute(trusted(text)).fetchall()
    return "\n".join(row[0] for row in found)


def test_filters_are_served_by_indexes(url: str, store: VectorStore, name: str) -> None:
    from datetime import UTC, datetime

    made = store.create_collection(
        name, dimension=8, index_fields={"price": float, "who.name": str, "at": datetime}
    )
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    metadata = [
        {"price": at * 1.5, "who": {"name": f"n{at:04}"}, "at": moment, "tag": at}
        for at in range(2000)
    ]
    made.upsert(ids=[f"r{at}" for at in range(2000)], vectors=rows(2000), metadata=metadata)
    execute(url, f'ANALYZE "{name}"')
    assert "_polyvec_metadata_" in plan_of(url, made, F("tag") == 7)
    for where in (
        F("price") < 3,
        F("who.name") < "n0003",
        F("who.name").starts_with("n00"),
        F("at") > moment,
    ):
        assert "_polyvec_field_" in plan_of(url, made, where), where


def test_an_indexed_field_may_hold_anything(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=8, index_fields={"x": str, "y": float})
    longest = "\U0010ffff" * 5000  # 20,000 bytes, twice within the limit of metadata
    values: list[Any] = [longest, 1e308, 5e-324, [1] * 500, {"a": "b" * 5000}, None, True]
    for at, value in enumerate(values):
        made.upsert(ids=[f"r{at}"], vectors=rows(1), metadata=[{"x": value, "y": value}])
    assert [made.get([f"r{at}"])[0].metadata["x"] for at in range(len(values))] == values
    assert made.count(F("x") > longest[:-1]) == 1
    assert made.count(F("x").starts_with(longest)) == 1
    assert made.count(F("y") > 1e300) == 1


def test_half_precision(url: str, name: str) -> None:
    with polyvec.connect(f"{url}?halfvec=true") as store:
        made = store.create_collection(name, dimension=8)
        block = rows(2000) * np.float32(1e6)  # far beyond what half precision holds
        made.upsert(ids=[f"r{at}" for at in range(2000)], vectors=block)
        info = made.describe()
        assert info.index == HNSW(m=16, ef_construction=64)
        assert info.details["half_precision_index"] is True
        hits = made.query(block[7], top_k=5, include=("vector",))
        assert hits[0].id == "r7"
        assert hits[0].score == pytest.approx(1.0, abs=1e-6)
        assert np.array_equal(hits[0].record.vector, block[7])


@pytest.mark.parametrize(
    ("dimension", "metric", "index", "kind"),
    [
        (2000, "dot", None, "hnsw"),
        (2001, "cosine", None, "hnsw"),
        (2001, "dot", None, "flat"),
        (2001, "dot", HNSW(), "hnsw"),
        (4001, "cosine", None, "flat"),
        (4001, "cosine", HNSW(best_effort=True), "flat"),
        (16000, "cosine", None, "flat"),
    ],
)
def test_long_vectors(
    store: VectorStore, name: str, dimension: int, metric: str, index: Any, kind: str
) -> None:
    made = store.create_collection(name, dimension=dimension, metric=metric, index=index)
    block = rows(5, dimension)
    made.upsert(ids=list("abcde"), vectors=block)
    info = made.describe()
    assert info.index is not None
    assert info.index.kind == kind
    assert made.query(block[2], top_k=1)[0].id == "c"
    assert np.array_equal(made.get(["d"])[0].vector, block[3])


@pytest.mark.parametrize(
    ("dimension", "index"),
    [
        (4001, HNSW()),
        (8, HNSW(m=101)),
        (8, HNSW(m=1)),
        (8, HNSW(m=16, ef_construction=20)),
        (8, HNSW(ef_search=1001)),
        (8, IVF(lists=40_000)),
    ],
    ids=repr,
)
def test_impossible_indexes(store: VectorStore, name: str, dimension: int, index: Any) -> None:
    with pytest.raises(NotSupportedError):
        store.create_collection(name, dimension=dimension, index=index)
    assert not store.has_collection(name)


@pytest.mark.parametrize("concurrently", [True, False])
def test_an_index_is_built_after_the_load(url: str, name: str, concurrently: bool) -> None:
    with polyvec.connect(f"{url}?defer_index=true") as store:
        made = store.create_collection(name, dimension=8, index=HNSW(m=8))
        made.upsert(ids=[f"r{at}" for at in range(2000)], vectors=rows(2000))
        info = made.describe()
        assert info.index == Flat()
        assert info.details["index_wanted"] == HNSW(m=8)
        build_index(url, name, concurrently=concurrently, memory="64MB")
        assert made.describe().index == HNSW(m=8, ef_construction=64)
        build_index(url, name, IVF(lists=10, probes=3), concurrently=concurrently)
        assert made.describe().index == IVF(lists=10, probes=3)
        assert made.query(rows(2000)[5], top_k=1)[0].id == "r5"
        build_index(url, name, Flat())
        assert made.describe().index == Flat()
    with pytest.raises(CollectionNotFoundError):
        build_index(url, f"{name}_x")


def test_names_of_63_bytes_do_not_meet(store: VectorStore) -> None:
    names = ["n" * 62 + last for last in "ab"]
    try:
        for at, one in enumerate(names):
            store.create_collection(one, dimension=at + 2, index_fields={"x" * 100: str})
        assert [store.collection(one).describe().dimension for one in names] == [2, 3]
        assert not store.has_collection("n" * 62 + "abc")
        with pytest.raises(CollectionExistsError):
            store.create_collection(names[0], dimension=2)
    finally:
        for one in names:
            store.drop_collection(one, missing_ok=True)


def test_ids_and_namespaces_of_the_greatest_length(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=8)
    generator = np.random.default_rng(1)

    def text(length: int) -> str:  # nothing that could be compressed
        return "".join(map(chr, generator.integers(0x10000, 0x10FFFF, size=length)))

    longest = [text(256), text(256)]
    for space in longest:
        made.namespace(space).upsert(ids=[text(512)], vectors=rows(1))
    assert made.namespaces() == dict.fromkeys(longest, 1)
    digest = execute(
        server("pgvector").url, f'SELECT namespace FROM "{name}" ORDER BY key LIMIT 1'
    )[0][0]
    assert made.namespace(digest).count() == 0
    made.namespace(digest).upsert(ids=["x"], vectors=rows(1))
    assert made.namespaces() == {**dict.fromkeys(longest, 1), digest: 1}


def test_people_see_natural_values(store: VectorStore, name: str, url: str) -> None:
    made = store.create_collection(name, dimension=8)
    metadata = {"category": "billing", "price": 9.5, "tags": ["a"], "note": "nul \0 here"}
    made.upsert(ids=["doc"], vectors=rows(1), metadata=[metadata], texts=["a\0b"])
    found = execute(
        url,
        "SELECT id, metadata ->> 'category', (metadata -> 'price')::float8, text, "
        f'metadata -> \'tags\' FROM "{name}" WHERE metadata @> \'{{"category": "billing"}}\'',
    )
    assert found == [("doc", "billing", 9.5, "a\ufffdb", ["a"])]
    execute(
        url,
        f'INSERT INTO "{name}" (id, vector, metadata) '
        "VALUES ('theirs', '[1,2,3,4,5,6,7,8]', '{\"n\": 1}')",
    )
    (theirs,) = made.get(["theirs"])
    assert theirs.metadata == {"n": 1}


def test_a_collection_made_anew_elsewhere_is_noticed(
    store: VectorStore, name: str, url: str
) -> None:
    made = store.create_collection(name, dimension=8, metric="dot")
    made.upsert(ids=["a"], vectors=rows(1))
    for _ in range(8):  # by then the statements are prepared
        made.get(["a"])
        made.query(rows(1)[0])
    with polyvec.connect(url) as other:
        other.drop_collection(name)
        again = other.create_collection(name, dimension=3, metric="euclidean")
        again.upsert(ids=["b"], vectors=rows(1, 3))
    for call in (lambda: made.get(["a", "b"]), lambda: made.query(rows(1)[0]), made.count):
        with pytest.raises(StoreError, match="made anew with dimension=3"):
            call()
    with polyvec.connect(url) as other:
        other.drop_collection(name)
        again = other.create_collection(name, dimension=8, metric="dot")
        again.upsert(ids=["c"], vectors=rows(1))
    assert [record.id for record in made.get(["a", "b", "c"])] == ["c"]
    assert [hit.id for hit in made.query(rows(1)[0])] == ["c"]
    with polyvec.connect(url) as other:
        other.drop_collection(name)
    with pytest.raises(CollectionNotFoundError):
        made.count()


def test_a_newer_layout_is_refused(store: VectorStore, name: str, url: str) -> None:
    store.create_collection(name, dimension=8)
    execute(url, "UPDATE _polyvec_collections SET layout_version = 99 WHERE name = %s", (name,))
    with pytest.raises(NotSupportedError, match="upgrade"):
        store.collection(name)
