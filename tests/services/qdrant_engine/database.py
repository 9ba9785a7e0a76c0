"""Collections and aliases in a folder: a shard of the engine each, and what a server keeps beside.

A write is in the engine's log when it is answered, so that a killed process loses none.
"""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import qdrant_edge as edge
from qdrant_client import models
from tests.services.qdrant_engine import convert

from polyvec.types import as_any

FULL_SCAN_KB: Final = 10_000
INDEX_EVERY: Final = 1_000
"""Points written between two builds of the graph; a server builds it beside the requests."""


class Refused(Exception):  # noqa: N818 - an answer
    """An answer with a status that is not 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Shard:
    """One collection.

    Parameters
    ----------
    folder
        Where it is kept.
    config
        What it was made with, as the request had it.
    """

    def __init__(self, folder: Path, config: models.CreateCollection) -> None:
        self.folder = folder
        self.config = config
        self.lock = threading.RLock()
        self.filters = convert.Filters(self._having)
        self._fresh = 0
        place = folder / "shard"
        if place.exists():
            self.engine = edge.EdgeShard.load(str(place))
        else:
            place.mkdir(parents=True)
            self.engine = edge.EdgeShard.create(str(place), self._edge_config())

    def _edge_config(self) -> edge.EdgeConfig:
        config, hnsw = self.config, self.hnsw
        vectors: Any = config.vectors
        if isinstance(vectors, dict):
            named: dict[str, Any] = as_any(vectors)
            made: Any = {name: convert.vector_params(one) for name, one in named.items()}
        else:
            made = convert.vector_params(vectors)
        sparse = {name: edge.EdgeSparseVectorParams() for name in config.sparse_vectors or {}}
        return edge.EdgeConfig(
            vectors=made,
            sparse_vectors=sparse or None,
            on_disk_payload=config.on_disk_payload,
            hnsw_config=edge.HnswIndexConfig(
                m=hnsw["m"], ef_construct=hnsw["ef_construct"], full_scan_threshold=FULL_SCAN_KB
            ),
            quantization_config=convert.quantization(config.quantization_config),
            # Kilobytes from which on a segment gets its graph.
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
            wal_enabled=True,
        )

    @property
    def hnsw(self) -> dict[str, int]:
        """The graph's parameters, with a server's defaults."""
        sent = self.config.hnsw_config
        return {
            "m": 16 if sent is None or sent.m is None else sent.m,
            "ef_construct": 100 if sent is None or sent.ef_construct is None else sent.ef_construct,
        }

    def update(self, operation: edge.UpdateOperation, points: int = 0) -> None:
        """Write, and build the graph once enough is new."""
        with self.lock:
            self.engine.update(operation)
            self._fresh += points
            if self._fresh >= INDEX_EVERY:
                self._fresh = 0
                self.engine.optimize()

    def _having(self, key: str, value: bool) -> set[Any]:
        request = edge.ScrollRequest(limit=2**31, with_payload=[key])
        with self.lock:
            points, _ = self.engine.scroll(request)
        return {point.id for point in points if value in _bools(point.payload)}

    def described(self) -> dict[str, Any]:
        """Return what a server tells of a collection."""
        with self.lock:
            info = self.engine.info()
        config = self.config
        dumped = config.model_dump(mode="json", exclude_none=True)
        params = {
            key: dumped[key] for key in ("vectors", "sparse_vectors") if dumped.get(key) is not None
        }
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": info.indexed_vectors_count,
            "points_count": info.points_count,
            "segments_count": info.segments_count,
            "config": {
                "params": {**params, "shard_number": 1},
                "hnsw_config": {**self.hnsw, "full_scan_threshold": FULL_SCAN_KB},
                "optimizer_config": {
                    "deleted_threshold": 0.2,
                    "vacuum_min_vector_number": 1000,
                    "default_segment_number": 0,
                    "flush_interval_sec": 5,
                },
                "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
                "quantization_config": dumped.get("quantization_config"),
                "metadata": dumped.get("metadata"),
            },
            "payload_schema": {
                key: {"data_type": _word(one.data_type), "points": one.points}
                for key, one in info.payload_schema.items()
            },
        }


class Database:
    """All collections of a folder.

    Parameters
    ----------
    root
        Made by the caller.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.RLock()
        self.shards: dict[str, Shard] = {}
        self.aliases: dict[str, str] = {}
        self._load()

    def _load(self) -> None:
        if (kept := self._root / "aliases.json").exists():
            self.aliases = json.loads(kept.read_text())
        for described in self._root.glob("*/collection.json"):
            kept_of = json.loads(described.read_text())
            config = models.CreateCollection.model_validate(kept_of["config"])
            self.shards[kept_of["name"]] = Shard(described.parent, config)

    def shard(self, name: str) -> Shard:
        """Return a collection, also by an alias."""
        with self._lock:
            found = self.shards.get(self.aliases.get(name, name))
        if found is None:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return found

    def create(self, name: str, config: models.CreateCollection) -> None:
        """Make a collection."""
        with self._lock:
            if name in self.shards:
                raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
            if name in self.aliases:
                raise Refused(400, f"Bad request: Alias with name `{name}` already exists!")
            folder = self._root / uuid4().hex
            shard = Shard(folder, config)
            kept = {"name": name, "config": config.model_dump(mode="json", exclude_none=True)}
            _write(folder / "collection.json", kept)
            self.shards[name] = shard

    def drop(self, name: str) -> bool:
        """Remove a collection and its aliases; tell whether there was one."""
        with self._lock:
            shard = self.shards.pop(name, None)
            if shard is None:
                return False
            self._keep({a: c for a, c in self.aliases.items() if c != name})
        with shard.lock:
            shard.engine.close()
            shutil.rmtree(shard.folder)
        return True

    def change_aliases(self, sent: models.ChangeAliasesOperation) -> None:
        """Apply all changes, or none."""
        with self._lock:
            aliases = dict(self.aliases)
            for action in sent.actions:
                match action:
                    case models.CreateAliasOperation(create_alias=made):
                        if made.collection_name not in self.shards:
                            name = made.collection_name
                            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
                        if made.alias_name in self.shards:
                            name = made.alias_name
                            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
                        aliases[made.alias_name] = made.collection_name
                    case models.DeleteAliasOperation(delete_alias=gone):
                        aliases.pop(gone.alias_name, None)
                    case _:
                        raise convert.Unknown(type(action).__name__)
            self._keep(aliases)

    def _keep(self, aliases: dict[str, str]) -> None:
        _write(self._root / "aliases.json", aliases)
        self.aliases = aliases


def _bools(value: Any) -> set[bool]:
    """Return the bools in what was read of one key."""
    match value:
        case bool():
            return {value}
        case dict():
            return _bools(list(as_any(value).values()))
        case list():
            found: set[bool] = set()
            return found.union(*map(_bools, as_any(value)))
        case _:
            return set()


def _word(kind: Any) -> str:
    return str(kind).rpartition(".")[2].lower()


def _write(path: Path, content: Any) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)
