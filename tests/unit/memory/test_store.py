"""The adapter's primitives against a dict, in memory and in a directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyvec.bounds import compile_filter
from polyvec.capabilities import Feature
from polyvec.errors import (
    ClosedError,
    CollectionExistsError,
    CollectionNotFoundError,
    InvalidRequestError,
    NotSupportedError,
)
from polyvec.evaluate import matches
from polyvec.filters import F, Filter
from polyvec.memory import space as space_module
from polyvec.memory.directory import Directory
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import KeyRange, Patch, StaleLayout, Target
from polyvec.records import RecordBatch
from polyvec.schema import HNSW, IVF, CollectionSpec, Flat
from polyvec.testing import strategies
from polyvec.types import ALL_COLUMNS, Metric

NO_TIME: dict[str, Any] = {"timeout_s": None}
READ: dict[str, Any] = {"timeout_s": None, "consistency": None}
IDS = [f"r{number}" for number in range(12)]
NAMESPACES = ["", "t"]

Record = tuple[list[float] | None, dict[str, Any], str | None]


def target(adapter: MemoryAdapter, namespace: str = "", name: str = "c") -> Target:
    return Target(adapter.open_collection(name, None, **NO_TIME), namespace)


def store(dimension: int = 2, metric: Metric = Metric.DOT) -> MemoryAdapter:
    adapter = MemoryAdapter()
    adapter.create_collection(CollectionSpec("c", dimension, metric), **NO_TIME)
    return adapter


def batch_of(records: dict[str, Record]) -> RecordBatch:
    vectors = np.array([v or [0, 0] for v, _, _ in records.values()], dtype=np.float32)
    present = np.array([v is not None for v, _, _ in records.values()])
    return RecordBatch(
        list(records),
        vectors.reshape(-1, 2),
        [metadata for _, metadata, _ in records.values()],
        [text for _, _, text in records.values()],
        None if present.all() else present,
    )


def records_of(batch: RecordBatch) -> dict[str, Record]:
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    present = np.ones(len(batch), dtype=bool) if batch.present is None else batch.present
    vectors = [v if p else None for v, p in zip(batch.vectors.tolist(), present, strict=True)]
    return dict(zip(batch.ids, zip(vectors, batch.metadata, batch.texts, strict=True), strict=True))


def scanned(
    adapter: MemoryAdapter, at: Target, filter: Filter | None = None, limit: int = 3, **kw: Any
) -> list[str]:
    ids: list[str] = []
    after = None
    while True:
        page = adapter.scan(at, filter, kw.get("span"), after, limit, frozenset(), **READ)
        ids += page.batch.ids
        assert len(page.batch) <= limit
        if page.done:
            return ids
        assert page.cursor
        after = page.cursor


class Naive:
    """What the store should hold: dicts, which keep the order of first insertion."""

    def __init__(self) -> None:
        self.spaces: dict[str, dict[str, Record]] = {name: {} for name in NAMESPACES}

    def check(self, adapter: MemoryAdapter, filter: Filter) -> None:
        held = {name: len(records) for name, records in self.spaces.items() if records}
        assert adapter.namespaces(target(adapter).collection, **NO_TIME) == held
        for name, records in self.spaces.items():
            at = target(adapter, name)
            assert records_of(adapter.get(at, IDS, ALL_COLUMNS, **READ)) == records
            right = [i for i, (_, metadata, _) in records.items() if matches(filter, metadata)]
            assert adapter.count(at, filter, **READ) == len(right)
            assert adapter.count(at, None, **READ) == len(records)
            assert scanned(adapter, at, filter) == right
            assert scanned(adapter, at, None) == list(records)
            query = np.array([[1.0, 0.5]], dtype=np.float32)
            with_vector = {i: v for i, (v, _, _) in records.items() if v is not None}
            (found,) = adapter.search(at, query, filter, 4, frozenset(), None, **READ)
            best = sorted((-(v[0] + 0.5 * v[1]), i) for i, v in with_vector.items() if i in right)[
                :4
            ]
            assert found.batch.ids == [i for _, i in best]
            assert found.scores.tolist() == [-s for s, _ in best]


COMPONENTS = st.sampled_from([-2.0, -0.5, 0.0, 1.0, 3.0])
VECTORS = st.lists(COMPONENTS, min_size=2, max_size=2)
RECORDS = st.dictionaries(
    st.sampled_from(IDS),
    st.tuples(st.none() | VECTORS, strategies.metadata(), st.sampled_from([None, "", "x\0y"])),
    max_size=8,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMESPACES),
        st.one_of(
            st.tuples(st.just("upsert"), RECORDS),
            st.tuples(st.just("delete"), st.lists(st.sampled_from(IDS), unique=True)),
            st.tuples(st.just("where"), st.none() | strategies.filters()),
            st.tuples(
                st.just("update"),
                st.lists(st.sampled_from(IDS), unique=True, min_size=1),
                strategies.metadata(),
                st.sets(st.sampled_from(["a", "b", "o"])),
                st.booleans(),
            ),
            st.tuples(st.just("reopen")),
            st.tuples(st.just("checkpoint")),
        ),
        strategies.filters(),
    ),
    max_size=8,
)


class Run:
    """Takes the same steps in the store and in the dicts."""

    def __init__(self, adapter: MemoryAdapter, reopen: Callable[[], MemoryAdapter] | None) -> None:
        self.adapter = adapter
        self.naive = Naive()
        self._reopen = reopen

    def take(self, namespace: str, step: tuple[Any, ...]) -> None:
        at = target(self.adapter, namespace)
        records = self.naive.spaces[namespace]
        match step:
            case ("upsert", added):
                self.adapter.upsert(at, batch_of(added), **NO_TIME)
                records.update(added)
            case ("delete", ids):
                self.adapter.delete_ids(at, ids, **NO_TIME)
                for record_id in ids:
                    records.pop(record_id, None)
            case ("where", filter):
                self.adapter.delete_where(at, filter, **NO_TIME)
                for record_id in [i for i, r in records.items() if matches(filter, r[1])]:
                    del records[record_id]
            case ("update", ids, changes, unset, columns):
                self._update(at, records, ids, changes, unset - set(changes), columns=columns)
            case ("reopen",) if self._reopen is not None:
                self.adapter.close()
                self.adapter = self._reopen()
            case ("checkpoint",):
                self.adapter.checkpoint()
            case _:
                pass

    def _update(
        self, at: Target, records: Any, ids: Any, changes: Any, unset: Any, *, columns: bool
    ) -> None:
        vectors = np.arange(2 * len(ids), dtype=np.float32).reshape(-1, 2) if columns else None
        texts = list(ids) if columns else None
        self.adapter.update(at, ids, Patch(changes, frozenset(unset), vectors, texts), **NO_TIME)
        for place, record_id in enumerate(ids):
            if record_id not in records:
                continue
            vector, metadata, text = records[record_id]
            merged = {k: v for k, v in metadata.items() if k not in unset} | changes
            if vectors is not None:
                vector, text = vectors[place].tolist(), record_id
            records[record_id] = (vector, merged, text)


@given(STEPS)
@settings(deadline=None)
def test_primitives_agree_with_dicts(steps: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space_module, "COMPACTED_ABOVE", 4)
        run = Run(store(), None)
        for namespace, step, asked in steps:
            run.take(namespace, step)
            run.naive.check(run.adapter, asked)


@given(STEPS)
@settings(deadline=None, max_examples=60)
def test_primitives_agree_with_dicts_in_a_directory(steps: list[Any]) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(space_module, "COMPACTED_ABOVE", 4)

        def reopen() -> MemoryAdapter:
            return MemoryAdapter(Directory(Path(name), checkpoint_bytes=2000))

        first = reopen()
        first.create_collection(CollectionSpec("c", 2, Metric.DOT), **NO_TIME)
        run = Run(first, reopen)
        for namespace, step, asked in [*steps, ("", ("reopen",), F("a") == 1)]:
            run.take(namespace, step)
            run.naive.check(run.adapter, asked)
        run.adapter.close()


@given(STEPS, st.integers(1, 5))
@settings(deadline=None)
def test_a_scan_meets_each_lasting_record_once_whatever_is_written(
    steps: list[Any], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space_module, "COMPACTED_ABOVE", 4)
        run = Run(store(), None)
        start: dict[str, Record] = {i: ([1.0, 1.0], {}, None) for i in IDS[::2]}
        run.take("", ("upsert", start))
        lasting, seen, after = set(start), list[str](), None
        for namespace, step, _ in [*steps, *[("", ("nothing",), None)] * 12]:
            at = target(run.adapter)
            page = run.adapter.scan(at, None, None, after, limit, frozenset(), **READ)
            seen += page.batch.ids
            after = page.cursor or after
            run.take(namespace, step)
            lasting &= set(run.naive.spaces[""])
        assert lasting <= set(seen)
        assert all(seen.count(record_id) == 1 for record_id in lasting)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 500])
def test_split_covers_the_key_space_in_order(parts: int) -> None:
    adapter = store()
    at = target(adapter)
    records: dict[str, Record] = {f"{n}": ([1.0, 0.0], {}, None) for n in range(100)}
    adapter.upsert(at, batch_of(records), **NO_TIME)
    adapter.delete_ids(at, [f"{n}" for n in range(40, 60)], **NO_TIME)
    ranges = adapter.split(at, parts, **NO_TIME)
    assert len(ranges) == min(parts, 80)
    assert ranges[0].start is None
    assert ranges[-1].stop is None
    adapter.upsert(at, batch_of({"late": ([0.0, 0.0], {}, None)}), **NO_TIME)
    found = [scanned(adapter, at, span=span) for span in ranges]
    assert [i for part in found for i in part] == scanned(adapter, at)
    assert max(map(len, found)) <= 80 // min(parts, 80) + 2


def test_split_of_nothing_is_one_range() -> None:
    assert store().split(target(store()), 4, **NO_TIME) == [KeyRange(None, None)]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.0", "٣", "9" * 30])
def test_foreign_cursor_is_refused(cursor: str) -> None:
    adapter = store()
    with pytest.raises(InvalidRequestError, match="cursor"):
        adapter.scan(target(adapter), None, None, cursor, 1, frozenset(), **READ)


def test_what_is_handed_out_can_be_changed_without_changing_the_store() -> None:
    adapter = store()
    at = target(adapter)
    metadata = {"list": [1, {"x": [2]}], "when": datetime(2024, 1, 1, tzinfo=UTC)}
    given_batch = batch_of({"a": ([1.0, 2.0], metadata, "t")})
    adapter.upsert(at, given_batch, **NO_TIME)

    def readings() -> list[RecordBatch]:
        query = np.ones((1, 2), dtype=np.float32)
        return [
            adapter.get(at, ["a"], ALL_COLUMNS, **READ),
            adapter.scan(at, None, None, None, 5, ALL_COLUMNS, **READ).batch,
            adapter.search(at, query, None, 1, ALL_COLUMNS, None, **READ)[0].batch,
        ]

    for batch in [given_batch, *readings()]:
        assert batch.vectors is not None
        assert batch.metadata is not None
        batch.vectors[0, 0] = 99
        batch.metadata[0]["list"][1]["x"].append(3)
        batch.metadata[0]["new"] = 1
    expected = {"list": [1, {"x": [2]}], "when": datetime(2024, 1, 1, tzinfo=UTC)}
    for batch in readings():
        assert records_of(batch) == {"a": ([1.0, 2.0], expected, "t")}


def test_only_the_wanted_columns_come_back() -> None:
    adapter = store()
    at = target(adapter)
    adapter.upsert(at, batch_of({"a": (None, {"k": 1}, "t")}), **NO_TIME)
    batch = adapter.get(at, ["a", "b"], frozenset({"text"}), **READ)
    assert batch == RecordBatch(["a"], None, None, ["t"], None)
    with_vector = adapter.get(at, ["a"], frozenset({"vector"}), **READ)
    assert with_vector.present is not None
    assert with_vector.present.tolist() == [False]


def test_leaves_compile_to_themselves_and_are_exact() -> None:
    adapter = store()
    node = (F("a") == 1) & ~(F("b").contains("x") | (F("c") > 2))
    compiled = compile_filter(node, adapter, None)
    assert compiled.bounds.exact
    assert compiled.residual is None
    assert compiled.bounds.upper == compiled.filter


def test_collections_and_aliases() -> None:
    adapter = store()
    spec = CollectionSpec("other", 3, Metric.COSINE, HNSW(m=8))
    adapter.create_collection(spec, **NO_TIME)
    assert adapter.list_collections(**NO_TIME) == ["c", "other"]
    adapter.set_alias("live", "c", **NO_TIME)
    assert adapter.open_collection("live", None, **NO_TIME).name == "c"
    adapter.set_alias("live", "other", **NO_TIME)
    adapter.set_alias("second", "c", **NO_TIME)
    assert adapter.aliases(**NO_TIME) == {"live": "other", "second": "c"}
    opened = adapter.open_collection("live", None, **NO_TIME)
    assert (opened.name, opened.dimension, opened.metric) == ("other", 3, Metric.COSINE)
    assert opened.index == HNSW(m=8)
    assert opened.details["search"] == "exact"
    for taken in ("c", "live"):
        with pytest.raises(CollectionExistsError, match=taken):
            adapter.create_collection(CollectionSpec(taken, 2), **NO_TIME)
    with pytest.raises(CollectionExistsError, match="a collection 'c' exists"):
        adapter.set_alias("c", "other", **NO_TIME)
    with pytest.raises(CollectionNotFoundError, match="alias of 'other'"):
        adapter.drop_collection("live", **NO_TIME)
    for action in (
        lambda: adapter.set_alias("x", "nothing", **NO_TIME),
        lambda: adapter.open_collection("nothing", None, **NO_TIME),
        lambda: adapter.drop_collection("nothing", **NO_TIME),
    ):
        with pytest.raises(CollectionNotFoundError, match="nothing"):
            action()
    adapter.drop_collection("other", **NO_TIME)
    assert adapter.aliases(**NO_TIME) == {"second": "c"}
    adapter.drop_alias("second", **NO_TIME)
    adapter.drop_alias("second", **NO_TIME)
    assert adapter.aliases(**NO_TIME) == {}


def test_verbs_on_a_dropped_collection_say_so_and_on_a_new_one_ask_to_look_again() -> None:
    adapter = store()
    at = target(adapter)
    adapter.drop_collection("c", **NO_TIME)
    with pytest.raises(CollectionNotFoundError, match="'c'"):
        adapter.upsert(at, batch_of({"a": ([1.0, 0.0], {}, None)}), **NO_TIME)
    with pytest.raises(CollectionNotFoundError, match="count"):
        adapter.count(at, None, **READ)
    adapter.create_collection(CollectionSpec("c", 3, Metric.DOT), **NO_TIME)
    with pytest.raises(StaleLayout):
        adapter.get(at, ["a"], frozenset(), **READ)


@pytest.mark.parametrize("index", [None, Flat(), IVF(lists=3, best_effort=True)])
def test_flat_is_reported_where_nothing_else_was_promised(index: Any) -> None:
    adapter = MemoryAdapter()
    adapter.create_collection(CollectionSpec("c", 2, index=index), **NO_TIME)
    assert adapter.open_collection("c", None, **NO_TIME).index == Flat()


def test_ivf_is_refused_and_hnsw_parameters_are_taken() -> None:
    adapter = store()
    query = np.ones((1, 2), dtype=np.float32)
    with pytest.raises(NotSupportedError, match="IVF"):
        adapter.create_collection(CollectionSpec("ivf", 2, index=IVF()), **NO_TIME)
    with pytest.raises(NotSupportedError, match="IVF"):
        adapter.search(target(adapter), query, None, 1, frozenset(), IVF(probes=2), **READ)
    adapter.search(target(adapter), query, None, 1, frozenset(), HNSW(ef_search=9), **READ)
    assert adapter.list_collections(**NO_TIME) == ["c"]


def test_every_hint_is_declared() -> None:
    hints = {feature for feature in Feature if feature.is_hint}
    assert MemoryAdapter().capabilities.features == hints | {Feature.ALIASES}


def test_closed_store_refuses_every_verb_and_closing_again_is_fine() -> None:
    adapter = store()
    at = target(adapter)
    adapter.close()
    adapter.close()
    for action in (
        lambda: adapter.ping(**NO_TIME),
        lambda: adapter.count(at, None, **READ),
        lambda: adapter.delete_ids(at, ["a"], **NO_TIME),
    ):
        with pytest.raises(ClosedError, match="closed"):
            action()


def test_check_mode_gives_the_same_answer() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((200, 2)).astype(np.float32)
    query = random.standard_normal((3, 2)).astype(np.float32)
    answers: list[Any] = []
    for check in (False, True):
        adapter = MemoryAdapter(check=check)
        adapter.create_collection(CollectionSpec("c", 2, Metric.COSINE), **NO_TIME)
        names = [str(number) for number in range(200)]
        batch = RecordBatch(names, vectors, [{} for _ in names], [None for _ in names])
        adapter.upsert(target(adapter), batch, **NO_TIME)
        found = adapter.exact_search(target(adapter), query, None, 5, frozenset(), **READ)
        answers.append([(one.batch.ids, one.scores.tolist()) for one in found])
    assert answers[0] == answers[1]


@contextmanager
def several(*actions: Callable[[], None]) -> Generator[None]:
    """Run actions in threads while the block runs, and raise what they raised."""
    errors: list[BaseException] = []

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as exc:  # noqa: BLE001 - handed to the test below
            errors.append(exc)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_readers_see_each_write_wholly_while_others_write() -> None:
    adapter = store()
    at, size = target(adapter), 40
    names = [f"{number:02d}" for number in range(size)]
    query = np.array([[1.0, 0.0]], dtype=np.float32)
    passes = [0, 0]
    stopped = threading.Event()

    def write() -> None:
        try:
            version = 0
            while min(passes) < 60 and not stopped.is_set():  # until both have read often
                records: dict[str, Record] = {i: ([1.0, 0.0], {"v": version}, None) for i in names}
                adapter.upsert(at, batch_of(records), **NO_TIME)
                version += 1
        finally:
            stopped.set()

    def read(reader: int) -> None:
        columns: Any = frozenset({"metadata"})
        latest = 0
        try:
            while not stopped.is_set():
                (found,) = adapter.search(at, query, None, 100, columns, None, **READ)
                page = adapter.scan(at, None, None, None, 100, columns, **READ).batch
                for batch in (found.batch, page, adapter.get(at, names, columns, **READ)):
                    assert batch.ids in (names, [])
                    seen = {row["v"] for row in batch.metadata or ()}
                    assert len(seen) <= 1
                    assert min(seen, default=latest) >= latest
                    latest = min(seen, default=latest)
                assert adapter.count(at, F("v") >= latest, **READ) in (0, size)
                passes[reader] += 1
        except BaseException:
            stopped.set()  # or the writer would wait for this reader
            raise

    with several(write, lambda: read(0), lambda: read(1)):
        pass
    assert min(passes) >= 60


def test_writers_of_several_threads_lose_nothing() -> None:
    adapter = store()
    at = target(adapter)
    adapter.upsert(at, batch_of({"shared": ([1.0, 0.0], {}, None)}), **NO_TIME)

    def writer(number: int) -> Callable[[], None]:
        def write() -> None:
            for step in range(100):
                records: dict[str, Record] = {f"{number}-{step}": ([1.0, 0.0], {}, None)}
                adapter.upsert(at, batch_of(records), **NO_TIME)
                patch = Patch({f"w{number}": step}, frozenset(), None, None)
                adapter.update(at, ["shared"], patch, **NO_TIME)

        return write

    with several(*map(writer, range(4))):
        pass
    assert adapter.count(at, None, **READ) == 401
    metadata = adapter.get(at, ["shared"], ALL_COLUMNS, **READ).metadata
    assert metadata == [dict.fromkeys(["w0", "w1", "w2", "w3"], 99)]
