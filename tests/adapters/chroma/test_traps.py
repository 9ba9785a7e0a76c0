"""Each trap of Chroma that lost or changed somebody's data, on a server and in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pytest
from tests.services import server

import polyvec
from polyvec import CollectionExistsError, F, VectorRecord, VectorStore
from polyvec.errors import StoreError, UnavailableError
from polyvec.evaluate import matches
from polyvec_chroma._errors import PanicError

RECORDS: Final = 3_000


@pytest.fixture(params=["memory", "server"])
def store(request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    url = "chroma:///:memory:" if request.param == "memory" else server("chroma").url
    with polyvec.connect(url) as opened:
        yield opened


@pytest.fixture
def name(store: VectorStore) -> Iterator[str]:
    made = f"traps_{uuid4().hex[:12]}"
    yield made
    store.drop_collection(made, missing_ok=True)


def vectors(count: int, dimension: int = 8, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def test_trap_s2_a_float_operand_beside_ints(store: VectorStore, name: str) -> None:
    """S2: Chroma cuts off the fraction of an operand before it compares it with an int."""
    items: list[dict[str, Any]] = [{"f": value} for value in (0, 1, 2, 0.5, 1.5, -1, -0.5, 2**60)]
    ids = [f"r{at}" for at in range(len(items))]
    made = store.create_collection(name, dimension=8)
    made.upsert(ids=ids, vectors=vectors(len(items)), metadata=items)
    field = F("f")
    for where in (
        field == 0.5,
        field != 0.5,
        field < 0.5,
        field >= 1.5,
        field > -0.5,
        field <= -0.5,
        field.is_in([0.5, 1]),
        field.not_in([0.5, 1.5]),
        field > 2**60 - 0.5,
    ):
        expected = {key for key, item in zip(ids, items, strict=True) if matches(where, item)}
        assert {key for batch in made.scan(filter=where) for key in batch.ids} == expected


def test_trap_s3_a_record_of_too_many_items(store: VectorStore, name: str) -> None:
    """S3: more than 5,461 items of lists in a record made its collection unusable for ever."""
    roomy = store.config.model_copy(update={"max_metadata_bytes": 200_000})
    with polyvec.connect(roomy) as opened:
        _keep_wide_records(opened, name)


def _keep_wide_records(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=8)
    wide: dict[str, Any] = {"many": list(range(9_000)), "kind": "wide"}
    keys: dict[str, Any] = {f"k{at}": at for at in range(7_000)}
    made.upsert(ids=["items", "keys"], vectors=vectors(2), metadata=[wide, keys])
    made.upsert(ids=["plain"], vectors=vectors(1, seed=2), metadata=[{"kind": "plain"}])
    assert made.count() == 3
    assert {r.id: r.metadata for r in made.get(["items", "keys"])} == {"items": wide, "keys": keys}
    assert made.count(F("many").contains(8_999)) == 1
    assert made.count(F("k6999") == 6_999) == 1
    assert made.query(vectors(1)[0], top_k=3, exact=True)[0].id == "items"


def test_trap_s4_records_that_the_index_lost(store: VectorStore, name: str) -> None:
    """S4: the index loses records, more with each rewrite; filters then gave too few hits."""
    made = store.create_collection(name, dimension=8)
    ids = [f"r{at:05}" for at in range(RECORDS)]
    items: list[dict[str, Any]] = [{"n": at} for at in range(RECORDS)]
    for seed in (1, 2):  # written twice, with other vectors
        made.upsert(ids=ids, vectors=vectors(RECORDS, seed=seed), metadata=items)
    block = vectors(RECORDS, seed=2)
    query = vectors(1, seed=3)[0]
    exact = made.query(query, top_k=RECORDS, exact=True, include=())
    assert {hit.id for hit in exact} == set(ids)
    scores = (block @ query) / np.linalg.norm(block, axis=1) / np.linalg.norm(query)
    assert [hit.id for hit in exact[:10]] == [ids[at] for at in np.argsort(-scores)[:10]]
    few = F("n") < 10
    for seed in range(5):
        hits = made.query(vectors(1, seed=seed)[0], top_k=10, filter=few, include=())
        assert {hit.id for hit in hits} == set(ids[:10])


def test_trap_s12_a_replace_that_merges(store: VectorStore, name: str) -> None:
    """S12: Chroma's upsert keeps old keys, and the old text where none is given."""
    made = store.create_collection(name, dimension=8)
    first = VectorRecord(
        id="a", vector=vectors(1)[0], metadata={"old": 1, "tags": ["x"], "both": 1}, text="old"
    )
    second = VectorRecord(id="a", vector=vectors(1, seed=2)[0], metadata={"both": 2})
    made.upsert([first])
    made.upsert([second])
    (found,) = made.get(["a"])
    assert found.metadata == {"both": 2}
    assert found.text is None
    for gone in (F("old").exists(), F("tags").exists(), F("tags").contains("x")):
        assert made.count(gone) == 0
    made.upsert(ids=["a"], vectors=vectors(1, seed=2))
    assert made.get(["a"])[0].metadata == {}


def test_trap_s15_a_collection_that_exists(store: VectorStore, name: str) -> None:
    """S15: embedded it is an InternalError, over HTTP a bare ChromaError."""
    store.create_collection(name, dimension=8)
    with pytest.raises(CollectionExistsError, match=name):
        store.create_collection(name, dimension=8)


def test_trap_s15_nobody_listens() -> None:
    """S15: a refused connection was a ValueError of the constructor."""
    store = polyvec.connect("chroma://127.0.0.1:1")
    with pytest.raises(UnavailableError):
        store.ping(timeout_s=5)
    store.close()


def test_trap_s14_a_panic_of_native_code(tmp_path: Path) -> None:
    """S14: a PanicException is no Exception: it passes every handler and ends a thread."""
    with polyvec.connect(f"chroma://{tmp_path}") as store:
        store.ping()
        native: Any = store.client
        with pytest.raises(PanicError):
            native.create_collection("panics", metadata={"bad": ["a", "list"]})
        assert store.list_collections() == []
    assert not isinstance(PanicError("x"), StoreError)


class _Recorder(BaseHTTPRequestHandler):
    """Answers as an empty Chroma does, and keeps the token of each request."""

    tokens: list[str | None]

    def do_GET(self) -> None:
        self.tokens.append(self.headers.get("x-chroma-token"))
        body = b'{"id": "00000000-0000-0000-0000-000000000001", "name": "n", "tenant": "t"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[str | None]]]:
    tokens: list[str | None] = []
    handler = type("Recorder", (_Recorder,), {"tokens": tokens})
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"chroma://127.0.0.1:{listening.server_port}", tokens
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_trap_s5_two_clients_on_one_loop(recorder: tuple[str, list[str | None]]) -> None:
    """S5: Chroma's asynchronous client sent the headers of the first one for all."""
    url, tokens = recorder

    async def work() -> None:
        keys = ("first", "second", None)
        stores = [
            polyvec.connect_async(url if key is None else f"{url}?api_key={key}") for key in keys
        ]
        for store in stores:
            await store.ping()
        for store in stores:
            await store.aclose()

    asyncio.run(work())
    assert tokens == ["first", "second", None]


def test_records_are_read_whole_while_they_are_written(store: VectorStore, name: str) -> None:
    """Chroma reads lists, scalars and vectors one after the other; a write may come between."""
    made = store.create_collection(name, dimension=8)
    block = vectors(2)
    ids = ["a", "b", "c"]

    def write() -> None:
        for at in range(60):
            one = at % 2
            item: dict[str, Any] = {"v": one, "copy": [one], "text": f"{one}"}
            made.upsert(ids=ids, vectors=[block[one]] * 3, metadata=[item] * 3)

    made.upsert(ids=ids, vectors=[block[0]] * 3, metadata=[{"v": 0, "copy": [0], "text": "0"}] * 3)
    thread = threading.Thread(target=write)
    thread.start()
    read = 0
    while thread.is_alive():
        records = made.get(ids, include=("vector", "metadata"))
        records += [h.record for h in made.query(block[0], top_k=3, include=("vector", "metadata"))]
        for record in records:
            one = record.metadata["v"]
            assert record.metadata == {"v": one, "copy": [one], "text": f"{one}"}
            assert np.allclose(record.vector, block[one], rtol=1e-6)
            read += 1
    thread.join()
    assert read


def test_the_vendor_sees_what_we_wrote(store: VectorStore, name: str) -> None:
    made = store.create_collection(name, dimension=8, metric="euclidean")
    made.upsert(
        ids=["a"], vectors=vectors(1), metadata=[{"price": 9.5, "tags": ["x", "y"]}], texts=["lamp"]
    )
    client: Any = store.client
    native = client.get_collection(name, embedding_function=None)
    got = native.get(where={"price": {"$gt": 9.0}}, include=["metadatas", "documents"])
    assert got["ids"] == ["a"]
    assert got["documents"] == ["lamp"]
    assert got["metadatas"][0]["price"] == 9.5
    assert got["metadatas"][0]["tags"] == ["x", "y"]


def test_settings_of_the_environment_have_no_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Chroma's settings read unprefixed variables and `.env`, and refuse what differs."""
    monkeypatch.setenv("CHROMA_SERVER_HOST", "elsewhere.example")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CHROMA_SERVER_HTTP_PORT=1\n", encoding="utf-8")
    with polyvec.connect(server("chroma").url) as store:
        store.ping()


def test_lists_of_a_dropped_collection(store: VectorStore, name: str) -> None:
    """Chroma leaves lists of a dropped collection behind, for records that get its row numbers.

    polyvec drops the records first. What the vendor's client drops with records in it comes back;
    in a collection of ours such lists are told from the record's own.
    """
    made = store.create_collection(name, dimension=8)
    client: Any = store.client
    made.upsert(ids=["a"], vectors=vectors(1), metadata=[{"old": ["x"], "n": 1}])
    store.drop_collection(name)
    for _ in range(2):
        made = store.create_collection(name, dimension=8)
        made.upsert(ids=["b"], vectors=vectors(1), metadata=[{"new": 1, "s": "y"}])
        assert made.get(["b"])[0].metadata == {"new": 1, "s": "y"}
        client.delete_collection(name)
