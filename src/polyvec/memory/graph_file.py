"""Graphs in a directory: written beside the records, and believed only where they agree with them.

A record keeps its sequence number when it is replaced, so a node is known by that number and by its
codes: it is taken for a row that has the number, lives, and whose vector has just these codes.
Whatever does not agree is a dead node or a row that is still to be inserted; so a file may be of
any age, and of any collection, without harm.
"""

from __future__ import annotations

import json
import logging
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from polyvec.errors import StoreError
from polyvec.memory.graph_slot import Covered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from polyvec.memory.columns import View
    from polyvec.memory.database import Database
    from polyvec.memory.hnsw.candidates import Candidates
    from polyvec.schema import HNSW, CollectionSpec
    from polyvec.types import Metric

logger = logging.getLogger("polyvec")

_NAME: Final = re.compile(r"graph-[0-9a-f]{24}(\..+)?")
"""Ours; with an ending, what an interrupted write left."""

AGREEING: Final = 0.5
"""Share of nodes below which a file is not worth having: building anew is better."""

COMPARED_ROWS: Final = 8192
"""Rows whose codes are compared at a time."""


class GraphFile:
    """Where the graph of one namespace is kept.

    Parameters
    ----------
    folder
        The directory of the store.
    collection, namespace
        Whose graph it is.
    """

    def __init__(self, folder: Path, collection: str, namespace: str) -> None:
        self._place = [collection, namespace]
        name = sha256(json.dumps(self._place).encode()).hexdigest()[:24]
        self.path = folder / f"graph-{name}"

    def write(self, covered: Covered, view: View) -> None:
        """Replace the file; it is the old one or the new one, whatever happens.

        Raises
        ------
        OSError
            It could not be written.
        """
        from polyvec.memory.hnsw import file

        known = (covered.owners >= 0) & (covered.owners < view.n)
        sequence = np.full(len(covered.owners), -1, np.int64)
        sequence[known] = view.sequence[covered.owners[known]]
        header = {"place": self._place, **covered.graph.header()}
        file.write(self.path, header, {**covered.graph.arrays(), "sequence": sequence})

    def read(self, view: View, metric: Metric, settings: HNSW) -> Covered | None:
        """Return the graph in the file as far as it agrees with the rows; None without one.

        A file that is damaged, of another version, or of another index is passed over with a
        warning.
        """
        from polyvec.memory.hnsw import file
        from polyvec.memory.hnsw.candidates import Candidates

        try:
            header, arrays = file.read(self.path)
            sequence = arrays.pop("sequence")
            if header.pop("place") != self._place:
                raise ValueError("it is of another namespace")
            graph = Candidates.restored(header, arrays)
            if len(sequence) != graph.nodes:
                raise ValueError("its arrays do not belong together")
            wanted = Candidates.prepare(view.vectors[:0], metric, settings)
            if graph.made_like() != wanted.made_like():
                raise ValueError("it is of an index with other settings")
        except FileNotFoundError:
            return None
        except (StoreError, OSError, ValueError, KeyError, TypeError) as exc:
            logger.warning("%s is passed over, and its graph built anew: %s", self.path, exc)
            return None
        covered = _agreeing(graph, sequence, view)
        return covered if len(covered.rest) <= AGREEING * view.findable else None


def _agreeing(graph: Candidates, sequence: npt.NDArray[np.int64], view: View) -> Covered:
    """Find the living row of each node by its number and its codes."""
    order = view.order
    keys = view.sequence[order]
    at = np.searchsorted(keys, sequence)
    found = at < len(keys)
    found[found] = keys[at[found]] == sequence[found]
    nodes = np.flatnonzero(found)
    rows = order[at[nodes]]
    same = np.zeros(len(nodes), np.bool_)
    for start in range(0, len(nodes), COMPARED_ROWS):
        part = slice(start, start + COMPARED_ROWS)
        same[part] = graph.matches(view.vectors[rows[part]], nodes[part])
    if view.present is not None:
        same &= view.present[rows]
    owners = np.full(len(sequence), -1, np.int32)
    owners[nodes[same]] = rows[same]
    missing = np.zeros(view.n, np.bool_)
    missing[order] = True
    missing[owners[owners >= 0]] = False
    return Covered(graph, owners, np.flatnonzero(missing), order[:0], view.n)


def save_all(
    folder: Path, database: Database, wanted: Callable[[CollectionSpec], HNSW | None]
) -> None:
    """Write the graphs that changed since they were written, and remove those of nobody.

    Nobody may write to the database meanwhile. What cannot be written is a warning: a graph can
    be made anew.
    """
    kept: set[Path] = set()
    try:
        for name, collection in database.collections.items():
            if wanted(collection.spec) is None:
                continue
            for namespace, space in collection.spaces.items():
                file = GraphFile(folder, name, namespace)
                kept.add(file.path)
                view = space.view()
                covered, work = view.graph.covered, view.graph.work
                if covered is not None and covered.graph.nodes and covered is not work.saved:
                    file.write(covered, view)
                    work.saved = covered
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and path not in kept:
                path.unlink(missing_ok=True)
    except OSError as exc:
        logger.warning("%s: no graph could be written: %s", folder, exc)
