"""`memory:///dir`: what is kept, what is refused, and what the messages say."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyvec._dirlock import LOCK_NAME
from polyvec.errors import (
    AccessError,
    ClosedError,
    RejectedError,
    StoreError,
    UnavailableError,
)
from polyvec.memory import checkpoint, frames
from polyvec.memory._errors import map_error
from polyvec.memory.directory import Directory
from polyvec.memory.log import Log
from polyvec.memory.operations import DropAlias
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Patch, Target
from polyvec.records import RecordBatch
from polyvec.schema import HNSW, IVF, CollectionSpec, Flat
from polyvec.types import ALL_COLUMNS, Metric

NO_TIME: dict[str, Any] = {"timeout_s": None}
READ: dict[str, Any] = {"timeout_s": None, "consistency": None}
METADATA: dict[str, Any] = {
    "n": 1,
    "f": 1.0,
    "big": 2**63 - 1,
    "b": True,
    "none": None,
    "nested": [{"when": datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)}, [], "\0é😀"],
}


def opened(path: Path, **options: Any) -> MemoryAdapter:
    return MemoryAdapter(Directory(path, **options))


def target(adapter: MemoryAdapter, namespace: str = "") -> Target:
    return Target(adapter.open_collection("c", None, **NO_TIME), namespace)


def put(adapter: MemoryAdapter, *ids: str, namespace: str = "") -> None:
    vectors = np.array([[len(i), ord(i[0])] for i in ids], dtype=np.float32)
    batch = RecordBatch(list(ids), vectors, [METADATA for _ in ids], [f"text {i}" for i in ids])
    adapter.upsert(target(adapter, namespace), batch, **NO_TIME)


def made(path: Path, **options: Any) -> MemoryAdapter:
    adapter = opened(path, **options)
    adapter.create_collection(CollectionSpec("c", 2, Metric.DOT), **NO_TIME)
    return adapter


def ids_in(path: Path) -> list[str]:
    adapter = opened(path)
    page = adapter.scan(target(adapter), None, None, None, 1000, frozenset(), **READ)
    adapter.close()
    return page.batch.ids


def files(path: Path) -> list[str]:
    """Return the names of the files, but that of the lock."""
    return sorted(file.name for file in path.iterdir() if file.name != LOCK_NAME)


@pytest.mark.parametrize("with_checkpoint", [False, True])
def test_everything_is_there_again(tmp_path: Path, with_checkpoint: bool) -> None:
    path = tmp_path / "deep" / "er"
    adapter = made(path)
    specs = [
        CollectionSpec("h", 3, Metric.COSINE, HNSW(m=3, best_effort=True), {"a.b": datetime}),
        CollectionSpec("i", 1, Metric.EUCLIDEAN, IVF(probes=2, best_effort=True), {"a": int}),
        CollectionSpec("f", 9, Metric.DOT, Flat(), {"x": str, "y": bool, "z": float}),
    ]
    for spec in specs:
        adapter.create_collection(spec, **NO_TIME)
    adapter.set_alias("live", "c", **NO_TIME)
    adapter.set_alias("gone", "c", **NO_TIME)
    adapter.drop_alias("gone", **NO_TIME)
    put(adapter, "a", "b", "d")
    put(adapter, "a", namespace="$datetime")
    bare = np.array([True, False])
    vectors = np.array([[0.1, -0.0], [0, 0]], dtype=np.float32)
    batch = RecordBatch(["x", "y"], vectors, [{}, {}], [None, ""], bare)
    adapter.upsert(target(adapter, "p"), batch, **NO_TIME)
    patch = Patch({"n": 2, "new": [1.0]}, frozenset({"f"}), vectors[:1], ["changed"])
    adapter.update(target(adapter), ["b"], patch, **NO_TIME)
    adapter.update(target(adapter), ["a"], Patch({}, frozenset({"n"}), None, None), **NO_TIME)
    adapter.delete_ids(target(adapter), ["d", "absent"], **NO_TIME)
    adapter.create_collection(CollectionSpec("dropped", 2), **NO_TIME)
    adapter.drop_collection("dropped", **NO_TIME)
    if with_checkpoint:
        adapter.checkpoint()

    def state(adapter: MemoryAdapter) -> list[Any]:
        held: list[Any] = [adapter.list_collections(**NO_TIME), adapter.aliases(**NO_TIME)]
        for name in ("", "$datetime", "p"):
            got = adapter.get(target(adapter, name), list("abdxy"), ALL_COLUMNS, **READ)
            assert got.vectors is not None
            present = None if got.present is None else got.present.tolist()
            held += [got.ids, got.vectors.tobytes(), repr(got.metadata), got.texts, present]
        return held

    before = state(adapter)
    adapter.close()
    again = opened(path)
    assert state(again) == before
    for spec in specs:
        found = again.open_collection(spec.name, None, **NO_TIME)
        assert (found.dimension, found.metric) == (spec.dimension, spec.metric)
    again.close()
    assert files(path)[0].startswith("checkpoint") == with_checkpoint


def test_a_scan_goes_on_after_a_restart(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    put(adapter, "a", "b", "c", "d")
    page = adapter.scan(target(adapter), None, None, None, 2, frozenset(), **READ)
    put(adapter, "a", "c")  # replaced, they keep their places
    adapter.checkpoint()
    put(adapter, "e")
    adapter.close()
    again = opened(tmp_path)
    put(again, "f", "b")
    rest = again.scan(target(again), None, None, page.cursor, 9, frozenset(), **READ)
    again.close()
    assert (page.batch.ids, rest.batch.ids) == (["a", "b"], ["c", "d", "e", "f"])


def test_sequence_numbers_are_not_used_again_after_a_restart(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    put(adapter, "a", "b")
    cursor = adapter.scan(target(adapter), None, None, None, 9, frozenset(), **READ).cursor
    adapter.delete_where(target(adapter), None, **NO_TIME)
    adapter.checkpoint()
    adapter.close()
    again = opened(tmp_path)
    put(again, "n")
    page = again.scan(target(again), None, None, cursor, 9, frozenset(), **READ)
    again.close()
    assert page.batch.ids == ["n"]


def test_nothing_is_opened_before_the_first_verb(tmp_path: Path) -> None:
    adapter = opened(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    adapter.close()
    assert not (tmp_path / "new").exists()


def test_checkpoints_come_by_themselves_and_remove_what_they_replace(tmp_path: Path) -> None:
    adapter = made(tmp_path, checkpoint_bytes=1000)
    for number in range(40):
        put(adapter, f"r{number}")
    names = files(tmp_path)
    adapter.close()
    assert len(names) == 2
    assert names[0] > "checkpoint-00000001"
    assert len(ids_in(tmp_path)) == 40
    # Each one waited for as many bytes as the one before it had: few for 40 writes.
    assert int(names[0][-8:]) <= 6


def test_unfinished_and_outdated_files_are_removed(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    put(adapter, "a")
    first_log = (tmp_path / "log-00000000").read_bytes()
    adapter.checkpoint()
    adapter.close()
    (tmp_path / "log-00000000").write_bytes(first_log)
    (tmp_path / "checkpoint-00000002.new").write_bytes(b"half")
    (tmp_path / "log-00000002.new").write_bytes(b"")
    Log.create(tmp_path / "log-00000002").close()
    (tmp_path / "notes.txt").write_text("mine")
    assert ids_in(tmp_path) == ["a"]
    assert files(tmp_path) == ["checkpoint-00000001", "log-00000001", "notes.txt"]


def test_log_cut_anywhere_in_its_last_write_opens_as_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = made(tmp_path)
    put(adapter, "a")
    path = tmp_path / "log-00000000"
    before = path.stat().st_size
    put(adapter, "b")
    adapter.close()
    whole = path.read_bytes()
    assert ids_in(tmp_path) == ["a", "b"]
    for size in range(before, len(whole), 7):
        path.write_bytes(whole[:size])
        caplog.clear()
        assert ids_in(tmp_path) == ["a"]
        assert path.stat().st_size == before
        cut = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(cut) == (size > before)
    # A file system may have written the length and not the data.
    path.write_bytes(whole[:before] + bytes(len(whole) - before))
    assert ids_in(tmp_path) == ["a"]
    path.write_bytes(whole[:-3] + b"\0\0\0")
    assert ids_in(tmp_path) == ["a"]
    writing = opened(tmp_path)
    put(writing, "z")
    writing.close()
    assert ids_in(tmp_path) == ["a", "z"]


def damage(path: Path, offset: int) -> bytes:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)
    return bytes(data)


def test_log_damaged_before_its_last_write_is_refused_and_not_touched(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    put(adapter, "a")
    path = tmp_path / "log-00000000"
    last = path.stat().st_size
    put(adapter, "b")
    adapter.close()
    whole = path.read_bytes()
    for offset in range(0, last, 11):
        path.write_bytes(whole)
        damaged = damage(path, offset)
        with pytest.raises(StoreError, match=r"log-00000000' is damaged at byte \d+") as caught:
            ids_in(tmp_path)
        assert "restore" in str(caught.value)
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    assert ids_in(tmp_path) == ["a", "b"]


def test_damaged_or_short_checkpoint_is_refused(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    put(adapter, "a", "b")
    adapter.checkpoint()
    adapter.close()
    path = tmp_path / "checkpoint-00000001"
    whole = path.read_bytes()
    for offset in range(0, len(whole), 13):
        path.write_bytes(whole)
        damage(path, offset)
        with pytest.raises(StoreError, match="checkpoint-00000001' is damaged at byte"):
            ids_in(tmp_path)
    for size in range(0, len(whole), 13):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="checkpoint-00000001' is damaged at byte"):
            ids_in(tmp_path)
    path.write_bytes(whole + whole[frames.HEADER_BYTES :])
    with pytest.raises(StoreError, match="something follows its end"):
        ids_in(tmp_path)


def test_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(frames, "VERSION", 2)
        made(tmp_path).close()
    with pytest.raises(StoreError, match=r"format version 2, .* reads up to 1; upgrade polyvec"):
        ids_in(tmp_path)


@pytest.mark.parametrize("lost", ["log-00000001", "checkpoint-00000001"])
def test_lost_file_is_noticed_and_the_other_one_kept(tmp_path: Path, lost: str) -> None:
    adapter = made(tmp_path)
    adapter.checkpoint()
    put(adapter, "a")
    adapter.close()
    (tmp_path / lost).unlink()
    (kept,) = files(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreError, match="not there"):
            ids_in(tmp_path)
    assert kept in files(tmp_path)


def test_lost_checkpoint_of_a_later_generation_does_not_cost_the_log(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    first_log = (tmp_path / "log-00000000").read_bytes()
    adapter.checkpoint()
    put(adapter, "a")
    adapter.close()
    (tmp_path / "checkpoint-00000001").unlink()
    (tmp_path / "log-00000000").write_bytes(first_log)
    with pytest.raises(StoreError, match="the checkpoint before it is not there"):
        ids_in(tmp_path)
    assert "log-00000001" in files(tmp_path)


def test_second_store_of_the_directory_is_refused_until_the_first_one_closes(
    tmp_path: Path,
) -> None:
    first = made(tmp_path)
    second = opened(tmp_path)
    with pytest.raises(UnavailableError, match="in use by another store of this process; close"):
        second.ping(**NO_TIME)
    put(first, "a")
    first.close()
    put(second, "b")
    second.close()
    assert ids_in(tmp_path) == ["a", "b"]


def test_lock_names_the_process_and_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from polyvec.memory.directory import Directory\n"
        "held = Directory(Path(sys.argv[1])); held.open()\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(UnavailableError, match=f"in use by process {holder.pid};"):
            opened(tmp_path).ping(**NO_TIME)
        holder.kill()
    adapter = opened(tmp_path)
    adapter.ping(**NO_TIME)
    adapter.close()


def full_disk(file: Any, pieces: Any) -> int:
    file.write(bytes(memoryview(pieces[0])[:5]))
    raise OSError(errno.ENOSPC, "No space left on device", "log")


def test_full_disk_refuses_the_write_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = made(tmp_path)
    put(adapter, "a")
    with monkeypatch.context() as patch:
        patch.setattr(frames, "write_all", full_disk)
        with pytest.raises(OSError, match="No space") as caught:
            put(adapter, "b")
    error = adapter.map_error(caught.value, "upsert")
    assert isinstance(error, RejectedError)
    assert str(error).startswith("memory.upsert: no space left on device at 'log'; free some space")
    assert adapter.count(target(adapter), None, **READ) == 1
    put(adapter, "c")
    adapter.close()
    assert ids_in(tmp_path) == ["a", "c"]


def test_failed_checkpoint_costs_nothing_but_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = made(tmp_path, checkpoint_bytes=1)

    def failing(path: Path, database: Any) -> int:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", failing)
        put(adapter, "a")
    assert "no checkpoint could be written" in caplog.text
    assert not [name for name in files(tmp_path) if name.endswith(".new")]
    for number in range(9):
        put(adapter, f"r{number}")
    assert files(tmp_path)[0].startswith("checkpoint")  # tried again later
    adapter.close()
    assert len(ids_in(tmp_path)) == 10


def test_after_a_failed_flush_the_store_stops_and_a_new_one_has_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = made(tmp_path)
    put(adapter, "a")

    def failing(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output"):
            put(adapter, "b")
        for action in (
            lambda: put(adapter, "d"),
            lambda: adapter.list_collections(**NO_TIME),
        ):
            with pytest.raises(StoreError, match="cannot be used any more since flushing the log"):
                action()
    adapter.close()
    assert ids_in(tmp_path)[0] == "a"


def test_one_flush_serves_all_who_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Log.create(tmp_path / "log-00000000")
    ends = [written.append(DropAlias(str(number))) for number in range(3)]
    flushed = list[int]()
    monkeypatch.setattr(os, "fsync", flushed.append)
    written.flush(ends[0])
    written.flush(ends[2])
    assert len(flushed) == 1
    written.flush(written.append(DropAlias("x")))
    assert len(flushed) == 2
    written.close()


def test_fork_is_refused_and_does_not_release_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = made(tmp_path)
    at = target(adapter)
    real = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: real + 1)
        for action in (
            lambda: adapter.count(at, None, **READ),
            lambda: adapter.delete_where(at, None, **NO_TIME),
        ):
            with pytest.raises(ClosedError, match=f"belongs to process {real}.*connect after"):
                action()
    put(adapter, "a")
    adapter.close()
    assert ids_in(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, AccessError),
        (errno.EROFS, AccessError),
        (errno.ENOSPC, RejectedError),
        (errno.ENOTDIR, RejectedError),
        (errno.EIO, StoreError),
    ],
)
def test_errors_of_the_system_become_ours(number: int, kind: type[StoreError]) -> None:
    error = map_error(OSError(number, os.strerror(number), "/data/x"), "open")
    assert error is not None
    assert type(error) is kind
    assert error.operation == "open"
    assert "'/data/x'" in str(error)


@pytest.mark.parametrize("exc", [ValueError("x"), MemoryError(), UnavailableError("x")])
def test_other_errors_are_left_alone(exc: Exception) -> None:
    assert map_error(exc, "open") is None


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    adapter = opened(tmp_path / "file")
    with pytest.raises(FileExistsError) as caught:
        adapter.ping(**NO_TIME)
    assert "name a directory" in str(adapter.map_error(caught.value, "ping"))
    adapter.close()


def test_bytes_of_a_user_that_look_like_a_frame_do_not_confuse(tmp_path: Path) -> None:
    """A torn last write whose data holds another file's frame is still only torn."""
    other = tmp_path / "other"
    made(other).close()
    stolen = (other / "log-00000000").read_bytes()[frames.HEADER_BYTES :]
    stolen += b"\0" * (-len(stolen) % 8)
    adapter = made(tmp_path / "mine")
    vectors = np.frombuffer(stolen, dtype=np.float32).reshape(-1, 2)
    names = [str(number) for number in range(len(vectors))]
    batch = RecordBatch(names, vectors, [{} for _ in names], [None for _ in names])
    adapter.upsert(target(adapter), batch, **NO_TIME)
    adapter.close()
    path = tmp_path / "mine" / "log-00000000"
    path.write_bytes(path.read_bytes()[:-1])
    assert ids_in(tmp_path / "mine") == []
