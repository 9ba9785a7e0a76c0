"""The kernels: chosen by processor or variable, equal in their answers, and so with any threads."""

# The links are compared bit by bit, which are nobody else's business.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.unit.memory.graph_data import clustered, forced

import polyvec
from polyvec.errors import ConfigError
from polyvec.memory import hnsw_kernel
from polyvec.memory.hnsw import Graph, cpu
from polyvec.schema import HNSW
from polyvec.types import Metric

ROOT = Path(__file__).resolve().parents[3]

GRAPHS = """
import hashlib
import numpy as np
from polyvec.memory import hnsw_costs
from polyvec.memory.hnsw import Graph, cpu
from polyvec.schema import HNSW
from polyvec.types import Metric

digest = hashlib.sha256()
for width in (1, 7, 64, 100, 384):
    rows = np.random.default_rng(3).standard_normal((700, width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for metric in Metric:
        graph = Graph.build(rows, metric, HNSW(m=6, ef_construction=30))
        assert graph.kernel == "int8" or width == 1, (width, metric, graph.kernel)
        for part in (graph._bottom, graph._upper):
            digest.update(part.tobytes())
        for hnsw_costs.SIFT_NS in ((1e9, 0.0), (0.0, 0.0)):
            for mask in (None, rows[:, 0] > 0):
                for part in graph.search(rows[:40] + np.float32(0.01), 5, 20, mask):
                    digest.update(part.tobytes())
print(cpu.CHOSEN, digest.hexdigest())
"""


def run(script: str, kernel: str | None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name != hnsw_kernel.VARIABLE
    }
    if kernel is not None:
        environment[hnsw_kernel.VARIABLE] = kernel
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.skipif(not cpu.has_vnni(), reason="this processor lacks AVX-512 VNNI")
def test_kernels_give_the_same_graphs_and_answers() -> None:
    results = {kernel: run(GRAPHS, kernel) for kernel in (hnsw_kernel.VNNI, hnsw_kernel.PORTABLE)}
    for kernel, result in results.items():
        assert result.stdout.split()[:1] == [kernel], result.stderr
    assert len({result.stdout.split()[1] for result in results.values()}) == 1


def test_the_faster_kernel_is_the_default() -> None:
    result = run("from polyvec.memory.hnsw import cpu; print(cpu.CHOSEN)", None)
    assert result.stdout.strip() == (hnsw_kernel.VNNI if cpu.has_vnni() else hnsw_kernel.PORTABLE)


@pytest.mark.parametrize(
    ("kernel", "more", "said"),
    [
        ("avx9", {}, "POLYVEC_HNSW_KERNEL='avx9': expected 'portable', 'vnni', or nothing"),
        ("vnni", {"NUMBA_DISABLE_JIT": "1"}, "or numba does not compile; set it to 'portable'"),
    ],
)
def test_a_kernel_that_is_not_there_is_refused(
    kernel: str, more: dict[str, str], said: str
) -> None:
    result = run("import polyvec.memory.hnsw", kernel, **more)
    assert result.returncode == 1
    assert "ConfigError" in result.stderr
    assert said in result.stderr


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("threads", [2, 5])
def test_threads_build_the_graph_of_one(metric: Metric, threads: int) -> None:
    rows = clustered(3000)
    rows[1000:1400] = rows[0]  # twins fill batches of their own
    one = Graph.build(rows, metric, HNSW(m=8, ef_construction=60))
    many = Graph.build(rows, metric, HNSW(m=8, ef_construction=60), threads=threads)
    assert np.array_equal(one._bottom[:3000], many._bottom[:3000])
    assert np.array_equal(one._upper, many._upper)
    assert one._entry == many._entry


def test_rows_that_come_in_order_lose_no_recall() -> None:
    """Neighbours of a row are in its own batch, where the graph does not have them yet."""
    rows, queries = clustered(6000), clustered(200, seed=1)
    order = np.argsort(rows[:, 0], kind="stable")
    true = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    shares: list[float] = []
    for arranged in (np.arange(6000), order):
        graph = Graph.build(rows[arranged], Metric.DOT, HNSW())
        with forced("walk"):
            found, _ = graph.search(queries, 10, 64)
        pairs = zip(arranged[found].tolist(), true.tolist(), strict=True)
        shares.append(sum(len(set(one) & set(two)) for one, two in pairs) / 2000)
    assert min(shares) >= 0.97
    assert abs(shares[0] - shares[1]) <= 0.01


def test_a_store_refuses_a_kernel_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hnsw_kernel.VARIABLE, "avx9")
    with pytest.raises(ConfigError, match="POLYVEC_HNSW_KERNEL='avx9': expected 'portable'"):
        polyvec.connect("memory://")
