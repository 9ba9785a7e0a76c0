"""SIGKILL at any moment, then resume: the same multiset, nothing twice."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import polyvec
from polyvec import VectorStore
from polyvec.migrate import content_hash

RECORDS: Final = 20_000
DIMENSION: Final = 8
KILLS: Final = 3
LONGEST_S: Final = 0.6
PROGRAM: Final = "from polyvec.cli import main; main()"


def fill(url: str, records: int) -> None:
    rng = np.random.default_rng(5)
    with polyvec.connect(url) as store:
        docs = store.create_collection("docs", dimension=DIMENSION)
        for space, share in (("", 0.7), ("n", 0.2), ("tenant/ü", 0.1)):
            count = int(records * share)
            docs.namespace(space).upsert(
                ids=[f"r{at}" for at in range(count)],
                vectors=rng.normal(size=(count, DIMENSION)),
                metadata=[{"i": at, "f": at / 2, "s": str(at)} for at in range(count)],
                texts=[f"text {at}" for at in range(count)],
            )


def multiset(store: VectorStore) -> Counter[tuple[str, str, str, bytes]]:
    """Return how often each (namespace, id, content hash, vector) is in a collection."""
    docs = store.collection("docs")
    found: Counter[tuple[str, str, str, bytes]] = Counter()
    for space in docs.namespaces():
        for batch in docs.namespace(space).scan(include=("metadata", "text", "vector")):
            for record in batch.records():
                content = content_hash(space, record.id, record.text, record.metadata)
                found[space, record.id, content, record.vector.tobytes()] += 1
    return found


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", PROGRAM, "migrate", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def kill_while_copying(process: subprocess.Popen[str], delay_s: float) -> bool:
    """Kill a migration a while after its copy has begun; return whether it was still running."""
    assert process.stderr is not None
    for line in process.stderr:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "start" and event["phase"] == "copy":
            break
    try:
        process.wait(timeout=delay_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    process.communicate()
    return False


@pytest.mark.parametrize("scheme", ["memory", "parquet"])
def test_killed_at_random_moments_and_resumed(scheme: str, tmp_path: Path) -> None:
    source, target = f"memory://{tmp_path}/source", f"{scheme}://{tmp_path}/target"
    fill(source, RECORDS)
    seed = secrets.randbelow(10**6)
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    arguments = [source, target, "--collection", "docs", "--journal", str(tmp_path / "j")]
    arguments += ["--workers", "2", "--batch-size", "100", "--log", "json"]
    resume: list[str] = []
    killed = 0
    for _ in range(KILLS):
        process = start(*arguments, *resume, "--verify", "none")
        if not kill_while_copying(process, chance.uniform(0, LONGEST_S)):
            break
        killed += 1
        resume = ["--resume"]
    assert killed, "nothing was interrupted"
    process = start(*arguments, *resume, "--json")
    out, err = process.communicate()
    assert process.returncode == 0, f"seed {seed}: {err[-2000:]}"
    report = json.loads(out)
    assert report["ok"]
    assert report["count"] == RECORDS
    assert report["verification"]["compared"] == RECORDS
    with polyvec.connect(source) as one, polyvec.connect(target) as other:
        wanted, found = multiset(one), multiset(other)
    assert found == wanted, f"seed {seed}"
    assert max(found.values()) == 1
