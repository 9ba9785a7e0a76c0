"""What the stages of `make bench-hnsw` share: data, built indexes and the file of results."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hnsw_data import Data, of_file, part_of, wide
from hnsw_measure import cpu
from hnsw_peers import PEERS, Peer, Settings, trouble, usable


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Parameters
    ----------
    rows, wide_rows, tune_rows, churn_rows
        Of the embeddings, of the wide set, and of the parts that are tuned and churned.
    queries, deep_queries, filter_queries, calls
        For k = 10, for k = 100, with a filter, and as single calls.
    passes
        Interleaved passes of which the median counts.
    """

    rows: int = 100_000
    wide_rows: int = 20_000
    tune_rows: int = 10_000
    churn_rows: int = 20_000
    queries: int = 1_000
    deep_queries: int = 400
    filter_queries: int = 200
    calls: int = 500
    passes: int = 3


QUICK = Sizes(2_500, 1_000, 800, 800, 100, 50, 30, 50, 2)


class Bench:
    """One run: reads and writes `work.json` in its folder, so that it can go on later.

    Parameters
    ----------
    folder
        For results and for indexes that are kept.
    path
        Of the embeddings; None for the sample.
    sizes
        How much to measure.
    only
        Names of peers beside polyvec; None for all.
    """

    def __init__(
        self, folder: Path, path: Path | None, sizes: Sizes, only: set[str] | None = None
    ) -> None:
        self.folder = folder
        self.sizes = sizes
        self._path = path
        self._only = only
        self._sets: dict[str, Data] = {}
        self._ready: dict[tuple[str, str], Peer] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "work.json"
        asked = {
            "data": path.name if path else "sample",
            "sizes": asdict(sizes),
            "settings": {peer.name: [list(one) for one in peer.grid] for peer in PEERS},
        }
        self.work: dict[str, Any] = {"asked": asked}
        if self._file.exists():
            old = json.loads(self._file.read_text(encoding="utf-8"))
            if old.get("asked") == asked:
                self.work = old
            else:
                self.say("other data, sizes or settings than last time: all is measured anew")
                for index in folder.glob("*.index"):
                    index.unlink()

    def say(self, words: str) -> None:
        """Show a line of progress."""
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {words}\n")
        sys.stderr.flush()

    def keep(self) -> None:
        """Write the results so far."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self.work, indent=1), encoding="utf-8")
        new.replace(self._file)

    def embeddings(self) -> Data:
        """Return the set that most is measured on."""
        return self._data("embeddings")

    def wide(self) -> Data:
        """Return the set of many dimensions."""
        return self._data("wide768")

    def _data(self, name: str) -> Data:
        if name not in self._sets:
            self.say(f"data: {name}, with its true neighbours")
            sizes = self.sizes
            made = (
                wide(sizes.wide_rows, sizes.queries)
                if name == "wide768"
                else of_file(self._path, sizes.rows, sizes.queries)
            )
            self._sets[name] = made
            said = {"words": made.words, "rows": len(made.rows), "dimension": made.rows.shape[1]}
            self.work.setdefault("sets", {})[name] = said
        return self._sets[name]

    def part(self, rows: int) -> Data:
        """Return the beginning of the embeddings as a set of its own."""
        name = f"part-{rows}"
        if name not in self._sets:
            self._sets[name] = part_of(self.embeddings(), rows, self.sizes.queries // 2)
        return self._sets[name]

    def peers(self) -> list[type[Peer]]:
        """Return the peers that run here, polyvec first, compiled and warm."""
        if not hasattr(self, "_peers"):
            self.say("which peers run here")
            good, bad = usable()
            trouble("polyvec")  # loads what was compiled, which belongs to no measurement
            self._peers = [
                one
                for one in good
                if self._only is None or one.name == "polyvec" or one.name in self._only
            ]
            self.work["versions"] = {one.name: one.version() for one in good}
            self.work["missing"] = bad
        return self._peers

    def settings(self, peer: type[Peer]) -> Settings:
        """Return what the tuning chose for a peer, or the first of its grid before it ran."""
        tuned = self.work.get("tune", {}).get(peer.name)
        return tuple(tuned["best"]) if tuned else peer.grid[0]

    def ready(self, data: Data, peer: type[Peer]) -> Peer:
        """Return the built index; how long that took and how large it is goes to the results."""
        key = (data.name, peer.name)
        if key not in self._ready:
            settings = self.settings(peer)
            base = next((one for one in PEERS if one.name == peer.kept_as), peer)
            word = "-".join([data.name, *base.name.split(), *map(str, settings)])
            path = self.folder / f"{word}.index"
            made = peer(data.rows)
            if not (peer.kept and path.exists()):
                self.say(f"{data.name}: building {base.name} {settings}")
                built = base(data.rows)
                load = os.getloadavg()[0]
                seconds, _ = cpu(lambda: built.build(settings))
                size = self._size(built, path)
                entry = {"cpu_s": seconds, "settings": list(settings), "bytes": size, "load": load}
                self.work.setdefault("builds", {}).setdefault(data.name, {})[base.name] = entry
                made = built
            if peer.kept_as or (peer.kept and made.index is None):
                made = peer(data.rows)
                made.load(path)
            self._size_of_wrapped(data, peer, base)
            self._ready[key] = made
            self.keep()
        return self._ready[key]

    def _size(self, built: Peer, path: Path) -> int:
        if built.name == "polyvec":
            return int(built.index.memory_bytes)
        if built.kept:
            built.save(path)
            return path.stat().st_size
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "index"
            built.save(target)
            return sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file())

    def _size_of_wrapped(self, data: Data, peer: type[Peer], base: type[Peer]) -> None:
        held = self.work.get("builds", {}).get(data.name, {})
        if peer is not base and base.name in held:
            inner = held[base.name]
            held[peer.name] = {**inner, "bytes": inner["bytes"] + data.rows.nbytes}

    def let_go(self, data: Data) -> None:
        """Free the indexes of a set."""
        for key in [key for key in self._ready if key[0] == data.name]:
            del self._ready[key]
