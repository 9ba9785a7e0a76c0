"""A directory survives SIGKILL at any moment: as before or after each write, never broken.

Run as a program, this file makes the victims: they write and say what is durable.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import pytest
from tests.unit.memory.victims import breeding, say

from polyvec.filters import F
from polyvec.memory import frames
from polyvec.memory.directory import Directory
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Patch, Target
from polyvec.records import RecordBatch
from polyvec.schema import CollectionSpec
from polyvec.types import ALL_COLUMNS, Metric

KILLS: Final = 36
CHECKPOINT_BYTES: Final = 6_000
"""So small that every few writes end in a checkpoint."""

DIMENSION: Final = 8
NO_TIME: dict[str, Any] = {"timeout_s": None}
READ: dict[str, Any] = {"timeout_s": None, "consistency": None}


def writes(seed: int) -> Iterator[Callable[[MemoryAdapter], None]]:
    """Yield random writes, the same ones for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - a seeded test
    while True:
        names = [str(draw.randrange(40)) for _ in range(draw.randrange(1, 9))]
        yield write(draw.randrange(10), list(dict.fromkeys(names)), draw.randrange(10**6))


def write(kind: int, names: list[str], mark: int) -> Callable[[MemoryAdapter], None]:
    def apply(adapter: MemoryAdapter) -> None:
        at = Target(adapter.open_collection("c", None, **NO_TIME), str(mark % 2))
        vectors = np.full((len(names), DIMENSION), mark, dtype=np.float32)
        if kind < 6:
            batch = RecordBatch(names, vectors, [{"mark": mark} for _ in names], [*names])
            adapter.upsert(at, batch, **NO_TIME)
        elif kind == 6:
            patch = Patch({f"k{mark % 5}": mark}, frozenset({"k1"}), vectors, None)
            adapter.update(at, names, patch, **NO_TIME)
        elif kind == 7:
            adapter.delete_ids(at, names, **NO_TIME)
        elif kind == 8:
            adapter.delete_where(at, F("mark") < mark // 4, **NO_TIME)
        else:
            adapter.set_alias(f"alias{mark % 3}", "c", **NO_TIME)

    return apply


def state(adapter: MemoryAdapter) -> list[Any]:
    held: list[Any] = [adapter.aliases(**NO_TIME)]
    for namespace in ("0", "1"):
        at = Target(adapter.open_collection("c", None, **NO_TIME), namespace)
        batch = adapter.scan(at, None, None, None, 1000, ALL_COLUMNS, **READ).batch
        assert batch.vectors is not None
        held.append((batch.ids, batch.vectors.tolist(), batch.metadata, batch.texts))
    return held


def breed() -> None:
    """For each line of input fork a victim, which writes until it is killed."""
    for line in sys.stdin:
        path, seed = line.split("\t")
        if pid := os.fork():
            os.waitpid(pid, 0)
            say("died")
            continue
        say(os.getpid())
        adapter = MemoryAdapter(Directory(Path(path), checkpoint_bytes=CHECKPOINT_BYTES))
        for change in writes(int(seed)):
            change(adapter)
            say("written")


@pytest.fixture
def breeder() -> Iterator[subprocess.Popen[str]]:
    with breeding(__file__) as process:
        yield process


def kill_once(breeder: subprocess.Popen[str], path: Path, seed: int) -> int:
    """Kill a victim at a random moment, and return how many writes it said were done."""
    assert breeder.stdin is not None
    assert breeder.stdout is not None
    draw = random.Random(seed)  # noqa: S311 - a seeded test
    breeder.stdin.write(f"{path}\t{seed}\n")
    pid = int(breeder.stdout.readline())
    said = draw.randrange(1, 50)
    for _ in range(said):
        assert breeder.stdout.readline() == "written\n"
    # A write takes some milliseconds: wait for a random part of it, busily.
    until = perf_counter() + draw.random() * 0.01
    while perf_counter() < until:
        pass
    os.kill(pid, signal.SIGKILL)
    while (line := breeder.stdout.readline()) == "written\n":
        said += 1
    assert line == "died\n"
    return said


def test_killed_at_any_moment_the_directory_opens_as_before_or_after_each_write(
    tmp_path: Path, breeder: subprocess.Popen[str]
) -> None:
    path = tmp_path / "store"
    twin = MemoryAdapter()
    first = MemoryAdapter(Directory(path))
    for adapter in (twin, first):
        adapter.create_collection(CollectionSpec("c", DIMENSION, Metric.DOT), **NO_TIME)
    first.close()
    generations = set[str]()
    for seed in range(KILLS):
        said = kill_once(breeder, path, seed)
        changes = writes(seed)
        for _ in range(said):
            next(changes)(twin)
        survivor = MemoryAdapter(Directory(path))
        found = state(survivor)
        survivor.close()
        if found != state(twin):
            next(changes)(twin)  # the write under way may have been finished
            assert found == state(twin), f"after kill {seed} and {said} writes"
        generations |= {file.name for file in path.glob("checkpoint-*")}
    assert len(generations) >= KILLS // 2, "the kills met few checkpoints"


def test_between_any_two_steps_on_the_disk_the_directory_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves at each step, also at those that random kills hardly ever meet."""
    path = tmp_path / "store"
    adapter, twin = MemoryAdapter(Directory(path, checkpoint_bytes=1500)), MemoryAdapter()
    for one in (adapter, twin):
        one.create_collection(CollectionSpec("c", DIMENSION, Metric.DOT), **NO_TIME)
    states = [state(twin)]
    left: list[tuple[Path, int]] = []

    def look() -> None:
        copy = tmp_path / f"left-{len(left)}"
        shutil.copytree(path, copy)
        left.append((copy, len(states) - 1))

    def watched(step: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*args: Any) -> Any:
            look()
            return step(*args)

        return watching

    def in_pieces(file: Any, pieces: Any) -> int:
        return sum(watched(write_all)(file, [piece]) for piece in pieces)

    write_all = frames.write_all
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", watched(os.fsync))
        patch.setattr(Path, "rename", watched(Path.rename))
        patch.setattr(os, "unlink", watched(os.unlink))
        patch.setattr(Path, "unlink", watched(Path.unlink))
        patch.setattr(frames, "write_all", in_pieces)
        changes = writes(1)
        for _ in range(25):
            change = next(changes)
            change(adapter)
            change(twin)
            states.append(state(twin))
    adapter.close()
    assert max(int(copy.name[-8:]) for copy in path.glob("checkpoint-*")) >= 3
    assert len(left) > 200
    for copy, acknowledged in left:
        survivor = MemoryAdapter(Directory(copy))
        found = state(survivor)
        survivor.close()
        assert found in states[acknowledged : acknowledged + 2], copy.name


if __name__ == "__main__":
    breed()
