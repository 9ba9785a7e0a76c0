"""Killed at any moment, a snapshot opens as before or after the write that was under way."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import polyvec
from polyvec.snapshot import files, merge

Opener = Callable[[], polyvec.VectorStore]
State = dict[str, int]
KILLS = 8

WRITER = textwrap.dedent(
    """
    import sys
    import polyvec
    sys.path.insert(0, sys.argv[1])
    from test_snapshot_crash import write

    number = int(sys.argv[3])
    with polyvec.connect("parquet://" + sys.argv[2]) as store:
        collection = store.create_collection("c", dimension=2, exist_ok=True)
        while True:
            write(collection, number)
            print(number, flush=True)
            number += 1
    """
)


def write(collection: polyvec.Collection, number: int) -> None:
    """Write number `number`: three records, or now and then a deletion."""
    if number % 5 == 4:
        collection.delete([f"r{number % 17}", f"r{number % 13}"])
    else:
        ids = [f"r{(number * step) % 40}" for step in (1, 3, 7)]
        metadata = [{"write": number}] * 3
        collection.upsert(ids=ids, vectors=[[1.0, number]] * 3, metadata=metadata)


def after(state: State, number: int) -> State:
    """Return the state after a write, by the plainest of models."""
    if number % 5 == 4:
        return {i: n for i, n in state.items() if i not in {f"r{number % 17}", f"r{number % 13}"}}
    return state | {f"r{(number * step) % 40}": number for step in (1, 3, 7)}


def state_of(store: polyvec.VectorStore) -> State:
    if not store.has_collection("c"):
        return {}
    found: State = {}
    for batch in store.collection("c").scan(include=("metadata", "vector")):
        assert batch.metadata is not None
        assert batch.vectors is not None
        assert not found.keys() & set(batch.ids)
        writes = [fields["write"] for fields in batch.metadata]
        assert batch.vectors[:, 1].tolist() == writes, "half old and half new"
        found |= dict(zip(batch.ids, writes, strict=True))
    assert store.collection("c").count() == len(found)
    return found


def test_sigkill_leaves_the_state_before_or_after(connect: Opener, folder: Path) -> None:
    rng = random.Random(11)  # noqa: S311 - repeatable, not secret
    number, state = 0, State()
    for _ in range(KILLS):
        acknowledged = _write_until_killed(folder, number, rng)
        for done in range(number, acknowledged + 1):
            state = after(state, done)
        number = acknowledged + 1
        found = state_of(connect())
        assert found in (state, after(state, number)), f"after write {acknowledged}"
        if found != state:
            state, number = found, number + 1
        connect().close()
    assert number > KILLS


def _write_until_killed(folder: Path, start: int, rng: random.Random) -> int:
    """Return the last acknowledged write."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", WRITER, here, str(folder), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        last = start - 1
        for _ in range(rng.randrange(2, 25)):
            last = int(child.stdout.readline())
        # Spend a moment inside the next write; how long decides where it is hit.
        sum(range(rng.randrange(200_000)))
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:
            last = int(line)
    return last


class Crash(BaseException):
    """The power is gone."""


def test_a_crash_at_every_step_of_a_write(
    connect: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop a write that also merges before and after each of its steps on the disk."""
    monkeypatch.setattr(merge, "MAX_SMALL", 2)  # two small parts are merged at once
    steps = 0
    stop_at = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == stop_at:
            raise Crash

    def watched(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def call(*args: object, **kwargs: object) -> object:
            step()
            result = original(*args, **kwargs)
            step()
            return result

        monkeypatch.setattr(owner, name, call)

    store = connect()
    collection = store.create_collection("c", dimension=2)
    watched(files, "sync")
    watched(Path, "replace")
    watched(Path, "unlink")
    state, hits = State(), 0
    for number, stop_at in enumerate(range(1, 41)):
        steps = 0
        with suppress(Crash):
            write(collection, number)
        hits += steps >= stop_at
        steps = -1_000_000  # nothing more stops until the next round
        store = connect()
        collection = store.collection("c")
        found = state_of(store)
        assert found in (state, after(state, number))
        assert files_of(folder / "c") == named_files(folder / "c")
        write(collection, number)  # a writer tries again
        state = after(state, number)
        assert state_of(store) == state
    assert 25 < hits < 40, "each step was hit, and the last rounds had none left"


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def named_files(folder: Path) -> set[str]:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {"manifest.json", *(part["file"] for part in manifest["parts"])}
