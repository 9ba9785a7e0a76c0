"""Errors of the operating system to ours."""

from __future__ import annotations

import errno
from typing import Final

from polyvec.errors import AccessError, PolyvecError, RejectedError, StoreError

_BY_ERRNO: Final[dict[int, tuple[type[StoreError], str]]] = {
    errno.ENOSPC: (RejectedError, "free some space; nothing of this write was kept"),
    errno.EDQUOT: (RejectedError, "raise the quota; nothing of this write was kept"),
    errno.EACCES: (AccessError, "give this user read and write permission"),
    errno.EPERM: (AccessError, "give this user read and write permission"),
    errno.EROFS: (AccessError, "the file system is mounted read-only; copy the snapshot first"),
    errno.ENOTDIR: (RejectedError, "name a directory, not a file"),
    errno.EEXIST: (RejectedError, "name a directory, not a file"),
}


def map_error(exc: Exception, operation: str) -> StoreError | None:
    """Return our error for one of the operating system's, None for any other."""
    if isinstance(exc, PolyvecError) or not isinstance(exc, OSError):
        return None
    kind, remedy = _BY_ERRNO.get(exc.errno or 0, (StoreError, ""))
    where = f" at {exc.filename!r}" if exc.filename else ""
    tail = f"; {remedy}" if remedy else ""
    text = exc.strerror.lower() if exc.strerror else type(exc).__name__
    return kind(f"{text}{where}{tail}", store="parquet", operation=operation)
