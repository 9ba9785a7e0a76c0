"""Moving collections between stores."""

from __future__ import annotations

from polyvec.migrate.content import Difference, content_hash
from polyvec.migrate.copy import copy_collection
from polyvec.migrate.copy_async import copy_collection as copy_collection_async
from polyvec.migrate.report import CopyReport, Progress

__all__ = [
    "CopyReport",
    "Difference",
    "Progress",
    "content_hash",
    "copy_collection",
    "copy_collection_async",
]
