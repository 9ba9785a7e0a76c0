"""What is on the disk: readable without polyvec, and every damage is noticed and named."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyvec
from polyvec.errors import AccessError, RejectedError
from polyvec.metadata import from_json
from polyvec.snapshot._errors import map_error

pq: Any = importlib.import_module("pyarrow.parquet")
Opener = Callable[[], polyvec.VectorStore]


@pytest.fixture
def part(connect: Opener, folder: Path) -> Path:
    """A closed snapshot: the collection `c` has one part, of three records."""
    connect().create_collection("c", dimension=3, metric="euclidean").namespace("n").upsert(
        ids=["a", "b", "c"],
        vectors=np.arange(9, dtype=np.float32).reshape(3, 3),
        metadata=[{"k": 1}, {"k": 1.5}, {}],
        texts=["x", None, "z"],
    )
    connect().close()
    [found] = (folder / "c").glob("*.parquet")
    return found


def test_pyarrow_reads_a_part(part: Path) -> None:
    table = pq.read_table(part)
    assert table["id"].to_pylist() == ["a", "b", "c"]
    assert table["namespace"].to_pylist() == ["n"] * 3
    assert table["text"].to_pylist() == ["x", None, "z"]
    assert [from_json(text) for text in table["metadata"].to_pylist()] == [{"k": 1}, {"k": 1.5}, {}]
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[3]"
    assert table["vector"].to_pylist()[1] == [3.0, 4.0, 5.0]
    assert table["present"].to_pylist() == [True] * 3
    assert table["deleted"].to_pylist() == [False] * 3
    assert pq.ParquetFile(part).metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_manifest_tells_what_there_is(part: Path) -> None:
    manifest = json.loads((part.parent / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["version"]) == ("polyvec-snapshot", 1)
    assert manifest["spec"] == {
        "name": "c",
        "dimension": 3,
        "metric": "euclidean",
        "index_fields": {},
    }
    assert (manifest["count"], manifest["namespaces"]) == (3, {"n": 3})
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    size = part.stat().st_size
    assert manifest["parts"] == [{"file": part.name, "rows": 3, "bytes": size, "sha256": digest}]


def test_the_last_part_decides_about_a_record(connect: Opener, folder: Path) -> None:
    """The rule of docs/adapters/parquet.md for readers without polyvec."""
    collection = connect().create_collection("c", dimension=1)
    collection.upsert(ids=["a", "b", "c"], vectors=[[1], [2], [3]])
    collection.upsert(ids=["b"], vectors=[[20]])
    collection.delete(["a", "absent"])
    connect().close()
    rows: dict[str, Any] = {}
    for path in sorted((folder / "c").glob("*.parquet")):
        rows |= {row["id"]: row for row in pq.read_table(path).to_pylist()}
    kept = {name: row["vector"] for name, row in rows.items() if not row["deleted"]}
    assert kept == {"b": [20.0], "c": [3.0]}


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.95])
def test_a_flipped_byte_is_noticed_and_the_part_named(
    connect: Opener, part: Path, where: float
) -> None:
    data = bytearray(part.read_bytes())
    data[int(len(data) * where)] ^= 0x40
    part.write_bytes(data)
    collection = connect().collection("c").namespace("n")
    for read in (
        lambda: collection.get(["a"]),
        lambda: list(collection.scan()),
        lambda: collection.query([1, 2, 3]),
        lambda: collection.upsert(ids=["d"], vectors=[[1, 2, 3]]),
    ):
        with pytest.raises(RejectedError, match=rf"{part.name}.*SHA-256"):
            read()
    assert connect().collection("c").namespaces() == {"n": 3}  # the manifest alone


def test_a_shortened_part_is_noticed(connect: Opener, part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(RejectedError, match=rf"{part.name}.*bytes"):
        connect().collection("c").namespace("n").get(["a"])


def test_a_lost_part_is_noticed(connect: Opener, part: Path) -> None:
    part.unlink()
    with pytest.raises(RejectedError, match=rf"{part.name}.*missing"):
        connect().collection("c").namespace("n").get(["a"])


def replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


def instead(text: str) -> Callable[[str], str]:
    return lambda _: text


def shortened(text: str) -> str:
    return text[:-20]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (shortened, "damaged"),
        (instead("[]"), "damaged"),
        (instead("\xff"), "damaged"),
        (replaced("polyvec-snapshot", "other"), "other"),
        (replaced('"version": 1', '"version": 2'), "version 2.*upgrade"),
        (replaced("euclidean", "manhattan"), "manhattan"),
    ],
)
def test_a_damaged_or_newer_manifest_is_refused(
    connect: Opener, part: Path, change: Callable[[str], str], expected: str
) -> None:
    path = part.parent / "manifest.json"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="latin-1")
    store = connect()
    assert store.list_collections() == ["c"]
    with pytest.raises(RejectedError, match=expected):
        store.collection("c")


def test_a_file_instead_of_a_directory(connect: Opener, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(RejectedError, match="name a directory"):
        connect().create_collection("c", dimension=2)


def test_errors_of_the_operating_system() -> None:
    error = map_error(PermissionError(13, "Permission denied", "/x"), "upsert")
    assert isinstance(error, AccessError)
    assert str(error) == (
        "parquet.upsert: permission denied at '/x'; give this user read and write permission"
    )
    full = map_error(OSError(28, "No space left on device"), "upsert")
    assert isinstance(full, RejectedError)
    assert map_error(KeyError("x"), "upsert") is None
