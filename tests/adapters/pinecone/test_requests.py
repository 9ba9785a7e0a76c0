"""What is sent, how much at once, how often; and what becomes of answers that say no."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pinecone._internal.http_client import get_budget_registry
from tests.adapters.pinecone.stub import KEY, Asked, Stub, Told, index_model, stubbed

import polyvec
from polyvec import Collection, F, VectorStore
from polyvec.errors import (
    AccessError,
    CollectionNotFoundError,
    ConfigError,
    DeadlineError,
    InvalidRecordError,
    NotSupportedError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)
from polyvec_pinecone import _requests

EMPTY: dict[str, Any] = {"vectors": {}, "namespace": "", "usage": {"readUnits": 1}}
TERMS = ["*"]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stubbed() as made:
        made.on("POST /vectors/upsert", lambda asked: {"upsertedCount": len(asked.body["vectors"])})
        made.on("GET /vectors/fetch", EMPTY)
        made.on("POST /query", {"matches": [], "namespace": ""})
        yield made


@pytest.fixture
def store(stub: Stub) -> Iterator[VectorStore]:
    with polyvec.connect(stub.url) as opened:
        yield opened


@pytest.fixture
def docs(store: VectorStore) -> Collection[dict[str, Any]]:
    return store.collection("docs")


@pytest.fixture
def once(stub: Stub) -> Iterator[Collection[Any]]:
    """Yield the collection in a store that repeats nothing."""
    with polyvec.connect(f"{stub.url}&max_attempts=1") as opened:
        yield opened.collection("docs")


def vectors(count: int) -> Any:
    return np.ones((count, 3), dtype=np.float32)


def test_a_request_has_a_thousand_records(stub: Stub, docs: Collection[Any]) -> None:
    docs.upsert(ids=[f"r{at}" for at in range(2_500)], vectors=vectors(2_500))
    sent = [len(asked.body["vectors"]) for asked in stub.of("POST /vectors/upsert")]
    assert sorted(sent) == [500, 1_000, 1_000]


def test_a_request_has_two_megabytes(stub: Stub, docs: Collection[Any]) -> None:
    metadata = [{"x": "x" * 30_000} for _ in range(200)]
    docs.upsert(ids=[f"r{at}" for at in range(200)], vectors=vectors(200), metadata=metadata)
    sent = [len(asked.body["vectors"]) for asked in stub.of("POST /vectors/upsert")]
    assert sum(sent) == 200
    assert max(sent) == 2_000_000 // 30_068


def test_a_record_too_large_is_refused_before_anything_is_sent(
    stub: Stub, docs: Collection[Any]
) -> None:
    with pytest.raises(InvalidRecordError, match=r"record 'big' has 4\d{4} bytes") as caught:
        docs.upsert(
            ids=["small", "big"],
            vectors=vectors(2),
            metadata=[{}, {"x": ["ü" * 10_000]}],
            texts=[None, "t" * 21_000],
        )
    assert "40960" in str(caught.value)
    assert not stub.of("POST /vectors/upsert")


def test_ids_of_a_fetch_fit_into_a_url(stub: Stub, docs: Collection[Any]) -> None:
    ids = [f"{at:04}-{'ü' * 60}" for at in range(300)]
    docs.get(ids)
    asked = stub.of("GET /vectors/fetch")
    assert sum(len(one.query["ids"]) for one in asked) == 300
    assert max(one.url_bytes for one in asked) < 6_100
    assert list(_requests.url_parts([])) == []
    assert [len(part) for part in _requests.url_parts(["a"] * 2_500)] == [1_000, 1_000, 500]


def test_a_half_taken_batch_is_an_error(stub: Stub, once: Collection[Any]) -> None:
    stub.on("POST /vectors/upsert", {"upsertedCount": 1})
    with pytest.raises(UnavailableError, match="took 1 of 3 records"):
        once.upsert(ids=["a", "b", "c"], vectors=vectors(3))


def test_retry_after_is_kept_by_the_core_and_the_client_repeats_nothing(
    stub: Stub, docs: Collection[Any]
) -> None:
    answers = iter([Told({"message": "slow down"}, 429, {"retry-after": "1"})])

    def answer(asked: Asked) -> Any:
        return next(answers, {"upsertedCount": len(asked.body["vectors"])})

    stub.on("POST /vectors/upsert", answer)
    before = get_budget_registry().get("127.0.0.1").tokens()
    started = time.monotonic()
    docs.upsert(ids=["a"], vectors=vectors(1))
    assert time.monotonic() - started >= 1
    assert len(stub.of("POST /vectors/upsert")) == 2
    assert get_budget_registry().get("127.0.0.1").tokens() == before


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, AccessError),
        (403, AccessError),
        (413, RejectedError),
        (429, RateLimitedError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_every_refusal_is_heard_once(
    stub: Stub, once: Collection[Any], status: int, kind: type[StoreError]
) -> None:
    stub.on("POST /vectors/upsert", Told({"code": 3, "message": f"No, {KEY[:3]}"}, status))
    with pytest.raises(kind) as caught:
        once.upsert(ids=["a"], vectors=vectors(1))
    assert len(stub.of("POST /vectors/upsert")) == 1
    assert KEY not in str(caught.value)
    assert stub.asked[0].headers["api-key"] == KEY


def test_a_stalled_index_ends_with_the_deadline(stub: Stub, once: Collection[Any]) -> None:
    def stall(_: Asked) -> Any:
        time.sleep(2)  # longer than the caller waits
        return {}

    stub.on("POST /query", stall)
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        once.query([1.0, 2.0, 3.0], top_k=1, timeout_s=0.3)
    assert time.monotonic() - started < 1.5


def test_large_answers_are_fetched_by_id(stub: Stub, docs: Collection[Any]) -> None:
    def query(asked: Asked) -> Any:
        if asked.body["includeMetadata"]:
            return Told({"code": 3, "message": "The result is larger than 4 MB"}, 400)
        return {"matches": [{"id": "a", "score": 2.0}, {"id": "b", "score": 1.0}]}

    stub.on("POST /query", query)
    record = {"values": [1.0, 2.0, 3.0], "metadata": {"_polyvec_terms": ["*", "?n:i"], "n": 1.0}}
    found = {key: {"id": key, **record} for key in ("b", "a")}
    stub.on("GET /vectors/fetch", {**EMPTY, "vectors": found})
    hits = docs.query([1.0, 2.0, 3.0], top_k=2)
    assert [(hit.id, hit.score, hit.record.metadata) for hit in hits] == [
        ("a", 2.0, {"n": 1}),
        ("b", 1.0, {"n": 1}),
    ]
    docs.query([1.0, 2.0, 3.0], top_k=5_000)
    assert stub.of("POST /query")[-1].body["includeMetadata"] is False


def test_what_a_query_sends(stub: Stub, docs: Collection[Any]) -> None:
    docs.namespace("__x").query([0.0, 0.0, 0.0], top_k=3, filter=F("n").exists(), include=())
    (asked,) = stub.of("POST /query")
    assert asked.body == {
        "topK": 3,
        "includeValues": False,
        "includeMetadata": False,
        "namespace": "~__x",
        "vector": [float(np.finfo(np.float32).tiny), 0.0, 0.0],
        "filter": {"n": {"$exists": True}},
    }
    assert asked.headers["user-agent"].startswith("python-client-10")


def test_a_namespace_that_is_not_there_is_empty(stub: Stub, docs: Collection[Any]) -> None:
    missing = Told({"code": 5, "message": "Namespace not found", "details": []}, 404)
    for what in (
        "POST /vectors/delete",
        "POST /query",
        "POST /vectors/update",
        "POST /vectors/fetch_by_metadata",
        "GET /vectors/list",
        "GET /vectors/fetch",
        "GET /namespaces/x",
    ):
        stub.on(what, missing)
    space = docs.namespace("x")
    space.clear()
    space.delete(["a"])
    assert space.query([1.0, 2.0, 3.0], top_k=1) == []
    assert (space.count(), space.count(F("n").exists()), space.get(["a"])) == (0, 0, [])
    assert list(space.scan()) == list(space.scan(include=())) == []


def test_an_index_that_is_gone(stub: Stub, docs: Collection[Any]) -> None:
    gone = Told({"error": {"code": "NOT_FOUND", "message": "Resource docs not found"}}, 404)
    stub.on("GET /indexes/docs", gone)
    stub.on("POST /query", Told({"code": 5, "message": "not found"}, 404))
    with pytest.raises(CollectionNotFoundError, match="'docs'"):
        docs.query([1.0, 2.0, 3.0], top_k=1)


def test_another_index_of_that_name(stub: Stub, docs: Collection[Any]) -> None:
    """It is opened again, and the call repeated."""
    tags = {"polyvec": "1", "polyvec-number": "8"}
    stub.on("GET /indexes/docs", index_model(stub.port, tags=tags))
    answers = iter([Told({"code": 5, "message": "not found"}, 404)])
    nothing = Told({"matches": [], "namespace": ""})
    stub.on("POST /query", lambda _: next(answers, nothing))
    assert docs.query([1.0, 2.0, 3.0], top_k=1) == []
    assert len(stub.of("POST /query")) >= 2


def test_creating_waits_until_the_index_is_ready(
    stub: Stub, store: VectorStore, caplog: pytest.LogCaptureFixture
) -> None:
    states = iter(["Initializing", "Initializing"])
    stub.on("POST /indexes", Told(index_model(stub.port, state="Initializing", host=None), 201))
    stub.on("GET /indexes/docs", lambda _: index_model(stub.port, state=next(states, "Ready")))
    with caplog.at_level(logging.INFO, logger="polyvec"):
        store.create_collection("docs", dimension=3, metric="dot")
    assert "index 'docs' is Initializing, 0 s so far" in caplog.text
    (asked,) = stub.of("POST /indexes")
    assert asked.body["deployment"]["region"] == "us-east-1"


def test_an_index_that_does_not_become_ready(stub: Stub, store: VectorStore) -> None:
    stub.on("POST /indexes", Told(index_model(stub.port, state="Initializing"), 201))
    stub.on("GET /indexes/docs", index_model(stub.port, state="Initializing"))
    with pytest.raises(DeadlineError, match=r"is 'Initializing' after \d s"):
        store.create_collection("docs", dimension=3, metric="dot", timeout_s=1.5)
    stub.on("GET /indexes/docs", index_model(stub.port, state="InitializationFailed"))
    with pytest.raises(StoreError, match="its state is 'InitializationFailed'"):
        store.create_collection("docs", dimension=3, metric="dot")


def test_dropping_waits_until_the_index_is_gone(stub: Stub, store: VectorStore) -> None:
    gone = Told({"error": {"code": "NOT_FOUND", "message": "not found"}}, 404)
    answers = iter([index_model(stub.port)] * 2)
    stub.on("GET /indexes/docs", lambda _: next(answers, gone))
    stub.on("DELETE /indexes/docs", Told({}, 202))
    store.drop_collection("docs")
    assert len(stub.of("GET /indexes/docs")) == 3


def test_a_protected_index_is_not_dropped(stub: Stub, store: VectorStore) -> None:
    message = "Deletion protection is enabled for this index."
    refusal = Told({"error": {"code": "FORBIDDEN", "message": message}}, 403)
    stub.on("DELETE /indexes/docs", refusal)
    with pytest.raises(AccessError, match="deletion protection is enabled"):
        store.drop_collection("docs")


def test_listings_are_followed_to_their_end(stub: Stub, docs: Collection[Any]) -> None:
    def spaces(asked: Asked) -> Any:
        first = "paginationToken" not in asked.query
        names = [("__default__", "2"), ("~caf%C3%A9", 1)] if first else [("empty", 0), ("b", 3)]
        page: dict[str, Any] = {
            "namespaces": [{"name": name, "record_count": count} for name, count in names]
        }
        return {**page, "pagination": {"next": "t"}} if first else page

    def ids(asked: Asked) -> Any:
        after = int(asked.query.get("paginationToken", ["0"])[0])
        page: dict[str, Any] = {"vectors": [{"id": f"r{after + at}"} for at in range(100)]}
        return {**page, "pagination": {"next": str(after + 100)}} if after < 400 else page

    stub.on("GET /namespaces", spaces)
    stub.on("GET /vectors/list", ids)
    assert docs.namespaces() == {"": 2, "b": 3, "café": 1}
    batches = list(docs.scan(include=(), batch_size=200))
    assert [len(batch) for batch in batches] == [200, 200, 100]
    again = list(docs.scan(include=(), batch_size=200, after=batches[0].cursor))
    assert [batch.ids for batch in again] == [batch.ids for batch in batches[1:]]


def test_a_count_that_a_dry_run_cannot_tell_is_by_reading(
    stub: Stub, docs: Collection[Any]
) -> None:
    stub.on("POST /vectors/update", {"matchedRecords": 100_000})
    record = {"values": [1.0, 2.0, 3.0], "metadata": {"_polyvec_terms": TERMS}}
    found = {key: {"id": key, **record} for key in ("a", "b")}
    stub.on("POST /vectors/fetch_by_metadata", {**EMPTY, "vectors": found})
    assert docs.count(F("n").exists()) == 2
    assert stub.of("POST /vectors/update")[0].body["dryRun"] is True
    stub.on("POST /vectors/update", {"matchedRecords": 99})
    assert docs.count(F("n").exists()) == 99


@pytest.mark.parametrize("options", ["", "&grpc=true"])
def test_a_page_by_metadata_keeps_the_order_of_the_server(stub: Stub, options: str) -> None:
    """Also by gRPC, where a map of records has none: a page comes over REST there."""
    record = {"values": [1.0, 2.0, 3.0], "metadata": {"_polyvec_terms": TERMS}}
    found = {key: {"id": key, **record} for key in ("r2", "r10", "r1")}
    stub.on("POST /vectors/fetch_by_metadata", {**EMPTY, "vectors": found})
    with polyvec.connect(f"{stub.url}{options}") as store:
        [batch] = store.collection("docs").scan(filter=F("n").exists(), include=())
    assert batch.ids == ["r2", "r10", "r1"]


def test_records_come_in_the_order_of_their_ids_in_a_list(
    stub: Stub, docs: Collection[Any]
) -> None:
    record = {"values": [1.0, 2.0, 3.0], "metadata": {"_polyvec_terms": TERMS}}
    found = {key: {"id": key, **record} for key in ("c", "a", "d", "b")}
    stub.on("GET /vectors/fetch", {**EMPTY, "vectors": found})
    assert [one.id for one in docs.get(["b", "x", "a", "d"])] == ["b", "a", "d"]


def test_waiting_by_log_sequence_numbers(stub: Stub, docs: Collection[Any]) -> None:
    """One search a poll, not one for each record."""
    lsn = {"x-pinecone-request-lsn": "70"}
    stub.on("POST /vectors/upsert", Told({"upsertedCount": 50}, 200, lsn))
    seen = iter(["60", "69"])

    def query(_: Asked) -> Told:
        return Told({"matches": []}, 200, {"x-pinecone-max-indexed-lsn": next(seen, "70")})

    ids = [f"r{at}" for at in range(50)]
    record = {"values": [1.0, 2.0, 3.0], "metadata": {"_polyvec_terms": TERMS}}
    stub.on("POST /query", query)
    found = {key: {"id": key, **record} for key in ids}
    stub.on("GET /vectors/fetch", {**EMPTY, "vectors": found})
    docs.upsert(ids=ids, vectors=vectors(50))
    docs.wait_until_visible(ids, timeout_s=5)
    assert len(stub.of("POST /query")) == 3
    stub.on("POST /query", Told({"matches": []}, 200, {"x-pinecone-max-indexed-lsn": "70"}))
    stub.on(
        "POST /vectors/upsert", Told({"upsertedCount": 1}, 200, {"x-pinecone-request-lsn": "80"})
    )
    docs.upsert(ids=["r0"], vectors=vectors(1))
    with pytest.raises(DeadlineError, match="not visible yet"):
        docs.wait_until_visible(["r0"], timeout_s=0.2)


def test_waiting_where_nobody_tells(stub: Stub, docs: Collection[Any]) -> None:
    """Without the headers the core looks for each record."""
    record = {"values": [1.0, 2.0, 3.0], "metadata": {"_polyvec_terms": TERMS}}
    stub.on("GET /vectors/fetch", {**EMPTY, "vectors": {"a": {"id": "a", **record}}})
    stub.on("POST /query", {"matches": [{"id": "a", "score": 14.0}]})
    docs.upsert(ids=["a"], vectors=[[1.0, 2.0, 3.0]])
    docs.wait_until_visible(["a"], timeout_s=5)
    assert [one.body["topK"] for one in stub.of("POST /query")] == [100]


def test_a_key_that_is_no_header() -> None:
    with pytest.raises(ConfigError, match="not a valid HTTP header value") as caught:
        polyvec.connect("pinecone://127.0.0.1:1?tls=false&api_key=a%0Ab").ping()
    assert "a\nb" not in str(caught.value)


def test_a_fence_waits_for_a_number_above_those_of_others(
    stub: Stub, docs: Collection[Any]
) -> None:
    """Nothing was written by this store; the delete of nothing shows how far others are."""
    stub.on("POST /vectors/delete", Told({}, 200, {"x-pinecone-request-lsn": "90"}))
    seen = iter(["88", "89", "90"])

    def query(_: Asked) -> Told:
        return Told({"matches": []}, 200, {"x-pinecone-max-indexed-lsn": next(seen)})

    stub.on("POST /query", query)
    docs.wait_for_writes()
    assert next(seen, None) is None
    [asked] = stub.of("POST /vectors/delete")
    [nobody] = asked.body["ids"]
    assert nobody.startswith("polyvec-fence-")


def test_a_server_without_numbers_has_no_fence(stub: Stub, docs: Collection[Any]) -> None:
    with pytest.raises(NotSupportedError, match="does not tell"):
        docs.wait_for_writes()
    stub.on("POST /vectors/delete", Told({}, 200, {"x-pinecone-request-lsn": "90"}))
    with pytest.raises(NotSupportedError, match="does not tell"):  # what it wrote, not what it saw
        docs.wait_for_writes()


def test_a_namespace_that_was_just_begun_is_waited_for(stub: Stub, docs: Collection[Any]) -> None:
    absent = Told({"code": 5, "message": "Namespace not found", "details": []}, 404)
    answers = iter([absent, absent])

    def delete(_: Asked) -> Told:
        return next(answers, Told({}, 200, {"x-pinecone-request-lsn": "90"}))

    stub.on("POST /vectors/delete", delete)
    stub.on("POST /query", Told({"matches": []}, 200, {"x-pinecone-max-indexed-lsn": "90"}))
    docs.namespace("new").wait_for_writes()
    assert len(stub.of("POST /vectors/delete")) == 3
    stub.on("POST /vectors/delete", absent)
    with pytest.raises(DeadlineError):
        docs.namespace("new").wait_for_writes(timeout_s=0.2)
