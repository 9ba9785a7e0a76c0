"""Many records, and many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

import polyvec
from polyvec import F
from polyvec.evaluate import matches
from polyvec.scoring import best_rows, exact_scores
from polyvec.snapshot import parts
from polyvec.snapshot.directory import SnapshotDirectory
from polyvec.types import Metric

Opener = Callable[[], polyvec.VectorStore]
ROWS = 50_000


def test_fifty_thousand_records(connect: Opener) -> None:
    rng = np.random.default_rng(0)
    block = rng.standard_normal((ROWS, 16)).astype(np.float32)
    ids = [f"id-{row}" for row in rng.permutation(ROWS).tolist()]
    metadata = [{"bucket": row % 100, "word": f"w{row % 7}"} for row in range(ROWS)]
    connect().create_collection("c", dimension=16).upsert(ids=ids, vectors=block, metadata=metadata)
    collection = connect().collection("c")
    query = rng.standard_normal(16).astype(np.float32)
    where = (F("bucket") < 3) & (F("word") == "w1")
    right = [row for row in range(ROWS) if matches(where, metadata[row])]
    assert 0 < len(right) < ROWS

    assert collection.count(where) == len(right)
    scores = exact_scores(query[None], block, Metric.COSINE)[0]
    expected: list[str] = [ids[row] for row in best_rows(scores, ids, 20)]
    assert [hit.id for hit in collection.query(query, top_k=20)] == expected
    names = [ids[row] for row in right]
    chosen: list[str] = [names[row] for row in best_rows(scores[right], names, 20)]
    assert [hit.id for hit in collection.query(query, top_k=20, filter=where)] == chosen

    row_of = {record_id: row for row, record_id in enumerate(ids)}
    seen: list[str] = []
    for batch in collection.scan(batch_size=3000, include=("vector",)):
        assert batch.vectors is not None
        assert np.array_equal(batch.vectors, block[[row_of[i] for i in batch.ids]])
        seen += batch.ids
    assert len(seen) == ROWS
    assert set(seen) == set(ids)


def test_decoded_columns_are_not_kept_without_end(connect: Opener) -> None:
    collection = connect().create_collection("c", dimension=256)
    block = np.ones((5000, 256), dtype=np.float32)
    ids = [f"r{row}" for row in range(5000)]
    collection.upsert(ids=ids, vectors=block)
    store = connect()
    directory = store._adapter._directory  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]  # a look inside
    assert isinstance(directory, SnapshotDirectory)
    reader = directory.collection("c")[0].reader
    limit = 2 * parts.GROUP_BYTES
    reader.cache_bytes = limit
    assert sum(len(b) for b in store.collection("c").scan(include=("vector",))) == 5000
    assert 0 < reader.cached_bytes <= limit


def test_threads_write_read_and_drop_at_once(connect: Opener) -> None:
    store = connect()
    collection = store.create_collection("c", dimension=2)
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as exc:  # noqa: BLE001 - the main thread asserts on it
            failures.append(exc)

    def writer(name: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(40):
                space = collection.namespace(name)
                # Both records of a write carry its number: a reader never finds them apart.
                space.upsert(ids=["x", "y"], vectors=[[1, 1]] * 2, metadata=[{"n": number}] * 2)

        return work

    def reader() -> None:
        for _ in range(60):
            for name in ("a", "b"):
                records = collection.namespace(name).get(["x", "y"])
                assert len({record.metadata["n"] for record in records}) <= 1
                assert len(records) in (0, 2)

    def dropper() -> None:
        for number in range(15):
            name = f"d{number}"
            store.create_collection(name, dimension=2).upsert(ids=["a"], vectors=[[1, 1]])
            store.drop_collection(name)

    threads = [
        threading.Thread(target=run, args=(work,))
        for work in (writer("a"), writer("b"), reader, reader, dropper)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert collection.namespaces() == {"a": 2, "b": 2}
    assert store.list_collections() == ["c"]
