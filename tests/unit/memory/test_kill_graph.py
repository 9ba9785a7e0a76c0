"""SIGKILL while graphs are written: a directory opens, and its answers are right.

Run as a program, this file makes the victims: they change records, make the graph and save it.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import pytest
from tests.unit.memory.graph_data import clustered, names, recall, wait_for_threads
from tests.unit.memory.victims import breeding, say

import polyvec
from polyvec import HNSW, Collection
from polyvec.memory import frames, graph_policy
from polyvec.memory.directory import Directory
from polyvec.memory.graph_policy import Policy
from polyvec.memory.hnsw import file
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Target
from polyvec.records import RecordBatch
from polyvec.schema import CollectionSpec

COUNT: Final = 1200
DIMENSION: Final = 32
KILLS: Final = 20
SAVING_S: Final = 0.006
"""About what a save takes here: a kill comes at a random moment of it."""

CHANGED: Final = 40
"""Records that are replaced before each save."""

NO_TIME: dict[str, Any] = {"timeout_s": None}
SMALL: Final = Policy(least=1000, enough=10)


def change(adapter: MemoryAdapter, seed: int) -> None:
    """Replace some records: the graph is to follow."""
    ids = [f"r{at}" for at in random.Random(seed).sample(range(COUNT), CHANGED)]  # noqa: S311 - a seeded test
    put(adapter, ids, clustered(CHANGED, seed=seed + 100))


def fill(adapter: MemoryAdapter) -> None:
    adapter.create_collection(CollectionSpec("c", DIMENSION, index=HNSW()), **NO_TIME)
    put(adapter, names(COUNT), clustered(COUNT))


def put(adapter: MemoryAdapter, ids: list[str], vectors: Any) -> None:
    at = Target(adapter.open_collection("c", None, **NO_TIME), "")
    batch = RecordBatch(ids, vectors, [{} for _ in ids], [None for _ in ids])
    adapter.upsert(at, batch, **NO_TIME)


def make_graph(adapter: MemoryAdapter) -> None:
    at = Target(adapter.open_collection("c", None, **NO_TIME), "")
    none: frozenset[Any] = frozenset()
    adapter.search(at, clustered(1, seed=1), None, 1, none, None, **NO_TIME, consistency=None)
    wait_for_threads()


def hold(*_: Any) -> None:
    """Stand still until killed."""
    say("held")
    while True:
        signal.pause()


def half(log: FileIO, pieces: Sequence[Any]) -> int:
    """Write the first piece of a frame only, and stand still."""
    log.write(pieces[0])
    hold()
    return 0


def victim(path: Path, seed: int, held_at: str) -> None:
    """Change records, make the graph and save it, again and again, saying how far it is.

    With `held_at` it stands still in the first save, before what was written is made durable or
    takes its name, or after it, when the log has half of the next change.
    """
    adapter = MemoryAdapter(Directory(path, checkpoint_bytes=2**40))
    write = file.write

    def told(*args: Any) -> None:
        say("saving")
        if held_at == "fsync":
            setattr(os, "fsync", hold)  # noqa: B010 - a function, held
        elif held_at == "replace":
            setattr(Path, "replace", hold)  # noqa: B010 - a method, held
        write(*args)
        if held_at == "log":
            setattr(frames, "write_all", half)  # noqa: B010 - a function of the module, held

    setattr(file, "write", told)  # noqa: B010 - a function of the module, watched
    while True:
        change(adapter, seed)
        seed += 1
        say(seed)
        make_graph(adapter)
        adapter.checkpoint()


def breed() -> None:
    """For each line of input fork a victim; what it needs is loaded and compiled before."""
    setattr(graph_policy, "LARGE", SMALL)  # noqa: B010 - final to who does not test
    warm = MemoryAdapter()
    fill(warm)
    make_graph(warm)
    for line in sys.stdin:
        path, seed, held_at = line.strip("\n").split("\t")
        if pid := os.fork():
            os.waitpid(pid, 0)
            say("died")
            continue
        say(f"pid {os.getpid()}")
        victim(Path(path), int(seed), held_at)


@pytest.fixture
def breeder() -> Iterator[subprocess.Popen[str]]:
    with breeding(__file__) as process:
        yield process


def kill_while_saving(
    breeder: subprocess.Popen[str], path: Path, seed: int, held_at: str, draw: random.Random
) -> int:
    """Kill a victim in a save: where it is held, else at a random moment after the beginning.

    Returns the number of changes that it said were done.
    """
    assert breeder.stdin is not None
    assert breeder.stdout is not None
    breeder.stdin.write(f"{path}\t{seed}\t{held_at}\n")
    pid = int(breeder.stdout.readline().removeprefix("pid "))
    done, saves = seed, 1 if held_at else draw.randrange(1, 3)
    while saves:
        line = breeder.stdout.readline().strip()
        saves -= line == ("held" if held_at else "saving")
        done = int(line) if line.isdigit() else done
    until = perf_counter() + draw.random() * SAVING_S
    while perf_counter() < until and not held_at:  # busily: a save takes some milliseconds
        pass
    os.kill(pid, signal.SIGKILL)
    while (line := breeder.stdout.readline().strip()) != "died":
        assert line, "the victim ended by itself"
        done = int(line) if line.isdigit() else done
    return done


@pytest.fixture
def _graphs_of_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_policy, "LARGE", SMALL)


def left_by_a_write(path: Path) -> list[Path]:
    return [one for one in path.glob("graph-*") if "." in one.name]


@pytest.mark.usefixtures("_graphs_of_less")
def test_killed_while_a_graph_is_saved_the_answers_are_right(
    tmp_path: Path, breeder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store"
    twin, first = MemoryAdapter(), MemoryAdapter(Directory(path))
    fill(twin)
    fill(first)
    first.close()
    draw = random.Random(5)  # noqa: S311 - a seeded test
    changes = interrupted = 0
    for at in range(KILLS):
        held_at = ("", "fsync", "", "replace", "log")[at % 5]
        done = kill_while_saving(breeder, path, changes, held_at, draw)
        for seed in range(changes, done):
            change(twin, seed)
        changes = done
        interrupted += bool(left_by_a_write(path))
        caplog.clear()
        with (
            caplog.at_level(logging.WARNING, "polyvec"),
            polyvec.connect(f"memory://{path}") as store,
        ):
            docs = store.collection("c")
            if vectors_of(docs) != vectors_of_twin(twin):
                change(twin, changes)  # the one under way was finished
                changes += 1
                assert vectors_of(docs) == vectors_of_twin(twin)
            check_search(docs)
        assert left_by_a_write(path) == [], "what a killed write left is removed"
        cut = [one for one in caplog.messages if "cut off" in one and "log-" in one]
        assert caplog.messages == cut, "no graph was damaged: it is the old one or the new one"
        # A random moment may come after the save, in the next change, too.
        assert len(cut) <= (held_at in {"", "log"})
        assert cut or held_at != "log"
    assert interrupted >= KILLS // 5 * 2, "those that were held in a save, at the least"


def vectors_of(docs: Collection[Any]) -> dict[str, list[float]]:
    found = docs.get(names(COUNT), include=("vector",))
    return {record.id: record.vector.tolist() for record in found}


def vectors_of_twin(twin: MemoryAdapter) -> dict[str, list[float]]:
    at = Target(twin.open_collection("c", None, **NO_TIME), "")
    batch = twin.scan(
        at, None, None, None, 2 * COUNT, frozenset({"vector"}), consistency=None, **NO_TIME
    ).batch
    assert batch.vectors is not None
    return dict(zip(batch.ids, batch.vectors.tolist(), strict=True))


def check_search(docs: Collection[Any]) -> None:
    """The graph knows all records, and finds what a scan finds, with the same scores."""
    queries = clustered(30, seed=1)
    docs.query(queries[0], top_k=1)
    wait_for_threads()
    details = docs.describe().details
    assert details["search"] == "graph"
    true = docs.query_many(queries, top_k=10, exact=True)
    found = docs.query_many(queries, top_k=10)
    assert recall(found, true) >= 0.99
    scores = {hit.id: hit.score for hit in true[0]}
    assert all(scores.get(hit.id, hit.score) == hit.score for hit in found[0])


if __name__ == "__main__":
    breed()
