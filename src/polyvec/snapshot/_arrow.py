"""pyarrow, untyped: it ships no type information. Imported only when a snapshot is opened."""

from __future__ import annotations

import importlib
from typing import Any, Final

pa: Final[Any] = importlib.import_module("pyarrow")
pq: Final[Any] = importlib.import_module("pyarrow.parquet")
