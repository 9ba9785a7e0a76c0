"""One collection of a snapshot: an index in memory over parts on the disk.

Every write adds one part and then swaps the manifest, so that it is durable when it returns and a
crash leaves the state before it or after it. Small parts are merged when there are many. Callers
hold the collection's lock.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import StoreError
from polyvec.snapshot.files import TEMPORARY
from polyvec.snapshot.index import NamespaceIndex
from polyvec.snapshot.manifest import MANIFEST_NAME
from polyvec.snapshot.merge import merge, tail_to_merge
from polyvec.snapshot.parts import (
    KEY_NAMES,
    PartReader,
    decode,
    deletions_of,
    release_unused,
    schema_of,
    table_of,
    write_part,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from polyvec.primitives import Columns
    from polyvec.records import RecordBatch
    from polyvec.snapshot.manifest import Manifest

_log = logging.getLogger("polyvec")

EMPTY: Final = NamespaceIndex()
"""What a namespace without records looks like; never written to."""


APPLIED_ROWS: Final = 8192
"""Rows of a part that are Python objects at a time: those of a whole one took 200 MB."""


class SnapshotCollection:
    """The records of one folder.

    Parameters
    ----------
    folder
        Holds `manifest.json` and the parts.
    manifest
        As read from it.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.reader = PartReader(folder)
        self._indexes: dict[str, NamespaceIndex] | None = None

    def index(self, namespace: str) -> NamespaceIndex:
        """Return the index of a namespace, to read it."""
        return self.load().get(namespace, EMPTY)

    def load(self) -> dict[str, NamespaceIndex]:
        """Return namespace to index; the first call verifies all parts and reads their ids.

        Raises
        ------
        RejectedError
            A part is damaged.
        """
        if self._indexes is None:
            self._sweep()
            indexes: dict[str, NamespaceIndex] = {}
            for part in self.manifest.parts:
                self.reader.verify(part)
                self._add_part(indexes, part.number)
            self._indexes = indexes
            release_unused()
        return self._indexes

    def read(self, namespace: str, places: npt.NDArray[np.int64], columns: Columns) -> RecordBatch:
        """Return the records at places of a namespace's index, in that order."""
        index = self.index(namespace)
        ids = [index.id_at(place) for place in places.tolist()]
        names = [*columns, "present"] if "vector" in columns else [*columns]
        dimension = self.manifest.spec.dimension
        if not ids or not names:
            return decode(schema_of(dimension).empty_table(), ids, columns, dimension)
        _, parts, rows = index.rows_at(places)
        return decode(self.reader.read(parts, rows, names), ids, columns, dimension)

    def upsert(self, namespace: str, batch: RecordBatch) -> None:
        """Write records, whole and durably, as one part."""
        index = self.index(namespace)
        keys: list[int] = []
        next_key = self.manifest.next_key
        for record_id in batch.ids:
            key = index.key_of(record_id)
            if key is None:
                key, next_key = next_key, next_key + 1
            keys.append(key)
        self._append(table_of(namespace, batch, keys), next_key)

    def delete(self, namespace: str, ids: Sequence[str]) -> None:
        """Write deletion marks for the ids that are there, durably, as one part."""
        index = self.index(namespace)
        keys = {i: key for i in ids if (key := index.key_of(i)) is not None}
        if keys:
            dimension = self.manifest.spec.dimension
            marks = deletions_of(namespace, list(keys), list(keys.values()), dimension)
            self._append(marks, self.manifest.next_key)

    def _append(self, table: Any, next_key: int) -> None:
        indexes = self.load()
        before = self.manifest
        part = write_part(self.folder, before.next_part, [table])
        [namespace] = table["namespace"].unique().to_pylist()
        index = indexes.get(namespace, EMPTY)
        ids = table["id"].to_pylist()
        there = sum(record_id in index for record_id in ids)
        added = -there if table["deleted"][0].as_py() else len(ids) - there
        counts = {**before.namespaces, namespace: len(index) + added}
        self._commit(
            replace(
                before,
                namespaces={name: count for name, count in counts.items() if count},
                parts=(*before.parts, part),
                next_part=before.next_part + 1,
                next_key=next_key,
            )
        )
        _apply(indexes, table, part.number)
        try:
            self._merge_if_due()
        except (OSError, StoreError) as exc:
            # The write itself is done; a later one tries to merge again.
            _log.warning("merging parts of %s failed: %s", self.folder, exc)

    def _commit(self, manifest: Manifest) -> None:
        """Make a new state the state; on failure nothing has changed."""
        manifest.save(self.folder)
        self.manifest = manifest

    def _merge_if_due(self) -> None:
        live = sum(self.manifest.namespaces.values())
        count = tail_to_merge([part.rows for part in self.manifest.parts], live)
        if not count:
            return
        kept, gone = self.manifest.parts[:-count], self.manifest.parts[-count:]
        indexes = self.load()
        merged = merge(
            self.folder,
            self.reader,
            indexes,
            {part.number for part in gone},
            number=self.manifest.next_part,
            whole=not kept,
            dimension=self.manifest.spec.dimension,
        )
        following = self.manifest.next_part + len(merged)
        self._commit(replace(self.manifest, parts=(*kept, *merged), next_part=following))
        for part in merged:
            self._add_part(indexes, part.number)
        for part in gone:
            self.reader.forget(part.number)
            with suppress(OSError):  # what stays is swept when the collection is loaded again
                (self.folder / part.file).unlink()

    def _add_part(self, indexes: dict[str, NamespaceIndex], number: int) -> None:
        _apply(indexes, self.reader.read_all(number, KEY_NAMES), number)

    def _sweep(self) -> None:
        """Remove what a crash left: temporary files, and parts that the manifest does not name."""
        named = {part.file for part in self.manifest.parts} | {MANIFEST_NAME}
        for path in self.folder.iterdir():
            leftover = path.name.startswith("part-") and path.suffix == ".parquet"
            if path.name not in named and (leftover or path.name.startswith(TEMPORARY)):
                path.unlink()


def _apply(indexes: dict[str, NamespaceIndex], table: Any, number: int) -> None:
    """Let a part have its word about the records it names."""
    row = 0
    for part in table.select(KEY_NAMES).to_batches(max_chunksize=APPLIED_ROWS):
        for record_id, namespace, deleted, key in zip(
            *(column.to_pylist() for column in part.columns), strict=True
        ):
            if deleted:
                if namespace in indexes:
                    indexes[namespace].remove(record_id)
            else:
                if namespace not in indexes:
                    indexes[namespace] = NamespaceIndex()
                indexes[namespace].put(record_id, key, number, row)
            row += 1
