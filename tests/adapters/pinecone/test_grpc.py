"""Data over gRPC: that it goes there, and what becomes of errors and of silence.

What records and filters mean over gRPC is the conformance suite's, `TestPineconeGrpc`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc  # type: ignore[import-untyped]  # it has none, and stubs would be one more package
import pytest
from tests.adapters.pinecone.stub import index_model, stubbed

import polyvec
from polyvec.errors import DeadlineError, RateLimitedError, RejectedError, UnavailableError
from polyvec.types import as_any

Answers = dict[str, Any]

NOTHING: Final = object()
"""In place of an answer: the method says nothing."""

SOON_S: Final = 0.3


@pytest.fixture
def answers() -> Answers:
    """Return what each method answers: bytes of a message, or a status."""
    return {"Upsert": b"\x08\x02"}  # upserted_count: 2


@pytest.fixture
def served(answers: Answers) -> Iterator[int]:
    """Yield the port of a gRPC server."""

    stopped = threading.Event()

    def handle(method: str) -> Any:
        def call(_: bytes, context: Any) -> bytes:
            told: Any = answers.get(method, b"")
            if told is NOTHING:
                stopped.wait(timeout=60)
                told = b""
            if not isinstance(told, bytes):
                context.abort(told, "No.")
            message: bytes = told
            return message

        return as_any(grpc.unary_unary_rpc_method_handler(call))

    names = ("Upsert", "Query", "Delete", "Fetch", "DescribeNamespace", "ListNamespaces")
    handlers = grpc.method_handlers_generic_handler(
        "VectorService", {name: handle(name) for name in names}
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handlers,))
    port: int = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    stopped.set()
    server.stop(None).wait()


@pytest.fixture
def docs(served: int) -> Iterator[polyvec.Collection[dict[str, Any]]]:
    with stubbed() as stub:
        stub.on("GET /indexes/docs", index_model(served))
        with polyvec.connect(f"{stub.url}&grpc=true&max_attempts=1") as store:
            yield store.collection("docs")
        assert not any("vectors" in one.path for one in stub.asked), "data went over REST"


def test_writing_and_searching(docs: polyvec.Collection[dict[str, Any]], answers: Answers) -> None:
    docs.upsert(ids=["a", "b"], vectors=[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    # One match, "a", of the score 2.5.
    answers["Query"] = b"\x12\x08\x0a\x01a\x15\x00\x00\x20\x40"
    hits = docs.query([1.0, 0.0, 0.0], top_k=1, include=())
    assert [(hit.id, hit.score) for hit in hits] == [("a", 2.5)]
    docs.delete(["a"])
    assert docs.get(["a"]) == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, RejectedError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimitedError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
    ],
)
def test_statuses(
    docs: polyvec.Collection[dict[str, Any]], answers: Answers, status: Any, kind: Any
) -> None:
    answers["Upsert"] = status
    with pytest.raises(kind):
        docs.upsert(ids=["a"], vectors=[[1.0, 2.0, 3.0]])


Docs = polyvec.Collection[dict[str, Any]]
WAITING: list[tuple[str, Callable[[Docs], object]]] = [
    ("Query", lambda docs: docs.query([1.0, 0.0, 0.0], timeout_s=SOON_S)),
    ("Fetch", lambda docs: docs.get(["a"], timeout_s=SOON_S)),
    ("DescribeNamespace", lambda docs: docs.count(timeout_s=SOON_S)),
    ("ListNamespaces", lambda docs: docs.namespaces(timeout_s=SOON_S)),
]


@pytest.mark.parametrize(("method", "call"), WAITING, ids=[method for method, _ in WAITING])
def test_who_says_nothing_has_until_the_deadline(
    docs: Docs, answers: Answers, method: str, call: Callable[[Docs], object]
) -> None:
    answers[method] = NOTHING
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        call(docs)
    assert time.monotonic() - started < 20 * SOON_S
