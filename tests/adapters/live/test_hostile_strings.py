"""Hostile strings anywhere: they come back as they went in, and the neighbour stays untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.adapters.live import hostile
from tests.adapters.live.waiting import eventually, settle

from polyvec import Collection, F, InvalidRequestError, PolyvecError, VectorStore
from polyvec.evaluate import matches

Any_ = Collection[dict[str, Any]]


def vectors(count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(size=(count, 4)).astype(np.float32)


@pytest.fixture
def sentinel(store: VectorStore, fresh_name: Callable[[], str]) -> Iterator[None]:
    """Hold records beside the test's own, in another collection and under hostile names."""
    made = store.create_collection(fresh_name(), dimension=4, metric="euclidean")
    ids = [*hostile.STRINGS[:50], "sentinel"]
    metadata = [{"category": "kept", "n": at} for at in range(len(ids))]
    made.upsert(ids=ids, vectors=vectors(len(ids)), metadata=metadata, texts=ids)
    settle(store, made, ids)
    before = made.get(ids)
    yield
    assert made.get(ids) == before
    assert made.count() == len(ids)


def test_the_corpus_is_large_enough() -> None:
    assert len(hostile.STRINGS) >= 500
    assert len(set(hostile.STRINGS)) == len(hostile.STRINGS)


@pytest.mark.usefixtures("sentinel")
def test_ids_values_and_texts(store: VectorStore, collection: Any_) -> None:
    strings = list(hostile.STRINGS)
    metadata = [{"value": text, "list": [text, "x"], "in": {"side": text}} for text in strings]
    block = vectors(len(strings))
    collection.upsert(ids=strings, vectors=block, metadata=metadata, texts=strings)
    settle(store, collection, strings)
    found = collection.get(strings)
    assert [record.id for record in found] == strings
    assert [record.metadata for record in found] == metadata
    assert [record.text for record in found] == strings
    assert collection.count() == len(strings)
    for at in range(0, len(strings), 40):
        assert collection.query(block[at], top_k=1)[0].id == strings[at]
    gone = strings[::7]
    collection.delete(gone)
    settle(store, collection, gone, absent=True)
    left = [text for text in strings if text not in set(gone)]
    assert sorted(key for batch in collection.scan() for key in batch.ids) == sorted(left)


@pytest.mark.usefixtures("sentinel")
def test_operands(store: VectorStore, collection: Any_) -> None:
    strings = list(hostile.STRINGS)
    metadata = [{"value": text, "list": [text], "in": {"side": text}} for text in strings]
    collection.upsert(ids=strings, vectors=vectors(len(strings)), metadata=metadata)
    settle(store, collection, strings)
    for text in strings[::3]:
        for where in (
            F("value") == text,
            F("in.side").is_in([text]),
            F("list").contains(text),
            F("value").starts_with(text),
            F("value") < text,
        ):
            expected = sum(matches(where, item) for item in metadata)
            assert collection.count(where) == expected, where


@pytest.mark.usefixtures("sentinel")
def test_keys(store: VectorStore, collection: Any_) -> None:
    keys = list(hostile.KEYS)
    metadata = [{key: at, "in": {key: {"deep": at}}} for at, key in enumerate(keys)]
    ids = [f"r{at}" for at in range(len(keys))]
    collection.upsert(ids=ids, vectors=vectors(len(keys)), metadata=metadata)
    settle(store, collection, ids)
    assert [record.metadata for record in collection.get(ids)] == metadata
    for at, key in list(enumerate(keys))[::3]:
        for where in (F((key,)) == at, F(("in", key, "deep")) >= 0, F((key,)).exists()):
            expected = sum(matches(where, item) for item in metadata)
            assert collection.count(where) == expected, where
    changed = keys[0]
    collection.update(["r0"], set={changed: "new"}, unset=[keys[1]])
    settle(store, collection, ["r0"])
    assert collection.get(["r0"])[0].metadata[changed] == "new"


@pytest.mark.usefixtures("sentinel")
def test_namespaces(store: VectorStore, collection: Any_) -> None:
    names = list(dict.fromkeys(hostile.NAMESPACES))[::4]
    for at, name in enumerate(names):
        space = collection.namespace(name)
        space.upsert(ids=["same"], vectors=vectors(1), metadata=[{"n": at}])

    def check() -> None:
        assert collection.namespaces() == dict.fromkeys(names, 1)

    eventually(store, check)
    collection.drop_namespace(names[3])
    settle(store, collection.namespace(names[3]), ["same"], absent=True)
    for at, name in enumerate(names):
        found = [record.metadata["n"] for record in collection.namespace(name).get(["same"])]
        assert found == ([] if at == 3 else [at])


@pytest.mark.usefixtures("sentinel")
def test_names_of_collections(store: VectorStore) -> None:
    before = store.list_collections()
    for text in hostile.STRINGS[::3]:
        with pytest.raises((InvalidRequestError, PolyvecError)):
            store.create_collection(f"1{text}"[:64], dimension=4)
        assert not store.has_collection(f"no such {text}"[:200])
        store.drop_collection(f"no such {text}"[:200], missing_ok=True)
    assert store.list_collections() == before
