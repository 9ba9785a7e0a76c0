"""The indexes that `make bench-hnsw` measures, each behind the same few calls.

All of them get unit vectors and search by inner product, in one thread. Nothing is imported
before it is used: a peer that is not installed, or does not run here, is a line of the report.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from hnsw_data import Floats, Numbers

from polyvec import HNSW
from polyvec.memory.hnsw.graph import Graph
from polyvec.types import Metric

Effort: TypeAlias = tuple[float, ...]
Settings: TypeAlias = tuple[int, int]

POOLS: Final = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 400)
DEEP_POOLS: Final = (100, 128, 192, 256, 400, 600, 900)
LINKS: Final[tuple[Settings, ...]] = ((16, 100), (16, 200), (24, 100), (24, 200))
"""m and ef_construction, as tried for every HNSW; a Vamana or flat graph has twice the degree."""

FLAT_LINKS: Final[tuple[Settings, ...]] = ((24, 100), (32, 100), (32, 200), (48, 200))


def pools_for(k: int) -> tuple[int, ...]:
    """Return the sizes of the pool that are tried for `k` neighbours."""
    return DEEP_POOLS if k > POOLS[0] else POOLS


class Peer:
    """An index of some library.

    Attributes
    ----------
    name, package
        In tables; on the package index.
    grid
        Settings among which the tuning chooses.
    holds_rows
        Whether the index keeps the float32 rows, which its size then counts.
    batches
        Whether it takes many queries in a call; otherwise they are asked one by one.
    kept
        Whether the built index is left on the disk for the next run.
    kept_as
        Of indexes that differ in the search alone: the name of the one that is built.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    grid: ClassVar[tuple[Settings, ...]] = LINKS
    holds_rows: ClassVar[bool] = True
    batches: ClassVar[bool] = True
    kept_as: ClassVar[str | None] = None
    kept: ClassVar[bool] = True

    def __init__(self, rows: Floats) -> None:
        self.rows = rows
        self.index: Any = None

    @classmethod
    def version(cls) -> str:
        """Return the installed version; raises `PackageNotFoundError`."""
        return version(cls.package)

    @staticmethod
    def efforts(k: int) -> list[Effort]:
        """Return what is tried in the search, least first: the size of the pool."""
        return [(float(ef),) for ef in pools_for(k)]

    def build(self, settings: Settings) -> None:
        """Make the index of all rows."""
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Write the index."""
        raise NotImplementedError

    def load(self, path: Path) -> None:
        """Read what `save` wrote."""
        raise NotImplementedError

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        """Return the rows found for each query, shape `(q, k)`."""
        raise NotImplementedError


class Polyvec(Peer):
    """The graph of this repository."""

    name = "polyvec"
    package = "polyvec"
    kept = False  # a loaded graph lies in a mapped file, which is another thing to measure

    @classmethod
    def version(cls) -> str:
        from polyvec._version import __version__

        return __version__

    def build(self, settings: Settings) -> None:
        m, ef_construction = settings
        asked = HNSW(m=m, ef_construction=ef_construction)
        self.index = Graph.build(self.rows, Metric.COSINE, asked, 0)

    def save(self, path: Path) -> None:
        self.index.save(path)

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        found: Numbers = self.index.search(queries, k, int(effort[0]), None, 1)[0]
        return found


class Hnswlib(Peer):
    name = "hnswlib"
    package = "hnswlib"

    def _empty(self) -> Any:
        return importlib.import_module("hnswlib").Index(space="ip", dim=self.rows.shape[1])

    def build(self, settings: Settings) -> None:
        self.index = self._empty()
        m, ef_construction = settings
        self.index.init_index(len(self.rows), M=m, ef_construction=ef_construction, random_seed=1)
        self.index.add_items(self.rows, num_threads=1)
        self.index.set_num_threads(1)

    def save(self, path: Path) -> None:
        self.index.save_index(str(path))

    def load(self, path: Path) -> None:
        self.index = self._empty()
        self.index.load_index(str(path), max_elements=len(self.rows))
        self.index.set_num_threads(1)

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        self.index.set_ef(int(effort[0]))
        found: Numbers = self.index.knn_query(queries, k=k)[0].astype(np.int64)
        return found


class Usearch(Peer):
    name = "usearch f32"
    package = "usearch"
    dtype: ClassVar[str] = "f32"
    metric: ClassVar[str] = "ip"

    def _empty(self, settings: Settings) -> Any:
        return importlib.import_module("usearch.index").Index(
            ndim=self.rows.shape[1], metric=self.metric, dtype=self.dtype,
            connectivity=settings[0], expansion_add=settings[1],
        )  # fmt: skip

    def build(self, settings: Settings) -> None:
        self.index = self._empty(settings)
        self.index.add(np.arange(len(self.rows)), self.rows, threads=1)

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def load(self, path: Path) -> None:
        self.index = self._empty(LINKS[0])
        self.index.load(str(path))

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        self.index.expansion_search = int(effort[0])
        keys = np.atleast_2d(self.index.search(queries, k, threads=1).keys)
        found: Numbers = keys.astype(np.int64)
        return found


class UsearchBf16(Usearch):
    name = "usearch bf16"
    dtype = "bf16"
    holds_rows = False


class UsearchI8(Usearch):
    name = "usearch i8"
    dtype = "i8"
    metric = "cos"  # its int8 is scaled for unit vectors under this metric
    holds_rows = False


class Faiss(Peer):
    name = "faiss HNSW flat"
    package = "faiss-cpu"
    storage: ClassVar[str] = "Flat"

    def __init__(self, rows: Floats) -> None:
        super().__init__(rows)
        self.faiss: Any = importlib.import_module("faiss")
        self.faiss.omp_set_num_threads(1)

    def build(self, settings: Settings) -> None:
        m, ef_construction = settings
        word = f"HNSW{m},{self.storage}"
        inner = self.faiss.METRIC_INNER_PRODUCT
        self.index = self.faiss.index_factory(self.rows.shape[1], word, inner)
        self.index.hnsw.efConstruction = ef_construction
        self.index.train(self.rows)
        self.index.add(self.rows)

    def save(self, path: Path) -> None:
        self.faiss.write_index(self.index, str(path))

    def load(self, path: Path) -> None:
        self.index = self.faiss.read_index(str(path))

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        terms = self.faiss.SearchParametersHNSW(efSearch=int(effort[0]))
        found: Numbers = self.index.search(queries, k, params=terms)[1]
        return found


class FaissSQ8(Faiss):
    name = "faiss HNSW SQ8"
    storage = "SQ8"
    holds_rows = False


class FaissRefined(FaissSQ8):
    """SQ8 whose best `k * factor` are scored again by the float32 rows."""

    name = "faiss HNSW SQ8+RFlat"
    holds_rows = True
    kept_as = "faiss HNSW SQ8"

    @staticmethod
    def efforts(k: int) -> list[Effort]:
        return [
            (float(ef), factor) for ef in pools_for(k) for factor in (1.5, 3.0) if ef >= k * factor
        ]

    def load(self, path: Path) -> None:
        self.base = self.faiss.read_index(str(path))
        self.index = self.faiss.IndexRefineFlat(self.base, self.faiss.swig_ptr(self.rows))

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        inner = self.faiss.SearchParametersHNSW(efSearch=int(effort[0]))
        terms = self.faiss.IndexRefineSearchParameters(k_factor=effort[1], base_index_params=inner)
        found: Numbers = self.index.search(queries, k, params=terms)[1]
        return found


class Svs(Peer):
    name = "SVS float16"
    package = "scalable-vs"
    grid = FLAT_LINKS
    holds_rows = False
    kept = False  # its builds are among the shortest; it saves folders

    def __init__(self, rows: Floats) -> None:
        super().__init__(rows)
        self.svs: Any = importlib.import_module("svs")
        self.svs.logging.set_level(self.svs.logging.level.warn)

    def _data(self, folder: Path) -> Any:
        return self.rows.astype(np.float16)

    def build(self, settings: Settings) -> None:
        degree, window = settings
        terms = self.svs.VamanaBuildParameters(
            alpha=0.95, graph_max_degree=degree, window_size=window
        )
        with tempfile.TemporaryDirectory() as folder:
            data = self._data(Path(folder))
            inner = self.svs.DistanceType.MIP
            self.index = self.svs.Vamana.build(terms, data, inner, num_threads=1)

    def save(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        parts = (str(path / part) for part in ("config", "graph", "data"))
        self.index.save(*parts)

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        self.index.search_window_size = int(effort[0])
        found: Numbers = self.index.search(queries, k)[0].astype(np.int64)
        return found


class SvsLvq8(Svs):
    name = "SVS LVQ8"
    bits: ClassVar[tuple[int, int]] = (8, 0)

    def _data(self, folder: Path) -> Any:
        path = str(folder / "rows.fvecs")
        self.svs.write_vecs(self.rows, path)
        source = self.svs.VectorDataLoader(path, self.svs.float32, dims=self.rows.shape[1])
        return self.svs.LVQLoader(source, primary=self.bits[0], residual=self.bits[1])


class SvsLvq48(SvsLvq8):
    name = "SVS LVQ4x8"
    bits = (4, 8)


class Vsag(Peer):
    """HGraph: sq8 codes, the best scored again by the float32 rows."""

    name = "VSAG hgraph SQ8+fp32"
    package = "pyvsag"
    grid = FLAT_LINKS[1:]
    batches = False
    kept = False

    def _empty(self, settings: Settings) -> Any:
        vsag = importlib.import_module("pyvsag")
        vsag.set_logger_off()
        terms = {
            "dtype": "float32",
            "metric_type": "ip",
            "dim": self.rows.shape[1],
            "index_param": {
                "base_quantization_type": "sq8",
                "use_reorder": True,
                "precise_quantization_type": "fp32",
                "max_degree": settings[0],
                "ef_construction": settings[1],
                "build_thread_count": 1,
            },
        }
        return vsag.Index("hgraph", json.dumps(terms))

    def build(self, settings: Settings) -> None:
        self.index = self._empty(settings)
        count, dimension = self.rows.shape
        self.index.build(self.rows.reshape(-1), np.arange(count), count, dimension)

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        terms = json.dumps({"hgraph": {"ef_search": int(effort[0])}})
        return np.array([self.index.knn_search(query, k, terms)[0] for query in queries])


class Ngt(Peer):
    """ANNG over float32; the settings are edges at building and edges walked."""

    name = "NGT ANNG"
    package = "ngt"
    grid = ((10, 40), (20, 40), (30, 60))
    batches = False
    kept = False

    @staticmethod
    def efforts(k: int) -> list[Effort]:  # noqa: ARG004 - it has no pool
        return [(at,) for at in (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)]

    def build(self, settings: Settings) -> None:
        ngt = importlib.import_module("ngtpy")
        self.folder = tempfile.TemporaryDirectory(prefix="bench-ngt-")
        path = str(Path(self.folder.name) / "index")
        ngt.create(
            path, self.rows.shape[1], edge_size_for_creation=settings[0],
            edge_size_for_search=settings[1], distance_type="L2", object_type="Float",
        )  # fmt: skip
        index = ngt.Index(path)
        index.batch_insert(self.rows, num_threads=1)
        index.save()
        index.close()
        self.index = ngt.Index(path, read_only=True, log_disabled=True)

    def save(self, path: Path) -> None:
        import shutil

        shutil.copytree(Path(self.folder.name) / "index", path, dirs_exist_ok=True)

    def search(self, queries: Floats, k: int, effort: Effort) -> Numbers:
        ask = self.index.search
        found = np.full((len(queries), k), -1, np.int64)
        for at, query in enumerate(queries):
            hits = ask(query, k, epsilon=effort[0], with_distance=False)
            found[at, : len(hits)] = hits
        return found


PEERS: Final[tuple[type[Peer], ...]] = (
    Polyvec, Hnswlib, Usearch, UsearchBf16, UsearchI8, Faiss, FaissSQ8, FaissRefined,
    Svs, SvsLvq8, SvsLvq48, Vsag, Ngt,
)  # fmt: skip


def usable() -> tuple[list[type[Peer]], dict[str, str]]:
    """Return the peers that answer on a few rows, and of the others the reason.

    Each is tried in a process of its own: SVS ends that of its caller where LVQ does not run.
    """
    good: list[type[Peer]] = []
    bad: dict[str, str] = {}
    for peer in PEERS:
        asked = f"import hnsw_peers; print(hnsw_peers.trouble({peer.name!r}) or '')"
        tried = subprocess.run(
            [sys.executable, "-c", asked],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        said = [*tried.stderr.split("\n"), *tried.stdout.split("\n")]
        if tried.returncode:
            bad[peer.name] = next((line for line in reversed(said) if line.strip()), "it crashed")
        elif reason := said[-2]:
            bad[peer.name] = reason
        else:
            good.append(peer)
    return good, bad


def trouble(name: str) -> str | None:
    """Return why a peer cannot be measured here, None if it can."""
    (peer,) = (one for one in PEERS if one.name == name)
    few = np.random.default_rng(0).normal(size=(600, 64)).astype(np.float32)
    few /= np.linalg.norm(few, axis=1, keepdims=True)
    try:
        peer.version()
        tried = _wrapped(peer, few) if peer.kept_as else _built(peer, few)
        found = tried.search(few[:20], 1, tried.efforts(1)[-1])
    except PackageNotFoundError:
        return f"{peer.package} is not installed"
    except Exception as exc:  # noqa: BLE001 - whatever a peer fails by is the reason told
        return f"{type(exc).__name__}: {str(exc).strip()[:160]}"
    right = (found[:, 0] == np.arange(20)).mean() >= 0.9
    return None if right else "does not find the rows themselves"


def _built(peer: type[Peer], rows: Floats) -> Peer:
    made = peer(rows)
    made.build(peer.grid[0])
    return made


def _wrapped(peer: type[Peer], rows: Floats) -> Peer:
    (base,) = (one for one in PEERS if one.name == peer.kept_as)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        _built(base, rows).save(path)
        made = peer(rows)
        made.load(path)
    return made
