"""The algebra of bounds; every verb over bounds as bad as the law allows, against the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.drivers import Driver
from tests.unit.core.fake import HINTS, FakeAdapter, able
from tests.unit.core.fake_filters import Native, Quality
from tests.unit.core.samples import names

from polyvec import F
from polyvec.bounds import (
    ALL,
    EVERYTHING,
    NONE,
    UNKNOWN,
    Bounds,
    Compiled,
    Constant,
    compile_filter,
    uncertain,
)
from polyvec.capabilities import Capabilities, ScanStability, UpdateAtomicity
from polyvec.evaluate import matches
from polyvec.filters import And, Filter, Leaf, Not, Or
from polyvec.rewrite import is_all
from polyvec.scoring import best_rows, exact_scores
from polyvec.testing.strategies import filters, leaves, metadata, records_metadata
from polyvec.types import Metric

QUALITIES = st.sampled_from(list(Quality))
SEEDS = st.integers(0, 1_000)
KEYS = names(6)


def selects(native: Native | Constant, key: str, record: Mapping[str, Any]) -> bool:
    return native is ALL if isinstance(native, Constant) else native.decide(key, record)


def compiled(filter: Filter, quality: Quality, seed: int) -> tuple[Compiled, FakeAdapter]:
    fake = FakeAdapter(quality=quality, seed=seed)
    return compile_filter(filter, fake, fake.version), fake


@pytest.mark.laws
@given(filters(), metadata(), QUALITIES, SEEDS)
def test_lower_is_right_is_upper(
    filter: Filter, record: dict[str, Any], quality: Quality, seed: int
) -> None:
    result, fake = compiled(filter, quality, seed)
    rest = uncertain(result, fake, fake.version)
    for key in KEYS:
        right = matches(filter, record)
        lower = selects(result.bounds.lower, key, record)
        upper = selects(result.bounds.upper, key, record)
        assert lower <= right <= upper
        # What only a check can decide is exactly what lies between the bounds.
        assert selects(rest, key, record) is (upper and not lower)


@given(filters(), metadata(), QUALITIES, SEEDS)
def test_pushed_and_residual_are_the_filter(
    filter: Filter, record: dict[str, Any], quality: Quality, seed: int
) -> None:
    result, _ = compiled(filter, quality, seed)
    parts = [part for part in (result.pushed, result.residual) if part is not None]
    assert matches(And(*parts), record) is matches(filter, record)
    assert (result.residual is None) is result.bounds.exact
    for key in KEYS:
        # The residual is all that is left to ask of what the server returns.
        if selects(result.bounds.upper, key, record):
            checked = result.residual is None or matches(result.residual, record)
            assert checked is matches(filter, record)


@given(leaves(), metadata(), QUALITIES, SEEDS)
def test_the_leaves_of_the_fake_keep_the_crosswise_law(
    leaf: Leaf, record: dict[str, Any], quality: Quality, seed: int
) -> None:
    fake = FakeAdapter(quality=quality, seed=seed)
    plain, negated = fake.leaf(leaf, False, 1), fake.leaf(leaf, True, 1)
    for key in KEYS:
        if plain.lower is not NONE:
            assert selects(negated.upper, key, record) is not selects(plain.lower, key, record)
        if negated.lower is not NONE:
            assert selects(negated.lower, key, record) is not selects(plain.upper, key, record)


def test_constants_fold_and_never_reach_the_adapter() -> None:
    class Picky(FakeAdapter):
        def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
            match node.path:
                case ("unknown",):
                    return UNKNOWN
                case ("all",):
                    return Bounds.exactly(NONE if negated else ALL)
                case _:
                    return super().leaf(node, negated, layout)

    known, unknown, everything = F("a") == 1, F("unknown") == 1, F("all") == 1

    def bounds(filter: Filter) -> Bounds:
        return compile_filter(filter, Picky(), 1).bounds

    assert bounds(unknown) == UNKNOWN
    assert bounds(known & everything).exact
    assert bounds(known | everything).upper is ALL
    assert bounds(known | everything).exact
    assert bounds(known & ~everything).upper is NONE
    mixed = bounds(known & unknown)
    assert mixed.lower is NONE
    assert isinstance(mixed.upper, Native)
    either = bounds(known | unknown)
    assert isinstance(either.lower, Native)
    assert either.upper is ALL
    assert bounds(unknown & ~everything) == Bounds.exactly(NONE)
    assert bounds(unknown | everything) == Bounds.exactly(ALL)
    assert bounds(And()) == Bounds.exactly(ALL)
    assert bounds(Or()) == Bounds.exactly(NONE)
    assert compile_filter(And(), Picky(), 1) == EVERYTHING


def test_only_what_is_not_exact_is_left_to_check() -> None:
    class Half(FakeAdapter):
        def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
            return UNKNOWN if node.path == ("u",) else super().leaf(node, negated, layout)

    a, b, u = F("a") == 1, F("b") == 2, F("u") == 3
    result = compile_filter(a & u & b, Half(), 1)
    assert (result.pushed, result.residual) == (And(a, b), u)
    result = compile_filter((a | u) & b, Half(), 1)
    assert (result.pushed, result.residual) == (And(b), a | u)
    result = compile_filter(u & ~(F("u") == 4), Half(), 1)
    assert (result.pushed, result.residual) == (And(), And(u, Not(F("u") == 4)))
    result = compile_filter(a & b, Half(), 1)
    assert (result.pushed, result.residual) == (And(a, b), None)


class World:
    """One random store: records, a filter, and a server that understands it badly."""

    def __init__(
        self,
        records: list[dict[str, Any]],
        filter: Filter,
        quality: Quality,
        seed: int,
        can: Capabilities,
        finds: int | None,
    ) -> None:
        self.records = dict(zip(names(len(records)), records, strict=True))
        self.filter = filter
        self.fake = FakeAdapter(can, quality=quality, seed=seed, finds=finds)
        rng = np.random.default_rng(seed)
        # Few different numbers, so that scores are often equal.
        self.vectors = rng.integers(-2, 3, size=(len(records), 3)).astype(np.float32)
        self.query = rng.integers(-2, 3, size=3).astype(np.float32)
        self.right = [key for key, record in self.records.items() if matches(filter, record)]

    def __repr__(self) -> str:
        fake = self.fake
        return f"World({self.records}, {self.filter}, {fake.quality}, {fake.seed}, {fake.can})"

    def collection(self, driver: Driver) -> Any:
        made = driver.collection(self.fake)
        made.upsert(
            ids=list(self.records), vectors=self.vectors, metadata=list(self.records.values())
        )
        return made

    def ranked(self) -> list[tuple[str, float]]:
        rows = [list(self.records).index(key) for key in self.right]
        if not rows:
            return []
        scores = exact_scores(self.query[None], self.vectors[rows], Metric.DOT)[0]
        return [(self.right[at], float(scores[at])) for at in best_rows(scores, self.right, 99)]


def capabilities() -> st.SearchStrategy[Capabilities]:
    return st.builds(
        able,
        without=st.lists(st.sampled_from(sorted(HINTS)), unique=True),
        scan_stability=st.sampled_from(list(ScanStability)),
        update_atomicity=st.sampled_from(list(UpdateAtomicity)),
        short_answer_is_complete=st.just(False),
        top_k=st.sampled_from([4, 20]),
        scan_batch=st.sampled_from([1, 5]),
    )


def worlds() -> st.SearchStrategy[World]:
    finds = st.sampled_from([None, None, 0, 2])
    return st.builds(
        World,
        records_metadata(min_size=1, max_size=8),
        filters(max_leaves=5),
        QUALITIES,
        SEEDS,
        capabilities(),
        finds,
    )


@pytest.fixture(scope="module")
def drivers() -> Iterator[dict[str, Driver]]:
    """Yield both colours; they keep nothing between examples."""
    both = {colour: Driver(colour) for colour in ("sync", "async")}
    yield both
    for driver in both.values():
        driver.close()


COLOURS = st.sampled_from(["sync", "async"])


@pytest.mark.laws
@given(colour=COLOURS, world=worlds(), top_k=st.integers(1, 4))
def test_query_count_scan_and_delete_are_the_oracle(
    drivers: dict[str, Driver], colour: str, world: World, top_k: int
) -> None:
    collection = world.collection(drivers[colour])
    ranked = world.ranked()
    exact = collection.query(world.query, top_k=top_k, filter=world.filter, exact=True)
    assert [(hit.id, hit.score) for hit in exact] == ranked[:top_k]
    hits = collection.query(world.query, top_k=top_k, filter=world.filter)
    assert {(hit.id, hit.score) for hit in hits} <= set(ranked)
    assert len(hits) == min(top_k, len(ranked))
    if world.fake.finds is None:  # equal but for the choice among equal scores
        assert [hit.score for hit in hits] == [score for _, score in ranked[:top_k]]
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))
    assert collection.count(world.filter) == len(world.right)
    scanned = [key for batch in collection.scan(world.filter) for key in batch.ids]
    assert sorted(scanned) == world.right
    if is_all(world.filter):
        collection.clear()
    else:
        collection.delete(filter=world.filter)
    assert sorted(world.fake.rows()) == sorted(set(world.records) - set(world.right))


@given(colour=COLOURS, world=worlds())
def test_scan_gives_columns_and_cursors_right(
    drivers: dict[str, Driver], colour: str, world: World
) -> None:
    collection = world.collection(drivers[colour])
    batches = list(collection.scan(world.filter, include=("metadata",), batch_size=3))
    assert all(len(batch) for batch in batches)
    assert all(batch.texts is None and batch.vectors is None for batch in batches)
    scanned = {k: m for b in batches for k, m in zip(b.ids, b.metadata or (), strict=True)}
    assert scanned == {key: world.records[key] for key in world.right}
    for at, batch in enumerate(batches):
        rest = collection.scan(world.filter, batch_size=3, after=batch.cursor)
        assert [b.ids for b in rest] == [b.ids for b in batches[at + 1 :]]


@given(colour=COLOURS, world=worlds(), ids=st.lists(st.sampled_from(names(10)), unique=True))
def test_update_and_delete_by_ids_and_filter_are_the_oracle(
    drivers: dict[str, Driver], colour: str, world: World, ids: list[str]
) -> None:
    collection = world.collection(drivers[colour])
    chosen = set(world.right) & set(ids)
    collection.update(ids, filter=world.filter, set={"new": 1}, unset=["a"])
    expected = {
        key: {**{k: v for k, v in record.items() if k != "a"}, "new": 1}
        if key in chosen
        else record
        for key, record in world.records.items()
    }
    assert {key: row.metadata for key, row in world.fake.rows().items()} == expected
    collection.delete(ids, filter=F("new") == 1)
    assert set(world.fake.rows()) == set(world.records) - chosen


@given(colour=COLOURS, world=worlds())
def test_update_by_filter_is_the_oracle(
    drivers: dict[str, Driver], colour: str, world: World
) -> None:
    collection = world.collection(drivers[colour])
    if is_all(world.filter):
        return
    collection.update(filter=world.filter, set={"a": "changed"})
    expected = {
        key: {**record, "a": "changed"} if key in world.right else record
        for key, record in world.records.items()
    }
    assert {key: row.metadata for key, row in world.fake.rows().items()} == expected


@given(colour=COLOURS, world=worlds())
def test_explain_shows_the_split_without_asking(
    drivers: dict[str, Driver], colour: str, world: World
) -> None:
    collection = world.collection(drivers[colour])
    world.fake.forget()
    told = collection.explain(world.filter)
    assert world.fake.calls == []
    result = compile_filter(world.filter, world.fake, 1)
    assert (told.pushed, told.residual) == (result.pushed, result.residual)
    upper = result.bounds.upper
    assert told.native == (None if isinstance(upper, Constant) else upper.text)
