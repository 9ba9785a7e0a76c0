"""What a server answers and local mode does not: statuses, rate limits, what requests hold.

The stub is no Qdrant. It plays back answers in the form that server 1.18.3 gave, and keeps what it
was asked; it knows nothing of vectors. The suite on a real server is what proves the adapter.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import pytest

import polyvec
from polyvec import HNSW, F, Flat, VectorStore
from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)
from polyvec_qdrant._errors import map_error

KEY = "key-nobody-may-see"
INFO: dict[str, Any] = {
    "status": "green",
    "optimizer_status": "ok",
    "indexed_vectors_count": 0,
    "points_count": 3,
    "segments_count": 2,
    "config": {
        "params": {"vectors": {"size": 3, "distance": "Dot"}, "shard_number": 1},
        "hnsw_config": {"m": 24, "ef_construct": 90, "full_scan_threshold": 10000},
        "optimizer_config": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 1000,
            "default_segment_number": 0,
            "flush_interval_sec": 5,
        },
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        "metadata": {
            "polyvec": {
                "version": 1,
                "dimension": 3,
                "metric": "dot",
                "ef_search": 77,
                "index_fields": {},
            }
        },
    },
    "payload_schema": {
        "_polyvec_ns": {"data_type": "keyword", "points": 3},
        "_polyvec_terms": {"data_type": "keyword", "points": 3},
        "price": {"data_type": "integer", "points": 3},
    },
}
ANSWERS: dict[str, Any] = {
    r"GET /aliases": {"aliases": []},
    r"GET /collections": {"collections": [{"name": "docs"}]},
    r"GET /collections/docs": INFO,
    r"PUT /collections/\w+": True,
    r"PUT /collections/\w+/index.*": {"operation_id": 1, "status": "completed"},
    r"PUT /collections/docs/points.*": {"operation_id": 2, "status": "completed"},
    r"POST /collections/docs/points/delete.*": {"operation_id": 3, "status": "completed"},
    r"POST /collections/docs/points/query/batch.*": [{"points": []}],
    r"POST /collections/docs/points/count.*": {"count": 0},
    r"POST /collections/docs/facet.*": {
        "hits": [{"value": "a", "count": 2}, {"value": "gone", "count": 0}]
    },
}


@dataclass
class Stub:
    """Answers by a script and keeps the requests."""

    url: str = ""
    asked: list[tuple[str, str, Any, str | None]] = field(default_factory=list[Any])
    failing: tuple[int, Any, dict[str, str]] | None = None
    stalled: threading.Event | None = None

    def answer(self, method: str, path: str) -> tuple[int, Any, dict[str, str]]:
        if self.stalled is not None:
            self.stalled.wait(30)
        if self.failing is not None:
            return self.failing
        for pattern, result in ANSWERS.items():
            if re.fullmatch(pattern, f"{method} {path}"):
                return 200, {"result": result, "status": "ok", "time": 0.001}, {}
        return 404, {"status": {"error": f"Not found: {path}"}, "time": 0.0}, {}

    def bodies(self, pattern: str) -> list[Any]:
        return [
            body for method, path, body, _ in self.asked if re.search(pattern, f"{method} {path}")
        ]


@pytest.fixture
def stub() -> Iterator[Stub]:
    told = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            told.asked.append((self.command, self.path, body, self.headers.get("api-key")))
            status, content, headers = told.answer(self.command, self.path)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - their names

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    told.url = f"qdrant://127.0.0.1:{listening.server_port}?api_key={KEY}&max_attempts=1"
    yield told
    if told.stalled is not None:
        told.stalled.set()
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def store(stub: Stub) -> Iterator[VectorStore]:
    with polyvec.connect(stub.url) as opened:
        yield opened


def error(text: str) -> dict[str, Any]:
    return {"status": {"error": text}, "time": 0.0}


@pytest.mark.parametrize(
    ("status", "body", "headers", "wanted", "says"),
    [
        (
            404,
            error("Not found: Collection `docs` doesn't exist!"),
            {},
            CollectionNotFoundError,
            "docs",
        ),
        (
            409,
            error("Wrong input: Collection `docs` already exists!"),
            {},
            CollectionExistsError,
            "docs",
        ),
        (400, error("Wrong input: Vector dimension error"), {}, RejectedError, "dimension"),
        (
            400,
            error("Bad request: Index required but not found"),
            {},
            RejectedError,
            "index required",
        ),
        (422, error("Validation error"), {}, RejectedError, "validation"),
        (401, b"Must provide an API key", {}, AccessError, "401"),
        (403, error("Forbidden: Write access required"), {}, AccessError, "write access"),
        (429, error("Rate limit exceeded"), {"Retry-After": "7"}, RateLimitedError, "rate limit"),
        (429, error("Rate limit exceeded"), {}, RateLimitedError, "rate limit"),
        (500, error("Service internal error"), {}, UnavailableError, "internal"),
        (502, b"<html>bad gateway</html>", {}, UnavailableError, "502"),
        (504, b"", {}, DeadlineError, "504"),
        (200, b"not json", {}, StoreError, "not understood"),
    ],
)
def test_statuses(
    stub: Stub,
    store: VectorStore,
    status: int,
    body: Any,
    headers: dict[str, str],
    wanted: type[StoreError],
    says: str,
) -> None:
    stub.failing = (status, body, headers)
    with pytest.raises(StoreError) as caught:
        store.ping()
    assert type(caught.value) is wanted
    assert says in str(caught.value).lower()
    assert KEY not in str(caught.value)
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after_s == (7.0 if headers else None)


def test_a_server_that_hangs(stub: Stub, store: VectorStore) -> None:
    docs = store.collection("docs")
    stub.stalled = threading.Event()
    with pytest.raises(DeadlineError) as caught:
        docs.count(timeout_s=0.3)
    assert caught.value.retryable


def test_a_server_that_hangs_while_records_decide(stub: Stub, store: VectorStore) -> None:
    # So deep a filter is not sent: the records are read page by page, within the one deadline.
    where: Any = F("n") == 0
    for at in range(1, 24):
        where = ~(where | (F("n") == at))
    docs = store.collection("docs")
    stub.stalled = threading.Event()
    for call in (docs.count, docs.delete):
        with pytest.raises(DeadlineError):
            call(filter=where, timeout_s=0.3)


def test_nobody_listens() -> None:
    with polyvec.connect("qdrant://127.0.0.1:1?max_attempts=1") as store:
        with pytest.raises(UnavailableError) as caught:
            store.ping(timeout_s=5)
        assert caught.value.retryable


def test_the_key_goes_with_every_request(stub: Stub, store: VectorStore) -> None:
    store.list_collections()
    assert {key for *_, key in stub.asked} == {KEY}


def test_a_collection_is_made_with_its_indexes(stub: Stub, store: VectorStore) -> None:
    with pytest.raises(CollectionNotFoundError):  # it is opened afterwards, and the stub has none
        store.create_collection(
            "fresh",
            dimension=3,
            index=HNSW(m=24, ef_construction=90),
            index_fields={"price": int, "author.name": str, "ok": bool},
        )
    (made,) = stub.bodies(r"PUT /collections/fresh(\?|$)")
    assert made["vectors"] == {"size": 3, "distance": "Cosine", "on_disk": False}
    assert made["hnsw_config"] == {"m": 24, "ef_construct": 90}
    assert made["metadata"]["polyvec"]["version"] == 1
    indexes = {body["field_name"]: body["field_schema"] for body in stub.bodies(r"PUT .*/index")}
    assert indexes == {
        "_polyvec_ns": {"type": "keyword", "is_tenant": True},
        "_polyvec_terms": "keyword",
        "price": "float",
        '_polyvec_order."author.name"': "float",
    }


def test_writes_wait(stub: Stub, store: VectorStore) -> None:
    docs = store.collection("docs")
    docs.upsert(ids=["a"], vectors=[[1, 2, 3]])
    docs.delete(["a"])
    writes = [path for method, path, *_ in stub.asked if "/points" in path and method != "GET"]
    assert len(writes) == 2
    assert all("wait=true" in path for path in writes)


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({}, {"hnsw_ef": 77, "exact": False}),
        ({"search": HNSW(ef_search=300)}, {"hnsw_ef": 300, "exact": False}),
        ({"search": Flat()}, {"hnsw_ef": 77, "exact": True}),
        ({"exact": True}, {"hnsw_ef": 77, "exact": True}),
    ],
    ids=repr,
)
def test_settings_of_a_search(
    stub: Stub, store: VectorStore, query: dict[str, Any], sent: dict[str, Any]
) -> None:
    store.collection("docs").query([1, 2, 3], **query)
    (body,) = stub.bodies("query/batch")
    assert body["searches"][0]["params"] == sent


def test_a_search_without_settings_sends_none(
    stub: Stub, store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = deepcopy(INFO)
    del info["config"]["metadata"]  # which has an ef for every search
    monkeypatch.setitem(ANSWERS, "GET /collections/docs", info)
    docs = store.collection("docs")
    docs.query([1, 2, 3])
    docs.query([1, 2, 3], search=HNSW(ef_search=300))
    (plain, wide) = stub.bodies("query/batch")
    assert plain["searches"][0].get("params") is None
    assert wide["searches"][0]["params"] == {"hnsw_ef": 300, "exact": False}


@pytest.mark.parametrize("own", [True, False], ids=["of the vector", "of the collection"])
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "native"])
def test_quantised_hits_are_scored_again(
    stub: Stub, store: VectorStore, monkeypatch: pytest.MonkeyPatch, own: bool, ours: bool
) -> None:
    info = deepcopy(INFO)
    config = info["config"]
    place = config["params"]["vectors"] if own else config
    place["quantization_config"] = {"scalar": {"type": "int8"}}
    if not ours:
        del config["metadata"]
    monkeypatch.setitem(ANSWERS, "GET /collections/docs", info)
    docs = store.collection("docs")
    docs.query([1, 2, 3])
    docs.query([1, 2, 3], exact=True)
    (approximate, exact) = stub.bodies("query/batch")
    assert approximate["searches"][0]["params"]["quantization"] == {"rescore": True}
    assert "quantization" not in exact["searches"][0]["params"]


def test_namespaces_without_records_are_not_listed(store: VectorStore) -> None:
    assert store.collection("docs").namespaces() == {"a": 2}


def test_the_index_is_told_as_the_server_has_it(store: VectorStore) -> None:
    info = store.collection("docs").describe()
    assert info.index == HNSW(m=24, ef_construction=90, ef_search=77)
    assert info.layout == "polyvec"


def test_an_index_of_another_kind_is_noticed(store: VectorStore) -> None:
    explained = store.collection("docs").explain(F("price") < 3)
    assert explained.residual == (F("price") < 3)
    assert store.collection("docs").explain(F("other") < 3).residual is None


class Call(grpc.RpcError):  # type: ignore[misc]  # see the import
    """An error of a gRPC call, as the client raises it."""

    def __init__(self, code: Any, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (grpc.StatusCode.NOT_FOUND, CollectionNotFoundError),
        (grpc.StatusCode.ALREADY_EXISTS, CollectionExistsError),
        (grpc.StatusCode.INVALID_ARGUMENT, RejectedError),
        (grpc.StatusCode.UNAUTHENTICATED, AccessError),
        (grpc.StatusCode.PERMISSION_DENIED, AccessError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimitedError),
        (grpc.StatusCode.INTERNAL, StoreError),
    ],
)
def test_codes_of_grpc(code: Any, wanted: type[StoreError]) -> None:
    mapped = map_error(Call(code, "Wrong input: x."), "search")
    assert type(mapped) is wanted
    assert str(mapped).startswith("qdrant.search: ")


@pytest.mark.parametrize("make", [ValueError, TypeError, KeyError])
def test_what_is_not_known_passes(make: Callable[[str], Exception]) -> None:
    assert map_error(make("ours"), "get") is None
