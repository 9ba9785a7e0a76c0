"""A file of named arrays behind a JSON header: checksummed, replaced whole, mapped on reading.

First come the magic bytes, the format version, the length of the header and its checksum,
then the header, which lists the arrays with their checksums, then the arrays, each at a
multiple of 64 bytes. All numbers are little-endian.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from polyvec.errors import StoreError

VERSION: Final = 1

_MAGIC: Final = b"pvhnsw\0\n"
_HEAD: Final = struct.Struct("<8sIII")  # magic, version, length and checksum of the header
_ALIGN: Final = 64


def write(path: Path, header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write a file that is the old one or the new one at any moment, whatever happens."""
    listed: list[dict[str, Any]] = []
    flat = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in flat.items():
        little = array.dtype.newbyteorder("<").str
        checksum = crc32(array.reshape(-1).view(np.uint8).data)
        listed.append({"name": name, "dtype": little, "shape": array.shape, "checksum": checksum})
    text = json.dumps({**header, "arrays": listed}).encode()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
        try:
            file.write(_HEAD.pack(_MAGIC, VERSION, len(text), crc32(text)) + text)
            for array in flat.values():
                file.write(bytes(-file.tell() % _ALIGN))
                file.write(array.reshape(-1).view(np.uint8).data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the header and the arrays, which are mapped: writing to them leaves the file alone.

    Raises
    ------
    StoreError
        Not such a file, damaged, cut short, or of a newer version.
    FileNotFoundError
        There is none.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _HEAD.size:
            raise _bad(path, "it is cut short")
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    magic, version, length, checksum = _HEAD.unpack_from(view)
    if magic != _MAGIC:
        raise _bad(path, f"it starts with {magic!r}, expected {_MAGIC!r}")
    if version != VERSION:
        raise _bad(path, f"it has format version {version}, this polyvec reads {VERSION}")
    text = view[_HEAD.size : _HEAD.size + length]
    if crc32(text) != checksum:
        raise _bad(path, "its header is damaged")
    header: dict[str, Any] = json.loads(text)
    arrays: dict[str, npt.NDArray[Any]] = {}
    at = _HEAD.size + length
    for entry in header.pop("arrays"):
        at += -at % _ALIGN
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        count = int(np.prod(shape))
        if at + count * dtype.itemsize > len(view):
            raise _bad(path, "it is cut short")
        array = np.frombuffer(view, dtype, count, at)
        if crc32(array.view(np.uint8).data) != entry["checksum"]:
            raise _bad(path, f"the array {entry['name']!r} is damaged")
        arrays[entry["name"]] = array.reshape(shape)
        at += count * dtype.itemsize
    return header, arrays


def _bad(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{str(path)!r} is no graph to search: {what}; build the graph anew from its vectors",
        store="memory",
        operation="open",
    )
