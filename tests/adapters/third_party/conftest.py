"""This folder is a distribution of its own: only a run that starts from it collects its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.rootpath == HERE else True
