"""Merging parts: which, and how. The records stay the same, the files become fewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from polyvec.snapshot.parts import ALL_NAMES, KEY_NAMES, deletions_of, schema_of, write_part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyvec.snapshot.index import NamespaceIndex
    from polyvec.snapshot.manifest import Part
    from polyvec.snapshot.parts import PartReader

SMALL_ROWS: Final = 5000
MAX_SMALL: Final = 32
PART_BYTES: Final = 64 * 1024 * 1024
"""Vectors of a merged part, which is also what merging holds in memory."""

DEAD_ROWS: Final = 10_000


def tail_to_merge(rows: Sequence[int], live: int) -> int:
    """Return how many of the last parts to merge; 0 for none.

    All of them, when more than half of the rows, and more than a few, are
    superseded or deleted. Otherwise the small ones at the end, when there are
    many; older ones among them only while they are not much larger than what
    follows, so that a record is rewritten about log(n) times, not n times.

    Parameters
    ----------
    rows
        Rows of each part, in order.
    live
        Records there are.
    """
    total = sum(rows)
    if total - live > max(DEAD_ROWS, live):
        return len(rows)
    small = 0
    while small < len(rows) and rows[-1 - small] < SMALL_ROWS:
        small += 1
    if small < MAX_SMALL:
        return 0
    count, behind = 0, 0
    for size in reversed(rows[len(rows) - small :]):
        if count >= MAX_SMALL // 2 and size > 2 * behind:
            break
        count += 1
        behind += size
    return count


def merge(
    folder: Path,
    reader: PartReader,
    indexes: dict[str, NamespaceIndex],
    numbers: set[int],
    *,
    number: int,
    whole: bool,
    dimension: int,
) -> list[Part]:
    """Write the records of some parts as new ones, in the order of their keys.

    Parameters
    ----------
    numbers
        The last parts of the collection.
    number
        Of the first new part.
    whole
        Whether they are all parts: then deletion marks have done their work.
    """
    keys, parts, rows = _live_rows(indexes, numbers)
    size = max(1024, PART_BYTES // (4 * dimension))
    written: list[Part] = []
    for start in range(0, len(keys), size):
        stop = start + size
        table = reader.read(parts[start:stop], rows[start:stop], ALL_NAMES)
        table = table.cast(schema_of(dimension))
        written.append(write_part(folder, number + len(written), [table]))
    marks = [] if whole else _marks(reader, indexes, numbers, dimension)
    if marks:
        written.append(write_part(folder, number + len(written), marks))
    return written


def _live_rows(indexes: dict[str, NamespaceIndex], numbers: set[int]) -> Any:
    wanted = np.array(sorted(numbers), dtype=np.int64)
    found = [index.all_rows() for index in indexes.values()]
    table = np.concatenate(found, axis=1) if found else np.empty((3, 0), dtype=np.int64)
    table = table[:, np.isin(table[1], wanted)]
    return table[:, np.argsort(table[0], kind="stable")]


def _marks(
    reader: PartReader, indexes: dict[str, NamespaceIndex], numbers: set[int], dimension: int
) -> list[Any]:
    """Return the deletion marks that older parts still need, one table per namespace."""
    gone: dict[str, dict[str, int]] = {}
    for part in sorted(numbers):
        columns = (reader.read_all(part, KEY_NAMES)[name].to_pylist() for name in KEY_NAMES)
        for record_id, namespace, deleted, key in zip(*columns, strict=True):
            index = indexes.get(namespace)
            if deleted and (index is None or record_id not in index):
                gone.setdefault(namespace, {})[record_id] = key
    return [
        deletions_of(namespace, list(marks), list(marks.values()), dimension)
        for namespace, marks in gone.items()
    ]
