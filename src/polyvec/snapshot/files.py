"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

TEMPORARY: Final = ".tmp-"
"""Prefix of names that a crash may leave behind; swept when the directory is opened."""


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give a temporary path to write to; on success it is made durable and becomes `path`.

    The order makes it atomic: contents to disk, then the name, then the folder
    that holds the name. A failure removes what was written.
    """
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the operating system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
