from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import polyvec
from polyvec.cli.app import app


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return stdout as one JSON document; anything else on it is an error."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run() -> Run:
    """Run a command in this process."""

    def invoke(*arguments: object, stdin: str | None = None) -> Outcome:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store on the disk: collection `docs` with three records, and two in namespace `n`."""
    url = f"parquet://{tmp_path}/store"
    with polyvec.connect(url) as store:
        docs = store.create_collection("docs", dimension=2, metric="dot")
        docs.upsert(
            ids=["a", "b", "c"],
            vectors=[[1, 0], [2, 0], [0, 3]],
            metadata=[
                {"price": 1, "at": datetime(2024, 1, 1, tzinfo=UTC)},
                {"price": 2.5},
                {"tags": ["x"]},
            ],
            texts=["first [bold]not markup[/]", "second\x1b[31m", None],
        )
        docs.namespace("n").upsert(ids=["a", "z"], vectors=np.eye(2))
        store.create_collection("empty", dimension=3)
    return url
