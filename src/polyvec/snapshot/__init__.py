"""Parquet snapshots as a store: `parquet:///dir`, readable without polyvec."""

from __future__ import annotations

from typing import Final

from polyvec.registry import AdapterPlugin
from polyvec.snapshot._config import ParquetConfig

__all__ = ["PLUGIN"]

PLUGIN: Final = AdapterPlugin(
    backend="parquet",
    schemes=("parquet",),
    config=ParquetConfig,
    module="polyvec.snapshot.adapter",
    extra="parquet",
    packages=("pyarrow",),
)
