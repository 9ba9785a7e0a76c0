"""Files of frames: a header, then pieces of bytes that each carry their checksum.

A frame is a mark, the length of its payload, the checksum of the payload, the
checksum of these three, and the payload. A salt in the file's header is part of
the checksum of every frame's head, so that no bytes a user can store look like
a frame of the file they are stored in.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, TypeAlias
from zlib import crc32

from polyvec.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import FileIO
    from pathlib import Path

Piece: TypeAlias = "bytes | memoryview"

VERSION: Final = 1
LOG: Final = b"log\0"
CHECKPOINT: Final = b"ckpt"

_MAGIC: Final = b"polyvec\0"
_HEADER: Final = struct.Struct("<8s4sI8s")  # magic, kind, version, salt; then their checksum
_CHECKSUM: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _CHECKSUM.size

_MARK: Final = b"\xf5pv\x01"  # starts with a byte that occurs in no UTF-8 text
_HEAD: Final = struct.Struct("<4sQI")  # mark, length, checksum of the payload
_HEAD_BYTES: Final = _HEAD.size + _CHECKSUM.size

_READ_BYTES: Final = 1024 * 1024


class BadFrame(Exception):  # noqa: N818 - a signal to the readers of this package
    """There is no whole frame at `offset`, and not the end of the file either."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no frame at byte {offset}")
        self.offset = offset


def new_header(kind: bytes) -> tuple[bytes, bytes]:
    """Return the first bytes of a new file, and the salt in them."""
    salt = os.urandom(8)
    header = _HEADER.pack(_MAGIC, kind, VERSION, salt)
    return header + _CHECKSUM.pack(crc32(header)), salt


def read_header(file: FileIO, path: Path, kind: bytes) -> bytes:
    """Check the first bytes of a file and return its salt.

    Raises
    ------
    StoreError
        Not a file of ours, damaged, or written by a newer version.
    """
    found = file.read(HEADER_BYTES)
    if (
        len(found) < HEADER_BYTES
        or crc32(found[: _HEADER.size]) != _CHECKSUM.unpack_from(found, _HEADER.size)[0]
    ):
        raise damaged(path, 0, "its header is not whole")
    magic, found_kind, version, salt = _HEADER.unpack_from(found)
    if magic != _MAGIC or found_kind != kind:
        raise damaged(path, 0, f"it starts with {found[:12]!r}, expected {_MAGIC + kind!r}")
    if version > VERSION:
        raise StoreError(
            f"{str(path)!r} has format version {version}, and this polyvec reads up to "
            f"{VERSION}; upgrade polyvec to open it",
            store="memory",
            operation="open",
        )
    return bytes(salt)


def damaged(path: Path, offset: int, what: str) -> StoreError:
    """Return the error for a file that cannot be trusted."""
    return StoreError(
        f"{str(path)!r} is damaged at byte {offset}: {what}; nothing was changed, "
        "restore the directory from a backup",
        store="memory",
        operation="open",
    )


def frame(payload: Sequence[Piece], salt: bytes) -> list[Piece]:
    """Return the pieces of a frame around the pieces of its payload."""
    checksum = length = 0
    for piece in payload:
        checksum = crc32(piece, checksum)
        length += len(piece)
    head = _HEAD.pack(_MARK, length, checksum)
    return [head, _CHECKSUM.pack(crc32(salt + head)), *payload]


def write_all(file: FileIO, pieces: Sequence[Piece]) -> int:
    """Write pieces at the current position and return how many bytes they have."""
    written = 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            count = file.write(rest)
            rest = rest[count:]
            written += count
    return written


def read_frames(file: FileIO, salt: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each frame's offset and payload, from the current position to the end of the file.

    Raises
    ------
    BadFrame
        At the first place that holds no whole frame.
    """
    offset = file.tell()
    while head := _read(file, _HEAD_BYTES):
        length = _length(head, salt)
        payload = None if length is None else _read(file, length)
        if payload is None or len(payload) != length or crc32(payload) != _payload_checksum(head):
            raise BadFrame(offset)
        yield offset, payload
        offset = file.tell()


def frame_follows(file: FileIO, offset: int, salt: bytes) -> bool:
    """Tell whether the head of a frame lies anywhere after `offset`."""
    file.seek(offset + 1)
    window = b""
    while block := _read(file, _READ_BYTES):
        window += block
        at = window.find(_MARK)
        while at >= 0:
            if _length(window[at : at + _HEAD_BYTES], salt) is not None:
                return True
            at = window.find(_MARK, at + 1)
        window = window[-_HEAD_BYTES + 1 :]  # a head may lie across two blocks
    return False


def _read(file: FileIO, count: int) -> bytes:
    """Read `count` bytes, or what is left; a raw file may return less at a time."""
    data = file.read(min(count, _remaining(file))) or b""
    if len(data) == count:
        return data
    pieces = [data]
    while pieces[-1] and (missing := count - sum(map(len, pieces))):
        pieces.append(file.read(min(missing, _remaining(file))) or b"")
    return b"".join(pieces)


def _remaining(file: FileIO) -> int:
    """Return the bytes after the current position: a damaged length must not fill the memory."""
    return max(0, os.fstat(file.fileno()).st_size - file.tell())


def _length(head: bytes, salt: bytes) -> int | None:
    """Return the length of the payload that a head announces, None when it is no head."""
    if len(head) < _HEAD_BYTES or not head.startswith(_MARK):
        return None
    if crc32(salt + head[: _HEAD.size]) != _CHECKSUM.unpack_from(head, _HEAD.size)[0]:
        return None
    return int(_HEAD.unpack_from(head)[1])


def _payload_checksum(head: bytes) -> int:
    return int(_HEAD.unpack_from(head)[2])
