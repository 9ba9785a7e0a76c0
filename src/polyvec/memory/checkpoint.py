"""Checkpoints: a whole database in one file, which is there entirely or not at all."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from polyvec.memory import frames
from polyvec.memory.codec import encode
from polyvec.memory.log import apply_payload

if TYPE_CHECKING:
    from pathlib import Path

    from polyvec.memory.database import Database

_END: Final = struct.Struct("<8sQ")  # a word that no operation starts with, frames before it
_WORD: Final = b"the end\xff"


def write(path: Path, database: Database) -> int:
    """Write a database to a new file, flush it, and return its bytes."""
    header, salt = frames.new_header(frames.CHECKPOINT)
    count = 0
    with path.open("wb", buffering=0) as file:
        size = frames.write_all(file, [header])
        for operation in database.operations():
            size += frames.write_all(file, frames.frame(encode(operation), salt))
            count += 1
        size += frames.write_all(file, frames.frame([_END.pack(_WORD, count)], salt))
        os.fsync(file.fileno())
    return size


def read(path: Path, database: Database) -> int:
    """Fill an empty database from a file and return the file's bytes.

    Raises
    ------
    StoreError
        The file is damaged, cut short, or of a newer version.
    """
    with path.open("rb", buffering=0) as file:
        salt = frames.read_header(file, path, frames.CHECKPOINT)
        count = 0
        ended = False
        try:
            for offset, payload in frames.read_frames(file, salt):
                if ended:
                    raise frames.damaged(path, offset, "something follows its end")
                if ended := payload == _END.pack(_WORD, count):
                    continue
                apply_payload(path, offset, payload, database.apply)
                count += 1
        except frames.BadFrame as bad:
            raise frames.damaged(path, bad.offset, "a frame is broken") from bad
        if not ended:
            raise frames.damaged(path, file.tell(), f"it ends after {count} frames, unfinished")
        return file.tell()
