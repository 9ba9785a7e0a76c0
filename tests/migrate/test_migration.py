from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.migrate.records import DIMENSION, NAMESPACES, adversarial, assert_equal, everything

import polyvec
from polyvec import (
    CollectionExistsError,
    CollectionNotFoundError,
    F,
    InvalidRequestError,
    MigrationError,
    VectorStore,
)
from polyvec.migrate import Progress, load_plan, make_plan, migrate, migrate_async, verify

SAMPLE = adversarial(400)


def test_everything_arrives_and_the_source_stays(source: VectorStore, target: VectorStore) -> None:
    origin = SAMPLE.load(source, "docs")
    seen: list[Progress] = []
    report = migrate(source, target, "docs", batch_size=50, progress=seen.append)
    assert (report.ok, report.count, report.left_out) == (True, 400, 0)
    assert report.verification is not None
    assert report.verification.compared == 400
    assert_equal(SAMPLE, target.collection("docs"), 0.0)
    assert_equal(SAMPLE, origin, 0.0)
    assert [step.phase for step in seen if step.done == 400] == ["plan", "copy", "verify"]


def test_the_package_can_be_called(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    assert polyvec.migrate(source, target, "docs", to="copy").to == "copy"
    assert target.list_collections() == ["copy"]


def test_the_asynchronous_form(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")

    async def run() -> tuple[bool, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        report = await migrate_async(source, target, "docs", batch_size=20)
        ticking.cancel()
        return report.ok, ticks

    ok, ticks = asyncio.run(run())
    assert ok
    assert ticks > 1, "the event loop stood still"


def test_a_cancelled_migration_can_be_resumed(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")

    async def run() -> None:
        reached = asyncio.Event()
        loop = asyncio.get_running_loop()

        def log(event: dict[str, Any]) -> None:
            if event["event"] == "start" and event["phase"] == "copy":
                loop.call_soon_threadsafe(reached.set)

        call = migrate_async(source, target, "docs", batch_size=1, workers=1, log=log)
        task = asyncio.create_task(call)
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    held = len(everything(target.collection("docs")))
    report = migrate(source, target, "docs", resume=True)
    assert held < 400
    assert report.ok
    assert_equal(SAMPLE, target.collection("docs"), 0.0)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("workers", [1, 5])
def test_batches_and_workers_change_nothing(
    source: VectorStore, target: VectorStore, batch_size: int, workers: int
) -> None:
    sample = adversarial(120)
    sample.load(source, "docs")
    assert migrate(source, target, "docs", batch_size=batch_size, workers=workers).ok
    assert_equal(sample, target.collection("docs"), 0.0)


def test_into_the_same_store_under_another_name(source: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    assert migrate(source, source, "docs", to="copy").ok
    assert_equal(SAMPLE, source.collection("copy"), 0.0)
    with pytest.raises(InvalidRequestError, match="name another one"):
        migrate(source, source, "docs")


def test_two_names_of_one_directory(tmp_path: Path) -> None:
    url = f"parquet://{tmp_path}/snap"
    with polyvec.connect(url) as store:
        SAMPLE.load(store, "docs")
    assert migrate(url, f"{url}?timeout_s=60", "docs", to="copy").ok
    with pytest.raises(InvalidRequestError, match="name another one"):
        migrate(url, url, "docs")


def test_an_alias_is_the_collection_it_points_to(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    source.set_alias("live", "docs")
    report = migrate(source, target, "live")
    assert (report.collection, report.to, report.ok) == ("docs", "docs", True)
    found = verify(source, target, "live")
    assert found.ok


def test_where_rename_drop_and_namespaces(source: VectorStore, target: VectorStore) -> None:
    docs = source.create_collection("docs", dimension=2)
    rows: list[dict[str, Any]] = [
        {"keep": True, "old": i, "secret": "x", "o": {"a": i, "b": 1}} for i in range(6)
    ]
    rows += [{"keep": False, "old": 9}, {"keep": True}]
    for space in ("", "x"):
        ids = [f"{space}{at}" for at in range(len(rows))]
        docs.namespace(space).upsert(ids=ids, vectors=np.ones((len(rows), 2)), metadata=rows)
    report = migrate(
        source,
        target,
        "docs",
        where=F("keep") == True,  # noqa: E712 - a filter, not a comparison
        rename={"old": "new", "o.a": "p.q.a"},
        drop=["secret"],
        namespace_map={"": "main", "x": ""},
        to="moved",
    )
    assert report.ok
    moved = target.collection("moved")
    assert moved.namespaces() == {"": 7, "main": 7}
    assert moved.namespace("main").get(["3"])[0].metadata == {
        "keep": True,
        "new": 3,
        "o": {"b": 1},
        "p": {"q": {"a": 3}},
    }
    assert moved.get(["x7"])[0].metadata == {"keep": True}
    assert report.verification is not None
    assert {n: c.source for n, c in report.verification.namespaces.items()} == {"": 7, "main": 7}


def test_two_namespaces_never_become_one(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    with pytest.raises(InvalidRequestError, match="records with equal ids would be lost"):
        migrate(source, target, "docs", namespace_map={NAMESPACES[1]: ""})
    assert target.list_collections() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"rename": {"a": "b", "c": "b"}},
        {"rename": {"a": "b"}, "drop": ["a"]},
        {"drop": ["a", "a.b"]},
        {"rename": {"a": "$b"}},
        {"drop": [""]},
        {"workers": 0},
        {"verify": "some"},
        {"fidelity": "some"},
    ],
)
def test_impossible_arguments(
    source: VectorStore, target: VectorStore, wrong: dict[str, Any]
) -> None:
    SAMPLE.load(source, "docs")
    with pytest.raises(InvalidRequestError):
        migrate(source, target, "docs", **wrong)
    assert target.list_collections() == []


def test_a_rename_onto_a_field_that_is_there(source: VectorStore, target: VectorStore) -> None:
    docs = source.create_collection("docs", dimension=2)
    docs.upsert(ids=["a", "b"], vectors=np.eye(2), metadata=[{"x": 1}, {"x": 1, "y": 2}])
    with pytest.raises(MigrationError, match=r"has that field already.*'b'"):
        migrate(source, target, "docs", rename={"x": "y"})
    report = migrate(source, target, "docs", rename={"x": "y"}, max_errors=1)
    assert (report.ok, report.left_out, report.count) == (False, 1, 1)


def test_what_is_there_is_not_overwritten_unless_merged(
    source: VectorStore, target: VectorStore
) -> None:
    docs = source.create_collection("docs", dimension=2)
    docs.upsert(ids=["a", "b"], vectors=np.eye(2), metadata=[{"from": "source"}] * 2)
    mine = target.create_collection("docs", dimension=2)
    mine.upsert(ids=["a", "mine"], vectors=np.eye(2))
    with pytest.raises(CollectionExistsError, match="holds 2 records"):
        migrate(source, target, "docs")
    report = migrate(source, target, "docs", merge=True)
    assert report.ok
    assert {key: record.metadata for key, record in everything(mine).items()} == {
        ("", "a"): {"from": "source"},
        ("", "b"): {"from": "source"},
        ("", "mine"): {},
    }


def test_another_dimension_or_metric_is_refused(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    target.create_collection("docs", dimension=DIMENSION, metric="dot")
    with pytest.raises(CollectionExistsError, match="metric 'dot'"):
        migrate(source, target, "docs")
    target.create_collection("other", dimension=DIMENSION + 1)
    with pytest.raises(CollectionExistsError, match="dimension 9"):
        migrate(source, target, "docs", to="other")


def test_an_absent_source_makes_nothing(source: VectorStore, target: VectorStore) -> None:
    with pytest.raises(CollectionNotFoundError):
        migrate(source, target, "nope")
    assert target.list_collections() == []
    assert not Path("polyvec-migrations").exists()


def test_an_empty_collection(source: VectorStore, target: VectorStore) -> None:
    source.create_collection("docs", dimension=3, metric="euclidean")
    report = migrate(source, target, "docs")
    assert (report.ok, report.count) == (True, 0)
    assert target.collection("docs").metric == "euclidean"


def test_a_plan_is_a_file_that_runs_later(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    plan = make_plan(source, target, "docs", to="b")
    plan.save(Path("plan.json"))
    assert target.list_collections() == []
    assert load_plan(Path("plan.json")) == plan
    assert plan.count == 400
    assert plan.fidelity.read == 400
    assert plan.fidelity.complete
    # What came since is in the ranges, which cover the whole key space.
    source.collection("docs").upsert(ids=["late"], vectors=[[1.0] * DIMENSION])
    report = migrate(source, target, plan="plan.json")
    assert (report.ok, report.count, report.digest) == (True, 401, plan.digest)


def test_a_plan_runs_only_where_it_was_made_for(
    source: VectorStore, target: VectorStore, tmp_path: Path
) -> None:
    SAMPLE.load(source, "docs")
    plan = make_plan(source, target, "docs")
    with polyvec.connect(f"parquet://{tmp_path}/other") as other:
        with pytest.raises(MigrationError, match="another target"):
            migrate(source, other, plan=plan)
        with pytest.raises(MigrationError, match="another source"):
            migrate(other, target, plan=plan)
    with pytest.raises(MigrationError, match="another target collection"):
        migrate(source, target, plan=plan, to="elsewhere")
    with pytest.raises(MigrationError, match="other transforms"):
        migrate(source, target, plan=plan, drop=["n"])
    target.create_collection("docs", dimension=DIMENSION).upsert(
        ids=["x"], vectors=[[1.0] * DIMENSION]
    )
    with pytest.raises(MigrationError, match="came after the plan"):
        migrate(source, target, plan=plan)


def test_a_namespace_that_came_after_the_plan(source: VectorStore, target: VectorStore) -> None:
    docs = SAMPLE.load(source, "docs")
    plan = make_plan(source, target, "docs")
    docs.namespace("late").upsert(ids=["x"], vectors=[[1.0] * DIMENSION])
    with pytest.raises(MigrationError, match="namespace 'late'"):
        migrate(source, target, plan=plan)


def test_an_edited_plan_is_checked(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    make_plan(source, target, "docs").save(Path("plan.json"))
    fields = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    wrong: list[Any] = [{**fields, "version": 9}, {**fields, "extra": 1}, {"version": 1}, [], 3]
    for broken in wrong:
        Path("plan.json").write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(MigrationError, match="is not a plan of version 1"):
            migrate(source, target, plan="plan.json")
    with pytest.raises(MigrationError, match="cannot read the plan"):
        migrate(source, target, plan="nope.json")
