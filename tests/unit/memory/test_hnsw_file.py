"""Saving and loading a graph: equal afterwards, and never a wrong one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from polyvec.errors import StoreError
from polyvec.memory.hnsw import Graph
from polyvec.schema import HNSW
from polyvec.types import Metric


def rows_of(n: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n, 16)).astype(np.float32)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "graph"
    Graph.build(rows_of(200), Metric.COSINE, HNSW()).save(path)
    return path


@pytest.mark.parametrize("n", [0, 1, 1500])
@pytest.mark.parametrize("metric", list(Metric))
def test_a_loaded_graph_answers_and_goes_on_as_the_saved_one(
    tmp_path: Path, metric: Metric, n: int
) -> None:
    graph = Graph.build(rows_of(n), metric, HNSW(m=5, ef_construction=30), seed=3)
    graph.delete(np.arange(n // 10))
    graph.save(tmp_path / "graph")
    loaded = Graph.load(tmp_path / "graph")
    for _ in range(2):
        assert (loaded.nodes, len(loaded), loaded.levels) == (graph.nodes, len(graph), graph.levels)
        assert (loaded.kernel, loaded.m, loaded.metric) == (graph.kernel, graph.m, graph.metric)
        for one, other in zip(
            graph.search(rows_of(20, 1), 10, 40), loaded.search(rows_of(20, 1), 10, 40), strict=True
        ):
            assert np.array_equal(one, other)
        graph.insert(rows_of(300, 2))
        loaded.insert(rows_of(300, 2))


def test_writing_to_a_loaded_graph_leaves_the_file_alone(saved: Path) -> None:
    before = saved.read_bytes()
    Graph.load(saved).delete(np.arange(100))
    assert saved.read_bytes() == before
    assert len(Graph.load(saved)) == 200


def test_a_changed_byte_anywhere_is_noticed_or_without_effect(saved: Path) -> None:
    good = saved.read_bytes()
    expected = Graph.load(saved).search(rows_of(5, 1), 10, 40)[0].tolist()
    refused = 0
    places = [*range(40), *np.random.default_rng(0).integers(40, len(good), 200).tolist()]
    for place in places:
        saved.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        try:
            found = Graph.load(saved).search(rows_of(5, 1), 10, 40)[0].tolist()
        except StoreError:
            refused += 1
        else:
            assert found == expected  # a byte of the padding
    assert refused >= 0.9 * len(places)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused(saved: Path, share: float) -> None:
    good = saved.read_bytes()
    saved.write_bytes(good[: int(share * len(good))])
    with pytest.raises(StoreError, match="build the graph anew"):
        Graph.load(saved)


def test_a_foreign_file_and_a_newer_version_are_refused(saved: Path) -> None:
    good = bytearray(saved.read_bytes())
    saved.write_bytes(b"PK\3\4" + bytes(1000))
    with pytest.raises(StoreError, match="it starts with"):
        Graph.load(saved)
    good[8] += 1
    saved.write_bytes(good)
    with pytest.raises(StoreError, match="format version 2"):
        Graph.load(saved)
    saved.unlink()
    with pytest.raises(FileNotFoundError):
        Graph.load(saved)


def test_a_kill_during_save_leaves_the_old_or_the_new(saved: Path) -> None:
    script = f"""
import pathlib, numpy as np
from polyvec.memory.hnsw import Graph
path = pathlib.Path({str(saved)!r})
graph = Graph.load(path)
print("ready", flush=True)
while True:
    graph.delete(np.array([len(graph) - 1]) if len(graph) > 1 else np.array([0]))
    graph.save(path)
    print(len(graph), flush=True)
"""
    sizes: list[int] = []
    for saves in (1, 2, 5):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(1 + saves):  # "ready", then the saves
                assert process.stdout.readline()
            process.kill()
        sizes.append(len(Graph.load(saved)))
    assert 200 > sizes[0] > sizes[1] > sizes[2]
