"""Parts: zstd Parquet files of records and of deletion marks.

| column | type | meaning |
|---|---|---|
| id, namespace | string | together they name a record |
| text | string or null | |
| metadata | string | JSON, see `polyvec.metadata`; null on deletion marks |
| vector | fixed_size_list<float32> | zeros where there is none |
| present | bool | whether the record has a vector |
| deleted | bool | the row is a deletion mark: the record was deleted here |
| key | int64 | position in scans, kept when a record is replaced |

The last part that names a record decides about it; a part names each at most once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from polyvec.errors import RejectedError
from polyvec.metadata import from_json, to_json
from polyvec.records import RecordBatch
from polyvec.snapshot._arrow import pa, pq
from polyvec.snapshot.files import checksum, replacing
from polyvec.snapshot.manifest import Part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyvec.primitives import Columns

MIN_GROUP_ROWS: Final = 64
MAX_GROUP_ROWS: Final = 8192
GROUP_BYTES: Final = 4 * 1024 * 1024
"""Vectors of a row group: what reading one record costs at most."""

CACHE_BYTES: Final = 24 * 1024 * 1024
"""Decoded columns that a collection keeps: a page of a scan does not decode its group anew. Four
readers have a group each, about 5 MB."""

ALL_NAMES: Final = ("id", "namespace", "text", "metadata", "vector", "present", "deleted", "key")
KEY_NAMES: Final = ("id", "namespace", "deleted", "key")


def group_rows(dimension: int) -> int:
    """Return the rows of a row group."""
    return min(MAX_GROUP_ROWS, max(MIN_GROUP_ROWS, GROUP_BYTES // (4 * dimension)))


def schema_of(dimension: int) -> Any:
    """Return the Arrow schema of a part."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("namespace", pa.string(), nullable=False),
            pa.field("text", pa.string()),
            pa.field("metadata", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
            pa.field("present", pa.bool_(), nullable=False),
            pa.field("deleted", pa.bool_(), nullable=False),
            pa.field("key", pa.int64(), nullable=False),
        ]
    )


def table_of(namespace: str, batch: RecordBatch, keys: Sequence[int]) -> Any:
    """Return records, all of whose columns are given, as an Arrow table."""
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    n, dimension = batch.vectors.shape
    present = np.ones(n, dtype=np.bool_) if batch.present is None else batch.present
    return _table(
        dimension,
        batch.ids,
        namespace,
        batch.texts,
        [to_json(fields) for fields in batch.metadata],
        batch.vectors,
        present,
        deleted=False,
        keys=keys,
    )


def deletions_of(namespace: str, ids: Sequence[str], keys: Sequence[int], dimension: int) -> Any:
    """Return deletion marks as an Arrow table."""
    n = len(ids)
    vectors = np.zeros((n, dimension), dtype=np.float32)
    absent = np.zeros(n, dtype=np.bool_)
    nothing = [None] * n
    return _table(
        dimension, ids, namespace, nothing, nothing, vectors, absent, deleted=True, keys=keys
    )


def _table(
    dimension: int,
    ids: Sequence[str],
    namespace: str,
    texts: Sequence[str | None],
    metadata: Sequence[str | None],
    vectors: npt.NDArray[np.float32],
    present: npt.NDArray[np.bool_],
    *,
    deleted: bool,
    keys: Sequence[int],
) -> Any:
    n = len(ids)
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    columns = [
        pa.array(ids, pa.string()),
        pa.repeat(pa.scalar(namespace, pa.string()), n),
        pa.array(texts, pa.string()),
        pa.array(metadata, pa.string()),
        pa.FixedSizeListArray.from_arrays(flat, dimension),
        pa.array(present),
        pa.repeat(pa.scalar(deleted), n),
        pa.array(keys, pa.int64()),
    ]
    return pa.Table.from_arrays(columns, schema=schema_of(dimension))


def write_part(folder: Path, number: int, tables: Sequence[Any]) -> Part:
    """Write tables as one part, durably; it counts once the manifest names it."""
    part = Part(number, rows=sum(table.num_rows for table in tables), bytes=0, sha256="")
    schema = tables[0].schema
    size = group_rows(schema.field("vector").type.list_size)
    path = folder / part.file
    with replacing(path) as temporary:
        with pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            # Floats and unique strings gain nothing from a dictionary but time.
            use_dictionary=["namespace"],
            write_statistics=["key"],
        ) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=size)
        digest = checksum(temporary)
        length = temporary.stat().st_size
    return Part(number, rows=part.rows, bytes=length, sha256=digest)


def decode(table: Any, ids: list[str], columns: Columns, dimension: int) -> RecordBatch:
    """Return rows of a part as a batch with exactly the given columns."""
    vectors = present = metadata = texts = None
    if "vector" in columns:
        flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        vectors = np.array(flat, dtype=np.float32).reshape(len(ids), dimension)
        there = table["present"].to_numpy()
        present = None if there.all() else np.array(there, dtype=np.bool_)
    if "metadata" in columns:
        metadata = [from_json(text) for text in table["metadata"].to_pylist()]
    if "text" in columns:
        texts = table["text"].to_pylist()
    return RecordBatch(ids, vectors=vectors, metadata=metadata, texts=texts, present=present)


def release_unused() -> None:
    """Give memory back that Arrow keeps for its next allocation: after reading much at once."""
    pa.default_memory_pool().release_unused()


class PartReader:
    """Reads rows of a collection's parts on demand, a row group and column at a time.

    `cached_bytes` of decoded columns are kept, at most `cache_bytes`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._footers: dict[int, Any] = {}
        self._starts: dict[int, npt.NDArray[np.int64]] = {}  # first row of each row group
        self._cache: OrderedDict[tuple[int, int, str], Any] = OrderedDict()
        self.cache_bytes = CACHE_BYTES
        self.cached_bytes = 0

    def verify(self, part: Part) -> None:
        """Compare a part with the manifest.

        Raises
        ------
        RejectedError
            It is missing, or its bytes are not those that were written.
        """
        path = self._folder / part.file
        if not path.exists():
            raise _damaged(path, "it is missing")
        if (size := path.stat().st_size) != part.bytes:
            raise _damaged(path, f"it has {size} bytes, the manifest says {part.bytes}")
        if (found := checksum(path)) != part.sha256:
            raise _damaged(path, f"its SHA-256 is {found}, the manifest says {part.sha256}")

    def read_all(self, part: int, names: Sequence[str]) -> Any:
        """Return whole columns of one part."""
        path = self._folder / Part(part, 0, 0, "").file
        try:
            return pq.ParquetFile(path, metadata=self._footer(part)).read(columns=list(names))
        except (pa.ArrowException, OSError) as exc:
            raise _damaged(path, str(exc)) from exc

    def read(
        self, parts: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], names: Sequence[str]
    ) -> Any:
        """Return rows, given by part and row number, as a table in the order given."""
        order = np.lexsort((rows, parts))
        pieces: list[Any] = []
        for part in np.unique(parts).tolist():
            wanted = rows[order][parts[order] == part]
            starts = self._group_starts(part)
            groups = np.searchsorted(starts, wanted, side="right") - 1
            for group in np.unique(groups).tolist():
                local = wanted[groups == group] - starts[group]
                columns = [self._column(part, group, name).take(pa.array(local)) for name in names]
                pieces.append(pa.Table.from_arrays(columns, names=list(names)))
        table = pa.concat_tables(pieces)
        if np.all(order[1:] > order[:-1]):
            return table
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return table.take(pa.array(back))

    def forget(self, part: int) -> None:
        """Drop what is known of a part that is gone."""
        self._footers.pop(part, None)
        self._starts.pop(part, None)
        for entry in [entry for entry in self._cache if entry[0] == part]:
            self.cached_bytes -= self._cache.pop(entry).nbytes

    def _footer(self, part: int) -> Any:
        if part not in self._footers:
            self._footers[part] = pq.read_metadata(self._folder / Part(part, 0, 0, "").file)
        return self._footers[part]

    def _group_starts(self, part: int) -> npt.NDArray[np.int64]:
        if part not in self._starts:
            footer = self._footer(part)
            sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
            self._starts[part] = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
        return self._starts[part]

    def _column(self, part: int, group: int, name: str) -> Any:
        entry = (part, group, name)
        if entry in self._cache:
            self._cache.move_to_end(entry)
            return self._cache[entry]
        path = self._folder / Part(part, 0, 0, "").file
        try:
            with pq.ParquetFile(path, metadata=self._footer(part)) as file:
                column = file.read_row_group(group, columns=[name])[name].combine_chunks()
        except (pa.ArrowException, OSError) as exc:
            raise _damaged(path, str(exc)) from exc
        self._cache[entry] = column
        self.cached_bytes += column.nbytes
        while self.cached_bytes > self.cache_bytes and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self.cached_bytes -= oldest.nbytes
        return column


def _damaged(path: Path, what: str) -> RejectedError:
    return RejectedError(
        f"part {str(path)!r} is damaged: {what}; restore the file or take the snapshot again",
        store="parquet",
    )
